"""Clauses of the Messages API. Each names the vendor's page; all run through the real SDK and a real server."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx
import pytest

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import Completion, Incomplete, Missing
from connectors.errors import AccessDenied, Throttled, VendorRefused, VendorUnavailable
from connectors.sandbox.claude.answers import Answer
from connectors.sandbox.claude.double import ClaudeDouble
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import RunningServer
from tests.contract.claude.conftest import KEY, MODEL, SCHEMA, Time

LONG = "The rules of this shop. " * 800


def ask(adapter: ClaudeAdapter, **more: Any) -> Completion | Incomplete:
    arguments: dict[str, Any] = {"model": MODEL, "system": ("Be exact.",), "user": "Where is my parcel?"}
    arguments |= {"schema": SCHEMA, "max_tokens": 500, **more}
    return adapter.complete(StructuredCall(**arguments))


def test_a_structured_answer_is_a_value_of_the_schema(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""
    answer = ask(adapter)
    assert isinstance(answer, Completion)
    assert answer.parsed == {
        "intents": ["refund_request"],
        "order_id": None,
        "confidence": 0,
        "urgent": False,
        "claim": {"kind": "none", "days": None},
    }
    assert (answer.stop_reason, answer.model) == ("end_turn", MODEL)


def test_every_answer_has_a_request_id(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/api/errors#request-id"""
    first, second = ask(adapter), ask(adapter)
    assert first.request_id is not None
    assert first.request_id.startswith("req_")
    assert first.request_id != second.request_id


def test_scripted_answers_come_first_and_in_order(adapter: ClaudeAdapter, double: ClaudeDouble) -> None:
    double.script([Answer({"n": 1}), Answer({"n": 2})])
    answers = [ask(adapter) for _ in range(3)]
    assert [answer.parsed for answer in answers if isinstance(answer, Completion)][:2] == [{"n": 1}, {"n": 2}]
    assert isinstance(answers[2], Completion)


def test_the_double_sees_what_was_asked(adapter: ClaudeAdapter, double: ClaudeDouble) -> None:
    ask(adapter, system=("One.", "Two."), user="Three.")
    asked = double.asked[0].asked
    assert (asked.model, asked.system, asked.user, asked.max_tokens) == (MODEL, ("One.", "Two."), "Three.", 500)
    assert asked.schema == SCHEMA


