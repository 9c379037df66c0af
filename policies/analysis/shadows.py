"""Which rules ever decide: where each one is the rule that a decision names, and what stands before it where it is not.

The order is the evaluator's: deny before needs_approval before allow, then rules of the file before what is built in,
then the higher priority, then the id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from policies.analysis.answers import Answers
from policies.analysis.diagram import Function
from policies.analysis.space import Space
from policies.conditions import leaves
from policies.document import Policy, Rule
from policies.vocabulary import Verdict

STRICTEST_FIRST = (Verdict.DENY, Verdict.NEEDS_APPROVAL, Verdict.ALLOW)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a rule holds for certain among all cases that can occur, and where it is the one that decides."""

    holds: Function
    decides: Function


def reaches(policy: Policy, space: Space, answers: Answers) -> Mapping[str, Reach]:
    """The reach of every rule, by its id."""
    diagrams = space.diagrams
    found: dict[str, Reach] = {}
    stronger = diagrams.never
    for effect in STRICTEST_FIRST:
        before = stronger
        for rule in by_rank(policy, effect):
            holds = diagrams.both(answers.speech[rule.rule_id].certain, space.possible)
            found[rule.rule_id] = Reach(holds, diagrams.without(holds, before))
            before = diagrams.either([before, answers.speech[rule.rule_id].certain])
        stronger = {Verdict.DENY: answers.denied}.get(effect, diagrams.either([answers.denied, answers.asked]))
    return found


def by_rank(policy: Policy, effect: Verdict) -> list[Rule]:
    """The rules with this effect, the one that would be named first in front."""
    return sorted(
        (rule for rule in policy.rules if rule.effect is effect), key=lambda rule: (-rule.priority, rule.rule_id)
    )


def standing_before(policy: Policy, rule: Rule) -> Iterator[Rule]:
    """The rules that are named before this one wherever both hold."""
    in_order = (other for effect in STRICTEST_FIRST for other in by_rank(policy, effect))
    return takewhile(lambda other: other.rule_id != rule.rule_id, in_order)


def wider_twin(policy: Policy, space: Space, reach: Mapping[str, Reach], rule: Rule) -> Rule | None:
    """A rule that says exactly the same in every case of this one and in more; of two equal ones the first stays."""
    diagrams, facts = space.diagrams, facts_of(rule)
    for other in by_rank(policy, rule.effect):
        if other.rule_id != rule.rule_id and _voice(other) == _voice(rule) and facts_of(other) <= facts:
            mine, its = reach[rule.rule_id].holds, reach[other.rule_id].holds
            if diagrams.lies_in(mine, its) and (mine != its or other.rule_id < rule.rule_id):
                return other
    return None


def _voice(rule: Rule) -> tuple[object, ...]:
    """All that a rule adds to a decision beside its reason."""
    return (rule.effect, rule.priority, rule.section, rule.cause, rule.approvers, rule.never, rule.skip_unknown)


def facts_of(rule: Rule) -> frozenset[str]:
    """The facts that a rule asks about."""
    return frozenset(leaf.fact.name for leaf in leaves(rule.condition))


def covering(
    policy: Policy, space: Space, answers: Answers, rule: Rule, holds: Function
) -> tuple[tuple[Rule, ...], Function]:
    """The first rules that together stand before this one, and where none of the file does: something built in.

    One rule that covers all of it is named alone.
    """
    diagrams = space.diagrams
    meeting = [
        (other, answers.speech[other.rule_id].certain)
        for other in standing_before(policy, rule)
        if diagrams.meet(answers.speech[other.rule_id].certain, holds)
    ]
    for other, speaks in meeting:
        if diagrams.lies_in(holds, speaks):
            return (other,), diagrams.never
    named: list[Rule] = []
    for other, speaks in meeting:
        if diagrams.meet(holds, speaks):
            named.append(other)
            holds = diagrams.without(holds, speaks)
    return tuple(named), holds
