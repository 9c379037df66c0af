"""Deciding a recorded cycle again. Pure but for a model that is asked on purpose.

*Exactly*: with the recorded understanding, the policy version of the run and its times; every verdict must come out
byte for byte as the log has it. *Forked*: with another policy, or with another model's understanding of the same
recorded, redacted text; what then is decided differently is listed with its money. A fork reads nothing: facts that the
run did not need are not known to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graph.audit.canonical import canonical_json
from graph.deciding import Evidence, decided_on, logged
from graph.models.triage import Triage
from graph.planning import Plan
from graph.planning import plan as plan_for
from graph.replay.recorded import Cycle
from graph.verdicts import Decided
from policies.document import Policy
from policies.proposal import Candidate
from policies.vocabulary import ActionKind, Verdict

Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flip:
    """One action that a fork decides differently. A side is None where the action is not proposed there.

    `pays_alone_before_minor` and `pays_alone_minor` are what goes out without a person, in minor units of `currency`.
    """

    run_id: str
    ticket_id: str
    cycle: int
    action: str
    intent: str
    charge: str | None
    item: str | None
    before: str | None
    after: str | None
    rule_before: str | None
    rule_after: str | None
    currency: str | None
    pays_alone_before_minor: int
    pays_alone_minor: int


def redecided(cycle: Cycle, policy: Policy, triage: Triage | None = None) -> tuple[Decided, ...]:
    """The decisions of a cycle under a policy.

    Args:
        cycle: what was recorded.
        policy: decides.
        triage: another understanding of the text; None takes the recorded one, and with it the model's recorded choice
            among several candidates.
    """
    understood = cycle.triage if triage is None else triage
    text = f"{cycle.snapshot.subject}\n{cycle.snapshot.newest}"
    drawn = plan_for(understood, cycle.dossier, text, now=cycle.planned_at)
    chosen = _as_chosen(drawn, cycle.plan) if triage is None else drawn
    evidence = Evidence(cycle.snapshot, understood, cycle.dossier, cycle.verdicts.run)
    drafted = {_key(one.candidate): one.facts.get("run.draft_only") is True for one in cycle.verdicts.decided}
    return tuple(
        decided_on(candidate, policy, evidence, now=cycle.decided_at, draft_only=drafted.get(_key(candidate), False))
        for item in chosen.items
        for candidate in item.actions
    )


def differences(cycle: Cycle, decided: Sequence[Decided]) -> tuple[str, ...]:
    """What an exact replay has otherwise than the log; nothing where it is identical byte for byte."""
    said = [canonical_json(dict(one)) for one in cycle.said]
    now = [canonical_json(logged(one)) for one in decided]
    if said == now:
        return ()
    if len(said) != len(now):
        return (f"cycle {cycle.number}: {len(said)} actions are recorded, {len(now)} decided",)
    return tuple(
        f"cycle {cycle.number}: action {place} differs: {before.decode()} is now {after.decode()}"
        for place, (before, after) in enumerate(zip(said, now, strict=True))
        if before != after
    )


def flips(run_id: str, ticket_id: str, cycle: Cycle, decided: Sequence[Decided]) -> tuple[Flip, ...]:
    """The actions that are decided differently from what was recorded: another verdict or mode."""
    before = {_key(one.candidate): one for one in cycle.verdicts.decided}
    after = {_key(one.candidate): one for one in decided}
    found = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if _answer(old) == _answer(new):
            continue
        one = old or new
        assert one is not None
        found.append(
            Flip(
                run_id=run_id,
                ticket_id=ticket_id,
                cycle=cycle.number,
                action=one.candidate.kind.value,
                intent=one.candidate.intent.value,
                charge=one.candidate.charge_id,
                item=one.candidate.item_key,
                before=_answer(old),
                after=_answer(new),
                rule_before=None if old is None else old.decision.rule,
                rule_after=None if new is None else new.decision.rule,
                currency=one.candidate.amount.currency if one.candidate.amount is not None else None,
                pays_alone_before_minor=_pays(old),
                pays_alone_minor=_pays(new),
            )
        )
    return tuple(found)


def _key(candidate: Candidate) -> tuple[str, str, str | None, str | None]:
    return candidate.kind.value, candidate.intent.value, candidate.charge_id, candidate.item_key


def _answer(one: Decided | None) -> str | None:
    """Verdict and mode, as the what-if compares them."""
    return None if one is None else f"{one.decision.verdict.value}, {one.decision.mode.value}"


def _pays(one: Decided | None) -> int:
    if one is None or one.decision.acts_alone is not Verdict.ALLOW or one.candidate.kind is not ActionKind.REFUND:
        return 0
    return one.candidate.amount.minor if one.candidate.amount is not None else 0


def _as_chosen(drawn: Plan, recorded: Plan) -> Plan:
    """With the choice that a model made among several candidates when the run was at it."""
    made = {item.intent: item for item in recorded.items}
    items = []
    for item in drawn.items:
        known = made.get(item.intent)
        is_choice = known is not None and item.is_ambiguous and len(known.candidates) == 1 and not known.missing
        if is_choice and known is not None and known.candidates[0] in item.candidates:
            items.append(replace(item, candidates=known.candidates, missing=frozenset()))
        else:
            items.append(item)
    return Plan(tuple(items))
