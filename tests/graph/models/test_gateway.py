"""The gateway asks the models of a role where it may, in their order and as often as it may, and else nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette

from connectors.claude.client import ClaudeAdapter
from connectors.claude.wire import TokenUsage
from connectors.sandbox.claude.answers import Answer, Asked, Responder
from connectors.sandbox.claude.clerk import clerk
from connectors.sandbox.claude.double import ClaudeDouble
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import serve
from graph.models.circuit import FAILURES, REST_S
from graph.models.claude import ClaudeModel
from graph.models.drafts import Brief, OfferedSlot, Point, SlotKind
from graph.models.errand import AT_HOME, Errand
from graph.models.gateway import Gateway
from graph.models.local.model import LocalModel
from graph.models.outside import Limits, Outside
from graph.models.prices import cost_usd_micros
from graph.models.roles.customer import Played, Utterance
from graph.models.roles.grade import Grade
from graph.models.roles.triage import triage_question
from graph.models.triage import PersonReason, Sensitive, Triage
from graph.models.use import ModelUnusable
from policies.document import RoleModels
from policies.proposal import Choice
from policies.vocabulary import Intent, ModelRole

KEY = "sk-ant-sandbox"
BEGUN = datetime(2026, 11, 21, tzinfo=UTC)
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
SUBJECT, BODY = "Charged twice", "I was charged twice for order 1042."
TRIAGE: dict[str, Any] = {
    "intents": ["refund_request"],
    "confidence_percent": 91,
    "order_ids": ["#1042"],
    "amounts": [{"value": "24.90", "currency": "usd"}],
    **dict.fromkeys(("delivered", "not_received", "damaged", "wrong_item", "unauthorised", "duplicate", "unopened")),
    "wants": "refund",
    "sensitive_topic": "none",
    "asks_for_human": False,
    "injection_suspected": False,
    "language": "en",
}
BRIEF = Brief("en", (Point("{amount_1} went back."),), (OfferedSlot("amount_1", SlotKind.MONEY, "the refund"),))
DRAFT = {"language": "en", "text": "{amount_1} went back to you.", "cites": [], "note": ""}


def says(asked: Asked) -> Answer:
    """A model that answers each form with a value of it."""
    wanted = set((asked.schema or {}).get("properties", {}))
    for value in (TRIAGE, DRAFT, {"option": 1, "needs_human": False}, {"summary": "Twice."}):
        if wanted == set(value):
            return Answer(value)
    return Answer({"injection_suspected": True, "sensitive_topic": "legal"})


@dataclass
class Time:
    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


@dataclass
class Desk:
    gateway: Gateway
    outside: Outside
    double: ClaudeDouble
    faults: Faults
    time: Time

    def goes_wrong(self, kind: FaultKind, **how: Any) -> None:
        self.faults.add(Fault("claude.messages.create", kind, **how))


@contextmanager
def opened(model: LocalModel, responder: Responder | None = None, **orders: tuple[str, ...]) -> Iterator[Desk]:
    faults, time = Faults(), Time()
    double = ClaudeDouble(
        now=lambda: BEGUN + timedelta(seconds=time.seconds),
        faults=faults,
        keys=frozenset({KEY}),
        responder=responder or says,
    )
    with (
        serve(Starlette(routes=double.routes())) as server,
        ClaudeAdapter(KEY, base_url=server.url, timeout_s=5.0) as adapter,
    ):
        named = {ModelRole(role): models for role, models in orders.items()}
        limits = Limits(pause_s=5.0, whole_s=60.0)
        outside = Outside(ClaudeModel(adapter), named, limits=limits, clock=time.clock, sleep=time.sleep)
        yield Desk(Gateway(model, outside), outside, double, faults, time)


@pytest.fixture
def desk(model: LocalModel) -> Iterator[Desk]:
    with opened(model, triage=(HAIKU, SONNET), plan=(SONNET,), draft=(SONNET,), summarise=(HAIKU,)) as ready:
        yield ready


def outcomes(uses: Any) -> list[tuple[str, str]]:
    return [(use.model if use.provider == "claude" else "local", use.outcome) for use in uses]


async def test_each_role_is_answered_by_its_own_model_and_accounted_for(desk: Desk) -> None:
    understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand())
    assert (understood.triage.primary, understood.triage.claims.order_ids) == (Intent.REFUND_REQUEST, ("1042",))
    chosen = await desk.gateway.choose(Intent.REFUND_REQUEST, BODY, ("a", "b"), errand=Errand())
    assert chosen.choice == Choice(Intent.REFUND_REQUEST, 1)
    drafted = await desk.gateway.draft(BRIEF, BODY, errand=Errand())
    assert drafted.draft is not None
    assert drafted.draft.text == DRAFT["text"]
    summed_up = await desk.gateway.summarise(SUBJECT, (BODY,), errand=Errand())
    assert summed_up.summary == "Twice."
    uses = [*understood.uses, *chosen.uses, *drafted.uses, *summed_up.uses]
    assert [(use.role, use.model) for use in uses] == [
        ("triage", HAIKU),
        ("plan", SONNET),
        ("draft", SONNET),
        ("summarise", HAIKU),
    ]
    assert all(use.input_tokens > 0 < use.cost_usd_micros and use.prompt_hash and use.request_id for use in uses)


async def test_a_text_that_must_not_leave_is_understood_in_this_process(desk: Desk) -> None:
    for errand in (AT_HOME, Errand(wishes={"triage": RoleModels(ModelRole.TRIAGE, ("local", HAIKU))})):
        kept = await desk.gateway.triage(SUBJECT, BODY, errand=errand)
        assert [use.provider for use in kept.uses] == ["local"]
    assert desk.double.asked == []


async def test_the_pause_that_the_vendor_asks_for_is_kept_and_the_model_asked_again(desk: Desk) -> None:
    desk.goes_wrong(FaultKind.TOO_MANY_REQUESTS, retry_after_s=3)
    understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand())
    assert outcomes(understood.uses) == [(HAIKU, "Throttled"), (HAIKU, "done")]
    assert desk.time.pauses == [3.0]


async def test_who_asks_for_a_longer_pause_is_passed_over(desk: Desk) -> None:
    desk.goes_wrong(FaultKind.TOO_MANY_REQUESTS, retry_after_s=60)
    understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand())
    assert outcomes(understood.uses) == [(HAIKU, "Throttled"), (SONNET, "done")]
    assert desk.time.pauses == []


async def test_the_next_model_answers_and_last_of_all_the_local_one(desk: Desk) -> None:
    desk.double.script([Answer(refused="cyber"), Answer("no json")])
    understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand())
    assert outcomes(understood.uses) == [(HAIKU, "refusal"), (SONNET, "unreadable"), ("local", "done")]
    assert understood.triage.primary is Intent.DUPLICATE_CHARGE


@pytest.mark.parametrize(
    "answer",
    [
        {**TRIAGE, "intents": []},
        {**TRIAGE, "confidence_percent": 101},
        {**TRIAGE, "confidence_percent": "91"},
        {**TRIAGE, "wants": "a million"},
        {**TRIAGE, "amounts": [{"value": "1e9", "currency": "usd"}]},
        {**TRIAGE, "amounts": [{"value": "1.234", "currency": "usd"}]},
        {**TRIAGE, "refund": 5},
        {**TRIAGE, "language": "en'; drop"},
        {**TRIAGE, "order_ids": ["\ud800"]},
        [],
        None,
    ],
)
async def test_an_answer_of_another_form_is_none(desk: Desk, answer: object) -> None:
    desk.double.script([Answer(answer), Answer(answer)])
    understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand())
    assert [outcome for _, outcome in outcomes(understood.uses)] == ["unreadable", "unreadable", "done"]


async def test_a_choice_beyond_the_options_and_a_draft_with_a_figure_are_none(desk: Desk) -> None:
    desk.double.script([Answer({"option": 2, "needs_human": False}), Answer({**DRAFT, "text": "{amount_1} or 50"})])
    assert (await desk.gateway.choose(Intent.OTHER, BODY, ("a", "b"), errand=Errand())).choice == Choice(Intent.OTHER)
    assert (await desk.gateway.draft(BRIEF, BODY, errand=Errand())).draft is None


async def test_no_more_calls_leave_than_the_errand_allows(desk: Desk) -> None:
    desk.goes_wrong(FaultKind.UNAVAILABLE, times=9)
    understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand(calls=1))
    assert outcomes(understood.uses) == [(HAIKU, "VendorUnavailable"), ("local", "done")]


async def test_a_model_that_is_away_is_passed_over_for_a_while(desk: Desk) -> None:
    desk.goes_wrong(FaultKind.UNAVAILABLE, times=FAILURES)
    for _ in range(FAILURES // 2):
        assert (await desk.gateway.summarise(SUBJECT, (BODY,), errand=Errand())).summary is None
    asked = len(desk.faults.struck)
    passed_over = await desk.gateway.summarise(SUBJECT, (BODY,), errand=Errand())
    assert outcomes(passed_over.uses) == [(HAIKU, "circuit_open")]
    assert not passed_over.uses[0].is_call
    assert (len(desk.faults.struck), asked) == (FAILURES, FAILURES)
    desk.time.seconds += REST_S
    assert (await desk.gateway.summarise(SUBJECT, (BODY,), errand=Errand())).summary == "Twice."


async def test_a_policy_names_other_models_and_prompts(desk: Desk) -> None:
    wishes = {"draft": RoleModels(ModelRole.DRAFT, (HAIKU,)), "plan": RoleModels(ModelRole.PLAN, prompt="triage")}
    drafted = await desk.gateway.draft(BRIEF, BODY, errand=Errand(wishes=wishes))
    assert outcomes(drafted.uses) == [(HAIKU, "done")]
    chosen = await desk.gateway.choose(Intent.OTHER, BODY, ("a", "b"), errand=Errand(wishes=wishes))
    assert (chosen.uses[0].prompt, chosen.uses[0].model) == ("triage", SONNET)
    lost = {"draft": RoleModels(ModelRole.DRAFT, prompt="lost")}
    assert outcomes((await desk.gateway.draft(BRIEF, BODY, errand=Errand(wishes=lost))).uses) == [
        (SONNET, "unknown_prompt")
    ]


async def test_the_prompt_of_drafts_is_long_enough_to_be_cached_and_is_read_from_the_cache(desk: Desk) -> None:
    first, second = [(await desk.gateway.draft(BRIEF, BODY * n, errand=Errand())).uses[0] for n in (1, 2)]
    assert (first.cached_tokens, second.cached_tokens > 1_000) == (0, True)
    assert second.cost_usd_micros < first.cost_usd_micros


async def test_a_second_opinion_only_adds(model: LocalModel) -> None:
    with opened(model, safety=(HAIKU,)) as desk:
        understood = await desk.gateway.triage(SUBJECT, BODY, errand=Errand())
    assert understood.triage.injection_suspected
    assert understood.triage.sensitive_topic is Sensitive.LEGAL
    assert PersonReason.LEGAL in understood.triage.person_reasons
    assert [(use.role, use.provider) for use in understood.uses] == [("triage", "local"), ("safety", "claude")]


async def test_many_questions_are_answered_in_one_batch(desk: Desk) -> None:
    questions = {f"t-{n}": triage_question(SUBJECT, f"{BODY} {n}", ()) for n in range(3)}
    desk.double.script([Answer(refused="cyber")])
    answers = await desk.outside.ask_in_batch(questions)
    assert sorted(answers) == ["t-0", "t-1", "t-2"]
    refused = [one for one in answers.values() if isinstance(one, ModelUnusable)]
    assert [one.use.outcome for one in refused] == ["refusal"]
    assert [one.primary for one in answers.values() if isinstance(one, Triage)] == [Intent.REFUND_REQUEST] * 2
    assert desk.time.pauses == [5.0]


def test_a_batch_costs_half() -> None:
    usage = TokenUsage(1_000, 0, 0, 200)
    assert cost_usd_micros(SONNET, usage, is_batch=True) * 2 == cost_usd_micros(SONNET, usage) == 4_000


async def test_evaluations_have_roles_of_their_own(model: LocalModel) -> None:
    with opened(model, clerk, customer=(HAIKU,), grade=(SONNET,)) as desk:
        ana = Played("money back", "angry", ("It is order 1042.",))
        asked = (("customer", "It never came."), ("desk", "Which order is it?"))
        said, uses = await desk.gateway.play_customer(ana, asked, errand=Errand())
        assert said == Utterance("It is order 1042.")
        assert [use.role for use in uses] == ["customer"]
        more = (*asked, ("customer", "It is order 1042."), ("desk", "Thank you."))
        assert (await desk.gateway.play_customer(ana, more, errand=Errand()))[0] == Utterance(None)
        grade, _ = await desk.gateway.grade("Where is it?", "Hello, it is on its way.", errand=Errand())
        assert grade == Grade(is_clear=True, is_kind=True, is_to_the_point=True, is_plain=True)
    assert (await Gateway(model, None).grade("Where is it?", "On its way.", errand=Errand()))[0] is None
