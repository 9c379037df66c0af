from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import Completion, read_message
from connectors.errors import ConfigurationError, WireError


def a_message(**more: Any) -> bytes:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "model": "claude-haiku-5-5",
        "content": [{"type": "text", "text": '{"a": 1}'}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    return json.dumps(message | more).encode()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"", "the body"),
        (b"<html>", "the body"),
        (b"\xff", "the body"),
        (a_message(stop_reason=None), "stop_reason"),
        (a_message(usage={"input_tokens": -1, "output_tokens": 0}), "usage.input_tokens"),
        (a_message(usage={"input_tokens": True, "output_tokens": 0}), "usage.input_tokens"),
        (a_message(content="text"), "content"),
        (a_message(content=[{"text": "no type"}]), "content.0.type"),
    ],
)
def test_an_answer_that_is_no_message_is_an_error_that_names_the_field(raw: bytes, field: str) -> None:
    with pytest.raises(WireError, match=f": {field}: "):
        read_message(raw, request_id=None)


def test_blocks_that_are_not_text_are_ignored_and_text_is_joined() -> None:
    answer = read_message(
        a_message(
            content=[
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "text", "text": '{"a":'},
                {"type": "something_new", "text": "not this"},
                {"type": "text", "text": " 2}"},
            ]
        ),
        request_id="req_1",
    )
    assert isinstance(answer, Completion)
    assert (answer.parsed, answer.request_id) == ({"a": 2}, "req_1")


def test_a_new_stop_reason_does_not_lose_the_answer() -> None:
    answer = read_message(a_message(stop_reason="something_new"), request_id=None)
    assert isinstance(answer, Completion)
    assert answer.stop_reason == "something_new"


def test_an_empty_key_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="local provider"):
        ClaudeAdapter(" ", timeout_s=1.0)


def test_the_address_is_the_vendors_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    with ClaudeAdapter("key", timeout_s=1.0) as adapter:
        assert repr(adapter) == "ClaudeAdapter('https://api.anthropic.com')"


@pytest.mark.parametrize(
    "more", [{"system": ("a",) * 5}, {"max_tokens": 0}, {"max_tokens": 21_334}], ids=["blocks", "none", "too many"]
)
def test_what_the_vendor_or_its_sdk_would_refuse_is_not_sent(more: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"model": "m", "system": (), "user": "u", "schema": {}, "max_tokens": 10, **more}
    with pytest.raises(ValueError, match=r"system blocks are too many|max_tokens \d+ is out of range"):
        StructuredCall(**arguments)
