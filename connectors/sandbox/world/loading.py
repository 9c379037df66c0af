"""How a world gets into the doubles, and tickets after it.

Promises the vendors' own ids for every key, and that worlds loaded one after another do not mix: where an address is
taken by an earlier world, the later person gets a plus tag. A customer's segment travels as `segment` in the metadata
of the Stripe customer. It refuses to check a world: `model` has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from connectors.sandbox.claude.double import ClaudeDouble
from connectors.sandbox.faults import Faults
from connectors.sandbox.orders import OrdersDouble
from connectors.sandbox.stripe.server import StripeDouble
from connectors.sandbox.world.model import World
from connectors.sandbox.world.parts import AGENT, Charge, Customer, Item, Order, Subscription, Ticket
from connectors.sandbox.zendesk.double import Said, ZendeskDouble
from connectors.sandbox.zendesk.records import Attachment as File
from policies.money import Money

AGENT_EMAIL: Final = "agent@shop.example"
_PERIOD_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
"""As the double of Stripe counts them."""


@dataclass(slots=True)
class Doubles:
    """All the doubles of one sandbox. `ticket_fields` are the custom fields made so far, by title."""

    stripe: StripeDouble
    zendesk: ZendeskDouble
    orders: OrdersDouble
    claude: ClaudeDouble
    faults: Faults
    ticket_fields: dict[str, int] = field(default_factory=dict)

    def agent_id(self) -> int:
        """The shop's own agent, hired on first use."""
        if (known := self._user_id(AGENT_EMAIL)) is not None:
            return known
        return self.zendesk.add_user(name="Sam Agent", email=AGENT_EMAIL, role="agent")

    def free_email(self, email: str) -> str:
        """The address, or the first with a plus tag that nobody has."""
        local, _, domain = email.rpartition("@")
        number, free = 1, email
        while self._user_id(free) is not None:
            number += 1
            free = f"{local}+{number}@{domain}"
        return free

    def field_id(self, title: str) -> int:
        """The custom field of that title, made on first use."""
        if title not in self.ticket_fields:
            self.ticket_fields[title] = self.zendesk.add_ticket_field(title)
        return self.ticket_fields[title]

    def _user_id(self, email: str) -> int | None:
        try:
            return self.zendesk.user_id(email)
        except KeyError:
            return None


