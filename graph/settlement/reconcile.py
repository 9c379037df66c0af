"""Comparing books: our effects, Stripe's refunds, the log, and what people approved. Drift is in minor units.

What Stripe has and we have not is taken in, as a webhook would be; what we hold to be settled and Stripe does not have,
or the log never heard of, is reported. Nothing here sends anything or gives any money back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.stripe.wire import RefundView
from graph.settlement.installation import installation_of
from graph.settlement.send import Sessions
from graph.settlement.vendor_events import Hearing, Seen, on_refund
from policies.decision import ACTS_ALONE

ACTOR: Final = "reconciler"


@dataclass(frozen=True, slots=True)
class Drift:
    """What the comparison found.

    `minor` is, by currency, what Stripe holds as refunded under our intents less what we hold as settled; all zero is
    no drift. `seen` counts what was taken in. `missing` are effects that Stripe does not have, `orphans` refunds that
    claim an intent which did not make them, `unlogged` effects whose end the log does not have, `unapproved` settled
    ones whose approval was not given as often as asked or not for their run, and those that went out without one though
    the decision on record asked for a person.
    """

    compared: int
    minor: Mapping[str, int]
    seen: Mapping[Seen, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    unlogged: tuple[str, ...] = ()
    unapproved: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether all books agree."""
        return not (any(self.minor.values()) or self.missing or self.orphans or self.unlogged or self.unapproved)


async def reconcile(
    sessions: Sessions,
    tenant_id: str,
    *,
    refunds_since: Callable[[datetime], Sequence[RefundView]],
    since: datetime,
    now: Callable[[], datetime],
    new_id: Callable[[str], str],
) -> Drift:
    """Compare everything since a time; let spans overlap.

    `refunds_since` is the adapter's complete, blocking list (`StripeAdapter.refunds_since`); it runs in a thread.

    Raises:
        ConnectorError: the list could not be read; nothing was compared.
    """
    listed_at = now()
    refunds = await asyncio.to_thread(refunds_since, since)
    compared = len(refunds)
    seen: Counter[Seen] = Counter()
    orphans: list[str] = []
    for refund in refunds:
        async with sessions(tenant_id) as session:
            what = await on_refund(session, refund, Hearing(tenant_id, now(), new_id, ACTOR))
        seen[what] += 1
        if what is Seen.ORPHAN:
            orphans.append(refund.refund_id)
    async with sessions(tenant_id) as session:
        mark = await installation_of(session, tenant_id)
        refunds = [refund for refund in refunds if mark is None or refund.installation_id in {None, mark}]
        ours = await _settled(session, tenant_id, refunds, since, listed_at)
        unlogged = await _unlogged(session, tenant_id, since)
        unapproved = await _unapproved(session, tenant_id, since)
    listed = {refund.refund_id for refund in refunds}
    return Drift(
        compared=compared,
        minor=_drift(refunds, ours),
        seen=dict(seen),
        missing=tuple(settled.effect_id for settled in ours if settled.vendor_object not in listed),
        orphans=tuple(orphans),
        unlogged=unlogged,
        unapproved=unapproved,
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    effect_id: str
    vendor_object: str | None
    currency: str
    amount_minor: int


async def _settled(
    session: AsyncSession,
    tenant_id: str,
    refunds: Sequence[RefundView],
    since: datetime,
    until: datetime,
) -> list[_Settled]:
    """What we hold to be settled: refunds that the list has, and those that it must have.

    It must have what was first sent since and settled before it was read.
    """
    rows = await session.execute(
        text(
            """
            SELECT effect_id, vendor_object, currency, amount_minor FROM effect
            WHERE tenant_id = :tenant_id AND kind = 'refund' AND state = 'settled'
              AND (effect_id = ANY(:claimed) OR (first_sent_at >= :since AND settled_at < :until))
            ORDER BY effect_id
            """,
        ),
        {
            "tenant_id": tenant_id,
            "since": since,
            "until": until,
            "claimed": [refund.intent_id for refund in refunds if refund.intent_id is not None],
        },
    )
    return [_Settled(*row) for row in rows]


def _drift(refunds: Sequence[RefundView], ours: Sequence[_Settled]) -> dict[str, int]:
    minor: Counter[str] = Counter()
    for refund in refunds:
        if refund.intent_id is not None and refund.status.holds_money:
            minor[refund.amount.currency] += refund.amount.minor
    for settled in ours:
        minor[settled.currency] -= settled.amount_minor
    return dict(minor)


async def _unlogged(session: AsyncSession, tenant_id: str, since: datetime) -> tuple[str, ...]:
    rows = await session.execute(
        text(
            """
            SELECT e.effect_id FROM effect e
            WHERE e.tenant_id = :tenant_id AND e.settled_at >= :since AND NOT EXISTS (
              SELECT 1 FROM audit_event a
              WHERE a.tenant_id = e.tenant_id AND a.kind = 'effect.settled' AND a.run_id = e.run_id
                AND a.body ->> 'effect_id' = e.effect_id)
            ORDER BY e.effect_id
            """,
        ),
        {"tenant_id": tenant_id, "since": since},
    )
    return tuple(rows.scalars())


async def _unapproved(session: AsyncSession, tenant_id: str, since: datetime) -> tuple[str, ...]:
    rows = await session.execute(
        text(
            """
            SELECT e.effect_id FROM effect e
              LEFT JOIN approval a ON a.tenant_id = e.tenant_id AND a.approval_id = e.approval_id
            WHERE e.tenant_id = :tenant_id AND e.kind = 'refund' AND e.state = 'settled' AND e.settled_at >= :since
              AND CASE
                WHEN e.approval_id IS NOT NULL THEN
                  a.state IS DISTINCT FROM 'used' OR a.run_id <> e.run_id
                  OR jsonb_array_length(a.approved_by) < a.required
                ELSE EXISTS (
                  SELECT 1 FROM decision d
                  WHERE d.tenant_id = e.tenant_id AND d.run_id = e.run_id AND d.cycle = e.cycle
                    AND d.input_hash = e.decision_digest AND NOT (d.verdict = 'allow' AND d.mode = ANY(:alone)))
              END
            ORDER BY e.effect_id
            """,
        ),
        {"tenant_id": tenant_id, "since": since, "alone": sorted(mode.value for mode in ACTS_ALONE)},
    )
    return tuple(rows.scalars())
