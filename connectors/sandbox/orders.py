"""The double of a shop's orders service, with the semantics of docs/orders-api.md.

Promises the contract's two reads, its error bodies and its faults, from orders that a world put in. It refuses writes,
as the contract has none: `ship`, `deliver`, `request_return` and `receive_return` happen in the shop's warehouse.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.faulty import strike

_MAX_LIMIT: Final = 100
_DEFAULT_LIMIT: Final = 20

_SENTENCES: Final = {
    FaultKind.TOO_MANY_REQUESTS: ("rate_limited", "too many requests"),
    FaultKind.SERVER_ERROR: ("internal", "something went wrong"),
    FaultKind.UNAVAILABLE: ("unavailable", "try again later"),
    FaultKind.FORBIDDEN: ("forbidden", "this token may not read orders"),
}


@dataclass(slots=True)
class _Order:
    """The body as it is sent, and every name its customer is known by."""

    body: dict[str, Any]
    customer_refs: frozenset[str]
    placed_at: datetime


class OrdersDouble:
    """A shop's orders, in memory.

    Args:
        now: the sandbox's time.
        faults: asked at `orders.orders.read` and `orders.customers.orders`.
        token: the bearer token to expect.
        seed: begins the request ids, so that they repeat.
    """

    def __init__(self, *, now: Callable[[], datetime], faults: Faults, token: str, seed: int = 0) -> None:
        self._now = now
        self._faults = faults
        self._token = token
        self._requests = itertools.count(1)
        self._seed = seed
        self._lock = threading.Lock()
        # Two worlds may each have an order 1042; one customer has it once.
        self._orders: dict[tuple[str, str | None], _Order] = {}

    def add_order(
        self,
        *,
        order_id: str,
        customer_refs: Sequence[str],
        placed_at: datetime,
        charge_ids: Sequence[str] = (),
        currency: str | None = None,
        items: Sequence[Mapping[str, Any]] | None = None,
        **more: object,
    ) -> str:
        """Put an order in, or replace the same customer's; its id.

        Of two customers' orders with one id, the latest answers.

        Args:
            order_id: the shop's own number, as customers write it.
            customer_refs: the Stripe customer id and the e-mail address; the first is the one that is sent.
            placed_at: when it was placed.
            charge_ids: the Stripe charges that paid for it.
            currency: of all its amounts.
            items: lines in the contract's words; times may be `datetime`. `None` leaves them unknown.
            more: `promised_by`, `carrier`, `subscription_periods` in the contract's words.
        """
        owner = next(iter(customer_refs), None)
        body: dict[str, Any] = {
            "id": order_id,
            "customer_ref": owner,
            "charge_ids": list(charge_ids),
            "currency": currency,
            "placed_at": placed_at,
            "items": None if items is None else [dict(item) for item in items],
            **more,
        }
        with self._lock:
            self._orders.pop((order_id, owner), None)
            self._orders[order_id, owner] = _Order(body, frozenset(customer_refs), placed_at)
        return order_id

    def ship(self, order_id: str, item_id: str) -> None:
        """The item leaves the warehouse now."""
        self._stamp(order_id, item_id, "shipped_at", "shipped")

    def deliver(self, order_id: str, item_id: str) -> None:
        """The carrier delivers the item now."""
        self._stamp(order_id, item_id, "delivered_at", "delivered")

    def request_return(self, order_id: str, item_id: str) -> None:
        """The customer registers a return now."""
        self._stamp(order_id, item_id, "return_requested_at", None)

    def receive_return(self, order_id: str, item_id: str) -> None:
        """The returned item arrives now."""
        self._stamp(order_id, item_id, "return_received_at", None)

    def routes(self) -> list[BaseRoute]:
        """The contract's paths."""
        return [
            Route("/orders/v1/orders/{order_id:path}", self._read_order, methods=["GET"]),
            Route("/orders/v1/customers/{customer_ref:path}/orders", self._read_orders, methods=["GET"]),
        ]

    def _named(self, order_id: str) -> _Order | None:
        return next((order for (name, _), order in reversed(self._orders.items()) if name == order_id), None)

    def _stamp(self, order_id: str, item_id: str, key: str, fulfilment: str | None) -> None:
        with self._lock:
            order = self._named(order_id)
            if order is None:
                raise KeyError(order_id)
            item = next(item for item in order.body["items"] if item["id"] == item_id)
            item[key] = self._now()
            if fulfilment is not None:
                item["fulfilment"] = fulfilment

    async def _read_order(self, request: Request) -> Response:
        async def handle() -> Response:
            with self._lock:
                order = self._named(request.path_params["order_id"])
                if order is None:
                    return self._problem(404, "not_found", "no such order")
                return self._answer(_wire(order.body))

        return await self._serve("orders.orders.read", request, handle)

    async def _read_orders(self, request: Request) -> Response:
        async def handle() -> Response:
            asked = request.query_params.get("limit", str(_DEFAULT_LIMIT))
            if not asked.isdecimal() or not 1 <= int(asked) <= _MAX_LIMIT:
                return self._problem(400, "bad_limit", f"limit must be 1 to {_MAX_LIMIT}")
            reference = request.path_params["customer_ref"]
            with self._lock:
                theirs = [order for order in self._orders.values() if reference in order.customer_refs]
                theirs.sort(key=lambda order: order.placed_at, reverse=True)
                bodies = [_wire(order.body) for order in theirs[: int(asked)]]
            return self._answer({"orders": bodies, "has_more": len(theirs) > int(asked)})

        return await self._serve("orders.customers.orders", request, handle)

    async def _serve(self, place: str, request: Request, handle: Callable[[], Awaitable[Response]]) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return self._problem(401, "unauthorized", "the bearer token is missing or wrong")
        return await strike(self._faults.next(place), request, handle, self._fault)

    def _fault(self, fault: Fault) -> Response:
        code, sentence = _SENTENCES[fault.kind]
        response = self._problem(int(fault.kind.value), code, sentence)
        if fault.kind in {FaultKind.TOO_MANY_REQUESTS, FaultKind.UNAVAILABLE}:
            response.headers["retry-after"] = str(fault.retry_after_s)
        return response

    def _answer(self, body: dict[str, Any]) -> Response:
        return JSONResponse(body, headers={"x-request-id": self._request_id()})

    def _problem(self, status: int, code: str, sentence: str) -> Response:
        return JSONResponse(
            {"error": {"code": code, "message": sentence}},
            status_code=status,
            headers={"x-request-id": self._request_id()},
        )

    def _request_id(self) -> str:
        return f"ord-{self._seed}-{next(self._requests)}"


def _wire(value: Any) -> Any:  # noqa: ANN401 - any JSON value, with times in it
    """The value as JSON, times as RFC 3339 in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {key: _wire(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_wire(inner) for inner in value]
    return value