@dataclass(frozen=True, slots=True)
class CustomerIds:
    """One customer's ids. `email` is the address that Zendesk has."""

    zendesk_user_id: int
    stripe_customer_id: str | None
    email: str


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keys of a world have become. `tickets` are in the order of their arrival."""

    customers: Mapping[str, CustomerIds]
    charges: Mapping[str, str]
    orders: Mapping[str, str]
    subscriptions: Mapping[str, str]
    refunds: tuple[str, ...] = ()
    tickets: tuple[int, ...] = ()

    def with_ticket(self, ticket_id: int) -> Keys:
        """The keys with one more ticket."""
        return replace(self, tickets=(*self.tickets, ticket_id))


def load(world: World, doubles: Doubles, now: datetime) -> Keys:
    """Put a world into the doubles and arm its faults. Tickets and later events come separately.

    Args:
        world: a sound world.
        doubles: where it goes.
        now: the moment from which ages count back.
    """
    customers = _load_customers(world, doubles)
    charges = {
        charge.key: _load_charge(charge, world, customers, doubles, now - _head_start(charge, world))
        for charge in world.charges
    }
    subscriptions = {
        entry.key: _load_subscription(entry, customers, charges, doubles, now) for entry in world.subscriptions
    }
    for order in world.orders:
        _load_order(order, world, customers, charges, doubles, now)
    refunds = _load_troubles(world, charges, doubles, now)
    for line in world.faults:
        doubles.faults.add(line.fault())
    return Keys(
        customers=customers,
        charges=charges,
        orders={order.key: order.order_id for order in world.orders},
        subscriptions=subscriptions,
        refunds=refunds,
    )


def arrive(ticket: Ticket, world: World, keys: Keys, doubles: Doubles) -> int:
    """Create a ticket as its requester; webhooks fire. Its id."""

    def author(name: str) -> int:
        return doubles.agent_id() if name == AGENT else keys.customers[name].zendesk_user_id

    requester = next(customer for customer in world.customers if customer.key == ticket.requester)
    return doubles.zendesk.create_ticket(
        requester=author(ticket.requester),
        subject=ticket.subject,
        channel=ticket.channel,
        comments=[
            Said(
                author(comment.who),
                comment.body,
                comment.public,
                comment.flags,
                [File(file.name, file.content_type, file.size_bytes, file.content) for file in comment.attachments],
                comment.suspension,
                comment.sender,
            )
            for comment in ticket.comments
        ],
        cc=[author(name) for name in dict.fromkeys((*requester.cc, *ticket.cc))],
        tags=ticket.tags,
        custom_fields={doubles.field_id(title): value for title, value in ticket.custom_fields.items()},
    )


def _load_customers(world: World, doubles: Doubles) -> dict[str, CustomerIds]:
    loaded: dict[str, CustomerIds] = {}
    taken: dict[str, CustomerIds] = {}
    for customer in world.customers:
        # Two customers of one world may share an address on purpose: that is one Zendesk user and two Stripe customers.
        known = taken.get(customer.email.casefold())
        email = doubles.free_email(customer.email) if known is None else known.email
        user_id = _load_user(customer, email, doubles) if known is None else known.zendesk_user_id
        loaded[customer.key] = CustomerIds(user_id, _load_payer(customer, email, user_id, doubles), email)
        taken[customer.email.casefold()] = loaded[customer.key]
    return loaded


def _load_user(customer: Customer, email: str, doubles: Doubles) -> int:
    user_id = doubles.zendesk.add_user(
        name=customer.name,
        email=email,
        verified=customer.verified,
        locale=customer.locale,
        phone=customer.phone,
        tags=customer.tags,
    )
    if customer.shared:
        doubles.zendesk.share_user(user_id)
    return user_id


def _load_payer(customer: Customer, email: str, user_id: int, doubles: Doubles) -> str | None:
    if not customer.stripe:
        return None
    metadata = dict(customer.metadata)
    if customer.segment is not None:
        metadata["segment"] = customer.segment
    if customer.linked:
        metadata["zendesk_user_id"] = str(user_id)
    return doubles.stripe.add_customer(email=customer.stripe_email or email, name=customer.name, metadata=metadata)


def _head_start(charge: Charge, world: World) -> timedelta:
    """Charges of the same age were made a second apart, in the order in which the world lists them."""
    place = world.charges.index(charge)
    age = (charge.days_ago, charge.hours_ago, charge.minutes_ago)
    later = [one for one in world.charges[place + 1 :] if (one.days_ago, one.hours_ago, one.minutes_ago) == age]
    return timedelta(seconds=len(later))


def _load_charge(
    charge: Charge,
    world: World,
    customers: Mapping[str, CustomerIds],
    doubles: Doubles,
    now: datetime,
) -> str:
    metadata = dict(charge.metadata)
    if charge.order is not None:
        named = next((order.order_id for order in world.orders if order.key == charge.order), charge.order)
        metadata.setdefault("order_id", named)
    return doubles.stripe.add_charge(
        customer=customers[charge.customer].stripe_customer_id,
        amount_minor=Money.parse(str(charge.amount), charge.currency).minor,
        currency=charge.currency,
        created=charge.at(now),
        description=charge.description,
        metadata=metadata,
        card=charge.card,
        captured=charge.captured,
        risk_level=charge.risk_level,
        billing_email=charge.billing_email or customers[charge.customer].email,
    )


def _load_subscription(
    entry: Subscription,
    customers: Mapping[str, CustomerIds],
    charges: Mapping[str, str],
    doubles: Doubles,
    now: datetime,
) -> str:
    length = timedelta(days=_PERIOD_DAYS[entry.period])
    start = now - _days(entry.started_days_ago) % length
    customer = customers[entry.customer]
    assert customer.stripe_customer_id is not None
    made = doubles.stripe.add_subscription(
        customer=customer.stripe_customer_id,
        price_minor=Money.parse(str(entry.price), entry.currency).minor,
        currency=entry.currency,
        interval=entry.period,
        current_period_start=start,
        status=entry.status,
        latest_charge=None if entry.charge is None else charges[entry.charge],
    )
    doubles.orders.add_order(
        order_id=entry.key,
        customer_refs=(customer.stripe_customer_id, customer.email),
        placed_at=now - _days(entry.started_days_ago),
        charge_ids=() if entry.charge is None else (charges[entry.charge],),
        currency=entry.currency,
        items=[],
        subscription_periods=[
            {
                "subscription_id": made,
                "period_start": start,
                "period_end": start + length,
                "used_since_renewal": entry.used,
            },
        ],
    )
    return made


def _load_order(
    order: Order,
    world: World,
    customers: Mapping[str, CustomerIds],
    charges: Mapping[str, str],
    doubles: Doubles,
    now: datetime,
) -> None:
    paid = [charge for charge in world.charges if charge.key in order.charge_keys]
    customer = customers[order.customer]
    placed = now - _days(order.placed_days_ago) if order.placed_days_ago is not None else None
    doubles.orders.add_order(
        order_id=order.order_id,
        customer_refs=[name for name in (customer.stripe_customer_id, customer.email) if name],
        placed_at=placed or min((charge.at(now) for charge in paid), default=now),
        charge_ids=[charges[key] for key in order.charge_keys],
        currency=world.currency_of(order),
        items=[_item(item, order, world, now) for item in order.items or (_whole(order, paid),)],
        promised_by=_promised_by(order, now),
        carrier=None if order.carrier is None else order.carrier.model_dump(),
    )


def _whole(order: Order, paid: list[Charge]) -> Item:
    """The one item of an order that tells none: what its charges paid."""
    total = sum((charge.amount for charge in paid), Decimal(0)) if paid else None
    return Item(key=f"{order.order_id}-1", name=paid[0].description or None if paid else None, amount=total)


def _item(item: Item, order: Order, world: World, now: datetime) -> dict[str, Any]:
    """One line in the words of the orders contract; the order speaks where the line does not."""

    def said(name: str) -> Any:  # noqa: ANN401 - a word of `Goods`
        own = getattr(item, name)
        return getattr(order, name) if own is None else own

    def moment(name: str) -> datetime | None:
        return None if said(name) is None else now - _days(said(name))

    currency = world.currency_of(order)
    shipped, delivered = moment("shipped_days_ago"), moment("delivered_days_ago")
    returned = moment("returned_days_ago") or (now if said("returned") else None)
    return {
        "id": item.key,
        "name": item.name,
        "amount_minor": _minor(item.amount, currency),
        "quantity": item.quantity,
        "category": said("category"),
        "final_sale": said("final_sale"),
        "fulfilment": said("fulfilment") or ("delivered" if delivered else "shipped" if shipped else None),
        "shipped_at": shipped,
        "delivered_at": delivered,
        "return_requested_at": moment("return_requested_days_ago"),
        "return_received_at": returned,
        "price_now_minor": _minor(item.price_now, currency),
    }


def _promised_by(order: Order, now: datetime) -> datetime | None:
    if order.promised_in_days is not None:
        return now + _days(order.promised_in_days)
    return None if order.promised_days_ago is None else now - _days(order.promised_days_ago)


def _load_troubles(world: World, charges: Mapping[str, str], doubles: Doubles, now: datetime) -> tuple[str, ...]:
    """Refunds, disputes and warnings, refunds first: a disputed charge takes none."""
    refunds = tuple(
        doubles.stripe.add_refund(
            charge=charges[refund.charge],
            amount_minor=world.money(refund.charge, refund.amount).minor,
            created=refund.at(now),
            metadata=refund.metadata,
            reason=refund.reason,
        )
        for refund in world.refunds
    )
    for dispute in world.disputes:
        doubles.stripe.add_dispute(
            charge=charges[dispute.charge],
            reason=dispute.reason,
            status=dispute.status,
            created=dispute.at(now),
        )
    for warning in world.early_fraud_warnings:
        doubles.stripe.add_early_fraud_warning(
            charge=charges[warning.charge],
            created=warning.at(now),
            actionable=warning.actionable,
        )
    return refunds


def _minor(amount: Decimal | None, currency: str | None) -> int | None:
    return None if amount is None or currency is None else Money.parse(str(amount), currency).minor


def _days(age: Decimal | None) -> timedelta:
    return timedelta(days=float(age or 0))
