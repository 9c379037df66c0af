"""Webhook bodies into one kind of value. Call only after `signing.verify`.

Two bodies are understood. An *event-subscribed* webhook sends Zendesk's own envelope, with ids as strings and statuses
in upper case. A webhook behind a *trigger* sends whatever the trigger says; ours must say `TRIGGER_BODY`. Neither is a
source of facts: the consumer re-reads the ticket. An unknown event type is a value, not an error: Zendesk adds types.
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from connectors.errors import WireError
from connectors.zendesk import fields
from connectors.zendesk.fields import Fields

TYPE_PREFIX: Final = "zen:event-type:ticket."
SUBJECT_PREFIX: Final = "zen:ticket:"
TRIGGER_BODY: Final = """{
  "countersign_trigger": 1,
  "ticket_id": "{{ticket.id}}",
  "updated_at": "{{ticket.updated_at_with_timestamp}}",
  "actor_id": "{{current_user.id}}",
  "comment_id": "{{ticket.latest_comment.id}}"
}"""
"""The JSON body to paste into a trigger's "notify active webhook" action.

Only ids and a time, because placeholders are not escaped: a subject with a quotation mark would break the JSON.
https://support.zendesk.com/hc/en-us/articles/4408886858138
"""
_TRIGGER_VERSION: Final = 1


class EventKind(StrEnum):
    """What happened to a ticket, as far as we act on it."""

    CREATED = "created"
    COMMENT_ADDED = "comment_added"
    STATUS_CHANGED = "status_changed"
    TAGS_CHANGED = "tags_changed"
    CUSTOM_FIELD_CHANGED = "custom_field_changed"
    ASSIGNEE_CHANGED = "agent_assignment_changed"
    GROUP_CHANGED = "group_assignment_changed"
    REQUESTER_CHANGED = "requester_changed"
    MERGED = "merged"
    SOFT_DELETED = "soft_deleted"
    UNDELETED = "undeleted"
    PERMANENTLY_DELETED = "permanently_deleted"
    MARKED_AS_SPAM = "marked_as_spam"
    TRIGGERED = "triggered"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class EventComment:
    """The comment an event is about. A trigger does not say who wrote it: then the author's fields are `None`."""

    comment_id: int
    author_id: int | None
    is_staff: bool | None
    is_public: bool | None


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """Something happened to a ticket.

    `event_id` is what duplicates share. `actor_id` is who caused it, our own bot included. `status` is in REST's lower
    case, `None` for a trigger. `kind` is `OTHER` for a type that we do not know; `type` is always Zendesk's word.
    """

    event_id: str
    kind: EventKind
    type: str
    ticket_id: int
    actor_id: int | None
    occurred_at: datetime
    status: str | None
    comment: EventComment | None


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """Something that is not about a ticket, such as a user or an article."""

    event_id: str
    type: str
    subject: str
    occurred_at: datetime


_KINDS: Final = {kind.value: kind for kind in EventKind if kind not in {EventKind.TRIGGERED, EventKind.OTHER}}


def parse(raw: bytes) -> TicketEvent | OtherEvent:
    """A verified body as an event.

    Raises:
        WireError: neither Zendesk's envelope nor our trigger's body.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise WireError("the webhook's body is not JSON: check the webhook's request format in Zendesk") from error
    envelope = fields.mapping(body, "the webhook's body")
    if "countersign_trigger" in envelope:
        return _triggered(envelope)
    type_, subject = fields.text(envelope, "type"), fields.text(envelope, "subject")
    event_id = fields.text(envelope, "id")
    if not type_ or not event_id:
        raise WireError(
            "the webhook's body has no event id or type: use TRIGGER_BODY in triggers, or subscribe to events"
        )
    occurred_at = _occurred_at(envelope)
    if not subject.startswith(SUBJECT_PREFIX):
        return OtherEvent(event_id, type_, subject, occurred_at)
    detail = fields.mapping(envelope.get("detail"), "detail")
    return TicketEvent(
        event_id=event_id,
        kind=_kind(type_),
        type=type_,
        ticket_id=fields.integer({"subject": subject.removeprefix(SUBJECT_PREFIX)}, "subject"),
        actor_id=fields.maybe_integer(detail, "actor_id"),
        occurred_at=occurred_at,
        status=(fields.maybe_text(detail, "status") or "").lower() or None,
        comment=_comment(fields.part(envelope, "event")),
    )


def _occurred_at(envelope: Fields) -> datetime:
    """The envelope's time, which has nanoseconds that `datetime` cannot hold."""
    whole, point, rest = fields.text(envelope, "time").partition(".")
    digits = rest.rstrip("Zz")
    kept = f"{whole}.{digits[:6]}+00:00" if point and digits.isdecimal() else whole + point + rest
    return fields.moment({"time": kept}, "time")


def _kind(type_: str) -> EventKind:
    word = type_.removeprefix(TYPE_PREFIX)
    return _KINDS.get(word, EventKind.OTHER) if type_.startswith(TYPE_PREFIX) else EventKind.OTHER


def _comment(event: Fields) -> EventComment | None:
    if event.get("comment") is None:
        return None
    comment = fields.mapping(event["comment"], "event.comment")
    author = fields.part(comment, "author")
    return EventComment(
        comment_id=fields.integer(comment, "id"),
        author_id=fields.maybe_integer(author, "id"),
        is_staff=fields.flag(author, "is_staff") if "is_staff" in author else None,
        is_public=fields.flag(comment, "is_public") if "is_public" in comment else None,
    )


def _triggered(body: Fields) -> TicketEvent:
    if body["countersign_trigger"] != _TRIGGER_VERSION:
        raise WireError(
            f"the trigger's body is of version {body['countersign_trigger']!r}: paste the current TRIGGER_BODY"
        )
    ticket_id, comment_id = fields.integer(body, "ticket_id"), fields.maybe_integer(body, "comment_id")
    updated_at = fields.moment(body, "updated_at")
    # A trigger sends no event id; this one is the same for every delivery of the same update.
    event_id = f"trigger:{ticket_id}:{updated_at.astimezone(UTC).isoformat()}:{comment_id or ''}"
    return TicketEvent(
        event_id=event_id,
        kind=EventKind.TRIGGERED,
        type="trigger",
        ticket_id=ticket_id,
        actor_id=fields.maybe_integer(body, "actor_id"),
        occurred_at=updated_at,
        status=None,
        comment=None if comment_id is None else EventComment(comment_id, None, None, None),
    )
