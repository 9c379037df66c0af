"""Orders without an orders service: Stripe metadata and Zendesk fields, read through a configured mapping.

Promises that each fact comes from a configured place and that a fact without one is unknown, as is one whose text
cannot be read or whose two places disagree. It refuses to look anywhere else, and to read the ticket's words. Map only
Zendesk fields that agents or integrations fill: one that the requester fills would let the requester state the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.orders.wire import CarrierView, Category, Fulfilment, ItemView, OrderView
from policies.errors import MoneyError
from policies.money import Money

WHOLE: Final = "whole"
"""The id of the one item that stands for everything a charge paid for."""

T = TypeVar("T")


class MappedFact(StrEnum):
    """What a mapping can supply."""

    ORDER_ID = "order_id"
    ITEM_NAME = "item_name"
    PLACED_AT = "placed_at"
    PROMISED_BY = "promised_by"
    CATEGORY = "category"
    FINAL_SALE = "final_sale"
    FULFILMENT = "fulfilment"
    SHIPPED_AT = "shipped_at"
    DELIVERED_AT = "delivered_at"
    RETURN_REQUESTED_AT = "return_requested_at"
    RETURN_RECEIVED_AT = "return_received_at"
    PRICE_NOW = "price_now"
    CARRIER_NAME = "carrier_name"
    TRACKING_URL = "tracking_url"


class Source(BaseModel):
    """Where one fact is found: a metadata key of the charge, a custom field of the ticket, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stripe: str | None = Field(default=None, min_length=1, max_length=40, description="a key of the charge's metadata")
    zendesk: int | None = Field(default=None, ge=1, description="the id of a ticket field")

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.stripe is None and self.zendesk is None:
            raise ValueError("a source names neither a stripe key nor a zendesk field: give one of them")
        return self


@dataclass(frozen=True, slots=True)
class MappedOrder:
    """An order put together from metadata. `unreadable` names the facts whose text could not be understood."""

    view: OrderView
    unreadable: tuple[MappedFact, ...]


class OrderMapping(BaseModel):
    """A shop's mapping, part of its configuration.

    `words` translates the shop's own values, in lower case, into ours: `{"livré": "delivered", "oui": "true"}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Mapping[MappedFact, Source] = Field(default_factory=dict)
    words: Mapping[str, str] = Field(default_factory=dict)

    def order(
        self,
        *,
        charge_id: str,
        paid: Money,
        customer_ref: str | None,
        metadata: Mapping[str, str],
        fields: Mapping[int, Any],
    ) -> MappedOrder | None:
        """The order behind one charge, or `None` where the mapping finds no order id for it.

        The order has one item, `WHOLE`, for what the charge paid: metadata says nothing about lines.

        Args:
            charge_id: the Stripe charge.
            paid: what was captured.
            customer_ref: the Stripe customer, where known.
            metadata: the charge's metadata.
            fields: the ticket's custom field values by field id; empty where the ticket is not about this order.
        """
        reader = _Reader(self, metadata, fields)
        order_id = reader.text(MappedFact.ORDER_ID)
        if order_id is None:
            return None
        carrier = CarrierView(reader.text(MappedFact.CARRIER_NAME), reader.text(MappedFact.TRACKING_URL))
        view = OrderView(
            id=order_id,
            customer_ref=customer_ref,
            charge_ids=(charge_id,),
            currency=paid.currency,
            placed_at=reader.read(MappedFact.PLACED_AT, _time),
            promised_by=reader.read(MappedFact.PROMISED_BY, _time),
            items=(_item(reader, paid),),
            carrier=None if carrier == CarrierView(None, None) else carrier,
        )
        return MappedOrder(view, tuple(reader.unreadable))


def _item(reader: _Reader, paid: Money) -> ItemView:
    return ItemView(
        id=WHOLE,
        name=reader.text(MappedFact.ITEM_NAME),
        amount=paid,
        category=reader.read(MappedFact.CATEGORY, Category),
        final_sale=reader.read(MappedFact.FINAL_SALE, _truth),
        fulfilment=reader.read(MappedFact.FULFILMENT, Fulfilment),
        shipped_at=reader.read(MappedFact.SHIPPED_AT, _time),
        delivered_at=reader.read(MappedFact.DELIVERED_AT, _time),
        return_requested_at=reader.read(MappedFact.RETURN_REQUESTED_AT, _time),
        return_received_at=reader.read(MappedFact.RETURN_RECEIVED_AT, _time),
        price_now=reader.read(MappedFact.PRICE_NOW, lambda text: Money.parse(text, paid.currency)),
    )


class _Reader:
    """Looks one charge's facts up, and notes those that cannot be read."""

    def __init__(self, mapping: OrderMapping, metadata: Mapping[str, str], fields: Mapping[int, Any]) -> None:
        self._mapping = mapping
        self._metadata = metadata
        self._fields = fields
        self.unreadable: list[MappedFact] = []

    def text(self, fact: MappedFact) -> str | None:
        """The fact's text as it stands in its places; `None` where there is none or where they disagree."""
        return self._one(fact, self._found(fact))

    def read(self, fact: MappedFact, parse: Callable[[str], T]) -> T | None:
        """The fact's value; `None` where it has no text, an unreadable one, or two that disagree."""
        try:
            values = [parse(self._mapping.words.get(text.lower(), text.lower())) for text in self._found(fact)]
        except (ValueError, MoneyError):
            self.unreadable.append(fact)
            return None
        return self._one(fact, values)

    def _found(self, fact: MappedFact) -> list[str]:
        source = self._mapping.sources.get(fact)
        if source is None:
            return []
        raw: list[Any] = []
        if source.stripe is not None:
            raw.append(self._metadata.get(source.stripe))
        if source.zendesk is not None:
            raw.append(self._fields.get(source.zendesk))
        # An untouched Zendesk checkbox is false, an untouched text field null or empty: neither says anything.
        return [str(value).strip() for value in raw if value is not None and value is not False and str(value).strip()]

    def _one(self, fact: MappedFact, values: list[T]) -> T | None:
        if len(values) > 1 and any(value != values[0] for value in values[1:]):
            self.unreadable.append(fact)
            return None
        return values[0] if values else None


def _truth(text: str) -> bool:
    match text:
        case "true" | "yes" | "1":
            return True
        case "false" | "no" | "0":
            return False
        case _:
            raise ValueError(f"{text!r} is neither yes nor no: map it in `words`")


def _time(text: str) -> datetime:
    """A date-time with an offset, or a date, which means its first moment in UTC."""
    upper = text.upper()
    if "T" not in upper and " " not in upper:
        return datetime.combine(date.fromisoformat(upper), time(), UTC)
    moment = datetime.fromisoformat(upper)
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset: write it like '2026-11-21T09:00:00Z'")
    return moment
