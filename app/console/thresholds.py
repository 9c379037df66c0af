"""What a threshold at another value would have meant: figures over real refunds, from a snapshot of recorded decisions.

Nothing is changed here and nobody outside is asked. The same snapshot, policy and value give the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.console.past import Past, Pasts
from graph.errors import PolicyMissing
from graph.rulebook import PolicyVersion, load_policy, published_hash
from policies.document import Policy
from policies.locked import MOVES_MONEY
from policies.money import exponent
from policies.whatif.deciding import ACTS
from policies.whatif.exposure import worst_day
from policies.whatif.own_amounts import is_own, own_name, with_own_threshold
from policies.whatif.refunds import Band, Point, Refunds, Turned
from policies.whatif.thresholds import Threshold, ThresholdError, threshold_of, with_threshold
from policies.whatif.tuning import Tuning, tuned

QUALITY: Final = 0.97
"""The agreement with people that a recommended value must keep, unless somebody asks for another one."""
BANDS: Final = 24
SHARE_SHOWN: Final = 0.97
"""So large a share of the refunds lies within the histogram; its last band takes the rest."""
STEPS: Final = 400
_ROUND: Final = (1, 2, 5)

_RUNS: Final = text(
    """
    SELECT DISTINCT ON (ticket_id, decided_at) ticket_id, decided_at, run_id FROM decision
     WHERE tenant_id = :tenant_id AND decided_at = ANY(:moments) AND ticket_id = ANY(:tickets)
     ORDER BY ticket_id, decided_at, cycle DESC
    """,
)


@dataclass(frozen=True, slots=True)
class Stated:
    """An amount that the policy states for a tier that acts without a person."""

    tier: str
    currency: str
    at_most_minor: int
    has_special_days: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked. `at_most_minor` None is the present value; `intent` and `segment` narrow which refunds count."""

    tier: str
    currency: str
    intent: str | None = None
    segment: str | None = None
    at_most_minor: int | None = None
    quality: float = QUALITY


@dataclass(frozen=True, eq=False)
class Answer:
    """A threshold at one value, beside the present one.

    Args:
        now: None where the tier states no amount in the currency.
        worst_now: minor units that can leave within a day without a person under the policy's limits; None where
            nothing bounds them. `worst_then` with the value.
        turned: the largest refunds that would go another way.
        most_minor: where the histogram and the slider end; `step_minor` is one step of the slider.
        own: the tier of its own that the intent and the segment would get; None where the tier's one amount is moved.
        obstacle: why they cannot get one; None where they can, or need none.
        runs: the run of each of them, by ticket and time.
    """

    version: PolicyVersion
    policy: Policy
    past: Past
    refunds: Refunds
    tuning: Tuning
    then: Point
    now: Point | None
    worst_now: int | None
    worst_then: int | None
    turned_tickets: int
    turned: Sequence[Turned]
    bands: Sequence[Band]
    most_minor: int
    step_minor: int
    own: str | None = None
    obstacle: str | None = None
    runs: Mapping[tuple[str, datetime], str] = field(default_factory=dict)

    @property
    def threshold(self) -> Threshold:
        """Which amount it is."""
        return self.refunds.threshold

    @property
    def raises(self) -> bool:
        """Whether more is paid without a person, which a second person must approve."""
        return self.then.at_most_minor > (self.refunds.current_minor or 0)

    @property
    def lowers(self) -> bool:
        """Whether less is."""
        return self.refunds.current_minor is not None and self.then.at_most_minor < self.refunds.current_minor


async def deciding_version(session: AsyncSession, tenant_id: str) -> tuple[PolicyVersion, Policy] | None:
    """The published version; None where there is none."""
    try:
        policy_hash = await published_hash(session, tenant_id)
    except PolicyMissing:
        return None
    version = await session.get_one(PolicyVersion, (tenant_id, policy_hash))
    return version, await load_policy(session, tenant_id, policy_hash)


