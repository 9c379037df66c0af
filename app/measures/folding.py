"""What each kind of event does to the rows of the measures. Pure: rows and an event in, changed rows out.

Events are folded once each and in the order of their numbers; nothing but the log is looked at. A kind that is not in
`HANDLERS` says nothing about a measure. `VERSION` changes with the meaning of any of this, and the cache is then folded
anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from app.measures.batch import Event, Folding, intervened, recall, remember, since
from app.measures.calls import model_called, tool_called, tool_of_run
from app.measures.models import UNKNOWN, MeasureRun
from policies.vocabulary import Outcome, Reason

VERSION: Final = 2
HELD_OUT: Final = "held_out"
"""The arm of the runs whose tickets people have alone."""
RECONTACT_WITHIN: Final = timedelta(days=7)
BY_A_PERSON: Final = frozenset({"person", "stopped_by_person"})
"""Reasons of a stop that a person made."""
OVERTAKEN: Final = frozenset({"charge_changed", "ticket_changed", "new_message"})
"""Reasons of a stop because the world had changed since the decision."""


def fold(folding: Folding, event: Event) -> None:
    """Take one event in."""
    cursor = folding.cursor
    cursor.first_event_at = cursor.first_event_at or event.at
    cursor.folded_until = max(cursor.folded_until or event.at, event.at)
    alone = _OF_NO_RUN.get(event.kind)
    if alone is not None:
        alone(folding, event)
    handler = _OF_A_RUN.get(event.kind)
    if handler is not None and event.run_id is not None:
        handler(folding, folding.run(event), event)


def _started(folding: Folding, run: MeasureRun, event: Event) -> None:
    run.has_start, run.started_at = True, event.at
    run.policy = str(event.body.get("policy_hash") or UNKNOWN)
    run.is_held_out = event.body.get("arm") == HELD_OUT
    run.is_shadow = run.is_shadow or run.is_held_out
    cursor = folding.cursor
    cursor.first_run_at = cursor.first_run_at or event.at
    before = folding.runs.get(run.follows) if run.follows is not None else None
    if before is not None and _stands(before) and before.ended_at is not None:
        before.is_recontacted = before.is_recontacted or event.at - before.ended_at <= RECONTACT_WITHIN


def _stands(run: MeasureRun) -> bool:
    return run.outcome == Outcome.RESOLVED.value


def _ended(folding: Folding, run: MeasureRun, event: Event) -> None:
    run.outcome, run.reason, run.ended_at = event.body.get("outcome"), event.body.get("reason"), event.at
    if _stands(run):
        folding.cursor.first_resolved_at = folding.cursor.first_resolved_at or event.at
    before = folding.runs.get(run.follows) if run.follows is not None else None
    if before is None or before.ended_at is None:
        return
    if not timedelta(0) <= run.started_at - before.ended_at <= RECONTACT_WITHIN:
        return
    if run.outcome != Outcome.IGNORED.value:
        before.is_reopened = before.is_reopened or _stands(before)
    elif run.reason == Reason.NOT_A_REQUEST.value:
        before.is_thanked = before.is_thanked or _stands(before)


def _woken(_: Folding, run: MeasureRun, event: Event) -> None:
    if event.body.get("kind") == "human_took_over":
        run.is_taken_over = True
        intervened(run, since(run.memo.get("waiting"), event))


def _waiting(_: Folding, run: MeasureRun, event: Event) -> None:
    run.memo = {**run.memo, "waiting": event.at.isoformat()}


def _held_up(_: Folding, run: MeasureRun, __: Event) -> None:
    run.retries += 1


def _taken_over(_: Folding, run: MeasureRun, event: Event) -> None:
    run.is_taken_over = True
    intervened(run, since(run.memo.get("waiting"), event))


def _reopened(_: Folding, run: MeasureRun, __: Event) -> None:
    run.is_reopened = True


def _node(folding: Folding, run: MeasureRun, event: Event) -> None:
    node, body = str(event.body.get("node")), event.body
    outside_ms = run.memo.get("outside_ms")
    own_ms = max(0, int(body.get("latency_ms") or 0) - (outside_ms if isinstance(outside_ms, int) else 0))
    run.memo = {name: value for name, value in run.memo.items() if name != "outside_ms"}
    if node == "retrieve":
        run.retrieval_ms += own_ms
    else:
        run.orchestration_ms += own_ms
    tells = _NODES.get(node)
    if tells is not None:
        tells(folding, run, event)


def _intake(_: Folding, run: MeasureRun, event: Event) -> None:
    run.channel = str(event.body.get("channel") or run.channel)


def _triage(_: Folding, run: MeasureRun, event: Event) -> None:
    intents = event.body.get("intents") or ()
    run.intent = str(intents[0]) if intents else run.intent
    run.language = str(event.body.get("language") or run.language)
    run.safety_events += event.body.get("injection_suspected") is True


def _gather(_: Folding, run: MeasureRun, event: Event) -> None:
    run.segment = str(event.body.get("segment") or run.segment)


def _decide(_: Folding, run: MeasureRun, event: Event) -> None:
    verdicts = event.body.get("verdicts") or ()
    if verdicts:
        run.tier = str(verdicts[0].get("tier") or verdicts[0].get("mode") or UNKNOWN)
    run.is_covered = event.body.get("course") in {"act", "review"} or bool(event.body.get("asks"))


def _verify(_: Folding, run: MeasureRun, event: Event) -> None:
    run.near_misses += bool(event.body.get("findings"))


def _hand_off(_: Folding, run: MeasureRun, event: Event) -> None:
    run.is_shadow = run.is_shadow or event.body.get("shadow") is True


_NODES: Final[Mapping[str, Callable[[Folding, MeasureRun, Event], None]]] = {
    "intake": _intake,
    "triage": _triage,
    "gather": _gather,
    "decide": _decide,
    "verify": _verify,
    "hand_off": _hand_off,
    "close": _ended,
}


def _asked(_: Folding, run: MeasureRun, event: Event) -> None:
    run.asked += 1
    remember(run, "asked", str(event.body["approval_id"]), event.at.isoformat())


def _answered(folding: Folding, run: MeasureRun, event: Event) -> int | None:
    """A person answered: how long they had the question, and how long after it was asked."""
    approval_id = str(event.body["approval_id"])
    claimed = recall(folding.cursor, "claims", approval_id)
    held_s = since(claimed, event)
    if held_s is None:
        run.unclaimed += 1
    else:
        run.claimed_s += held_s
    asked = run.memo.get("asked")
    return since(asked.get(approval_id), event) if isinstance(asked, dict) else None


def _approved(folding: Folding, run: MeasureRun, event: Event) -> None:
    after_s = _answered(folding, run, event)
    run.approved += 1
    if event.body.get("edited") is True:
        run.edited += 1
        run.edit_permille += int(event.body.get("edit_permille") or 0)
        intervened(run, after_s)


def _rejected(folding: Folding, run: MeasureRun, event: Event) -> None:
    run.rejected += 1
    intervened(run, _answered(folding, run, event))


def _asked_back(folding: Folding, run: MeasureRun, event: Event) -> None:
    run.asked_back += 1
    intervened(run, _answered(folding, run, event))


def _stale(_: Folding, run: MeasureRun, event: Event) -> None:
    run.near_misses += bool(event.body.get("changed"))


def _reserved(_: Folding, run: MeasureRun, event: Event) -> None:
    run.effects += 1
    run.undone += bool(event.body.get("undoes"))
    if event.body.get("effect") == "refund":
        run.held += 1
        remember(run, "held", str(event.body["effect_id"]), event.at.isoformat())


def _finished(folding: Folding, run: MeasureRun, event: Event) -> None:
    """An effect came to its end, or may have."""
    tool, effect_id = str(event.body.get("tool")), str(event.body.get("effect_id"))
    reason = event.body.get("reason")
    if event.kind in {"effect.settled", "effect.unknown"}:
        folding.count(event, "write", tool, is_bad=event.kind == "effect.unknown")
    if event.kind == "effect.unknown":
        return
    held_at = recall(run, "held", effect_id)
    run.effects_ended += 1
    run.effects_settled += event.kind == "effect.settled"
    if event.kind != "effect.stopped":
        return
    run.near_misses += reason in OVERTAKEN
    if reason in BY_A_PERSON:
        run.stopped += held_at is not None
        intervened(run, since(held_at, event))


def _reversed(_: Folding, run: MeasureRun, __: Event) -> None:
    run.reversed += 1


def _checked(_: Folding, run: MeasureRun, event: Event) -> None:
    if event.body.get("kind") == "blind":
        run.judged += 1
        run.judged_right += event.body.get("answer") == "approve"


_OF_A_RUN: Final[Mapping[str, Callable[[Folding, MeasureRun, Event], None]]] = {
    "run.started": _started,
    "run.ended": _ended,
    "run.waiting": _waiting,
    "run.woken": _woken,
    "run.held_up": _held_up,
    "run.taken_over": _taken_over,
    "run.reopened": _reopened,
    "node.completed": _node,
    "tool.called": tool_of_run,
    "model.called": model_called,
    "approval.requested": _asked,
    "approval.approved": _approved,
    "approval.rejected": _rejected,
    "approval.asked": _asked_back,
    "approval.stale": _stale,
    "effect.reserved": _reserved,
    "effect.settled": _finished,
    "effect.released": _finished,
    "effect.stopped": _finished,
    "effect.human": _finished,
    "effect.unknown": _finished,
    "effect.reversed": _reversed,
    "review.checked": _checked,
}


def _rated(folding: Folding, event: Event) -> None:
    run_id = folding.latest.get(event.ticket_id or "")
    if run_id is not None:
        folding.runs[run_id].rating = event.body.get("score")


def _solved(folding: Folding, event: Event) -> None:
    run = folding.runs.get(folding.latest.get(event.ticket_id or "", ""))
    if run is not None and run.is_held_out:
        solved_at = datetime.fromisoformat(str(event.body["solved_at"]))
        run.solved_after_s = max(0, int((solved_at - run.started_at).total_seconds()))


def _claimed(folding: Folding, event: Event) -> None:
    remember(folding.cursor, "claims", str(event.body.get("item_id")), event.at.isoformat())


def _released(folding: Folding, event: Event) -> None:
    recall(folding.cursor, "claims", str(event.body.get("item_id")))


def _safety(folding: Folding, event: Event) -> None:
    folding.count(event, "safety", event.kind)


_OF_NO_RUN: Final[Mapping[str, Callable[[Folding, Event], None]]] = {
    "tool.called": tool_called,
    "ticket.rated": _rated,
    "ticket.solved": _solved,
    "review.claimed": _claimed,
    "review.released": _released,
    "refund.orphan": _safety,
    "security.bad_signature": _safety,
    "breaker.tripped": _safety,
}

KINDS: Final = tuple(sorted({*_OF_A_RUN, *_OF_NO_RUN}))
"""The kinds that say anything about a measure."""
