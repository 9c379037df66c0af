"""Webhooks of the double: the vendor's event envelope, its signature, and who gets it.

Every change is told, those made through the API included: the consumer guards against its own echo. The envelope spells
statuses in upper case and ids as strings, where REST has lower case and numbers.
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.zendesk.records import Comment, Json, Ticket, User, Webhook, stamp
from connectors.zendesk.events import TRIGGER_BODY

PLACE: Final = "zendesk.webhook"
TRIGGERED: Final = "conditional_ticket_events"
EVENT_VERSION: Final = "2022-11-06"
TYPE_PREFIX: Final = "zen:event-type:ticket."
_NAMESPACE: Final = uuid.UUID("6f0d3b0e-0d6f-5c5e-9f0e-1f5d8c3a7b10")
# The event bus has its own names for the channels that REST calls `api`, `email` and `web`.
_BUS_CHANNELS: Final = {"api": "web_service", "email": "mail", "web": "web_form"}


class Notice(NamedTuple):
    """One thing that happened: the last part of the event's type, and its `event` object."""

    kind: str
    event: Json


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """base64(HMAC-SHA256(secret, timestamp + body)); the secret's characters are the key as they stand."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def headers(webhook: Webhook, *, account_id: int, invocation_id: str, timestamp: str, body: bytes) -> dict[str, str]:
    """The headers of one attempt (https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/)."""
    return {
        "User-Agent": "Zendesk Webhook",
        "Content-Type": "application/json; charset=utf-8",
        "X-Zendesk-Account-Id": str(account_id),
        "X-Zendesk-Webhook-Id": webhook.webhook_id,
        "X-Zendesk-Webhook-Invocation-Id": invocation_id,
        "X-Zendesk-Webhook-Signature": signature(webhook.secret, timestamp, body),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
    }


def comment_event(comment: Comment, author: User) -> Json:
    """The `event` object of `comment_added`."""
    return {
        "comment": {
            "id": comment.comment_id,
            "body": comment.body,
            "is_public": comment.public,
            "author": {"id": comment.author_id, "is_staff": author.is_staff, "name": author.name},
        },
    }


def changed(current: object, previous: object) -> Json:
    """The `event` object of a value that changed, in the spelling of the event bus."""
    return {"current": _spelled(current), "previous": _spelled(previous)}


def _spelled(value: object) -> str | None:
    return None if value is None else str(value)


def _detail(ticket: Ticket, actor_id: int) -> Json:
    return {
        "actor_id": str(actor_id),
        "assignee_id": _spelled(ticket.assignee_id),
        "brand_id": _spelled(ticket.brand_id),
        "created_at": stamp(ticket.created_at),
        "custom_status": None,
        "description": ticket.description,
        "external_id": _spelled(ticket.external_id),
        "form_id": None,
        "group_id": _spelled(ticket.group_id),
        "id": str(ticket.ticket_id),
        "is_public": any(comment.public for comment in ticket.comments),
        "organization_id": _spelled(ticket.organization_id),
        "priority": ticket.priority.upper() if ticket.priority else None,
        "requester_id": str(ticket.requester_id),
        "status": "DELETED" if ticket.deleted else ticket.status.upper(),
        "subject": ticket.subject,
        "submitter_id": str(ticket.submitter_id),
        "tags": list(ticket.tags),
        "type": ticket.kind.upper() if ticket.kind else None,
        "updated_at": stamp(ticket.updated_at),
        "via": {"channel": _BUS_CHANNELS.get(ticket.channel, ticket.channel)},
    }


class Announcer:
    """Turns notices into signed webhooks. Ids follow from the seed and a counter, so a repeated run repeats them."""

    def __init__(self, *, now: Callable[[], datetime], deliveries: Deliveries, account_id: int, seed: int) -> None:
        self._now = now
        self._deliveries = deliveries
        self._seed = seed
        self._count = 0
        self.account_id = account_id

    def fresh_id(self, what: str) -> str:
        """The next id of its kind, a UUID."""
        self._count += 1
        return str(uuid.uuid5(_NAMESPACE, f"{self._seed}:{what}:{self._count}"))

    def announce(self, ticket: Ticket, actor_id: int, notices: list[Notice], webhooks: Iterable[Webhook]) -> None:
        """Queue each notice for each active webhook that subscribes to it, and one call for those behind a trigger."""
        moment = self._now().astimezone(UTC)
        sequence = self.fresh_id("sequence")
        listeners = [webhook for webhook in webhooks if webhook.status == "active"]
        for position, notice in enumerate(notices, start=1):
            meta: Json = {"sequence": {"id": sequence, "position": position, "total": len(notices)}}
            kind = TYPE_PREFIX + notice.kind
            body = json.dumps(
                {
                    "account_id": self.account_id,
                    "detail": _detail(ticket, actor_id),
                    "event": {**notice.event, "meta": meta},
                    "id": self.fresh_id("event"),
                    "subject": f"zen:ticket:{ticket.ticket_id}",
                    "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
                    "type": kind,
                    "zendesk_event_version": EVENT_VERSION,
                },
            ).encode()
            for webhook in listeners:
                if kind in webhook.subscriptions:
                    self.post(webhook, body)
        for webhook in listeners:
            # A deleted ticket runs no triggers.
            if TRIGGERED in webhook.subscriptions and not ticket.deleted:
                self.post(webhook, self._triggered(ticket, actor_id))

    def post(self, webhook: Webhook, body: bytes) -> None:
        """Queue one body for one webhook, signed at each attempt."""
        invocation_id = self.fresh_id("invocation")

        def sign(sent: bytes) -> Mapping[str, str]:
            timestamp = stamp(self._now())
            return headers(
                webhook,
                account_id=self.account_id,
                invocation_id=invocation_id,
                timestamp=timestamp,
                body=sent,
            )

        self._deliveries.send(PLACE, webhook.endpoint, body, sign)

    @staticmethod
    def _triggered(ticket: Ticket, actor_id: int) -> bytes:
        """What a trigger with our body template sends (https://support.zendesk.com/hc/en-us/articles/4408886858138)."""
        latest = ticket.comments[-1].comment_id if ticket.comments else ""
        body = TRIGGER_BODY
        for placeholder, value in {
            "{{ticket.id}}": str(ticket.ticket_id),
            "{{ticket.updated_at_with_timestamp}}": stamp(ticket.updated_at),
            "{{current_user.id}}": str(actor_id),
            "{{ticket.latest_comment.id}}": str(latest),
        }.items():
            body = body.replace(placeholder, value)
        return body.encode()