def test_usage_counts_input_and_output(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/api/messages/create"""
    usage = ask(adapter).usage
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
    assert (usage.cache_write_tokens, usage.cache_read_tokens) == (0, 0)


def test_a_long_prefix_is_written_to_the_cache_and_then_read(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance"""
    first, second = ask(adapter, system=(LONG,)).usage, ask(adapter, system=(LONG,), user="Another question").usage
    assert (first.cache_write_tokens, first.cache_read_tokens) == (len(LONG) // 4, 0)
    assert (second.cache_write_tokens, second.cache_read_tokens) == (0, len(LONG) // 4)
    assert first.total_input_tokens == first.input_tokens + first.cache_write_tokens


def test_a_longer_prefix_reads_the_cached_part_and_writes_the_rest(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""
    ask(adapter, system=(LONG,))
    usage = ask(adapter, system=(LONG, LONG)).usage
    assert (usage.cache_read_tokens, usage.cache_write_tokens) == (len(LONG) // 4, len(LONG) // 4)


def test_a_prefix_below_the_minimum_is_not_cached(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching#cache-limitations"""
    ask(adapter)
    assert ask(adapter).usage.cache_read_tokens == 0


def test_the_cache_lasts_five_minutes_from_its_last_use(adapter: ClaudeAdapter, time: Time) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching#1-hour-cache-duration"""
    ask(adapter, system=(LONG,))
    time.advance(minutes=4)
    assert ask(adapter, system=(LONG,)).usage.cache_read_tokens > 0
    time.advance(minutes=4)
    assert ask(adapter, system=(LONG,)).usage.cache_read_tokens > 0
    time.advance(minutes=5)
    assert ask(adapter, system=(LONG,)).usage.cache_read_tokens == 0


def test_how_long_a_prefix_must_be_depends_on_the_model(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching#cache-limitations"""
    medium = LONG[: 4 * 2000]
    assert ask(adapter, system=(medium,)).usage.cache_write_tokens == 0
    assert ask(adapter, system=(medium,), model="claude-sonnet-5-5").usage.cache_write_tokens == 2000


def test_effort_is_one_of_the_vendors_words(adapter: ClaudeAdapter, sdk: anthropic.Anthropic) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/effort"""
    assert isinstance(ask(adapter, effort="low"), Completion)
    with pytest.raises(anthropic.BadRequestError, match="effort"):
        sdk.messages.create(
            model=MODEL,
            max_tokens=10,
            messages=[{"role": "user", "content": "hi"}],
            extra_body={"output_config": {"effort": "lazy"}},
        )


def test_models_do_not_share_a_cache(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""
    ask(adapter, system=(LONG,))
    assert ask(adapter, system=(LONG,), model="claude-sonnet-5-5").usage.cache_read_tokens == 0


def test_an_answer_that_is_too_long_is_cut_and_is_no_value(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#max_tokens"""
    answer = ask(adapter, max_tokens=5)
    assert isinstance(answer, Incomplete)
    assert (answer.missing, answer.stop_reason, answer.usage.output_tokens) == (Missing.MAX_TOKENS, "max_tokens", 5)


def test_a_refusal_is_no_value_and_names_its_category(adapter: ClaudeAdapter, double: ClaudeDouble) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#refusal"""
    double.script([Answer(refused="cyber")])
    answer = ask(adapter)
    assert isinstance(answer, Incomplete)
    assert (answer.missing, answer.detail, answer.stop_reason) == (Missing.REFUSAL, "cyber", "refusal")
    assert answer.usage.input_tokens > 0


def test_a_full_context_window_is_no_value(adapter: ClaudeAdapter, double: ClaudeDouble) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#model-context-window-exceeded"""
    double.script([Answer({"n": 1}, stop_reason="model_context_window_exceeded")])
    answer = ask(adapter)
    assert isinstance(answer, Incomplete)
    assert answer.missing is Missing.CONTEXT_WINDOW


@pytest.mark.parametrize("said", ["", "Sure! Here is the JSON:", '{"a": 1', "NaN", '{"a": 1} {"b": 2}', "[" * 9_000])
def test_a_text_that_is_no_json_is_no_value(adapter: ClaudeAdapter, double: ClaudeDouble, said: str) -> None:
    double.script([Answer(said)])
    answer = ask(adapter, max_tokens=9_000)
    assert isinstance(answer, Incomplete)
    assert answer.missing is Missing.UNREADABLE


def test_a_wrong_key_is_401(server: RunningServer) -> None:
    """https://platform.claude.com/docs/en/api/errors"""
    with ClaudeAdapter("sk-ant-wrong", base_url=server.url, timeout_s=5.0) as adapter:
        with pytest.raises(AccessDenied) as caught:
            ask(adapter)
        assert (caught.value.status, caught.value.code) == (401, "authentication_error")
        assert "sk-ant-wrong" not in repr(caught.value) + repr(adapter)


def test_both_ways_to_send_the_key_are_accepted(server: RunningServer) -> None:
    """https://platform.claude.com/docs/en/api/overview#authentication"""
    body = {"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    for headers in ({"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}):
        answer = httpx.post(
            f"{server.url}/v1/messages", json=body, headers={"anthropic-version": "2026-10-21", **headers}
        )
        assert answer.status_code == 200


def test_a_request_without_a_version_is_refused(server: RunningServer) -> None:
    """https://platform.claude.com/docs/en/api/versioning"""
    answer = httpx.post(f"{server.url}/v1/messages", json={}, headers={"x-api-key": KEY})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_an_error_body_has_the_documented_shape(server: RunningServer) -> None:
    """https://platform.claude.com/docs/en/api/errors#error-shapes"""
    answer = httpx.post(f"{server.url}/v1/messages", content=b"{", headers={"x-api-key": "no"})
    body = answer.json()
    assert (body["type"], sorted(body["error"]), body["request_id"]) == (
        "error",
        ["message", "type"],
        answer.headers["request-id"],
    )


def test_an_unknown_model_is_404(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/api/errors"""
    with pytest.raises(VendorRefused) as caught:
        ask(adapter, model="claude-9")
    assert (caught.value.status, caught.value.code) == (404, "not_found_error")


def test_a_request_above_32_mb_is_413(adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/api/errors#request-size-limits"""
    with pytest.raises(VendorRefused) as caught:
        ask(adapter, user="x" * (32 * 1024 * 1024))
    assert caught.value.status == 413


def test_a_429_carries_the_time_to_wait(adapter: ClaudeAdapter, faults: Faults) -> None:
    """https://platform.claude.com/docs/en/api/rate-limits#response-headers"""
    faults.add(Fault(at="claude.messages.create", kind=FaultKind.TOO_MANY_REQUESTS, retry_after_s=23))
    with pytest.raises(Throttled) as caught:
        ask(adapter)
    assert caught.value.retry_after_s == 23.0


def test_overload_is_529_and_may_be_asked_again(server: RunningServer, faults: Faults) -> None:
    """https://platform.claude.com/docs/en/api/errors"""
    faults.add(Fault(at="claude.*", kind=FaultKind.UNAVAILABLE))
    with ClaudeAdapter(KEY, base_url=server.url, timeout_s=5.0) as adapter:
        with pytest.raises(VendorUnavailable, match="529 overloaded_error"):
            ask(adapter)
        assert isinstance(ask(adapter), Completion)


def test_a_403_is_an_access_problem(adapter: ClaudeAdapter, faults: Faults) -> None:
    """https://platform.claude.com/docs/en/api/errors"""
    faults.add(Fault(at="claude.*", kind=FaultKind.FORBIDDEN))
    with pytest.raises(AccessDenied) as caught:
        ask(adapter)
    assert (caught.value.status, caught.value.code) == (403, "permission_error")


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.SERVER_ERROR,
        FaultKind.RESET_BEFORE_EFFECT,
        FaultKind.RESET_AFTER_EFFECT,
        FaultKind.TIMEOUT_AFTER_EFFECT,
        FaultKind.TRUNCATED_BODY,
    ],
)
def test_an_answer_that_does_not_come_back_may_be_asked_for_again_and_is_not_retried_here(
    adapter: ClaudeAdapter, faults: Faults, kind: FaultKind
) -> None:
    faults.add(Fault(at="claude.*", kind=kind, delay_s=0.05))
    with pytest.raises(VendorUnavailable):
        ask(adapter)
    assert len(faults.struck) == 1
    assert isinstance(ask(adapter), Completion)


def test_a_slow_answer_is_not_awaited_for_ever(server: RunningServer, faults: Faults) -> None:
    faults.add(Fault(at="claude.*", kind=FaultKind.TIMEOUT_BEFORE_EFFECT, delay_s=60))
    with ClaudeAdapter(KEY, base_url=server.url, timeout_s=0.2) as adapter, pytest.raises(VendorUnavailable):
        ask(adapter)


def test_the_probe_lists_models_without_asking_one(adapter: ClaudeAdapter, double: ClaudeDouble) -> None:
    """https://platform.claude.com/docs/en/api/models/list"""
    assert MODEL in adapter.probe()
    assert double.asked == []


def test_the_probe_says_that_a_key_is_wrong(server: RunningServer) -> None:
    with ClaudeAdapter("sk-ant-wrong", base_url=server.url, timeout_s=5.0) as adapter, pytest.raises(AccessDenied):
        adapter.probe()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "integer", "minimum": 0},
        {"type": "string", "maxLength": 5},
        {"type": "array", "items": {"type": "string"}, "minItems": 2},
        {"type": "array", "items": {"type": "number", "multipleOf": 2}},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {
            "$ref": "#/$defs/node",
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/$defs/node"}},
                    "required": ["next"],
                    "additionalProperties": False,
                }
            },
        },
    ],
)
def test_a_schema_beyond_the_supported_part_is_refused(adapter: ClaudeAdapter, schema: dict[str, Any]) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations"""
    with pytest.raises(VendorRefused) as caught:
        ask(adapter, schema=schema)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request_error")


@pytest.mark.parametrize("removed", ["temperature", "top_p", "top_k"])
def test_sampling_options_are_refused(sdk: anthropic.Anthropic, removed: str) -> None:
    """https://platform.claude.com/docs/en/api/versioning"""
    with pytest.raises(anthropic.BadRequestError, match=removed):
        sdk.messages.create(
            model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "hi"}], extra_body={removed: 1}
        )


