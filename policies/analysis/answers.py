"""`decide` for every case at once: the answer of a policy as one diagram over the cells of a space.

It follows `policies.evaluate` in another form; `evals/policy_agreement.py` holds the two together.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from policies.analysis.answer import Answer
from policies.analysis.built_in import Spoken, caps_by_currency, locked, risky, tools, uncapped
from policies.analysis.diagram import Function
from policies.analysis.operation import Operation
from policies.analysis.people import ByAmount, Group, asked_by_amount, asked_by_rules, more_senior
from policies.analysis.space import Space
from policies.analysis.standing import Ladder, Rung, ladder
from policies.analysis.truths import Speech, kinds, speech
from policies.document import Approvals, Policy
from policies.locked import HUMAN_ONLY, MOVES_MONEY
from policies.tables import Caps, tables_of
from policies.vocabulary import Verdict


@dataclass(frozen=True, slots=True)
class Answers:
    """One policy over a space: the answer in every cell, and what it is made of.

    `denied` and `asked` are where something denies or calls for a person, `allowed` where a rule or a tool list allows;
    `built_in` is the part of them that no rule of the file says. `speech` is by rule id.
    """

    answer: Function
    speech: Mapping[str, Speech]
    denied: Function
    asked: Function
    allowed: Function
    built_in: Spoken
    ladder: Ladder
    risky: Function


def answers_of(policy: Policy, space: Space, *, is_locked: bool = True) -> Answers:
    """The whole policy over a space that was made for it.

    `is_locked` false leaves out the built-in rules, to see that what they promise fails without them.

    Raises:
        BoundHit: it takes too many steps.
    """
    diagrams = space.diagrams
    spoken = {rule.rule_id: speech(space, rule) for rule in policy.rules}
    rungs = ladder(policy, space)
    risk = risky(policy, space)
    built_in = tools(policy, space)
    always = locked(space) if is_locked else {}
    built_in[Verdict.DENY] = diagrams.either([built_in[Verdict.DENY], always.get(Verdict.DENY, diagrams.never)])
    built_in[Verdict.NEEDS_APPROVAL] = diagrams.either(
        [
            built_in[Verdict.NEEDS_APPROVAL],
            always.get(Verdict.NEEDS_APPROVAL, diagrams.never),
            rungs.lowered,
            risk,
            uncapped(policy, space, rungs.rung),
        ],
    )
    said = {
        effect: [built_in[effect], *(spoken[rule.rule_id].certain for rule in policy.rules if rule.effect is effect)]
        for effect in Verdict
    }
    said[Verdict.NEEDS_APPROVAL] += [
        spoken[rule.rule_id].unsure
        for rule in policy.rules
        if rule.effect is not Verdict.ALLOW and not rule.skip_unknown
    ]
    denied, asked, allowed = (
        diagrams.either(said[effect]) for effect in (Verdict.DENY, Verdict.NEEDS_APPROVAL, Verdict.ALLOW)
    )
    verdict = diagrams.choose(
        denied,
        diagrams.constant(Verdict.DENY),
        diagrams.choose(
            diagrams.without(allowed, asked),
            diagrams.constant(Verdict.ALLOW),
            diagrams.constant(Verdict.NEEDS_APPROVAL),
        ),
    )
    answer = _answer(policy, space, verdict, rungs.rung, spoken)
    return Answers(answer, spoken, denied, asked, allowed, built_in, rungs, risk)


def _answer(policy: Policy, space: Space, verdict: Function, rung: Function, spoken: Mapping[str, Speech]) -> Function:
    """The small parts are joined first, so that the large one, the verdict, is gone through once."""
    diagrams = space.diagrams
    frame = diagrams.combine(Operation(_framed), rung, asked_by_amount(policy, space))
    frame = diagrams.combine(Operation(_with_limits, neutral_right=(None,)), frame, _limits(policy, space))
    frame = diagrams.choose(kinds(space, *MOVES_MONEY), frame, diagrams.each(frame, _without_hold))
    frame = diagrams.choose(kinds(space, *HUMAN_ONLY), diagrams.each(frame, _for_hands), frame)
    asked = diagrams.combine(Operation(_asked), verdict, asked_by_rules(policy, space, spoken))
    return diagrams.combine(Operation(partial(_answered, policy.approvals)), asked, frame)


def _limits(policy: Policy, space: Space) -> Function:
    """The limits that money of each currency has; None where no money moves."""
    diagrams = space.diagrams
    found = diagrams.constant(None)
    for currency, cells in caps_by_currency(policy, space):
        found = diagrams.choose(cells, diagrams.constant(tables_of(policy).caps_in(currency)), found)
    return diagrams.choose(kinds(space, *MOVES_MONEY), found, diagrams.constant(None))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a case brings along, whatever the rules say."""

    rung: Rung
    amount: ByAmount
    caps: Caps | None = None
    is_for_hands: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A verdict, and whom the rules ask where a person decides."""

    verdict: Verdict
    group: Group


def _framed(rung: Hashable, amount: Hashable) -> _Frame:
    assert isinstance(rung, Rung)
    assert isinstance(amount, ByAmount)
    return _Frame(rung, amount)


def _with_limits(frame: Hashable, caps: Hashable) -> _Frame:
    assert isinstance(frame, _Frame)
    assert isinstance(caps, Caps)
    return replace(frame, caps=caps)


def _without_hold(frame: Hashable) -> _Frame:
    assert isinstance(frame, _Frame)
    return replace(frame, rung=replace(frame.rung, hold_s=0))


def _for_hands(frame: Hashable) -> _Frame:
    assert isinstance(frame, _Frame)
    return replace(frame, is_for_hands=True)


def _asked(verdict: Hashable, group: Hashable) -> _Asked:
    assert isinstance(verdict, Verdict)
    assert isinstance(group, tuple)
    return _Asked(verdict, group if verdict is Verdict.NEEDS_APPROVAL else ())


def _answered(approvals: Approvals, asked: Hashable, frame: Hashable) -> Answer:
    """What `policies.evaluate` makes of a verdict on a rung."""
    assert isinstance(asked, _Asked)
    assert isinstance(frame, _Frame)
    rung, amount, caps = frame.rung, frame.amount, frame.caps or Caps((), (), ())
    plain = Answer(asked.verdict, rung.mode, limits=caps.always)
    if plain.acts:
        return replace(plain, hold_s=rung.hold_s, limits=caps.always + caps.automatic)
    if asked.verdict is Verdict.DENY or frame.is_for_hands:
        return replace(plain, four_eyes=amount.four_eyes)
    group = more_senior(approvals, more_senior(approvals, asked.group, rung.approvers), amount.roles)
    return replace(plain, approvers=group or approvals.roles[:1], four_eyes=amount.four_eyes)
