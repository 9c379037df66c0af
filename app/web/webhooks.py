"""The door for webhooks: check the signature over the raw body, store once, answer 2xx. Nothing else happens here.

Any 2xx is an acknowledgement to Zendesk and to Stripe, so it leaves only after the insert is committed. What cannot be
trusted is 401 and leaves a security event; what is genuine and cannot be read is stored as parked, not lost.
https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.errors import DatabaseError
from app.web.access import Signed, SignedRoute
from app.web.storing import Overrun, Storing
from connectors.errors import SignatureError, WireError
from connectors.stripe import signing as stripe_signing
from connectors.zendesk import events as zendesk_events
from connectors.zendesk import signing as zendesk_signing
from graph.audit.log import append
from graph.intake.models import Disposition
from graph.intake.receive import Arrival, refused_knock, stripe_arrival, zendesk_arrival
from graph.tenancy import Sessions
from graph.tracing import received

_LOG: Final = logging.getLogger(__name__)
NO_PAGE: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""An answer to a program: a browser that is led to it shows nothing and keeps nothing."""
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""A ticket event carries the whole comment; Zendesk's longest is some 64 kB, so this is generous."""

MAX_WORD: Final = 500
"""Ids and types of either vendor are far shorter."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Signing secrets of one tenant, several while one is being replaced."""

    zendesk: tuple[str, ...]
    stripe: tuple[str, ...]


@dataclass(slots=True)
class Door:
    """What the door works with."""

    sessions: Sessions
    secrets: Mapping[str, Secrets]
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    storing: Storing = field(init=False)

    def __post_init__(self) -> None:
        self.storing = Storing(self.sessions, self.now, self.new_id)


