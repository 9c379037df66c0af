"""A whole world and its tickets, sound before any double is touched.

Promises that keys are unique, that references lead somewhere and that every amount is money in its currency; each
problem is reported at its own key. It refuses to load anything: that is `loading`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.sandbox.world.parts import (
    AGENT,
    Article,
    Charge,
    Customer,
    Dispute,
    EarlyFraudWarning,
    FaultLine,
    Later,
    Order,
    Part,
    Refund,
    Reviewer,
    Subscription,
    Ticket,
)
from policies.errors import MoneyError
from policies.money import Money

Place = tuple[str | int, ...]


class World(Part):
    """Everything that exists before the ticket arrives, what happens later, and what goes wrong."""

    customers: tuple[Customer, ...] = ()
    charges: tuple[Charge, ...] = ()
    orders: tuple[Order, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    early_fraud_warnings: tuple[EarlyFraudWarning, ...] = ()
    refunds: tuple[Refund, ...] = ()
    articles: tuple[Article, ...] = ()
    later: tuple[Later, ...] = ()
    faults: tuple[FaultLine, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = [*_repeated(self), *_dangling(self), *_inexact(self), *_overdrawn(self)]
        if problems:
            raise ValidationError.from_exception_data("World", problems)
        return self

    def money(self, charge: str, amount: Decimal) -> Money:
        """An amount in the currency of one of the charges."""
        return Money.parse(str(amount), next(entry.currency for entry in self.charges if entry.key == charge))

    def currency_of(self, order: Order) -> str | None:
        """The currency of an order's amounts: its own word, else that of its first charge."""
        currencies = {charge.key: charge.currency for charge in self.charges}
        return order.currency or next((currencies[key] for key in order.charge_keys), None)


