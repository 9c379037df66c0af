"""Whether a customer's words name a charge or its order. Spelling is forgiven, numbers are not."""

from __future__ import annotations

import re

from connectors.orders.wire import OrderView
from connectors.stripe.wire import ChargeView
from graph.models.triage import Claims


def same_order_id(stated: str, known: str) -> bool:
    """Whether two spellings are one order number: case, blanks and signs do not count.

    >>> same_order_id("#AB-1042", "ab 1042")
    True
    """

    def plain(value: str) -> str:
        return re.sub(r"[^a-z0-9]", "", value.lower())

    return plain(stated) == plain(known)


def names_charge(claims: Claims, charge: ChargeView, order: OrderView | None) -> bool:
    """Whether an order number that the customer states is the charge's: its order's, or one in its description."""
    known = [word for word in re.split(r"\s+", charge.description or "") if any(sign.isdigit() for sign in word)]
    known += [value for value in (charge.metadata.get("order_id"), order.id if order else None) if value]
    return any(same_order_id(stated, one) for stated in claims.order_ids for one in known)
