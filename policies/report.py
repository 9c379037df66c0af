"""Decisions and explanations for people and programs: the JSON of the command line and the words of an agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from policies.canonical import Plain
from policies.decision import Decision, RuleMatch
from policies.document import Policy
from policies.errors import Problem
from policies.explain import leaf_truths, sentence
from policies.facts import CATALOGUE, Fact, Facts
from policies.tables import may_hold, tables_of
from policies.vocabulary import Verdict


def decision_form(decision: Decision) -> dict[str, Plain]:
    """The decision as JSON values."""
    return {
        "verdict": decision.verdict.value,
        "mode": decision.mode.value,
        "rule": decision.rule,
        "section": decision.section,
        "approvers": list(decision.approvers),
        "reasons": [_match_form(match) for match in decision.reasons],
        "acts_alone": decision.acts_alone is Verdict.ALLOW,
        "cause": None if decision.cause is None else decision.cause.value,
        "four_eyes": decision.four_eyes,
        "hold_s": decision.hold_s,
        "risk_score": decision.risk_score,
        "risk_contributions": [{"factor": factor, "points": points} for factor, points in decision.risk_contributions],
        "limits": [
            {
                "id": limit.limit_id,
                "scope": limit.scope.value,
                "window_s": limit.window_s,
                "cap_minor": limit.cap_minor,
                "cap_count": limit.cap_count,
            }
            for limit in decision.limits
        ],
        "policy": decision.policy_id,
        "policy_hash": decision.policy_hash,
        "input_hash": decision.input_hash,
    }


def _match_form(match: RuleMatch) -> dict[str, Plain]:
    return {
        "rule": match.rule,
        "section": match.section,
        "effect": match.effect.value,
        "reason": match.reason,
        "certain": match.certain,
        "margin": match.margin,
        "threshold": None if match.threshold is None else {**match.threshold.form()},
        "cause": None if match.cause is None else match.cause.value,
    }


def problem_form(problem: Problem) -> dict[str, Plain]:
    """A problem of a file as JSON values."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "value": problem.value,
        "nearest": problem.nearest,
        "hint": problem.hint,
    }


def fact_form(fact: Fact) -> dict[str, Plain]:
    """A declaration of the catalogue as JSON values."""
    return {
        "name": fact.name,
        "type": fact.type.value,
        "unit": fact.unit,
        "source": fact.source.value,
        "values": list(fact.values),
        "description": fact.description,
    }


def catalogue_form() -> list[Plain]:
    """Every fact that a decision may know."""
    return [fact_form(fact) for fact in CATALOGUE.values()]


def decision_text(decision: Decision) -> str:
    """The decision for a reader: what, under which section, why, and who must say yes."""
    under = f" under {decision.section}" if decision.section is not None else ""
    lines = [f"{decision.verdict.value}{under} (rule {decision.rule}), mode {decision.mode.value}"]
    if decision.approvers:
        people = " or ".join(decision.approvers)
        lines.append(f"  waits for: {people}{', two people' if decision.four_eyes else ''}")
    if decision.hold_s:
        lines.append(f"  waits {decision.hold_s} s before money moves")
    for match in decision.reasons:
        section = f" [{match.section}]" if match.section is not None else ""
        lines.append(f"  {match.effect.value}: {match.rule}{section}: {match.reason}")
        if match.margin is not None:
            lines.append(f"    {match.margin}")
    if decision.risk_contributions:
        parts = ", ".join(f"{factor} {points:+d}" for factor, points in decision.risk_contributions)
        lines.append(f"  risk {decision.risk_score}: {parts}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """A rule that could speak about the case, with each of its comparisons: in words, the answer, the value seen."""

    rule: str
    section: str | None
    effect: Verdict
    holds: bool | None
    comparisons: tuple[tuple[str, bool | None, str], ...]


def trace(policy: Policy, facts: Facts, only: Collection[str] | None = None) -> tuple[RuleTrace, ...]:
    """Every rule that may speak about this action and intent, whether it holds, and what it compared.

    `only` leaves out all rules but those of these ids.
    """
    values = facts.by_name
    known = {name: values[name] for name in ("action.kind", "request.intent") if name in values}
    return tuple(
        RuleTrace(
            ready.rule.rule_id,
            ready.rule.section,
            ready.rule.effect,
            ready.test(values),
            leaf_truths(ready.rule.condition, values),
        )
        for ready in tables_of(policy).ready_rules
        if (only is None or ready.rule.rule_id in only) and may_hold(ready.rule.condition, known)
    )


_ANSWERS = {True: "yes", False: "no", None: "unknown"}


def trace_text(traces: tuple[RuleTrace, ...]) -> str:
    """The trace for a reader, rules that hold first."""
    lines: list[str] = []
    for entry in sorted(traces, key=lambda entry: (entry.holds is not True, entry.holds is False, entry.rule)):
        section = f" [{entry.section}]" if entry.section is not None else ""
        lines.append(f"{_ANSWERS[entry.holds]:>7}  {entry.effect.value}: {entry.rule}{section}")
        lines += [f"           {_ANSWERS[truth]:>7}  {words} (is {seen})" for words, truth, seen in entry.comparisons]
    return "\n".join(lines)


def trace_form(traces: tuple[RuleTrace, ...]) -> list[Plain]:
    """The trace as JSON values; an unknown answer is null."""
    return [
        {
            "rule": entry.rule,
            "section": entry.section,
            "effect": entry.effect.value,
            "holds": entry.holds,
            "comparisons": [
                {"condition": words, "holds": truth, "seen": seen} for words, truth, seen in entry.comparisons
            ],
        }
        for entry in traces
    ]


def policy_text(policy: Policy) -> str:
    """The whole policy in sentences: tiers, matrix and rules."""
    lines = [f"{policy.title} ({policy.policy_id}, {policy.content_hash[:12]})", "", "Rules"]
    for rule in sorted(policy.rules, key=lambda rule: (rule.section or "", rule.rule_id)):
        section = f" [{rule.section}]" if rule.section is not None else ""
        lines += [
            f"  {rule.effect.value}: {rule.rule_id}{section}: {rule.reason}",
            f"    when {sentence(rule.condition)}",
        ]
    lines += ["", "Autonomy"]
    for cell in policy.autonomy.matrix:
        parts = (cell.intent, cell.segment, cell.action, cell.brand)
        lines.append(f"  {' x '.join('*' if part is None else str(part) for part in parts)}: {cell.tier}")
    lines.append(f"  anything else: {policy.autonomy.default.value}")
    return "\n".join(lines)
