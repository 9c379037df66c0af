"""A double of whoever is told of events: a receiver by the Standard Webhooks scheme, or Slack's incoming webhook.

It keeps what it was sent, checks signatures, and fails on demand. Slack answers `ok` as text, and `no_text` to what has
none (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors). A signature is
checked as the scheme says, over id, time and body
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#verifying-webhook-authenticity).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


@dataclass
class Received:
    """One message as it came in."""

    message_id: str
    form: dict[str, Any]


@dataclass
class Receiver:
    """What it knows.

    Args:
        secret: what messages are signed with; None checks no signature.
        failures: the statuses of the next answers.
        hides_success: so many times it takes a message, and its answer is lost.
    """

    secret: bytes | None = None
    failures: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    forged: int = 0
    hides_success: int = 0

    def routes(self) -> list[BaseRoute]:
        """`POST /hook` for a webhook, `POST /services/T/B/X` for Slack."""
        return [
            Route("/hook", self._hook, methods=["POST"]),
            Route("/services/{path:path}", self._slack, methods=["POST"]),
        ]

    async def _hook(self, request: Request) -> Response:
        body = await request.body()
        if self.secret is not None and not self._is_signed(request, body):
            self.forged += 1
            return PlainTextResponse("bad signature", 401)
        return self._take(request, body, "")

    async def _slack(self, request: Request) -> Response:
        body = await request.body()
        if "text" not in json.loads(body):
            return PlainTextResponse("no_text", 400)
        return self._take(request, body, "ok")

    def _take(self, request: Request, body: bytes, answer: str) -> Response:
        if self.failures:
            return PlainTextResponse("not now", self.failures.pop(0))
        self.received.append(Received(request.headers.get("webhook-id", ""), json.loads(body)))
        if self.hides_success:  # it took the message, and its answer is lost on the way
            self.hides_success -= 1
            return PlainTextResponse("gateway timeout", 504)
        return PlainTextResponse(answer)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        assert self.secret is not None
        message_id, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        expected = hmac.new(self.secret, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
        given = [one.partition(",")[2] for one in request.headers.get("webhook-signature", "").split()]
        return any(hmac.compare_digest(one, base64.b64encode(expected).decode()) for one in given)
