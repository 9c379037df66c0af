"""What is probably not meant in a policy file that can be read: remarks for its author, each about one named part.

Plain inspection of the file, not a proof: it says what no case needs to be tried for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from policies.conditions import All, Among, Any, Condition, MoneyWithin, Not, Positive
from policies.document import Policy, Rule, Tier
from policies.locked import MOVES_MONEY
from policies.tables import RANK
from policies.vocabulary import Mode, Verdict


class FindingKind(StrEnum):
    """What a remark is about."""

    UNUSED_TIER = "unused_tier"
    RULESET_MISSING = "ruleset_missing"
    CURRENCY_WITHOUT_LIMIT = "currency_without_limit"
    LOOSENS_WITH_AMOUNT = "loosens_with_amount"
    CONTRADICTORY_RULE = "contradictory_rule"
    NOTHING_ALLOWED = "nothing_allowed"
    DRAFTS_ONLY = "drafts_only"
    UNLIMITED_AUTOMATION = "unlimited_automation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark: its kind, the part of the policy it is about, and a sentence with what to do."""

    kind: FindingKind
    about: str
    message: str


def findings(policy: Policy) -> tuple[Finding, ...]:
    """All remarks, sorted by kind and part."""
    found = [
        *_about_tiers(policy),
        *_about_rulesets(policy),
        *_about_limits(policy),
        *(finding for rule in policy.rules for finding in _about_rule(rule)),
        *_about_the_whole(policy),
    ]
    return tuple(sorted(found, key=lambda finding: (finding.kind, finding.about)))


def _acting_tiers(policy: Policy) -> list[Tier]:
    used = {cell.tier for cell in policy.autonomy.matrix if cell.action is None or cell.action in MOVES_MONEY}
    return [tier for tier in policy.autonomy.tiers if RANK[tier.mode] > RANK[Mode.APPROVE] and tier.name in used]


def _about_tiers(policy: Policy) -> Iterator[Finding]:
    """A tier is in use where a cell names it, or below such a cell as what a larger amount falls to."""
    tiers = policy.tiers
    ceilings = [tiers[cell.tier] for cell in policy.autonomy.matrix]
    highest = max((RANK[tier.mode] for tier in ceilings), default=-1)
    named = {tier.name for tier in ceilings}
    for tier in policy.autonomy.tiers:
        if tier.name not in named and RANK[tier.mode] >= highest:
            message = "no cell of the matrix reaches this tier: name it in a cell or remove it"
            yield Finding(FindingKind.UNUSED_TIER, tier.name, message)
    for tier in _acting_tiers(policy):
        if tier.at_most is None:
            message = "money moves without a person and without a bound: add `at_most:`"
            yield Finding(FindingKind.UNLIMITED_AUTOMATION, tier.name, message)


def _about_rulesets(policy: Policy) -> Iterator[Finding]:
    for check in policy.verification:
        if not check.resolved:
            message = "the ruleset was not found, so nothing is allowed by it: put the file beside this one"
            yield Finding(FindingKind.RULESET_MISSING, check.target, message)


def _about_limits(policy: Policy) -> Iterator[Finding]:
    currencies = {currency for tier in _acting_tiers(policy) for currency in tier.at_most or ()}
    for limit in policy.limits:
        silent = sorted(currencies - set(limit.amounts)) if limit.amounts is not None else []
        if silent:
            message = f"states no amount in {', '.join(silent)}: such refunds always wait for a person"
            yield Finding(FindingKind.CURRENCY_WITHOUT_LIMIT, limit.limit_id, message)


def _about_rule(rule: Rule) -> Iterator[Finding]:
    restricts = rule.effect is not Verdict.ALLOW
    if _bounded_by_amount(rule.condition, low=not restricts):
        message = (
            "stops restricting above an amount, so that a larger refund may be judged more mildly: drop its upper bound"
            if restricts
            else "allows from an amount on only, so that a larger refund may be judged more mildly: drop it"
        )
        yield Finding(FindingKind.LOOSENS_WITH_AMOUNT, rule.rule_id, message)
    if _never_true(rule.condition):
        message = "two of its conditions exclude each other, so it never holds: correct one of them"
        yield Finding(FindingKind.CONTRADICTORY_RULE, rule.rule_id, message)


def _bounded_by_amount(condition: Condition, *, low: bool) -> bool:
    """Whether the condition can turn true (`low`) or false as the amount of the action grows."""
    if isinstance(condition, All | Any):
        return any(_bounded_by_amount(part, low=low) for part in condition.parts)
    if isinstance(condition, Not):
        return _bounded_by_amount(condition.part, low=not low)
    if isinstance(condition, Positive):
        # Nothing smaller than zero is ever decided, so `above: 0` is no lower bound worth a remark.
        return condition.fact.name == "action.amount_minor" and not low and not condition.positive
    if not isinstance(condition, MoneyWithin) or condition.fact.name != "action.amount_minor":
        return False
    return any((each.low if low else each.high) is not None for each in condition.intervals.values())


def _never_true(condition: Condition) -> bool:
    """Whether the top level asks for two words at once of one fact."""
    parts = condition.parts if isinstance(condition, All) else (condition,)
    allowed: dict[str, frozenset[object]] = {}
    for part in parts:
        if isinstance(part, All) and _never_true(part):
            return True
        if isinstance(part, Among) and not part.negated:
            words = frozenset[object](part.values)
            allowed[part.fact.name] = allowed.get(part.fact.name, words) & words
    return any(not words for words in allowed.values())


def _about_the_whole(policy: Policy) -> Iterator[Finding]:
    if policy.tools.allow is None and not any(rule.effect is Verdict.ALLOW for rule in policy.rules):
        message = "no rule allows anything, so a person decides everything: add a rule with `effect: allow`"
        yield Finding(FindingKind.NOTHING_ALLOWED, policy.policy_id, message)
    if not any(RANK[policy.tiers[cell.tier].mode] > RANK[Mode.DRAFT] for cell in policy.autonomy.matrix):
        message = f"no cell goes beyond {policy.autonomy.default.value!r}: add `autonomy:` to let the agent act"
        yield Finding(FindingKind.DRAFTS_ONLY, policy.policy_id, message)
