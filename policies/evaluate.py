"""`decide`: what a policy answers for one action. Total, pure, independent of the order of rules.

Deny beats needs_approval beats allow. Where nothing matches, a person decides. An allow rule must hold for certain; a
rule that restricts and whose condition is unknown calls for a person. Whatever cannot be evaluated is denied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from policies.conditions import Values
from policies.decision import Decision, RuleMatch, Threshold
from policies.document import Policy, Rule
from policies.errors import DecisionError, MoneyError
from policies.explain import margin, unknown_facts
from policies.facts import Facts
from policies.ladder import Rung, rung_for
from policies.locked import HUMAN_ONLY, MOVES_MONEY, locked_matches
from policies.money import Money
from policies.tables import Caps, Case, ReadyRule, Tables, case_of, tables_of
from policies.tools import TOOL_OF_ACTION, ToolAnswer
from policies.vocabulary import ActionKind, Mode, Reason, Verdict

_SEVERITY = {Verdict.DENY: 0, Verdict.NEEDS_APPROVAL: 1, Verdict.ALLOW: 2}
_NO_MATCH = RuleMatch(
    "no-match",
    None,
    Verdict.NEEDS_APPROVAL,
    "no rule of the policy allows this",
    cause=Reason.NEEDS_APPROVAL,
)
_NO_CAPS = Caps((), (), ())
_ACTS = frozenset({Mode.EXECUTE_WITH_REVIEW, Mode.EXECUTE_WITH_AUDIT, Mode.AUTO, Mode.POLICY_AUTONOMY})


def decide(policy: Policy, facts: Facts, *, now: datetime) -> Decision:
    """The verdict, the mode and their grounds for the action that the facts describe.

    Args:
        policy: a parsed policy.
        facts: `action.*` and `request.*` say what is under decision, the rest what is known. A missing one is unknown.
        now: business time, with its zone; only its day in UTC counts, for rules and amounts with dates.

    Returns:
        A decision, in every case: an evaluation error is a denial that names it.
    """
    try:
        return _decide(policy, facts, now)
    except (DecisionError, MoneyError) as error:
        denial = RuleMatch("evaluation-error", None, Verdict.DENY, str(error), cause=Reason.MISSING_DATA)
        return Decision(
            verdict=Verdict.DENY,
            mode=Mode.DRAFT,
            rule=denial.rule,
            section=None,
            reasons=(denial,),
            approvers=(),
            hold_s=0,
            policy_id=policy.policy_id,
            policy_hash=policy.content_hash,
            input_hash=facts.digest,
            cause=denial.cause,
        )


def _decide(policy: Policy, facts: Facts, now: datetime) -> Decision:
    if now.tzinfo is None:
        raise DecisionError(f"time {now.isoformat()!r} has no zone: pass an aware time")
    day = now.astimezone(UTC).date()
    values = facts.by_name
    tables = tables_of(policy)
    kind = values.get("action.kind")
    case = case_of(policy, tables, values)
    matches = [*_rule_matches(case, values, day), *locked_matches(kind, values)]
    if not policy.tools.silent:
        matches += _tool_matches(policy, tables, values)
    score, contributions = _risk(case, values)
    matches += _risk_match(policy, score)
    rung = rung_for(policy, tables, case, values, day)
    matches += rung.lowered
    caps = tables.caps_in(_word(values, "action.currency")) if kind in MOVES_MONEY else _NO_CAPS
    if rung.mode in _ACTS:
        matches += [_uncapped(limit_id, values) for limit_id in caps.silent]
    verdict = _verdict(matches)
    reasons = _ordered(matches, verdict, tables.rules)
    acts = verdict is Verdict.ALLOW and rung.mode in _ACTS
    return Decision(
        verdict=verdict,
        mode=rung.mode,
        rule=reasons[0].rule,
        section=reasons[0].section,
        reasons=reasons,
        approvers=() if acts or verdict is Verdict.DENY else _approvers(policy, tables, reasons, rung, values),
        hold_s=rung.tier.hold_s if acts and kind in MOVES_MONEY else 0,
        policy_id=policy.policy_id,
        policy_hash=policy.content_hash,
        input_hash=facts.digest,
        limits=caps.always + caps.automatic if acts else caps.always,
        risk_score=score,
        risk_contributions=contributions,
        cause=reasons[0].cause,
        four_eyes=not acts and _four_eyes(policy, values),
        tier=rung.tier.name,
    )


def _rule_matches(case: Case, values: Values, day: date) -> list[RuleMatch]:
    matches: list[RuleMatch] = []
    for ready in case.rules:
        truth = ready.test(values)
        if truth is False or (truth is None and not ready.asks):
            continue
        if ready.always_valid or ready.rule.window.covers(day):
            matches.append(_match(ready, values, certain=truth is True))
    return matches


def _match(ready: ReadyRule, values: Values, *, certain: bool) -> RuleMatch:
    rule = ready.rule
    if certain:
        gap = margin(ready.bounded, values) if ready.bounded else None
        if gap is None:
            return ready.match
        words, threshold = gap
        return RuleMatch(
            rule.rule_id,
            rule.section,
            rule.effect,
            rule.reason,
            margin=words,
            cause=rule.cause,
            threshold=threshold,
        )
    unknown = ", ".join(unknown_facts(rule.condition, values))
    return RuleMatch(
        rule.rule_id,
        rule.section,
        Verdict.NEEDS_APPROVAL,
        f"cannot be ruled out: {rule.reason} (unknown: {unknown})",
        certain=False,
        cause=Reason.MISSING_DATA,
    )


def _tool_matches(policy: Policy, tables: Tables, values: Values) -> Iterator[RuleMatch]:
    tool = TOOL_OF_ACTION.get(ActionKind(str(values["action.kind"]))) if "action.kind" in values else None
    if tool is None:
        return
    amount, currency = values.get("action.amount_minor"), values.get("action.currency")
    money = Money(amount, currency) if isinstance(amount, int) and isinstance(currency, str) else None
    answer = policy.tools.answer(tool, money)
    if answer is not None and (answer.verdict is not Verdict.ALLOW or tables.grants_by_tools):
        yield _tool_match(answer)


def _tool_match(answer: ToolAnswer) -> RuleMatch:
    said = {
        Verdict.ALLOW: "the list of tools allows it",
        Verdict.NEEDS_APPROVAL: "the list of tools asks for approval",
        Verdict.DENY: "the list of tools forbids it",
    }[answer.verdict]
    reason = said if answer.certain else f"{said}, or may: the amounts cannot be compared"
    cause = {Verdict.ALLOW: None, Verdict.DENY: Reason.POLICY_DENIED}.get(answer.verdict, Reason.NEEDS_APPROVAL)
    return RuleMatch(answer.entry, None, answer.verdict, reason, certain=answer.certain, cause=cause)


def _risk(case: Case, values: Values) -> tuple[int, tuple[tuple[str, int], ...]]:
    """The score and what made it. What is unknown adds its points, and never takes any off."""
    contributions: list[tuple[str, int]] = []
    for ready in case.factors:
        truth = ready.test(values)
        if truth or (truth is None and ready.counts_unknown):
            contributions.append((ready.factor.factor_id, ready.factor.points))
    return sum(points for _, points in contributions), tuple(contributions)


def _risk_match(policy: Policy, score: int) -> Iterator[RuleMatch]:
    bar = policy.risk.approve_at
    if bar is not None and score >= bar:
        yield RuleMatch(
            "risk.score",
            None,
            Verdict.NEEDS_APPROVAL,
            f"the risk score is {score}, a person decides from {bar} on",
            margin=f"{score - bar} points above the bar of {bar}",
            cause=Reason.SUSPECTED_ABUSE,
            threshold=Threshold("risk_score", score, "at_least", bar, "points"),
        )


def _uncapped(limit_id: str, values: Values) -> RuleMatch:
    """A cap that states no amount in the action's currency is no cap, so nothing acts alone under it."""
    currency = _word(values, "action.currency") or "an unknown currency"
    reason = f"limit {limit_id!r} states no amount in {currency}"
    return RuleMatch(f"limits.{limit_id}", None, Verdict.NEEDS_APPROVAL, reason, cause=Reason.NEEDS_APPROVAL)


