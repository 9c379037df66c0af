"""Clauses of the Message Batches API, through the real SDK and a real server."""

from __future__ import annotations

import json

import anthropic
import pytest

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import BatchAnswer, BatchState, Completion, Incomplete
from connectors.errors import AccessDenied, Throttled, VendorRefused
from connectors.sandbox.claude.answers import Answer
from connectors.sandbox.claude.double import ClaudeDouble
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import RunningServer
from tests.contract.claude.conftest import MODEL, SCHEMA, Time


def a_call(user: str = "Where is my parcel?", model: str = MODEL) -> StructuredCall:
    return StructuredCall(model, ("Be exact.",), user, SCHEMA, max_tokens=500)


def answers(adapter: ClaudeAdapter, batch_id: str) -> dict[str, BatchAnswer]:
    return {one.custom_id: one for one in adapter.batch_answers(batch_id)}


def test_a_batch_is_in_progress_and_then_over_and_answers_by_id(
    adapter: ClaudeAdapter, time: Time, double: ClaudeDouble
) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/batch-processing#tracking-your-batch"""
    double.script([Answer(refused="cyber")])
    batch = adapter.start_batch({"one": a_call("1"), "two": a_call("2"), "three": a_call("3", model="claude-9")})
    assert adapter.batch_state(batch) == BatchState(is_over=False, succeeded=0, failed=0)
    with pytest.raises(VendorRefused, match="not over"):
        answers(adapter, batch)
    time.advance(minutes=1)
    assert adapter.batch_state(batch) == BatchState(is_over=True, succeeded=2, failed=1)
    found = answers(adapter, batch)
    assert isinstance(found["one"].answer, Completion)
    assert isinstance(found["two"].answer, Incomplete), "a refusal is an answer, and is billed"
    assert (found["three"].answer, found["three"].failure) == (None, "not_found_error")


def test_a_cancelled_batch_ends_without_answers(adapter: ClaudeAdapter, time: Time) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/batch-processing#canceling-a-message-batch"""
    batch = adapter.start_batch({"one": a_call()})
    adapter.cancel_batch(batch)
    time.advance(minutes=1)
    assert adapter.batch_state(batch).failed == 1
    assert answers(adapter, batch)["one"].failure == "canceled"


def test_an_id_twice_or_malformed_is_refused(sdk: anthropic.Anthropic, adapter: ClaudeAdapter) -> None:
    """https://platform.claude.com/docs/en/api/messages/batches/create"""
    with pytest.raises(VendorRefused, match="custom_id"):
        adapter.start_batch({"a b": a_call()})
    request = {"custom_id": "x", "params": json.loads(json.dumps(a_call().params()))}
    with pytest.raises(anthropic.BadRequestError, match="unique"):
        sdk.messages.batches.create(requests=[request, request])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="a batch of 0 calls"):
        adapter.start_batch({})


def test_an_unknown_batch_is_404_and_a_wrong_key_is_401(adapter: ClaudeAdapter, server: RunningServer) -> None:
    """https://platform.claude.com/docs/en/api/errors"""
    with pytest.raises(VendorRefused) as caught:
        adapter.batch_state("msgbatch_none")
    assert caught.value.status == 404
    with ClaudeAdapter("wrong", base_url=server.url, timeout_s=5.0) as other, pytest.raises(AccessDenied):
        other.start_batch({"one": a_call()})


def test_batches_are_throttled_too(adapter: ClaudeAdapter, faults: Faults) -> None:
    """https://platform.claude.com/docs/en/build-with-claude/batch-processing#batch-limitations"""
    faults.add(Fault(at="claude.batches.*", kind=FaultKind.TOO_MANY_REQUESTS, retry_after_s=9))
    with pytest.raises(Throttled):
        adapter.start_batch({"one": a_call()})
