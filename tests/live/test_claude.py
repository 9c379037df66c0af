"""A smoke test against the real Messages API: what the double was taught, asked of the vendor. Costs some cents.

Opt-in, as tests/live/test_smoke.py is: without COUNTERSIGN_LIVE=1 and COUNTERSIGN_LIVE_CLAUDE_KEY it is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import Completion
from connectors.errors import AccessDenied, VendorRefused
from graph.models.claude import ClaudeModel, call_of
from graph.models.drafts import Brief, OfferedSlot, Point, SlotKind
from graph.models.prompts import shipped
from graph.models.question import Question
from graph.models.roles.draft import draft_question
from graph.models.roles.plan import plan_question
from graph.models.roles.safety import safety_question
from graph.models.roles.summary import summary_question
from graph.models.roles.triage import triage_question
from policies.vocabulary import Intent
from tests.live.test_smoke import given

MODEL = os.environ.get("COUNTERSIGN_LIVE_CLAUDE_MODEL", "claude-haiku-5-5")
BODY = "I was charged twice for order 1042, please refund one of the two charges."
BRIEF = Brief(
    "en",
    (Point("The second charge of {amount_1} has been refunded."),),
    (OfferedSlot("amount_1", SlotKind.MONEY, "the refund"),),
)
QUESTIONS: tuple[Question[object], ...] = (
    triage_question("Charged twice", BODY, ()),
    plan_question(Intent.REFUND_REQUEST, BODY, ("refund, order 1042", "refund, order 2001")),
    draft_question(BRIEF, BODY),
    summary_question("Charged twice", (BODY,)),
    safety_question("Charged twice", BODY),
)


@pytest.fixture
def adapter() -> Iterator[ClaudeAdapter]:
    base_url = os.environ.get("COUNTERSIGN_LIVE_CLAUDE_URL")
    with ClaudeAdapter(given("CLAUDE_KEY"), base_url=base_url, timeout_s=120) as made:
        yield made


@pytest.mark.timeout(300)
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.role.value)
def test_every_role_is_answered_in_its_form(adapter: ClaudeAdapter, question: Question[object]) -> None:
    answered = ClaudeModel(adapter).ask(question, MODEL, shipped(question.role.value))
    assert answered.use.outcome == "done"
    assert answered.use.input_tokens > 0 < answered.use.output_tokens


@pytest.mark.timeout(300)
def test_what_the_double_refuses_the_vendor_refuses(adapter: ClaudeAdapter) -> None:
    call = call_of(QUESTIONS[0], MODEL, shipped("triage"))
    ranged = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}, "required": ["n"]}
    for wrong in (
        StructuredCall(MODEL, call.system, call.user, ranged, 100),
        StructuredCall("claude-none-1", call.system, call.user, call.schema, 100),
    ):
        with pytest.raises(VendorRefused):
            adapter.complete(wrong)
    with ClaudeAdapter("sk-ant-wrong", timeout_s=60) as stranger, pytest.raises(AccessDenied):
        stranger.probe()


@pytest.mark.timeout(300)
def test_a_long_prompt_is_read_from_the_cache(adapter: ClaudeAdapter) -> None:
    question = draft_question(BRIEF, BODY)
    call = call_of(
        question, os.environ.get("COUNTERSIGN_LIVE_CLAUDE_DRAFT_MODEL", "claude-sonnet-5-5"), shipped("draft")
    )
    answers = [adapter.complete(call) for _ in range(2)]
    assert all(isinstance(one, Completion) for one in answers)
    assert answers[1].usage.cache_read_tokens > 0