def test_citations_and_a_format_in_one_request_are_refused(sdk: anthropic.Anthropic) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs#feature-compatibility"""
    with pytest.raises(anthropic.BadRequestError, match="citations"):
        sdk.messages.create(
            model=MODEL,
            max_tokens=10,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "rules"},
                            "citations": {"enabled": True},
                        }
                    ],
                }
            ],
            output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        )


def test_a_last_turn_of_the_assistant_is_refused(sdk: anthropic.Anthropic) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        sdk.messages.create(
            model=MODEL,
            max_tokens=10,
            messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "{"}],
        )


def test_no_messages_are_refused(sdk: anthropic.Anthropic) -> None:
    """https://platform.claude.com/docs/en/api/messages/create"""
    with pytest.raises(anthropic.BadRequestError, match="at least one message"):
        sdk.messages.create(model=MODEL, max_tokens=10, messages=[])


def test_more_than_four_cache_breakpoints_are_refused(sdk: anthropic.Anthropic) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching#when-to-use-multiple-breakpoints"""
    with pytest.raises(anthropic.BadRequestError, match="cache_control"):
        sdk.messages.create(
            model=MODEL,
            max_tokens=10,
            messages=[{"role": "user", "content": "hi"}],
            system=[{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5,
        )


def test_a_request_without_a_format_gets_text(sdk: anthropic.Anthropic, double: ClaudeDouble) -> None:
    """https://platform.claude.com/docs/en/api/messages/create"""
    double.script([Answer("Hello.")])
    message = sdk.messages.create(model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "hi"}])
    assert [block.text for block in message.content if block.type == "text"] == ["Hello."]


def test_rate_limit_headers_are_sent(sdk: anthropic.Anthropic) -> None:
    """https://platform.claude.com/docs/en/api/rate-limits#response-headers"""
    raw = sdk.messages.with_raw_response.create(
        model=MODEL, max_tokens=10, messages=[{"role": "user", "content": "hi"}]
    )
    assert int(raw.headers["anthropic-ratelimit-requests-remaining"]) > 0
