"""Events: made at each change, listed by the API, signed and sent to the endpoint.

https://docs.stripe.com/webhooks : at least once, in no promised order, signed anew at each attempt.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.stripe import objects
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.objects import Thing

PLACE: Final = "stripe.webhook"
API_VERSION: Final = "2026-10-28.endive"

ENABLED: Final = frozenset(
    {
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "radar.early_fraud_warning.created",
    },
)
"""The events that the endpoint asked for. https://docs.stripe.com/api/webhook_endpoints/create ."""

_FRESH_S: Final = 300


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that made an event; empty for what happens by itself or in the Dashboard."""

    request_id: str | None = None
    idempotency_key: str | None = None


NOBODY: Final = Cause()


def sign(body: bytes, *, secret: str, at: int) -> str:
    """The header `Stripe-Signature`. https://docs.stripe.com/webhooks#verify-manually .

    A signature of the scheme `v0` stands beside it, as with Stripe's test events, and must be ignored.
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest},v0={digest[::-1]}"


class Events:
    """What has happened, and the endpoint that hears of it.

    Args:
        url: the endpoint; `None` sends nothing.
    """

    def __init__(self, books: Books, deliveries: Deliveries, *, url: str | None, secret: str) -> None:
        self._books = books
        self._deliveries = deliveries
        self._url = url
        self._secret = secret

    def emit(
        self,
        kind: str,
        subject: Thing,
        *,
        previous: Thing | None = None,
        cause: Cause = NOBODY,
        created: int | None = None,
    ) -> None:
        """Record an event with the object as it is now, and send it.

        `created` is when it happened: history that is older than some minutes is recorded and not sent.
        """
        now = self._books.seconds
        at = now if created is None else created
        event = objects.event(
            event_id=self._books.new_id("evt"),
            kind=kind,
            subject=copy.deepcopy(subject),
            previous=previous,
            created=at,
            request={"id": cause.request_id, "idempotency_key": cause.idempotency_key},
            version=API_VERSION,
        )
        self._books.add(event)
        if self._url is not None and kind in ENABLED and now - at <= _FRESH_S:
            body = json.dumps(event, indent=2).encode()
            self._deliveries.send(PLACE, self._url, body, self._headers)

    def _headers(self, body: bytes) -> Mapping[str, str]:
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(body, secret=self._secret, at=self._books.seconds),
        }
