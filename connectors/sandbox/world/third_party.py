"""Tickets written by others: one JSON line becomes a world and a ticket.

Promises that nothing is made up: a line without a requester has a verified one without charges, and what the line does
not say about an order stays unknown. Amounts are read by their digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from connectors.sandbox.world.errors import WorldError
from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.parts import Amount
from connectors.sandbox.world.reading import read_json, validated
from policies.errors import MoneyError
from policies.money import exponent

REQUESTER: Final = "requester"
NO_TEXT: Final = "(no text)"
_AGE_DAYS: Final = 3
_FULFILMENTS: Final = ("unfulfilled", "shipped", "delivered", "cancelled")
_PENDING: Final = ("pending", "processed")
_SEGMENT: Final = re.compile(r"[^a-z0-9]+")


def _text(value: object) -> object:
    return "" if value is None else value


class _Open(BaseModel):
    """Others may say more than we read."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)


class _Requester(_Open):
    name: str = "Customer"
    email: str | None = None


class _Item(_Open):
    name: str | None = None
    item_id: str | None = None
    amount: Amount | None = None


class _Charge(_Open):
    amount: Amount
    currency: str = "usd"
    description: str = ""
    order_id: str | None = None
    order_status: str | None = None
    days_ago: Annotated[Decimal | None, Field(ge=0)] = None
    metadata: dict[str, str] = Field(default_factory=dict)
    items: tuple[_Item, ...] | None = None


class _Line(_Open):
    id: str
    subject: Annotated[str, BeforeValidator(_text)] = ""
    body: Annotated[str, BeforeValidator(_text)] = ""
    requester: _Requester | None = None
    charges: tuple[_Charge, ...] | None = None


def ticket_line_world(line: str, *, name: str = "line", scale_amounts: int = 1) -> Setting:
    """The world and the ticket of one JSONL line (`id`, `subject`, `body`, optionally `requester`, `charges`).

    Args:
        line: one JSON object; more keys are allowed.
        name: what messages call it, such as `tickets.jsonl:17`.
        scale_amounts: divides amounts, rounding down to the cent: 10 turns 982.03 into 98.20.

    Returns:
        A setting with one ticket from one verified requester, to be loaded beside those of other lines. A charge of
        which the line tells no age is three days old.

    Raises:
        WorldError: it is no such line.
    """
    row = read_json(line, _Line, name=name)
    person = row.requester or _Requester()
    word = _SEGMENT.sub("-", row.id.lower()).strip("-") or "ticket"
    customer = {
        "key": REQUESTER,
        "name": person.name or "Customer",
        "email": person.email or f"{word}@example.com",
    }
    charges = [_charge(row.id, number, charge, scale_amounts) for number, charge in enumerate(row.charges or ())]
    orders = [
        order
        for number, charge in enumerate(row.charges or ())
        for order in _order(row.id, number, charge, scale_amounts)
    ]
    setting: dict[str, Any] = {
        "world": {"customers": [customer], "charges": charges, "orders": orders},
        "ticket": {
            "requester": REQUESTER,
            "channel": "email",
            "subject": row.subject,
            "comments": [{"from": REQUESTER, "body": _description(row)}],
        },
    }
    return validated(setting, Setting, name=name, lines={})


def _description(row: _Line) -> str:
    """The first comment. Zendesk has no ticket without one, so a blank body becomes the subject, else a mark.

    https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
    """
    return next((text for text in (row.body, row.subject) if text.strip()), NO_TEXT)


def _charge(line_id: str, number: int, charge: _Charge, scale: int) -> dict[str, Any]:
    return {
        "key": f"{line_id}-c{number}",
        "customer": REQUESTER,
        "amount": _scaled(charge.amount, scale, charge.currency),
        "currency": charge.currency.lower(),
        "description": charge.description or (f"Order {charge.order_id}" if charge.order_id else ""),
        "order": charge.order_id,
        "days_ago": charge.days_ago if charge.days_ago is not None else _AGE_DAYS,
        "metadata": {key: value[:500] for key, value in charge.metadata.items()},
    }


def _order(line_id: str, number: int, charge: _Charge, scale: int) -> Iterator[dict[str, Any]]:
    """The order behind a charge, where the line tells its number and what was in it or where it is."""
    status = (charge.order_status or "").split(" ")[0]
    if charge.order_id is None or (charge.items is None and not status):
        return
    fulfilment = "unfulfilled" if status in _PENDING else status if status in _FULFILMENTS else None
    items = [
        {
            "key": f"{item.item_id or 'item'}-{position}",
            "name": item.name,
            "amount": None if item.amount is None else _scaled(item.amount, scale, charge.currency),
        }
        for position, item in enumerate(charge.items or ())
    ]
    yield {
        "key": f"{line_id}-o{number}",
        "number": charge.order_id,
        "customer": REQUESTER,
        "charge": f"{line_id}-c{number}",
        "fulfilment": fulfilment,
        "items": items or None,
    }


def _scaled(amount: Decimal, scale: int, currency: str) -> Decimal:
    """The amount divided, cut (never rounded up) to the currency's decimals."""
    if scale < 1:
        raise WorldError((f"scale_amounts {scale} is not a divisor: give 1 or more",))
    if scale == 1:
        return amount
    try:
        step = Decimal(1).scaleb(-exponent(currency.lower()))
    except MoneyError as error:
        raise WorldError((str(error),)) from error
    return max(step, (amount / scale // step) * step)
