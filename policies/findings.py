"""What is probably not meant in a policy file that can be read: remarks for its author, each about one named part.

Here is plain inspection of the file, what no case needs to be tried for; `policies.analysis.check` adds what is proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from policies.analysis.examples import Example
from policies.document import Policy, Tier
from policies.locked import MOVES_MONEY
from policies.tables import RANK
from policies.vocabulary import Mode, Verdict


class FindingKind(StrEnum):
    """What a remark is about."""

    BROKEN_PROMISE = "broken_promise"
    LOOSENS_WITH_AMOUNT = "loosens_with_amount"
    CONTRADICTION = "contradiction"
    DEAD_RULE = "dead_rule"
    SHADOWED_RULE = "shadowed_rule"
    GAP = "gap"
    UNANSWERED = "unanswered"
    UNREACHABLE_THRESHOLD = "unreachable_threshold"
    UNUSED_TIER = "unused_tier"
    UNREACHED_LINE = "unreached_line"
    BOUND_HIT = "bound_hit"
    RULESET_MISSING = "ruleset_missing"
    CURRENCY_WITHOUT_LIMIT = "currency_without_limit"
    NOTHING_ALLOWED = "nothing_allowed"
    DRAFTS_ONLY = "drafts_only"
    UNLIMITED_AUTOMATION = "unlimited_automation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark: its kind, the part of the policy it is about, and a sentence with what to do.

    `rules` and `tiers` are the parts by which a file can be searched for it; `example` is a case that shows it.
    """

    kind: FindingKind
    about: str
    message: str
    rules: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    example: Example | None = None

    @property
    def is_note(self) -> bool:
        """Whether it is worth knowing and no fault: a person decides what no rule answers."""
        return self.kind is FindingKind.UNANSWERED


def findings(policy: Policy) -> tuple[Finding, ...]:
    """All remarks for which no case needs to be tried, sorted by kind and part."""
    found = [*_about_tiers(policy), *_about_rulesets(policy), *_about_limits(policy), *_about_the_whole(policy)]
    return tuple(sorted(found, key=lambda finding: (finding.kind, finding.about)))


def _acting_tiers(policy: Policy) -> list[Tier]:
    used = {cell.tier for cell in policy.autonomy.matrix if cell.action is None or cell.action in MOVES_MONEY}
    return [tier for tier in policy.autonomy.tiers if RANK[tier.mode] > RANK[Mode.APPROVE] and tier.name in used]


def _about_tiers(policy: Policy) -> Iterator[Finding]:
    for tier in _acting_tiers(policy):
        if tier.at_most is None:
            message = "money moves without a person and without a bound: add `at_most:`"
            yield Finding(FindingKind.UNLIMITED_AUTOMATION, tier.name, message, tiers=(tier.name,))


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


def _about_the_whole(policy: Policy) -> Iterator[Finding]:
    if policy.tools.allow is None and not any(rule.effect is Verdict.ALLOW for rule in policy.rules):
        message = "no rule allows anything, so a person decides everything: add a rule with `effect: allow`"
        yield Finding(FindingKind.NOTHING_ALLOWED, policy.policy_id, message)
    if not any(RANK[policy.tiers[cell.tier].mode] > RANK[Mode.DRAFT] for cell in policy.autonomy.matrix):
        message = f"no cell goes beyond {policy.autonomy.default.value!r}: add `autonomy:` to let the agent act"
        yield Finding(FindingKind.DRAFTS_ONLY, policy.policy_id, message)
