"""The orders contract in our words: what a shop may tell about an order, read once from its JSON.

Promises exact money, aware times and closed sets, and that a field the shop left out or sent as null is `None`, which
means unknown. It refuses to guess: a word outside a closed set, an amount that is not an integer or a time without an
offset makes the whole answer unreadable. The contract is documented in docs/orders-api.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import WireError
from policies.errors import MoneyError
from policies.money import MAX_MINOR, Money


class Category(StrEnum):
    """What kind of thing an item is; refund rules differ by it."""

    PHYSICAL = "physical"
    DIGITAL = "digital"
    PERISHABLE = "perishable"
    CUSTOM = "custom"


class Fulfilment(StrEnum):
    """Where an item is on its way: unfulfilled -> shipped -> delivered; cancelled ends it before it ships."""

    UNFULFILLED = "unfulfilled"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class CarrierBody(BaseModel):
    """Who carries the parcel."""

    model_config = ConfigDict(frozen=True, strict=True)

    name: str | None = None
    tracking_url: str | None = None


class ItemBody(BaseModel):
    """One line of an order. `amount_minor` is what was paid for the whole line, not for one piece."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: str = Field(min_length=1)
    name: str | None = None
    amount_minor: int | None = Field(default=None, ge=0, le=MAX_MINOR)
    quantity: int | None = Field(default=None, ge=1)
    category: Category | None = None
    final_sale: bool | None = None
    fulfilment: Fulfilment | None = None
    shipped_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    return_requested_at: AwareDatetime | None = None
    return_received_at: AwareDatetime | None = None
    price_now_minor: int | None = Field(default=None, ge=0, le=MAX_MINOR)


class SubscriptionPeriodBody(BaseModel):
    """One paid period of a Stripe subscription, and whether it was used."""

    model_config = ConfigDict(frozen=True, strict=True)

    subscription_id: str = Field(min_length=1)
    period_start: AwareDatetime | None = None
    period_end: AwareDatetime | None = None
    used_since_renewal: bool | None = None


class OrderBody(BaseModel):
    """One order as the shop sends it. Keys that the contract does not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: str = Field(min_length=1)
    customer_ref: str | None = None
    charge_ids: tuple[str, ...] | None = None
    currency: str | None = None
    placed_at: AwareDatetime | None = None
    promised_by: AwareDatetime | None = None
    items: tuple[ItemBody, ...] | None = None
    carrier: CarrierBody | None = None
    subscription_periods: tuple[SubscriptionPeriodBody, ...] | None = None


class OrderListBody(BaseModel):
    """The newest orders of one customer."""

    model_config = ConfigDict(frozen=True, strict=True)

    orders: tuple[OrderBody, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class ItemView:
    """One line of an order. Every `None` is unknown, never "no"."""

    id: str
    name: str | None = None
    amount: Money | None = None
    quantity: int | None = None
    category: Category | None = None
    final_sale: bool | None = None
    fulfilment: Fulfilment | None = None
    shipped_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    return_requested_at: AwareDatetime | None = None
    return_received_at: AwareDatetime | None = None
    price_now: Money | None = None


@dataclass(frozen=True, slots=True)
class CarrierView:
    """Who carries the parcel, and where the shop says it can be followed. The address is data, never sent as a link."""

    name: str | None
    tracking_url: str | None


@dataclass(frozen=True, slots=True)
class SubscriptionPeriodView:
    """One paid period of a subscription."""

    subscription_id: str
    period_start: AwareDatetime | None
    period_end: AwareDatetime | None
    used_since_renewal: bool | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order. `items` and `subscription_periods` are `None` where unknown and empty where there are none."""

    id: str
    customer_ref: str | None = None
    charge_ids: tuple[str, ...] | None = None
    currency: str | None = None
    placed_at: AwareDatetime | None = None
    promised_by: AwareDatetime | None = None
    items: tuple[ItemView, ...] | None = None
    carrier: CarrierView | None = None
    subscription_periods: tuple[SubscriptionPeriodView, ...] | None = None


@dataclass(frozen=True, slots=True)
class OrderList:
    """The newest orders of a customer, newest first; `complete` is false where the shop has more than it sent."""

    orders: tuple[OrderView, ...]
    complete: bool


def read_order(raw: bytes) -> OrderView:
    """Read the answer to `GET /orders/v1/orders/{order_id}`.

    Raises:
        WireError: it is not what the contract says; the message names the field and never its value.
    """
    try:
        return _order(OrderBody.model_validate_json(raw))
    except ValidationError as error:
        raise _unreadable("an order", error) from error


def read_order_list(raw: bytes) -> OrderList:
    """Read the answer to `GET /orders/v1/customers/{customer_ref}/orders`.

    Raises:
        WireError: it is not what the contract says; the message names the field and never its value.
    """
    try:
        body = OrderListBody.model_validate_json(raw)
    except ValidationError as error:
        raise _unreadable("a list of orders", error) from error
    return OrderList(tuple(_order(order) for order in body.orders), complete=not body.has_more)


def _unreadable(what: str, error: ValidationError) -> WireError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the body"
    return WireError(
        f"the shop's answer is not {what}: {place}: {first['msg'].lower()}: compare it with docs/orders-api.md",
    )


def _order(body: OrderBody) -> OrderView:
    return OrderView(
        id=body.id,
        customer_ref=body.customer_ref,
        charge_ids=body.charge_ids,
        currency=body.currency,
        placed_at=body.placed_at,
        promised_by=body.promised_by,
        items=None if body.items is None else tuple(_item(item, body.currency) for item in body.items),
        carrier=None if body.carrier is None else CarrierView(body.carrier.name, body.carrier.tracking_url),
        subscription_periods=None
        if body.subscription_periods is None
        else tuple(
            SubscriptionPeriodView(
                period.subscription_id,
                period.period_start,
                period.period_end,
                period.used_since_renewal,
            )
            for period in body.subscription_periods
        ),
    )


def _item(body: ItemBody, currency: str | None) -> ItemView:
    return ItemView(
        id=body.id,
        name=body.name,
        amount=_money(body.amount_minor, currency),
        quantity=body.quantity,
        category=body.category,
        final_sale=body.final_sale,
        fulfilment=body.fulfilment,
        shipped_at=body.shipped_at,
        delivered_at=body.delivered_at,
        return_requested_at=body.return_requested_at,
        return_received_at=body.return_received_at,
        price_now=_money(body.price_now_minor, currency),
    )


def _money(minor: int | None, currency: str | None) -> Money | None:
    """An amount without a currency is not money, hence unknown."""
    if minor is None or currency is None:
        return None
    try:
        return Money(minor, currency)
    except MoneyError as error:
        raise WireError(f"the shop's answer holds no money: {error}") from error
