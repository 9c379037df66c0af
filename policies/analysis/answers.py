"""`decide` for every case at once: the answer of a policy as one diagram over the cells of a space.

It follows `policies.evaluate` in another form; `evals/policy_agreement.py` holds the two together.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from policies.analysis.answer import Answer
from policies.analysis.built_in import Spoken, caps_by_currency, locked, risky, tools, uncapped
from policies.analysis.diagram import Function, Operation
from policies.analysis.people import ByAmount, asked_by_amount, asked_by_rules, more_senior
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
    diagrams, approvals = space.diagrams, policy.approvals
    money, hands = kinds(space, *MOVES_MONEY), kinds(space, *HUMAN_ONLY)
    found = diagrams.combine(Operation(_on_rung), verdict, rung)
    found = diagrams.choose(money, found, diagrams.each(found, _without_hold))
    found = diagrams.combine(Operation(partial(_with_group, approvals)), found, asked_by_rules(policy, space, spoken))
    found = diagrams.combine(Operation(partial(_with_amount, approvals)), found, asked_by_amount(policy, space))
    limits = diagrams.constant(None)
    for currency, cells in caps_by_currency(policy, space):
        limits = diagrams.choose(cells, diagrams.constant(tables_of(policy).caps_in(currency)), limits)
    limits = diagrams.choose(money, limits, diagrams.constant(None))
    found = diagrams.combine(Operation(_with_limits, neutral_right=(None,)), found, limits)
    return diagrams.choose(hands, diagrams.each(found, _for_hands), found)


def _on_rung(verdict: Hashable, rung: Hashable) -> Answer:
    assert isinstance(verdict, Verdict)
    assert isinstance(rung, Rung)
    plain = Answer(verdict, rung.mode)
    if plain.acts:
        return replace(plain, hold_s=rung.hold_s)
    return plain if verdict is Verdict.DENY else replace(plain, approvers=rung.approvers)


def _without_hold(answer: Hashable) -> Answer:
    assert isinstance(answer, Answer)
    return replace(answer, hold_s=0)


def _waits(answer: Answer) -> bool:
    return not answer.acts and answer.verdict is not Verdict.DENY


def _with_group(approvals: Approvals, answer: Hashable, group: Hashable) -> Answer:
    assert isinstance(answer, Answer)
    assert isinstance(group, tuple)
    return replace(answer, approvers=more_senior(approvals, answer.approvers, group)) if _waits(answer) else answer


def _with_amount(approvals: Approvals, answer: Hashable, amount: Hashable) -> Answer:
    assert isinstance(answer, Answer)
    assert isinstance(amount, ByAmount)
    if _waits(answer):
        group = more_senior(approvals, answer.approvers, amount.roles) or approvals.roles[:1]
        return replace(answer, approvers=group, four_eyes=amount.four_eyes)
    return answer if answer.acts else replace(answer, four_eyes=amount.four_eyes)


def _with_limits(answer: Hashable, caps: Hashable) -> Answer:
    assert isinstance(answer, Answer)
    assert isinstance(caps, Caps)
    return replace(answer, limits=caps.always + caps.automatic if answer.acts else caps.always)


def _for_hands(answer: Hashable) -> Answer:
    assert isinstance(answer, Answer)
    return replace(answer, approvers=())
