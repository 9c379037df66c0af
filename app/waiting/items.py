"""What waits for people, as the queue shows it: pure values and their order, filters and batches.

A planted check looks like any other question, or it would check nothing: only who answers it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.identity.roles import Role
from app.identity.sessions import Visitor
from graph.runs.models import Run
from policies.money import Money


class ItemKind(StrEnum):
    """What is wanted of a person."""

    QUESTION = "question"  # may it be done?
    HOLD = "hold"  # it will be done when its time comes, unless somebody stops it
    STUCK = "stuck"  # whether it was done, a person must find out at the vendor
    BLIND = "blind"  # it is done: what would you have done?


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has an item, and until when."""

    account_id: str
    name: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits.

    Args:
        since: when it began to wait.
        due: when it should be answered at the latest.
        ends_at: when it is decided without anybody: a question expires, a hold is over.
        approvers: the roles of which one must answer; empty is any.
        digest: of the exact actions. An answer that brings it along counts for these and no others.
        risk: the highest risk score of its actions.
        alike: what items of one batch have in common; None where it must be looked at alone.
        assigned: the role or the address whose work it is; empty is anybody's who may answer.
    """

    item_id: str
    kind: ItemKind
    run: Run
    since: datetime
    due: datetime
    ends_at: datetime | None
    why: str
    approvers: tuple[str, ...] = ()
    required: int = 1
    approved_by: tuple[str, ...] = ()
    digest: str = ""
    risk: int = 0
    alike: str | None = None
    customer: str = ""
    holder: Holder | None = None
    assigned: str = ""

    @property
    def amounts(self) -> list[Money]:
        """The money it is about, one amount for each currency."""
        sums: dict[str, int] = {}
        for action in self.run.actions:
            minor, currency = action.get("amount_minor"), action.get("currency")
            if isinstance(minor, int) and isinstance(currency, str):
                sums[currency] = sums.get(currency, 0) + minor
        return [Money(minor, currency) for currency, minor in sums.items()]

    def may_answer(self, actor: str, roles: frozenset[Role]) -> bool:
        """Whether the question is put to somebody with these roles. Whether they may at all, answering decides."""
        if actor in self.approved_by:
            return False
        return not self.approvers or bool({*self.approvers, Role.ADMIN.value} & {role.value for role in roles})

    def is_for(self, visitor: Visitor) -> bool:
        """Whether it is somebody's work: they may answer it, and it is assigned to nobody else."""
        is_theirs = self.assigned in {"", visitor.email, *(role.value for role in visitor.roles)}
        return is_theirs and self.may_answer(visitor.actor, visitor.roles)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see. Empty is everything."""

    kind: ItemKind | None = None
    view: str = "all"  # all, mine (what is for me), taken (what I have), free (what nobody has)
    intent: str = ""
    role: str = ""
    currency: str = ""
    least_minor: int | None = None
    most_minor: int | None = None
    words: str = ""

    def holds(self, item: Item, visitor: Visitor) -> bool:
        """Whether an item is wanted."""
        return (
            (self.kind is None or item.kind is self.kind)
            and self._in_view(item, visitor)
            and (not self.intent or self.intent in item.run.intents)
            and (not self.role or self.role in item.approvers)
            and self._of_amount(item)
            and self._named(item)
        )

    def _in_view(self, item: Item, visitor: Visitor) -> bool:
        match self.view:
            case "mine":
                return item.is_for(visitor)
            case "taken":
                return item.holder is not None and item.holder.account_id == visitor.account_id
            case "free":
                return item.holder is None
            case _:
                return True

    def _of_amount(self, item: Item) -> bool:
        if not self.currency and self.least_minor is None and self.most_minor is None:
            return True
        return any(
            (not self.currency or one.currency == self.currency)
            and (self.least_minor is None or one.minor >= self.least_minor)
            and (self.most_minor is None or one.minor <= self.most_minor)
            for one in item.amounts
        )

    def _named(self, item: Item) -> bool:
        """Whether every word is in what the table shows of it."""
        told = [item.run.ticket_id, item.customer, item.why, item.assigned, *item.run.intents, *map(str, item.amounts)]
        told += [str(action.get(name) or "") for action in item.run.actions for name in ("kind", "rule", "section")]
        shown = " ".join(told).replace("_", " ").casefold()
        return all(word.replace("_", " ") in shown for word in self.words.casefold().split())


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions that differ in nothing but the ticket and the money."""

    alike: str
    items: tuple[Item, ...]

    @property
    def amounts(self) -> list[Money]:
        """Their money together, one amount for each currency."""
        sums: dict[str, int] = {}
        for item in self.items:
            for one in item.amounts:
                sums[one.currency] = sums.get(one.currency, 0) + one.minor
        return [Money(minor, currency) for currency, minor in sums.items()]


@dataclass(frozen=True, slots=True)
class Queue:
    """All that waits, the oldest due first, and how much of each kind."""

    items: Sequence[Item]
    counts: Mapping[ItemKind, int] = field(default_factory=dict)
    overdue: int = 0


def ordered(items: Iterable[Item], now: datetime) -> Queue:
    """The queue: what should be answered first comes first; items due at once, by their ids."""
    found = sorted(items, key=lambda item: (item.due, item.item_id))
    counts = {kind: sum(1 for item in found if item.kind is kind) for kind in ItemKind}
    return Queue(found, counts, sum(1 for item in found if item.due <= now))


def batches(items: Iterable[Item]) -> list[Batch]:
    """Items that may be answered together, two or more at a time, in the order of the queue."""
    alike: dict[str, list[Item]] = {}
    for item in items:
        if item.kind is ItemKind.QUESTION and item.alike is not None:
            alike.setdefault(item.alike, []).append(item)
    return [Batch(key, tuple(found)) for key, found in alike.items() if len(found) > 1]


def likeness(run: Run, approvers: Sequence[str], required: int, risk: int, *, risk_at_most: int) -> str | None:
    """What a question has in common with others of its batch; None where it must be looked at alone.

    One action of low risk that one person may release. Alike is what has the same action for the same intent, decided
    by the same rule of the same policy, under the same tier, for the same band of approvers, in the same currency.
    """
    if len(run.actions) != 1 or required > 1 or risk > risk_at_most:
        return None
    (action,) = run.actions
    parts = [action.get(name) for name in ("kind", "intent", "rule", "section", "mode", "tier", "currency")]
    return "|".join(str(part or "") for part in (*parts, run.policy_hash, *approvers))
