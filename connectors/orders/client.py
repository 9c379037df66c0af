"""The orders connector: two reads of the shop's own orders, and nothing that writes.

Promises one request per call, a bounded wait, no retry, and errors that say who must act. It refuses redirects (the
token would travel with them) and the proxies of the environment. Contract: docs/orders-api.md.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Final, Self
from urllib.parse import quote, urlsplit

import httpx

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    Throttled,
    VendorRefused,
    VendorUnavailable,
    WireError,
)
from connectors.orders.wire import OrderList, OrderView, read_order, read_order_list

MAX_LIMIT: Final = 100
"""The largest `limit` of the contract."""
_DEFAULT_RETRY_AFTER_S: Final = 1.0
_PROBE_CUSTOMER: Final = "countersign-probe"


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading all certificates takes some forty milliseconds."""
    return ssl.create_default_context()


class OrdersAdapter:
    """Reads orders from a shop that implements docs/orders-api.md. Safe to share between threads.

    Args:
        base_url: where the contract's paths begin, such as `https://shop.example`; a path before `/orders` may follow.
        token: the bearer token.
        timeout_s: how long one call may wait for a connection, and for each piece of the answer, in seconds.

    Raises:
        ConfigurationError: the address is not an http(s) address, or the token is empty.
    """

    def __init__(self, base_url: str, token: str, *, timeout_s: float) -> None:
        if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
            raise ConfigurationError(f"orders address {base_url!r} is not usable: write it like 'https://shop.example'")
        if not token.strip():
            raise ConfigurationError("the orders token is empty: set the bearer token that the shop issued")
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"authorization": f"Bearer {token}", "accept": "application/json"},
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(),
        )

    def order(self, order_id: str) -> OrderView:
        """One order by the shop's own id.

        Raises:
            VendorRefused: the shop has no such order (status 404) or refuses the request.
            VendorUnavailable: no answer came; the call may be repeated later.
            WireError: the answer is not what the contract says.
        """
        return read_order(self._get(f"/orders/v1/orders/{quote(order_id, safe='')}", {}))

    def orders_of(self, customer_ref: str, *, limit: int = 20) -> OrderList:
        """The newest orders of a customer, newest first. A customer whom the shop does not know has none.

        Args:
            customer_ref: a Stripe customer id, or an e-mail address.
            limit: 1 to 100.

        Raises:
            VendorRefused: the shop refuses the request.
            VendorUnavailable: no answer came; the call may be repeated later.
            WireError: the answer is not what the contract says.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit {limit} is out of range: ask for 1 to {MAX_LIMIT} orders")
        path = f"/orders/v1/customers/{quote(customer_ref, safe='')}/orders"
        return read_order_list(self._get(path, {"limit": str(limit)}))

    def probe(self) -> None:
        """Check address and token by asking for the orders of a customer who does not exist. No side effect.

        Raises:
            ConnectorError: as `orders_of`; `AccessDenied` where the token is wrong.
        """
        self.orders_of(_PROBE_CUSTOMER, limit=1)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OrdersAdapter({str(self._client.base_url)!r})"

    def _get(self, path: str, params: dict[str, str]) -> bytes:
        try:
            response = self._client.get(path, params=params)
        except httpx.TimeoutException as error:
            raise VendorUnavailable(f"the orders service did not answer in time ({type(error).__name__})") from error
        except httpx.TransportError as error:
            raise VendorUnavailable(f"the orders service broke the connection ({type(error).__name__})") from error
        except httpx.DecodingError as error:
            raise WireError("the orders service sent a body that cannot be decoded") from error
        if response.status_code == httpx.codes.OK:
            return response.content
        raise _problem(response)


def _problem(response: httpx.Response) -> Exception:
    """What an answer other than 200 means."""
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        asked = response.headers.get("retry-after", "")
        return Throttled(
            "the orders service asks to wait",
            retry_after_s=float(asked) if asked.isdigit() else _DEFAULT_RETRY_AFTER_S,
        )
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return VendorUnavailable(f"the orders service answered {status}")
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return AccessDenied(
            f"the orders service answered {status}: check the token and what it may read",
            status=status,
            code=_code(response),
        )
    if status >= httpx.codes.BAD_REQUEST:
        return VendorRefused(f"the orders service answered {status}", status=status, code=_code(response))
    return WireError(f"the orders service answered {status}, which the contract does not know: see docs/orders-api.md")


def _code(response: httpx.Response) -> str | None:
    """The shop's own word for the problem, where it sent the contract's error body."""
    try:
        body = response.json()
    except ValueError:
        return None
    match body:
        case {"error": {"code": str(code)}}:
            return code
        case _:
            return None
