"""How a double obeys a fault on the wire: late, cut, reset or refused answers, made with the real TCP connection.

Promises that a `*_before_effect` fault leaves the double's state untouched, that an `*_after_effect` fault changes it
exactly once, and that a caller who hangs up early frees the server at once. It refuses to invent a vendor's error body:
that is the double's knowledge. It needs the connection that `connectors.sandbox.server` puts into the ASGI scope.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.sandbox.faults import Fault, FaultKind

EXTENSION: Final = "sandbox.connection"
"""Where the server puts the `Connection` of a request, among the ASGI scope's extensions."""

_ANSWERED: Final = frozenset(
    {FaultKind.TOO_MANY_REQUESTS, FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE, FaultKind.FORBIDDEN},
)
_AFTER: Final = frozenset({FaultKind.TIMEOUT_AFTER_EFFECT, FaultKind.RESET_AFTER_EFFECT})
_LATE: Final = frozenset({FaultKind.TIMEOUT_BEFORE_EFFECT, FaultKind.TIMEOUT_AFTER_EFFECT})
_RESET: Final = frozenset({FaultKind.RESET_BEFORE_EFFECT, FaultKind.RESET_AFTER_EFFECT})


class Connection:
    """The TCP connection under a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """Close with an RST, so that the caller sees a reset connection and no answer."""
        raw = self._transport.get_extra_info("socket")
        # A linger time of zero is what turns the close into a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def abort(self) -> None:
        """Close at once, without what is still unsent."""
        self._transport.abort()

    def close(self) -> None:
        """Close after what was written has gone out."""
        self._transport.close()


async def strike(
    fault: Fault | None,
    request: Request,
    handle: Callable[[], Awaitable[Response]],
    error: Callable[[Fault], Response],
) -> Response:
    """Answer one request under a fault.

    Args:
        fault: what `Faults.next` said for this request; `None` answers as if nothing were wrong.
        request: the request, served by `connectors.sandbox.server`.
        handle: has the effect and gives the true answer. Called at most once.
        error: the vendor's own body and headers for a 403, 429, 500 or 503. Called without `handle`: a double that must
            store a 500, as Stripe does, treats that kind itself before it calls this function.

    Returns:
        The response to hand to Starlette. For a connection that was closed it is one that sends nothing.

    Raises:
        ValueError: the fault is about a webhook's delivery, not about a request.
    """
    if fault is None:
        return await handle()
    if fault.kind in _ANSWERED:
        return error(fault)
    if fault.kind is FaultKind.TRUNCATED_BODY:
        return _Truncated(await handle())
    if fault.kind not in _LATE | _RESET:
        raise ValueError(f"fault {fault.kind.value!r} is about a delivery, not a request: ask with webhook=True")
    if fault.kind in _AFTER:
        await handle()
    connection = _connection(request.scope)
    if fault.kind in _LATE:
        await _disconnected(request.receive, within_s=fault.delay_s)
        connection.abort()
    else:
        connection.reset()
    await _disconnected(request.receive, within_s=None)
    return _Silence()


class _Silence(Response):
    """The connection is gone, so nothing is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send


class _Truncated(Response):
    """Announces the whole body, sends the first half, closes the connection."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = _connection(scope)
        body = bytes(self._whole.body)
        if body:
            headers = list(self._whole.raw_headers)
            await send({"type": "http.response.start", "status": self._whole.status_code, "headers": headers})
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            connection.close()
        else:
            # Half of nothing would be a whole answer.
            connection.abort()
        await _disconnected(receive, within_s=None)


def _connection(scope: Scope) -> Connection:
    try:
        connection = scope["extensions"][EXTENSION]
    except KeyError as error:
        raise RuntimeError(
            "this fault needs a real connection: serve the app with connectors.sandbox.server.serve",
        ) from error
    assert isinstance(connection, Connection)
    return connection


async def _disconnected(receive: Receive, *, within_s: float | None) -> None:
    """Wait until the caller is gone, at most `within_s` seconds."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            continue

    try:
        await asyncio.wait_for(gone(), timeout=within_s)
    except TimeoutError:
        return
