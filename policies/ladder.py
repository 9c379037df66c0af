"""Which tier applies to a case: the matrix names a ceiling, amount, confidence and state of the run may lower it.

The tier that applies is the least restrictive one, not above the ceiling, that covers the amount and whose bar of
confidence is met. Where none does, it is draft. Every lowering is a match of its own, so that a decision can name it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from policies.conditions import Values
from policies.decision import RuleMatch, Threshold
from policies.document import Amounts, Policy, Tier
from policies.explain import amount_text
from policies.facts import FactValue
from policies.locked import HUMAN_ONLY, MOVES_MONEY
from policies.tables import DRAFT, MODES, RANK, Case, Tables
from policies.vocabulary import Mode, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Rung:
    """The tier that applies, its mode after every cap, and the matches that lowered it."""

    tier: Tier
    mode: Mode
    lowered: tuple[RuleMatch, ...]


def rung_for(policy: Policy, tables: Tables, case: Case, values: Values, day: date) -> Rung:
    """The rung of autonomy for this case on this day."""
    kind = _word(values, "action.kind")
    moves_money = kind is None or kind in MOVES_MONEY
    ceiling = case.ceiling(_word(values, "requester.segment"), _word(values, "request.brand"), day) or tables.default
    lowered: list[RuleMatch] = []
    tier = _covering(tables, ceiling, values, day, moves_money=moves_money)
    if tier is not ceiling:
        lowered.append(_why_lower(ceiling, values, day, moves_money=moves_money))
    cap = tier.mode
    if values.get("run.draft_only") is True:
        cap = _lower(cap, Mode.DRAFT)
        reason = "a connector that the action needs is draft-only now"
        lowered.append(RuleMatch("run.draft-only", None, Verdict.NEEDS_APPROVAL, reason, cause=Reason.TOOL_ERROR))
    language = _word(values, "request.language")
    if policy.languages and language not in {None, "und", *policy.languages}:
        cap = _lower(cap, Mode.DRAFT)
        reason = f"language {language!r} is not released: a person reads the draft"
        lowered.append(
            RuleMatch("run.language", None, Verdict.NEEDS_APPROVAL, reason, cause=Reason.UNSUPPORTED_LANGUAGE),
        )
    if kind is None or kind in HUMAN_ONLY:
        cap = _lower(cap, Mode.DRAFT)
    return Rung(tier, cap, tuple(lowered))


def _covering(tables: Tables, ceiling: Tier, values: Values, day: date, *, moves_money: bool) -> Tier:
    if _fits(ceiling, values, day, moves_money=moves_money):
        return ceiling
    for tier in tables.ladder:
        if RANK[tier.mode] < RANK[ceiling.mode] and _fits(tier, values, day, moves_money=moves_money):
            return tier
    return DRAFT if RANK[ceiling.mode] > RANK[Mode.DRAFT] else Tier("default", ceiling.mode)


def _fits(tier: Tier, values: Values, day: date, *, moves_money: bool) -> bool:
    return _confident(tier, values) and (not moves_money or _covers(tier.amounts_on(day), values))


def _confident(tier: Tier, values: Values) -> bool:
    confidence = values.get("request.confidence_percent")
    return tier.min_confidence_percent == 0 or (
        isinstance(confidence, int) and confidence >= tier.min_confidence_percent
    )


def _covers(amounts: Amounts | None, values: Values) -> bool:
    if amounts is None:
        return True
    amount, currency = values.get("action.amount_minor"), values.get("action.currency")
    if not isinstance(amount, int) or not isinstance(currency, str) or currency not in amounts:
        return False
    return amount <= amounts[currency]


def _why_lower(ceiling: Tier, values: Values, day: date, *, moves_money: bool) -> RuleMatch:
    """The bound of the ceiling that the case does not meet: its amount before its confidence."""
    amounts = ceiling.amounts_on(day)
    if moves_money and not _covers(amounts, values):
        return _above_amount(ceiling, amounts or {}, values)
    seen = values.get("request.confidence_percent")
    said = "unknown" if seen is None else f"{seen} %"
    reason = f"confidence is {said}, tier {ceiling.name!r} asks for {ceiling.min_confidence_percent} %"
    return RuleMatch(
        f"autonomy.{ceiling.name}.confidence",
        None,
        Verdict.NEEDS_APPROVAL,
        reason,
        certain=seen is not None,
        cause=Reason.LOW_CONFIDENCE,
        threshold=_confidence(seen, ceiling.min_confidence_percent),
    )


def _confidence(seen: FactValue | None, bar: int) -> Threshold | None:
    if not isinstance(seen, int):
        return None
    return Threshold("request.confidence_percent", seen, "at_least", bar, "percent")


def _above_amount(ceiling: Tier, amounts: Amounts, values: Values) -> RuleMatch:
    amount, currency = values.get("action.amount_minor"), _word(values, "action.currency")
    rule, margin, threshold = f"autonomy.{ceiling.name}", None, None
    if not isinstance(amount, int) or currency is None:
        reason = f"the amount is unknown, so tier {ceiling.name!r} cannot cover it"
    elif currency not in amounts:
        reason = f"tier {ceiling.name!r} states no amount in {currency}"
    else:
        bound = amounts[currency]
        threshold = Threshold("action.amount", amount, "at_most", bound, "minor", currency)
        reason = (
            f"{amount_text(amount, currency)} is more than the {amount_text(bound, currency)} of tier {ceiling.name!r}"
        )
        margin = f"{amount_text(amount - bound, currency)} above the bound of {amount_text(bound, currency)}"
    return RuleMatch(
        rule,
        ceiling.section,
        Verdict.NEEDS_APPROVAL,
        reason,
        certain=threshold is not None,
        margin=margin,
        cause=Reason.NEEDS_APPROVAL,
        threshold=threshold,
    )


def _lower(mode: Mode, cap: Mode) -> Mode:
    return MODES[min(RANK[mode], RANK[cap])]


def _word(values: Values, name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None
