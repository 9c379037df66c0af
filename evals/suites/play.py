"""One trial of a scenario, from the arriving ticket until nothing moves any more, and what is then seen.

The worker is moved by hand with the product's own functions, in the order in which a worker would come to them.
Business time moves only when nothing else does, to the next moment at which something is due: the end of a hold, a
retry, a later event of the world, a person's answer. It refuses to wait for what a scenario does not wait for: a
question that nobody answers stays a question.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.lookout import look_out
from connectors.errors import ConnectorError
from connectors.sandbox.faults import FaultKind
from connectors.sandbox.world.loading import Keys, arrive, load
from connectors.sandbox.world.parts import FaultLine, Reviewer
from evals.suites.customers import CUSTOMER, DESK, Conversation, Talk
from evals.suites.ending import Ending, Refunded, Replay, TicketEnd, Use
from evals.suites.place import START, Customers, Stage
from graph.audit.answering_for import Answered, answered_for
from graph.audit.verify import verify
from graph.intake.stripe_events import take_in
from graph.replay.running import Different, Identical, NotReplayed, newest_runs, replays
from graph.runs.advance import advance, after_effect
from graph.runs.models import Run
from graph.runs.standing import failed
from graph.settlement.approvals import decide
from graph.settlement.due import due_effects
from graph.settlement.questions import Answer, AwaitsAnother, Decided, Reply
from graph.settlement.questions import Reviewer as Person
from graph.settlement.send import send
from graph.settlement.stop import stop_run

TURNS: Final = 60
"""Turns of the worker after which what still moves is a loop."""
MOMENTS: Final = 60
"""Jumps of business time after which a scenario is given up."""
SWEPT_AFTER: Final = timedelta(seconds=61)
"""A ticket whose webhook was lost is found by then."""
HELD_OPEN_S: Final = 0.2
"""How long a time-out keeps its caller here; that the answer is lost is what matters, not for how long."""
_TIMEOUTS: Final = frozenset({FaultKind.TIMEOUT_BEFORE_EFFECT, FaultKind.TIMEOUT_AFTER_EFFECT})

_STANDING: Final = """
    SELECT run_id, state, wait_for, cycle, failures, signal::text FROM run
    UNION ALL SELECT effect_id, state, kind, attempts, 0, NULL FROM effect
    UNION ALL SELECT event_id, disposition, source, 0, attempts, NULL FROM inbox_event
    UNION ALL SELECT approval_id, state, '', 0, 0, NULL FROM approval ORDER BY 1
"""
_TICKETS: Final = """
    SELECT ticket_id FROM inbox_event
     WHERE disposition = 'pending' AND ticket_id IS NOT NULL AND (look_again_at IS NULL OR look_again_at <= :now)
    UNION SELECT ticket_id FROM run WHERE state <> 'ended' ORDER BY 1
"""
_STRIPE_EVENTS: Final = """
    SELECT event_id FROM inbox_event
     WHERE source = 'stripe' AND disposition = 'pending' AND (look_again_at IS NULL OR look_again_at <= :now)
     ORDER BY received_at, event_id
"""
_DUE: Final = """
    SELECT due_at FROM effect WHERE state IN ('held', 'sending', 'unknown')
    UNION ALL SELECT wait_until FROM run WHERE state = 'waiting' AND wait_for = 'vendor'
    UNION ALL SELECT look_again_at FROM inbox_event WHERE disposition = 'pending' AND look_again_at IS NOT NULL
"""
_WAITING_RUNS: Final = "SELECT DISTINCT wait_until FROM run WHERE state = 'waiting' AND wait_until IS NOT NULL"
_QUESTIONS: Final = "SELECT approval_id, ticket_id FROM approval WHERE state = 'pending' ORDER BY requested_at"
_HELD: Final = "SELECT DISTINCT run_id FROM effect WHERE state = 'held' ORDER BY run_id"
_LEASES: Final = "UPDATE effect SET leased_until = NULL WHERE leased_until IS NOT NULL"
"""A worker that moves by hand holds no lease between its moves."""
_RUNS: Final = "SELECT * FROM run ORDER BY started_at, run_id"
_ASKED: Final = """
    SELECT DISTINCT concat_ws(' ', body->>'role', body->>'model', body->>'prompt_hash') AS asked FROM audit_event
     WHERE kind = 'model.called' AND body->>'outcome' = 'done' ORDER BY asked