class _Refusal(Exception):
    """An answer other than 2xx, with the sentence for whoever reads the sender's log."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def routes(door: Door) -> list[SignedRoute]:
    """The webhook routes."""

    async def zendesk(request: Request) -> Response:
        return await _answer(door, "zendesk", request, _zendesk)

    async def stripe(request: Request) -> Response:
        return await _answer(door, "stripe", request, _stripe)

    return [
        SignedRoute("/webhooks/zendesk/{tenant_id}", zendesk, Signed("Zendesk")),
        SignedRoute("/webhooks/stripe/{tenant_id}", stripe, Signed("Stripe")),
    ]


_Read = Callable[[Door, str, bytes, Mapping[str, str]], Arrival]


async def _answer(door: Door, source: str, request: Request, read: _Read) -> Response:
    started_ns = time.time_ns()
    try:
        arrival, answer = await _taken_in(door, source, request, read)
    except _Refusal as refusal:
        return _refused(refusal, source, started_ns)
    except Exception:  # noqa: BLE001 - whatever it was, the sender gets an answer and tries again
        _LOG.exception("a webhook of %s failed", source)
        detail = "something went wrong here, and the server's log says what: send it again"
        return _refused(_Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, detail), source, started_ns)
    received(arrival.event_id, source, started_ns, answer.status_code)
    return answer


def _refused(refusal: _Refusal, source: str, started_ns: int) -> Response:
    received(None, source, started_ns, refusal.status)
    return JSONResponse({"error": refusal.detail}, refusal.status, headers=_retry(refusal.status) | NO_PAGE)


async def _taken_in(door: Door, source: str, request: Request, read: _Read) -> tuple[Arrival, Response]:
    tenant_id = str(request.path_params["tenant_id"])
    _known(door, tenant_id)
    raw = await _body(request)
    arrival = await _verified(door, tenant_id, source, request, raw, read)
    return arrival, await _store(door, tenant_id, arrival)


def _known(door: Door, tenant_id: str) -> None:
    if tenant_id not in door.secrets:
        raise _Refusal(HTTPStatus.NOT_FOUND, f"no tenant {tenant_id[:64]!r} here: check the webhook's address")


def _retry(status: HTTPStatus) -> dict[str, str]:
    """Zendesk and Stripe try a 503 again; Zendesk only with a Retry-After below a minute."""
    return {"Retry-After": "10"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}


async def _body(request: Request) -> bytes:
    """The raw body, read no further than the limit."""
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        length += len(part)
        if length > MAX_BODY_BYTES:
            raise _Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is longer than {MAX_BODY_BYTES} bytes: no webhook of ours is that long",
            )
        parts.append(part)
    return b"".join(parts)


async def _verified(door: Door, tenant_id: str, source: str, request: Request, raw: bytes, read: _Read) -> Arrival:
    try:
        return read(door, tenant_id, raw, request.headers)
    except SignatureError as error:
        address = request.client.host if request.client else "unknown"
        await _record_knock(door, tenant_id, source, address, str(error))
        raise _Refusal(HTTPStatus.UNAUTHORIZED, str(error)) from error


def _zendesk(door: Door, tenant_id: str, raw: bytes, headers: Mapping[str, str]) -> Arrival:
    zendesk_signing.verify(
        raw,
        signature=headers.get(zendesk_signing.SIGNATURE_HEADER),
        timestamp=headers.get(zendesk_signing.TIMESTAMP_HEADER),
        secrets=door.secrets[tenant_id].zendesk,
        now=door.now(),
    )
    try:
        return _storable(zendesk_arrival(zendesk_events.parse(raw)))
    except WireError as error:
        return _parked("zendesk", raw, error)


def _stripe(door: Door, tenant_id: str, raw: bytes, headers: Mapping[str, str]) -> Arrival:
    try:
        event = stripe_signing.verify(
            raw,
            headers.get("stripe-signature"),
            secrets=door.secrets[tenant_id].stripe,
            now=door.now(),
        )
        return _storable(stripe_arrival(event))
    except WireError as error:
        return _parked("stripe", raw, error)


def _storable(arrival: Arrival) -> Arrival:
    """The arrival, if PostgreSQL can hold its words: no NUL, no half of a surrogate pair, no key beyond an index's row.

    Refused by the database they would be sent again for days, and never fit.
    """
    words = [arrival.event_id, arrival.kind, arrival.ticket_id, arrival.object_id, *arrival.details.values()]
    for word in words:
        if isinstance(word, str) and (len(word) > MAX_WORD or "\0" in word or not _is_whole(word)):
            raise WireError("the webhook's body has an id or a word that cannot be stored: look at what sends it")
    return arrival


def _is_whole(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parked(source: str, raw: bytes, error: WireError) -> Arrival:
    """Genuine and not readable: kept by its digest for somebody to look at, and acknowledged: a retry is no use."""
    return Arrival(
        source=source,
        event_id=f"unreadable:{hashlib.sha256(raw).hexdigest()}",
        kind="unreadable",
        details={"bytes": len(raw), "error": str(error)},
        disposition=Disposition.PARKED,
        reason="unreadable",
    )


async def _store(door: Door, tenant_id: str, arrival: Arrival) -> Response:
    try:
        stored = await door.storing.store(tenant_id, arrival)
    except (Overrun, DatabaseError, SQLAlchemyError) as error:
        raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the event could not be stored: send it again") from error
    return JSONResponse({"received": stored.value, "event_id": arrival.event_id}, HTTPStatus.ACCEPTED, headers=NO_PAGE)


async def _record_knock(door: Door, tenant_id: str, source: str, address: str, detail: str) -> None:
    try:
        async with door.sessions(tenant_id) as session:
            kind = f"{source}_signature"
            if await refused_knock(session, tenant_id, kind=kind, source_address=address, now=door.now()):
                await append(
                    session,
                    tenant_id=tenant_id,
                    at=door.now(),
                    kind="security.bad_signature",
                    actor="web",
                    new_id=door.new_id,
                    body={"source": source, "address": address, "detail": detail},
                )
    except (DatabaseError, SQLAlchemyError) as error:
        raise _Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the event could not be stored: send it again") from error