class Setting(Part):
    """A world, the tickets that arrive in it and what people do: everything of a scenario but its expectation."""

    world: World = Field(default_factory=World)
    ticket: Ticket | None = None
    tickets: tuple[Ticket, ...] = ()
    reviewer: tuple[Reviewer, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = [problem for place, ticket in self._placed() for problem in _strangers(self.world, place, ticket)]
        count = len(self.all_tickets)
        for number, later in enumerate(self.world.later):
            needs_ticket = later.human_refunds is None and later.dispute is None
            if needs_ticket and later.ticket >= count:
                problems.append(_problem(("world", "later", number, "ticket"), f"there is no ticket {later.ticket}"))
        if problems:
            raise ValidationError.from_exception_data("Setting", problems)
        return self

    @property
    def all_tickets(self) -> tuple[Ticket, ...]:
        """The tickets in the order in which they arrive."""
        return tuple(ticket for _, ticket in self._placed())

    def _placed(self) -> list[tuple[Place, Ticket]]:
        one: list[tuple[Place, Ticket]] = [] if self.ticket is None else [(("ticket",), self.ticket)]
        return one + [(("tickets", number), ticket) for number, ticket in enumerate(self.tickets)]


def _strangers(world: World, place: Place, ticket: Ticket) -> Iterator[InitErrorDetails]:
    known = {customer.key for customer in world.customers}
    if ticket.requester not in known:
        yield _problem((*place, "requester"), f"unknown customer {ticket.requester!r}: add it to world.customers")
    for number, name in enumerate(ticket.cc):
        if name not in known:
            yield _problem((*place, "cc", number), f"unknown customer {name!r}: add it to world.customers")
    for number, comment in enumerate(ticket.comments):
        if comment.who not in known | {AGENT}:
            sentence = f"unknown author {comment.who!r}: name a customer of the world, or {AGENT!r}"
            yield _problem((*place, "comments", number, "from"), sentence)


def _problem(place: Place, sentence: str) -> InitErrorDetails:
    # The sentence is passed as a value, since a brace in it would be taken for a placeholder.
    return InitErrorDetails(
        type=PydanticCustomError("world", "{sentence}", {"sentence": sentence}),
        loc=place,
        input=None,
    )


def _repeated(world: World) -> Iterator[InitErrorDetails]:
    for name in ("customers", "charges", "orders", "subscriptions"):
        counted = Counter(entry.key for entry in getattr(world, name))
        for number, entry in enumerate(getattr(world, name)):
            if counted[entry.key] > 1:
                yield _problem((name, number, "key"), f"key {entry.key!r} is used more than once: rename one")


def _dangling(world: World) -> Iterator[InitErrorDetails]:
    customers = {customer.key for customer in world.customers}
    charges = {charge.key for charge in world.charges}
    for place, name in _references(world, "customer"):
        if name not in customers:
            yield _problem(place, f"unknown customer {name!r}: add it to world.customers")
    for place, name in _references(world, "charge"):
        if name not in charges:
            yield _problem(place, f"unknown charge {name!r}: add it to world.charges")
    with_stripe = {customer.key for customer in world.customers if customer.stripe}
    for name in ("charges", "subscriptions"):
        for number, entry in enumerate(getattr(world, name)):
            if entry.customer in customers - with_stripe:
                yield _problem((name, number, "customer"), f"customer {entry.customer!r} is not in Stripe")


def _references(world: World, kind: Literal["customer", "charge"]) -> Iterator[tuple[Place, str]]:
    for name in World.model_fields:
        for number, entry in enumerate(getattr(world, name)):
            yield from _references_of((name, number), entry, kind)


def _references_of(place: Place, entry: Part, kind: str) -> Iterator[tuple[Place, str]]:
    single: object = getattr(entry, kind, None)
    if isinstance(single, str):
        yield (*place, kind), single
    plural: Sequence[str] = getattr(entry, {"customer": "cc", "charge": "charges"}[kind], ())
    for number, name in enumerate(plural):
        yield (*place, {"customer": "cc", "charge": "charges"}[kind], number), name
    if isinstance(entry, Later):
        inner = entry.human_refunds or entry.dispute
        if kind == "charge" and inner is not None:
            yield (*place, "human_refunds" if entry.human_refunds else "dispute", "charge"), inner.charge
        if kind == "customer" and entry.by is not None:
            yield (*place, "by"), entry.by


def _inexact(world: World) -> Iterator[InitErrorDetails]:
    """Amounts that are not money in their currency. One whose charge is unknown is reported elsewhere."""
    for place, amount, currency, least in _amounts(world):
        if currency is not None and amount is not None:
            try:
                if Money.parse(str(amount), currency).minor < least:
                    yield _problem(place, f"amount {amount} is not positive: leave the entry out")
            except MoneyError as error:
                yield _problem(place, str(error))


def _overdrawn(world: World) -> Iterator[InitErrorDetails]:
    """Refunds of more than their charge took."""
    left = {charge.key: charge.amount if charge.captured else Decimal(0) for charge in world.charges}
    for number, refund in enumerate(world.refunds):
        if refund.charge in left:
            left[refund.charge] -= refund.amount
            if left[refund.charge] < 0:
                yield _problem(("refunds", number, "amount"), f"charge {refund.charge!r} has less than that left")


def _amounts(world: World) -> Iterator[tuple[Place, Decimal | None, str | None, int]]:
    """Where an amount stands, the amount, its currency where known, and the least it may be in minor units."""
    currencies = {charge.key: charge.currency for charge in world.charges}
    for number, charge in enumerate(world.charges):
        yield ("charges", number, "amount"), charge.amount, charge.currency, 1
    for number, subscription in enumerate(world.subscriptions):
        yield ("subscriptions", number, "price"), subscription.price, subscription.currency, 1
    for number, refund in enumerate(world.refunds):
        yield ("refunds", number, "amount"), refund.amount, currencies.get(refund.charge), 1
    for number, later in enumerate(world.later):
        if later.human_refunds is not None:
            place = ("later", number, "human_refunds", "amount")
            yield place, later.human_refunds.amount, currencies.get(later.human_refunds.charge), 1
    for number, order in enumerate(world.orders):
        currency = order.currency or next((currencies.get(key) for key in order.charge_keys), None)
        for position, item in enumerate(order.items or ()):
            yield ("orders", number, "items", position, "amount"), item.amount, currency, 0
            yield ("orders", number, "items", position, "price_now"), item.price_now, currency, 0
