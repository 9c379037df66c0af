"""decide: what the published policy answers for each candidate. Pure rules over facts; recorded with both hashes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from graph.breakers.models import TrippedBreaker
from graph.breakers.money import without_amount
from graph.breakers.trips import Watched, covering, told, tripped
from graph.deciding import Evidence, decided_on, logged
from graph.decisions.record import record
from graph.dossier import Dossier
from graph.lifecycle.promotion import draft_only_because, newest_promotion
from graph.models.triage import Triage
from graph.planning import Answer, Plan
from graph.sections import Sections
from graph.snapshot import Snapshot
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from graph.verdicts import Decided, Verdicts, cause_of, course
from policies.proposal import Candidate
from policies.tools import TOOL_OF_ACTION
from policies.vocabulary import ActionKind, Reason, Tool, Verdict

DRAFT_ONLY = "run.draft-only"
"""The match that says that the case was lowered to a draft by the state of the run."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why something that the policy would do alone is only drafted."""

    reason: Reason
    words: str


async def decide(context: StepContext) -> Step:
    """Plan x facts x policy version → verdicts, kept with their facts, and where the run goes with them."""
    led = await _led(context)
    if context.context.is_held_out:
        # What was decided is kept beside what people will do; they have the ticket alone.
        reason = led.update.get("reason") or Reason.NEEDS_APPROVAL.value
        led = replace(led, goto="hand_off", update=RunState(reason=reason, asks=False, note=None))
    verdicts = led.artifacts["verdicts"]
    assert isinstance(verdicts, Verdicts)

    async def keep(session: AsyncSession) -> None:
        await record(
            session,
            verdicts.decided,
            tenant_id=context.tenant_id,
            run_id=context.run_id,
            ticket_id=context.ticket_id,
            cycle=context.state.get("cycle", 0),
            now=context.now,
        )

    return replace(led, writes=(*led.writes, keep))


async def _led(context: StepContext) -> Step:
    plan = await context.load("plan", Plan)
    for_a_person = next((item.needs_person for item in plan.items if item.needs_person is not None), None)
    verdicts, stopped_by = await _verdicts(context, plan)
    rows = [one.row() for one in verdicts.decided]
    body: dict[str, object] = {"verdicts": [logged(one) for one in verdicts.decided]}
    if for_a_person is not None:
        return _with(hand_off(for_a_person), verdicts, rows, body)
    missing = sorted({one for item in plan.items for one in item.missing})
    if missing:
        asked = context.state.get("questions_asked", 0)
        if asked >= context.policy.questions.max_questions:
            return _with(hand_off(Reason.MISSING_DATA), verdicts, rows, body)
        refused = next((one for one in verdicts.of_kind(ActionKind.ASK_CUSTOMER) if not _acts(one)), None)
        if refused is not None:
            reason = cause_of(refused.decision) or Reason.MISSING_DATA
            reason = reason if stopped_by is None else stopped_by.reason
            return _with(hand_off(reason, note="the customer is not asked without a person"), verdicts, rows, body)
        ask = Step("draft", RunState(asks=True, reason=None), body={"asks": [one.value for one in missing]})
        return _with(ask, verdicts, rows, body)
    if await _lacks_knowledge(context, plan):
        return _with(hand_off(Reason.MISSING_DATA, note="no policy section answers this"), verdicts, rows, body)
    led = course(verdicts, context.policy.tools.answer(Tool.ZENDESK_REPLY))
    why, note = led.reason, None
    if led.goto == "hand_off" and led.rule == DRAFT_ONLY and stopped_by is not None:
        why, note = stopped_by.reason, stopped_by.words
    body |= {"course": led.goto, "reason": why.value if why else None, "rule": led.rule}
    update = RunState(reason=why.value if why else None, asks=False, note=note)
    goto = "hand_off" if led.goto == "hand_off" else "draft"
    return _with(Step(goto, update), verdicts, rows, body)


def _with(step: Step, verdicts: Verdicts, rows: list[dict[str, object]], body: dict[str, object]) -> Step:
    return Step(
        goto=step.goto,
        update=step.update,
        artifacts={"verdicts": verdicts},
        body={**body, **step.body},
        run={"actions": rows},
    )


async def _verdicts(context: StepContext, plan: Plan) -> tuple[Verdicts, Stop | None]:
    """The decisions, and what made one of them draft-only."""
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    dossier = await context.load("dossier", Dossier)
    sections = await context.load("sections", Sections)
    run: dict[str, int] = {
        "run.questions_asked": context.state.get("questions_asked", 0),
        "run.tool_errors": context.spending.used["tool_errors"],
        "run.retries": context.spending.used["retries"],
        "run.missing_documents": 0 if sections.found else 1,
    }

    evidence = Evidence(snapshot, triage, dossier, run)
    async with context.runtime.sessions(context.tenant_id) as session:
        breakers = await tripped(session, context.tenant_id)
        evidence_of_suites = await newest_promotion(session, context.tenant_id)
    below_its_gate = draft_only_because(evidence_of_suites, triage.language)
    stops: list[Stop] = []

    def decided(candidate: Candidate) -> Decided:
        one = decided_on(candidate, context.policy, evidence, now=context.now)
        if not _acts(one):
            return one
        stop = _stop(context, one, snapshot.brand, breakers)
        if stop is None and below_its_gate is not None:
            stop = Stop(Reason.UNSUPPORTED_LANGUAGE, below_its_gate)
        if stop is None:
            return one
        stops.append(stop)
        # Which tier applies is known only now, so what a breaker covers is decided again, for a draft.
        return decided_on(candidate, context.policy, evidence, now=context.now, draft_only=True)

    actions = [candidate for item in plan.items for candidate in item.actions]
    found = tuple(decided(candidate) for candidate in actions)
    return Verdicts(found, run), next(iter(stops), None)


def _acts(one: Decided) -> bool:
    return one.decision.acts_alone is Verdict.ALLOW


def _stop(context: StepContext, one: Decided, brand: str | None, breakers: tuple[TrippedBreaker, ...]) -> Stop | None:
    """What keeps an action from being done without a person: a breaker that tripped, or cannot count it."""
    candidate = one.candidate
    watched = Watched(candidate.intent.value, brand, one.decision.tier)
    tool = TOOL_OF_ACTION.get(candidate.kind)
    breaker = covering(breakers, tool.value if tool is not None else "", watched)
    if breaker is not None:
        return Stop(Reason.BREAKER_TRIPPED, told(breaker))
    if candidate.kind is not ActionKind.REFUND or candidate.amount is None:
        return None
    silent = without_amount(context.policy, watched, candidate.amount.currency)
    if silent is None:
        return None
    words = f"breaker {silent} states no amount in {candidate.amount.currency}"
    return Stop(Reason.BREAKER_TRIPPED, words)


async def _lacks_knowledge(context: StepContext, plan: Plan) -> bool:
    """Whether a question should be answered from policy and no section comes near it."""
    if all(item.answer is not Answer.POLICY for item in plan.items):
        return False
    return not (await context.load("sections", Sections)).found