"""
_STORY: Final = """
    SELECT at, kind, actor, body FROM audit_event WHERE kind NOT IN ('tool.called', 'event.received') ORDER BY seq
"""


@dataclass(slots=True)
class Trial:
    """One trial under way."""

    stage: Stage
    keys: Keys = field(default_factory=lambda: Keys({}, {}, {}, {}))
    people: list[Reviewer] = field(default_factory=list)
    talk: Talk | None = None
    asked_at: datetime | None = None
    swept: bool = False
    before: frozenset[str] = frozenset()
    endings: frozenset[str] = frozenset()
    troubles: list[str] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """The present."""
        return self.stage.clock.now()


async def play(stage: Stage) -> Ending:
    """Play a scenario on its stage to the end."""
    started = time.perf_counter()
    trial = Trial(stage, people=list(stage.scenario.reviewer), talk=_talk(stage))
    is_over = False
    try:
        _arrives(trial)
        is_over = await _until_nothing_is_due(trial)
    except (ConnectorError, SQLAlchemyError, RuntimeError, ValueError, AssertionError, KeyError, TypeError) as error:
        # A defect of the product, or of the scenario: it is scored as what it left behind, and told.
        trial.troubles.append(f"{type(error).__name__}: {error} at {_where(error)}")
    wall_ms = round((time.perf_counter() - started) * 1000)
    return await _ending(trial, wall_ms=wall_ms, is_over=is_over)


def _talk(stage: Stage) -> Talk | None:
    customer = stage.scenario.customer
    if customer is None:
        return None
    return Talk(customer, stage.runtime.gateway if stage.customers is Customers.MODEL else None)


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _arrives(trial: Trial) -> None:
    stage, scenario = trial.stage, trial.stage.scenario
    doubles, now = stage.sandbox.doubles, trial.now
    world = scenario.world.model_copy(update={"faults": tuple(_quick(line) for line in scenario.world.faults)})
    keys = load(world, doubles, now)
    trial.before = frozenset(str(entry["id"]) for entry in doubles.stripe.ledger())
    trial.endings = frozenset(key for key, made in keys.subscriptions.items() if _ends(trial, made))
    for ticket in scenario.all_tickets:
        keys = keys.with_ticket(arrive(ticket, scenario.world, keys, doubles))
    stage.sandbox.schedule.add(scenario.world, scenario.all_tickets, keys, now)
    trial.keys = keys


def _quick(line: FaultLine) -> FaultLine:
    return line.model_copy(update={"delay_s": min(line.delay_s, HELD_OPEN_S)}) if line.kind in _TIMEOUTS else line


async def _until_nothing_is_due(trial: Trial) -> bool:
    """Work, let people answer, move time; whether the end was reached."""
    for _ in range(MOMENTS):
        await _work(trial)
        if await _people_answer(trial) or await _customer_answers(trial):
            continue
        due = await _next_moment(trial)
        if due is None:
            return True
        ahead_s = (due - trial.now).total_seconds()
        if ahead_s > 0:
            trial.stage.clock.advance(ahead_s + 0.001)
        trial.stage.sandbox.tick()
        await _delivered(trial)
        await _looks_out(trial)
    trial.troubles.append(f"something still moved after {MOMENTS} moments")
    return False


async def _work(trial: Trial) -> None:
    """What a worker does, until nothing moves.

    Raises:
        RuntimeError: it never comes to rest.
    """
    stage, before = trial.stage, None
    for _ in range(TURNS):
        await _delivered(trial)
        standing = await _rows(trial, _STANDING)
        if standing == before:
            return
        before = standing
        for event_id in await _column(trial, _STRIPE_EVENTS, now=trial.now):
            await take_in(stage.runtime, stage.tenant, event_id)
        for ticket_id in await _column(trial, _TICKETS, now=trial.now):
            await _advance(trial, ticket_id)
    raise RuntimeError(f"still moving after {TURNS} turns: {before}")


async def _advance(trial: Trial, ticket_id: str) -> None:
    stage = trial.stage
    try:
        await advance(stage.advancer, stage.tenant, ticket_id)
    except ConnectorError as error:
        await failed(stage.runtime, stage.tenant, ticket_id, error)


async def _looks_out(trial: Trial) -> None:
    """What the look-out of a worker finds, and what is due by then."""
    stage = trial.stage
    await look_out(stage.runtime, stage.tenant)
    async with stage.database.tenant(stage.tenant) as session:
        await session.execute(text(_LEASES))
        due = await due_effects(session, stage.tenant, now=trial.now)
    for effect_id in due:
        await send(stage.advancer.sender(stage.tenant), stage.tenant, effect_id)
        ticket_id = await after_effect(stage.runtime, stage.tenant, effect_id)
        if ticket_id is not None:
            await _advance(trial, ticket_id)


async def _delivered(trial: Trial) -> None:
    while trial.stage.sandbox.deliveries.busy():  # noqa: ASYNC110 - other threads deliver
        await asyncio.sleep(0.002)


async def _next_moment(trial: Trial) -> datetime | None:
    """The next moment at which anything happens by itself; None where nothing does."""
    scenario, now = trial.stage.scenario, trial.now
    moments: list[datetime] = [row for row in await _column(trial, _DUE) if row is not None]
    later = trial.stage.sandbox.schedule.next_at()
    if later is not None:
        moments.append(later)
    if trial.people and trial.asked_at is not None:
        moments.append(trial.asked_at + timedelta(seconds=trial.people[0].after_s))
    if trial.talk is not None and trial.talk.next is not None:
        moments.append(trial.talk.next[0])
    if not trial.swept and await _is_missed(trial):
        trial.swept = True
        moments.append(now + SWEPT_AFTER)
    until = START + timedelta(seconds=scenario.goes_on_s)
    if now < until:
        waits = [one for one in await _column(trial, _WAITING_RUNS) if now < one <= until]
        moments.append(min([*waits, until]))
    return min(moments, default=None)


async def _is_missed(trial: Trial) -> bool:
    """Whether a ticket is not known here, as when its webhook was lost."""
    known = set(await _column(trial, "SELECT DISTINCT ticket_id FROM inbox_event WHERE ticket_id IS NOT NULL"))
    return any(str(ticket_id) not in known for ticket_id in trial.keys.tickets)


async def _people_answer(trial: Trial) -> bool:
    """Let the next person do what the scenario says, if it is their turn; whether they did."""
    if not trial.people:
        return False
    step, stage = trial.people[0], trial.stage
    held = await _column(trial, _HELD) if step.do == "stop" else []
    questions = await _rows(trial, _QUESTIONS) if step.do != "stop" else []
    if not held and not questions:
        trial.asked_at = None
        return False
    trial.asked_at = trial.asked_at or trial.now
    if trial.now < trial.asked_at + timedelta(seconds=step.after_s):
        return False
    trial.people.pop(0)
    trial.asked_at = None
    async with stage.database.tenant(stage.tenant) as session:
        if step.do == "stop":
            for run_id in held:
                await stop_run(
                    session,
                    stage.tenant,
                    run_id,
                    reason="person",
                    detail=step.note,
                    actor=step.who,
                    now=trial.now,
                    new_id=stage.runtime.new_id,
                )
            return True
        answered = await decide(
            session,
            questions[0]["approval_id"],
            Answer.REJECT if step.do == "reject" else Answer.APPROVE,
            # `cs_lead/maria` is Maria, who is a lead: two people of one role are two people.
            Person(step.who, frozenset({step.who.partition("/")[0]})),
            tenant_id=stage.tenant,
            now=trial.now,
            new_id=stage.runtime.new_id,
            vault=stage.runtime.vault,
            reason_code=None if step.do != "reject" else "not_eligible",
            reply=Reply(comment=step.note, edited_reply=step.reply) if step.do == "edit" and step.reply else None,
            subject_id=await _subject(trial, questions[0]["ticket_id"]),
        )
    if not isinstance(answered, Decided | AwaitsAnother):
        trial.troubles.append(f"{step.who} could not {step.do}: {answered}")
    await _advance(trial, questions[0]["ticket_id"])
    return True


async def _customer_answers(trial: Trial) -> bool:
    """Let the simulated customer hear the shop's newest reply, and say what they have to; whether they spoke."""
    if trial.talk is None:
        return False
    await trial.talk.listen(await _conversation(trial), trial.now)
    text = trial.talk.speak(trial.now)
    if text is None:
        return False
    writer = trial.keys.customers[trial.stage.scenario.all_tickets[0].requester].zendesk_user_id
    trial.stage.sandbox.doubles.zendesk.customer_writes(trial.keys.tickets[0], writer, text)
    await _delivered(trial)
    return True


