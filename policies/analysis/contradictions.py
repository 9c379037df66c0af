"""Rules that say different things about the same cases, without one being an exception to the other.

Two rules contradict each other where one allows and the other does not, neither is a never-rule, both ask about the
same facts, some case fulfils both, and the restricting one does not merely take a part out of what the other allows. A
rule with a further fact is an exception and no contradiction: deny beats needs_approval beats allow is how exceptions
are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.analysis.diagram import Function
from policies.analysis.shadows import Reach, facts_of
from policies.analysis.space import Space
from policies.document import Policy, Rule
from policies.vocabulary import Verdict


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A rule that allows, one that does not, and the cases of both."""

    allowing: Rule
    restricting: Rule
    cells: Function


def contradictions(policy: Policy, space: Space, reach: Mapping[str, Reach]) -> Iterator[Contradiction]:
    """Every pair of them."""
    diagrams = space.diagrams
    restricting: dict[frozenset[str], list[Rule]] = {}
    for rule in policy.rules:
        if rule.effect is not Verdict.ALLOW and not rule.never:
            restricting.setdefault(facts_of(rule), []).append(rule)
    for rule in policy.rules:
        if rule.effect is Verdict.ALLOW:
            allowed = reach[rule.rule_id].holds
            for other in restricting.get(facts_of(rule), ()):
                shared = diagrams.both(allowed, reach[other.rule_id].holds)
                is_exception = shared == reach[other.rule_id].holds and shared != allowed
                if shared != diagrams.never and not is_exception:
                    yield Contradiction(rule, other, shared)
