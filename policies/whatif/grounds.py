"""What can decide a row: the columnar twin of a `RuleMatch`, without the words that belong to one case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.document import Rule
from policies.vocabulary import Reason, Verdict

_SEVERITY = {Verdict.DENY: 0, Verdict.NEEDS_APPROVAL: 1, Verdict.ALLOW: 2}


@dataclass(frozen=True, slots=True)
class Ground:
    """A rule that can have a say, certain or not."""

    rule: str
    section: str | None
    effect: Verdict
    cause: Reason | None
    is_certain: bool = True


NO_MATCH = Ground("no-match", None, Verdict.NEEDS_APPROVAL, Reason.NEEDS_APPROVAL)
"""Where no rule of the policy allows, and none asks or forbids."""


def unsure(ground: Ground) -> Ground:
    """The ground where the facts do not tell whether it holds: a person looks."""
    return Ground(ground.rule, ground.section, Verdict.NEEDS_APPROVAL, Reason.MISSING_DATA, is_certain=False)


def rank(ground: Ground, rules: Mapping[str, Rule]) -> tuple[int, bool, bool, int, str]:
    """Grounds sort by this: the one that decides first, as `policies.evaluate` names it."""
    rule = rules.get(ground.rule)
    priority = 0 if rule is None else rule.priority
    return (_SEVERITY[ground.effect], not ground.is_certain, rule is None, -priority, ground.rule)
