"""Webhook bodies into events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.errors import WireError
from connectors.zendesk.events import EventKind, OtherEvent, TicketEvent, parse


def envelope(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "account_id": 18525119,
        "detail": {"actor_id": "8447388090495", "id": "5158", "status": "OPEN"},
        "event": {
            "comment": {
                "id": "9876543210",
                "is_public": True,
                "author": {"id": "8447388090495", "is_staff": False, "name": "Ana"},
            },
        },
        "id": "d4f5c389-8f4a-4c2e-a1b9-8e4f39c71d52",
        "subject": "zen:ticket:5158",
        "time": "2025-01-08T14:25:30.123456789Z",
        "type": "zen:event-type:ticket.comment_added",
        "zendesk_event_version": "2022-11-06",
    }
    return {**body, **changes}


def read(**changes: Any) -> TicketEvent:
    event = parse(json.dumps(envelope(**changes)).encode())
    assert isinstance(event, TicketEvent)
    return event


def test_an_envelope_is_read_with_numbers_and_lower_case() -> None:
    event = read()
    assert event.kind is EventKind.COMMENT_ADDED
    assert (event.ticket_id, event.actor_id, event.status) == (5158, 8447388090495, "open")
    assert event.occurred_at == datetime(2025, 1, 8, 14, 25, 30, 123456, tzinfo=UTC)
    assert event.comment is not None
    assert (event.comment.comment_id, event.comment.is_staff, event.comment.is_public) == (9876543210, False, True)


@pytest.mark.parametrize("time", ["2025-01-08T14:25:30Z", "2025-01-08T14:25:30.5Z", "2025-01-08T14:25:30+00:00"])
def test_any_precision_of_time_is_read(time: str) -> None:
    assert read(time=time).occurred_at.replace(microsecond=0) == datetime(2025, 1, 8, 14, 25, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "type_", ["zen:event-type:ticket.sla_policy_changed", "zen:event-type:ticket.triggered", "new:x"]
)
def test_an_unknown_type_is_a_value_that_keeps_zendesks_word(type_: str) -> None:
    event = read(type=type_)
    assert event.kind is EventKind.OTHER
    assert event.type == type_


def test_an_event_about_something_else_is_a_value_of_its_own() -> None:
    body = envelope(subject="zen:user:6164069643162", type="zen:event-type:user.deleted", detail={})
    event = parse(json.dumps(body).encode())
    assert isinstance(event, OtherEvent)
    assert event.subject == "zen:user:6164069643162"


def test_missing_details_are_unknown_and_not_assumed() -> None:
    event = read(detail={"id": "5158"}, event={})
    assert event.actor_id is None
    assert event.status is None
    assert event.comment is None
    assert read(event={"comment": {"id": 1}}).comment == read(event={"comment": {"id": 1, "author": None}}).comment


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"countersign_trigger": 2}',
        b'{"countersign_trigger": 1, "ticket_id": "x", "updated_at": "2026-01-01T00:00:00Z"}',
        b'{"countersign_trigger": 1, "ticket_id": "1", "updated_at": "soon"}',
        b"[" * 100_000,
        json.dumps(envelope(subject="zen:ticket:abc")).encode(),
        json.dumps(envelope(subject="zen:ticket:\u0661")).encode(),
        json.dumps(envelope(time="never")).encode(),
        json.dumps(envelope(detail=None)).encode(),
        json.dumps(envelope(detail=[])).encode(),
        json.dumps(envelope(id=7)).encode(),
        json.dumps(envelope(event={"comment": {"id": 1, "is_public": "yes"}})).encode(),
    ],
)
def test_a_body_that_cannot_be_read_is_a_wire_error(raw: bytes) -> None:
    with pytest.raises(WireError):
        parse(raw)


def test_a_trigger_body_has_an_id_that_repeats_with_the_update() -> None:
    body = {"ticket_id": "7", "updated_at": "2026-01-01T05:35Z", "actor_id": "", "comment_id": ""}
    raw = json.dumps({"countersign_trigger": 1, **body}).encode()
    event = parse(raw)
    assert isinstance(event, TicketEvent)
    assert event == parse(raw)
    assert (event.kind, event.ticket_id, event.actor_id, event.comment) == (EventKind.TRIGGERED, 7, None, None)