async def _conversation(trial: Trial) -> Conversation:
    """What was said in public about the first ticket."""
    bot = await _bot(trial)
    return [
        (DESK if one["author_id"] == bot else CUSTOMER, str(one["body"]))
        for one in trial.stage.sandbox.doubles.zendesk.comments(trial.keys.tickets[0])
        if one["public"]
    ]


async def _bot(trial: Trial) -> int:
    return await asyncio.to_thread(lambda: trial.stage.runtime.tenant(trial.stage.tenant).zendesk.bot_user_id)


async def _subject(trial: Trial, ticket_id: str) -> str | None:
    rows = await _rows(
        trial, "SELECT subject_id FROM run WHERE ticket_id = :ticket AND state <> 'ended'", ticket=ticket_id
    )
    return rows[0]["subject_id"] if rows else None


async def _ending(trial: Trial, *, wall_ms: int, is_over: bool) -> Ending:
    stage = trial.stage
    runs = await _rows(trial, _RUNS)
    async with stage.database.tenant(stage.tenant) as session:
        log_holds = (await verify(session, stage.tenant)).holds
        answered = await answered_for(session, stage.tenant)
        recorded = await newest_runs(session, stage.tenant, since=None, limit=100)
    failed_events = [f"a later event could not happen: {one}" for one in stage.sandbox.schedule.failed]
    return Ending(
        tickets=tuple([await _ticket_end(trial, ticket_id, runs) for ticket_id in trial.keys.tickets]),
        refunds=_refunds(trial),
        cancelled_subscriptions=tuple(
            sorted(
                key for key, made in trial.keys.subscriptions.items() if key not in trial.endings and _ends(trial, made)
            )
        ),
        cancelled_payments=tuple(sorted(key for key, made in trial.keys.charges.items() if _is_released(trial, made))),
        use=_use(trial, runs, wall_ms),
        policy_hash=stage.policy_hash,
        log_holds=log_holds,
        effects=len(answered),
        unanswered=tuple(_unanswered(trial, answered)),
        replayed=tuple([one async for one in _replayed(trial, recorded)]),
        unfinished=not is_over,
        troubles=(*trial.troubles, *failed_events),
        transcript=tuple([_line(row) for row in await _rows(trial, _STORY)]),
        conversation=tuple([f"{who}: {said}" for who, said in await _conversation(trial)])
        if trial.keys.tickets
        else (),
        asked=tuple(await _column(trial, _ASKED)),
        customer_cost_usd_micros=trial.talk.cost_usd_micros if trial.talk is not None else 0,
    )