def _verdict(matches: list[RuleMatch]) -> Verdict:
    effects = {match.effect for match in matches}
    if Verdict.DENY in effects:
        return Verdict.DENY
    if Verdict.NEEDS_APPROVAL in effects or Verdict.ALLOW not in effects:
        return Verdict.NEEDS_APPROVAL
    return Verdict.ALLOW


def _ordered(matches: list[RuleMatch], verdict: Verdict, rules: Mapping[str, Rule]) -> tuple[RuleMatch, ...]:
    """The deciding match first. Certain before uncertain, rules of the file before built-in ones, then by priority."""
    if len(matches) == 1 and matches[0].effect is verdict:
        return (matches[0],)
    if all(match.effect is not verdict for match in matches):
        matches = [_NO_MATCH, *matches]

    def rank(match: RuleMatch) -> tuple[int, bool, bool, int, str]:
        rule = rules.get(match.rule)
        priority = 0 if rule is None else rule.priority
        return (_SEVERITY[match.effect], not match.certain, rule is None, -priority, match.rule)

    return tuple(sorted(matches, key=rank))


# who must say yes


def _approvers(
    policy: Policy,
    tables: Tables,
    reasons: tuple[RuleMatch, ...],
    rung: Rung,
    values: Values,
) -> tuple[str, ...]:
    """The most senior of the roles that a matched rule, the tier and the amount ask for."""
    if values.get("action.kind") in HUMAN_ONLY:
        return ()
    matched = [tables.rules.get(match.rule) for match in reasons if match.effect is Verdict.NEEDS_APPROVAL]
    asked = [rule.approvers for rule in matched if rule is not None and rule.approvers]
    asked += [rung.tier.approvers] if rung.tier.approvers else []
    asked += _amount_roles(policy, values)
    roles = policy.approvals.roles
    if not asked:
        return (roles[0],)
    return max(asked, key=lambda group: (min(roles.index(role) for role in group), group))


def _amount_roles(policy: Policy, values: Values) -> list[tuple[str, ...]]:
    """The roles of the first band that covers the amount; beyond every band, and for an unknown amount, of the last."""
    bands = policy.approvals.bands
    if not bands or values.get("action.kind") not in MOVES_MONEY:
        return []
    amount, currency = values.get("action.amount_minor"), values.get("action.currency")
    for band in bands:
        if band.at_most is None:
            return [band.roles]
        if isinstance(amount, int) and isinstance(currency, str) and amount <= band.at_most.get(currency, -1):
            return [band.roles]
    return [bands[-1].roles]


def _four_eyes(policy: Policy, values: Values) -> bool:
    amount, currency = values.get("action.amount_minor"), _word(values, "action.currency")
    if values.get("action.kind") not in MOVES_MONEY:
        return False
    if not isinstance(amount, int) or currency is None:
        return policy.approvals.four_eyes_above is not None
    return policy.approvals.needs_four_eyes(amount, currency)


def _word(values: Values, name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None