def stated(policy: Policy) -> list[Stated]:
    """Every threshold of a policy: the amounts of tiers that act alone on money, in the order of the file."""
    named = {cell.tier for cell in policy.autonomy.matrix if cell.action is None or cell.action in MOVES_MONEY}
    return [
        Stated(tier.name, currency, amount, bool(tier.during))
        for tier in policy.autonomy.tiers
        if tier.mode in ACTS and tier.name in named
        for currency, amount in (tier.at_most or {}).items()
    ]


async def answered(pasts: Pasts, version: PolicyVersion, policy: Policy, wanted: Wanted) -> Answer:
    """What the value would have meant.

    Raises:
        ThresholdError: the policy has no such threshold, or a word is unknown.
    """
    threshold = threshold_of(policy, f"{wanted.tier}.{wanted.currency}", intent=wanted.intent, segment=wanted.segment)
    if not any((one.tier, one.currency) == (wanted.tier, wanted.currency) for one in stated(policy)):
        raise ThresholdError(f"{threshold.name} decides no money alone: no tier that acts states it")
    past, refunds = await pasts.refunds(version.tenant_id, policy, threshold)
    found = await asyncio.to_thread(_answer, version, policy, past, refunds, wanted)
    async with pasts.sessions(version.tenant_id) as session:
        return replace(found, runs=await _runs_of(session, version.tenant_id, found.turned))


def _answer(version: PolicyVersion, policy: Policy, past: Past, refunds: Refunds, wanted: Wanted) -> Answer:
    current, currency = refunds.current_minor, wanted.currency
    value = wanted.at_most_minor if wanted.at_most_minor is not None else current or 0
    tickets, _ = refunds.turned(value)
    width = _width(refunds, current or 0)
    moved, own, obstacle = _moved(policy, refunds.threshold, value)
    return Answer(
        version=version,
        policy=policy,
        past=past,
        refunds=refunds,
        tuning=tuned(refunds, quality=wanted.quality),
        then=refunds.point(value),
        now=None if current is None else refunds.point(current),
        worst_now=worst_day(policy, [currency])[currency],
        worst_then=worst_day(moved, [currency])[currency],
        turned_tickets=tickets,
        turned=refunds.turned_first(value),
        bands=refunds.bands(value, [width * number for number in range(1, BANDS + 1)]),
        most_minor=width * BANDS,
        step_minor=max(10 ** exponent(currency), _round_up(width * BANDS // STEPS)),
        own=own,
        obstacle=obstacle,
    )


def _moved(policy: Policy, threshold: Threshold, value: int) -> tuple[Policy, str | None, str | None]:
    """The policy with the value, the tier of its own that it is in, and why there can be none."""
    if is_own(policy, threshold):
        return with_threshold(policy, threshold, value), None, None
    try:
        return with_own_threshold(policy, threshold, value), own_name(threshold), None
    except ThresholdError as error:
        return with_threshold(policy, threshold, value), None, str(error)


def _width(refunds: Refunds, current: int) -> int:
    """Of one band: a round amount, so that the present value and nearly all refunds lie within the histogram."""
    reach = max(2 * current, refunds.amount_at(SHARE_SHOWN), 10 ** exponent(refunds.threshold.currency))
    return _round_up(-(-reach // BANDS))


def _round_up(amount: int) -> int:
    """The next one, two or five with noughts."""
    scale = 1
    while True:
        for step in _ROUND:
            if step * scale >= amount:
                return step * scale
        scale *= 10


async def _runs_of(
    session: AsyncSession, tenant_id: str, turned: Sequence[Turned]
) -> Mapping[tuple[str, datetime], str]:
    if not turned:
        return {}
    values = {"tenant_id": tenant_id, "moments": [one.at for one in turned], "tickets": [one.ticket for one in turned]}
    return {(row.ticket_id, row.decided_at): row.run_id for row in await session.execute(_RUNS, values)}