def _unanswered(trial: Trial, answered: Sequence[Answered]) -> Iterator[str]:
    """Changes outside for which nobody answers: by the log, and by what Stripe has from us that the log has not."""
    yield from (f"{one.effect_id} lacks {', '.join(one.missing)}" for one in answered if one.missing)
    known = {one.effect_id for one in answered}
    for entry in trial.stage.sandbox.doubles.stripe.ledger():
        intent_id = entry["metadata"].get("intent_id")
        if entry["id"] not in trial.before and intent_id and intent_id not in known:
            yield f"refund {entry['id']} at Stripe is no effect of the log"


async def _replayed(trial: Trial, runs: Sequence[Run]) -> AsyncIterator[Replay]:
    """Every run of the trial, decided again from its records."""
    stage = trial.stage
    async for one in replays(stage.database.tenant, stage.runtime.vault, runs):
        match one:
            case Identical():
                yield Replay(run=one.run_id, cycles=one.cycles)
            case Different():
                yield Replay(run=one.run_id, differences=one.differences)
            case NotReplayed():
                yield Replay(run=one.run_id, differences=(one.why,))


def _use(trial: Trial, runs: list[dict[str, Any]], wall_ms: int) -> Use:
    def total(name: str) -> int:
        return sum(int(run[name]) for run in runs)

    return Use(
        runs=len(runs),
        tool_calls=total("tool_calls"),
        model_calls=total("model_calls"),
        input_tokens=total("input_tokens"),
        output_tokens=total("output_tokens"),
        cost_usd_micros=total("cost_usd_micros"),
        worked_ms=total("worked_ms"),
        business_s=round((trial.now - START).total_seconds()),
        wall_ms=wall_ms,
    )


