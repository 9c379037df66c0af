"""The stored body of an update, and what answers to it mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.outcome import Refused, Unknown
from connectors.zendesk.transport import VendorAnswer
from connectors.zendesk.update import MARKER, NewComment, refusal, update_body
from connectors.zendesk.wire import TicketView, read_ticket


def a_ticket(**changes: Any) -> TicketView:
    ticket: dict[str, Any] = {
        "id": 7,
        "requester_id": 1,
        "submitter_id": 1,
        "status": "open",
        "via": {"channel": "email"},
        "tags": ["vip"],
        "created_at": "2026-11-21T09:00:00Z",
        "updated_at": "2026-11-21T09:30:00Z",
    }
    return read_ticket({**ticket, **changes})


def change(**values: Any) -> dict[str, Any]:
    body = json.loads(update_body(a_ticket(), marker="m-1", **values))
    assert list(body) == ["ticket"]
    fields = body["ticket"]
    assert isinstance(fields, dict)
    return fields


def test_every_body_is_guarded_and_marked() -> None:
    assert change() == {
        "metadata": {MARKER: "m-1"},
        "safe_update": True,
        "updated_stamp": "2026-11-21T09:30:00Z",
    }


def test_the_same_update_is_the_same_text() -> None:
    first = update_body(a_ticket(), marker="m", add_tags=["b", "a"], custom_fields={2: "x", 1: None})
    again = update_body(a_ticket(), marker="m", add_tags=["a", "b"], custom_fields={1: None, 2: "x"})
    assert first == again
    assert " " not in first


def test_a_comment_always_says_whether_it_is_public() -> None:
    assert change(comment=NewComment("Note", public=False))["comment"] == {"body": "Note", "public": False}


def test_tags_are_the_complete_new_list_and_only_where_they_change() -> None:
    assert change(add_tags=["refunded"])["tags"] == ["refunded", "vip"]
    assert change(remove_tags=["vip"])["tags"] == []
    assert "tags" not in change(add_tags=["vip"], remove_tags=["absent"])


def test_a_field_can_be_emptied() -> None:
    assert change(custom_fields={5: None})["custom_fields"] == [{"id": 5, "value": None}]


@pytest.mark.parametrize(
    "values",
    [
        {"status": "closed"},
        {"status": "resolved"},
        {"comment": NewComment("  ", public=True)},
        {"add_tags": ["two words"]},
        {"add_tags": ["Upper"]},
        {"add_tags": [""]},
    ],
)
def test_what_zendesk_would_change_or_refuse_is_refused_here(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".: |:"):
        change(**values)


@pytest.mark.parametrize("marker", ["", "x" * 201])
def test_a_marker_has_a_length(marker: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        update_body(a_ticket(), marker=marker)


@pytest.mark.parametrize(
    ("status", "detail", "code"),
    [
        (400, "", "invalid"),
        (401, "", "access_denied"),
        (403, "", "access_denied"),
        (404, "Not found", "not_found"),
        (409, "", "conflict"),
        (413, "", "invalid"),
        (422, "Status: closed prevents ticket update", "closed"),
        (422, "Something else", "invalid"),
    ],
)
def test_an_answer_that_says_no_is_refused(status: int, detail: str, code: str) -> None:
    outcome = refusal(VendorAnswer(status, "X", detail, retry_after_s=None, request_id="r-1"))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status, outcome.request_id) == (code, status, "r-1")


@pytest.mark.parametrize(
    ("status", "why"),
    [(408, "timeout"), (429, "throttled"), (500, "server_error"), (502, "server_error"), (504, "server_error")],
)
def test_an_answer_that_leaves_it_open_is_unknown(status: int, why: str) -> None:
    outcome = refusal(VendorAnswer(status, "X", "", retry_after_s=3.0, request_id=None))
    assert isinstance(outcome, Unknown)
    assert (outcome.why, outcome.retry_after_s, outcome.status) == (why, 3.0, status)
