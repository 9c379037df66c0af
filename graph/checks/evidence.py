"""What a reply may rest on, and the words a check answers with. Pure.

The ground of a reply is gathered from what the run read and decided, not from the draft: a draft cannot vouch for
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from connectors.orders.wire import OrderView
from connectors.stripe.wire import ChargeView
from graph.dossier import Dossier
from graph.drafting import Draft, first_name
from graph.sections import Sections
from graph.snapshot import Snapshot
from graph.verdicts import Verdicts
from policies.document import Domains
from policies.money import Money
from policies.vocabulary import ActionKind, Verdict

MONEY_BACK: Final = frozenset({ActionKind.REFUND, ActionKind.CANCEL_PAYMENT})


class Binds(StrEnum):
    """Whose words a check is for. A person answers for what they write, but not for what harms others."""

    EVERYONE = "everyone"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Ground:
    """What was read, as far as a reply may speak of it: amounts, days, and words that code knows.

    Words are order numbers, the digits of a card, carriers and goods.
    """

    amounts: frozenset[Money] = frozenset()
    days: frozenset[date] = frozenset()
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reply may rest on, where it may point, and to whose address it goes.

    `refunded` are amounts that went back earlier and may be told; `name` is how the customer is called, `shop` who
    signs; `internal` are sentences written for colleagues.
    """

    verdicts: Verdicts
    sections: Sections
    domains: Domains
    asks: bool
    recipient: str | None = None
    ground: Ground = field(default_factory=Ground)
    refunded: frozenset[Money] = frozenset()
    name: str = ""
    shop: str = ""
    internal: tuple[str, ...] = ()

    @property
    def released(self) -> frozenset[Money]:
        """The amounts that a verdict lets go, alone or with a person's yes."""
        return frozenset(
            one.candidate.amount
            for one in self.verdicts.executable
            if one.decision.verdict is not Verdict.DENY and one.candidate.amount is not None
        )

    def allows(self, *kinds: ActionKind) -> bool:
        """Whether an action of one of the kinds may happen."""
        return any(
            one.candidate.kind in kinds and one.decision.verdict is not Verdict.DENY for one in self.verdicts.decided
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed and why. The reason holds nothing of the text, so it may be logged.

    `place` is where in the text, as code points `[start, end)`, where the check can say so.
    """

    check: str
    reason: str
    place: tuple[int, int] | None = None


@dataclass(frozen=True)
class Reading:
    """One text under check: the words, the draft they come from, and what they may rest on."""

    text: str
    draft: Draft
    evidence: Evidence

    @cached_property
    def own(self) -> str:
        """The text, of the same length, without what it quotes and names of sections: policies may promise."""
        text = self.text
        for taken in (*self.quotes, *self.sections_named):
            text = text.replace(taken, " " * len(taken))
        return text

    @property
    def sections_named(self) -> tuple[str, ...]:
        """Ids and headings of sections, as far as they were found or decided on."""
        names = [name for one in self.evidence.sections.found for name in (one.section_id, one.heading)]
        names += [one.decision.section or "" for one in self.evidence.verdicts.decided]
        return tuple(sorted({name for name in names if name and name in self.text}, key=len, reverse=True))

    @property
    def quotes(self) -> tuple[str, ...]:
        """What it quotes word for word of sections that it cites."""
        cited = [self.evidence.sections.named(one) for one in self.draft.cites]
        whole = [section.text.strip() for section in cited if section is not None]
        return tuple(text for text in whole if text and text in self.text)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its id, what it keeps, whom it binds, and how it looks."""

    id: str
    keeps: str
    binds: Binds
    look: Callable[[Reading], Iterator[Finding]]


def evidence_of(
    snapshot: Snapshot,
    dossier: Dossier,
    verdicts: Verdicts,
    sections: Sections,
    *,
    domains: Domains,
    asks: bool,
    shop: str,
) -> Evidence:
    """Everything a reply of this run may rest on."""
    refunds = [one for entry in dossier.history.values() for one in entry.refunds or ()]
    return Evidence(
        verdicts=verdicts,
        sections=sections,
        domains=domains,
        asks=asks,
        recipient=snapshot.requester_email,
        ground=ground_of(dossier, verdicts),
        refunded=frozenset(one.amount for one in refunds),
        name=first_name(snapshot.requester_name),
        shop=shop,
        internal=tuple(_internal(snapshot, verdicts)),
    )


def ground_of(dossier: Dossier, verdicts: Verdicts) -> Ground:
    """What the dossier and the verdicts hold that a reply may speak of."""
    values: list[Money | datetime | str | None] = []
    for charge in dossier.charges or ():
        values += _of_charge(charge)
    for entry in dossier.history.values():
        for refund in entry.refunds or ():
            values += [refund.amount, refund.created_at]
    for order in dossier.orders or ():
        values += _of_order(order)
    for subscription in dossier.subscriptions or ():
        for item in subscription.items:
            values += [item.unit_price, item.current_period_start, item.current_period_end]
    for one in verdicts.decided:
        values += [one.candidate.amount, one.candidate.order_id]
    return Ground(
        amounts=frozenset(one for one in values if isinstance(one, Money)),
        days=frozenset(one.date() for one in values if isinstance(one, datetime)),
        words=frozenset(one for one in values if isinstance(one, str) and one),
    )


def _of_charge(charge: ChargeView) -> Iterator[Money | datetime | str | None]:
    yield from (charge.amount, charge.captured_amount, charge.refunded, charge.refundable, charge.created_at)
    yield charge.metadata.get("order_id")
    if charge.card is not None:
        yield charge.card.last4


def _of_order(order: OrderView) -> Iterator[Money | datetime | str | None]:
    yield from (order.id, order.placed_at, order.promised_by)
    if order.carrier is not None:
        yield order.carrier.name
    for item in order.items or ():
        yield from (item.amount, item.price_now, item.shipped_at, item.delivered_at, item.name)


def _internal(snapshot: Snapshot, verdicts: Verdicts) -> Iterator[str]:
    """What was written for colleagues: reasons of rules, ids of rules, tags of the customer."""
    for one in verdicts.decided:
        yield from _telling(match.rule for match in one.decision.reasons)
        yield from (match.reason for match in one.decision.reasons if match.reason)
    yield from _telling(snapshot.requester_tags)


def _telling(names: Iterable[str]) -> Iterator[str]:
    """Names that are no everyday words: joined of several."""
    return (name for name in names if "-" in name or "_" in name)