async def _ticket_end(trial: Trial, ticket_id: int, runs: list[dict[str, Any]]) -> TicketEnd:
    zendesk = trial.stage.sandbox.doubles.zendesk
    bot = await _bot(trial)
    ours = [run for run in runs if run["ticket_id"] == str(ticket_id)]
    # A later run that only read a thank-you does not hide the one that did something.
    doing = [run for run in ours if run["outcome"] != "ignored"] or ours
    newest: Mapping[str, Any] = doing[-1] if doing else {}
    ticket = zendesk.ticket(ticket_id)
    said = [one for one in zendesk.comments(ticket_id) if one["author_id"] == bot]
    actions = newest.get("actions") or []
    return TicketEnd(
        outcome=newest.get("outcome"),
        reason=newest.get("reason"),
        intents=tuple(newest.get("intents") or ()),
        actions=tuple(actions),
        status=str(ticket["status"]),
        tags=tuple(str(tag) for tag in cast("list[object]", ticket["tags"])),
        replies=tuple(str(one["body"]) for one in said if one["public"]),
        notes=tuple(str(one["body"]) for one in said if not one["public"]),
    )


def _refunds(trial: Trial) -> tuple[Refunded, ...]:
    names = {made: key for key, made in trial.keys.charges.items()}
    return tuple(
        Refunded(
            charge=names.get(str(entry["charge"]), str(entry["charge"])),
            amount_minor=int(entry["amount_minor"]),
            currency=str(entry["currency"]),
            by="agent" if entry["metadata"].get("intent_id") else "person",
        )
        for entry in trial.stage.sandbox.doubles.stripe.ledger()
        if entry["id"] not in trial.before and entry["status"] not in {"failed", "canceled"}
    )


def _ends(trial: Trial, subscription: str) -> bool:
    shown = trial.stage.sandbox.doubles.stripe.shows("subscription", subscription)
    return bool(shown["cancel_at_period_end"]) or shown["status"] == "canceled"


def _is_released(trial: Trial, charge: str) -> bool:
    stripe = trial.stage.sandbox.doubles.stripe
    intent = stripe.shows("payment_intent", str(stripe.shows("charge", charge)["payment_intent"]))
    return str(intent["status"]) == "canceled"


def _line(row: Mapping[str, Any]) -> str:
    """One event as a line of the transcript."""
    body = {
        name: value
        for name, value in row["body"].items()
        if value not in (None, [], {}, "") and name not in {"outputs", "worker", "policy_hash", "latency_ms"}
    }
    seconds = round((row["at"] - START).total_seconds())
    told = ", ".join(f"{name} {value}" for name, value in body.items())
    return f"{seconds:>7} s  {row['kind']} ({row['actor']}) {told}"[:600]


async def _rows(trial: Trial, sql: str, **values: object) -> list[dict[str, Any]]:
    async with trial.stage.database.tenant(trial.stage.tenant) as session:
        return [dict(row) for row in (await session.execute(text(sql), values)).mappings()]


async def _column(trial: Trial, sql: str, **values: object) -> list[Any]:
    return [next(iter(row.values())) for row in await _rows(trial, sql, **values)]
