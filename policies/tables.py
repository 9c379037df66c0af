"""A policy prepared for deciding: for each kind of case the rules, risk factors and cells that can matter.

A kind of case is an action, an intent and the values of the three facts that most rules ask about. It is prepared when
it first occurs and kept. The two caches here, keyed by the policy's content hash, are the only state of the package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Final

from policies.conditions import All, Among, Condition, Test, Values, admits, compile_test, settled
from policies.decision import Limit, RuleMatch
from policies.document import ALWAYS, Cell, LimitRule, Policy, RiskFactor, Rule, Tier
from policies.explain import Bounded, bounded_leaves
from policies.facts import FactType, FactValue
from policies.vocabulary import Mode, Verdict

MODES: Final = tuple(Mode)
RANK: Final[Mapping[Mode, int]] = {mode: rank for rank, mode in enumerate(Mode)}
"""Modes from the most to the least restrictive."""

MANY_VALUES: Final = 8
PIVOTS: Final = 3
_FEW_VALUES: Final = frozenset({FactType.BOOLEAN, FactType.ENUM, FactType.LABEL})

DRAFT: Final = Tier("default", Mode.DRAFT)


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """A rule with its condition as a function.

    `asks`: an answer of unknown calls for a person, as for every rule that restricts, unless its author says skip.
    `match` is what it says where it holds; with a threshold (`bounded`) the margin is still to be added.
    """

    rule: Rule
    test: Test
    asks: bool
    always_valid: bool
    bounded: tuple[Bounded, ...]
    match: RuleMatch


@dataclass(frozen=True, slots=True)
class ReadyFactor:
    """A risk factor with its condition as a function. `counts_unknown` adds its points where that answers unknown."""

    factor: RiskFactor
    test: Test
    counts_unknown: bool


@dataclass(frozen=True, slots=True)
class Case:
    """What can matter for one kind of case. Cells stand in the order in which the first that fits wins."""

    rules: tuple[ReadyRule, ...]
    factors: tuple[ReadyFactor, ...]
    cells: tuple[tuple[Cell, Tier], ...]

    def ceiling(self, segment: str | None, brand: str | None, day: date) -> Tier | None:
        """The tier of the most specific cell; of several equally specific ones the most restrictive."""
        for cell, tier in self.cells:
            if (
                (cell.segment is None or cell.segment == segment)
                and (cell.brand is None or cell.brand == brand)
                and (cell.window is ALWAYS or cell.window.covers(day))
            ):
                return tier
        return None


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits in one currency.

    Those that count everything, those that count what acted alone, and those that state no amount in it.
    """

    always: tuple[Limit, ...]
    automatic: tuple[Limit, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """All that `decide` looks up. `ladder` holds all tiers, the least restrictive first.

    `pivots` are the facts that tell one kind of case from another. `grants_by_tools`: the file has no rules, here or in
    a ruleset, so that its allow-list is what allows.
    """

    pivots: tuple[str, ...]

    ready_rules: tuple[ReadyRule, ...]
    ready_factors: tuple[ReadyFactor, ...]
    rules: Mapping[str, Rule]
    ladder: tuple[Tier, ...]
    default: Tier
    caps: Mapping[str | None, Caps]
    grants_by_tools: bool

    def caps_in(self, currency: str | None) -> Caps:
        """The limits in a currency; one that the file never mentions has the limits of the unknown currency."""
        return self.caps.get(currency) or self.caps[None]


@lru_cache(maxsize=64)
def tables_of(policy: Policy) -> Tables:
    """The tables of a policy."""
    rules = tuple(_ready(rule) for rule in sorted(policy.rules, key=lambda rule: rule.rule_id))
    factors = tuple(_ready_factor(factor) for factor in sorted(policy.risk.factors, key=lambda each: each.factor_id))
    currencies = {currency for limit in policy.limits for currency in limit.amounts or ()}
    return Tables(
        pivots=("action.kind", "request.intent", *_pivots(policy.rules)),
        ready_rules=rules,
        ready_factors=factors,
        rules={rule.rule_id: rule for rule in policy.rules},
        ladder=tuple(sorted(policy.autonomy.tiers, key=lambda tier: (-RANK[tier.mode], tier.name))),
        default=Tier("default", policy.autonomy.default),
        caps={currency: _caps(policy.limits, currency) for currency in (*sorted(currencies), None)},
        grants_by_tools=not policy.rules and all(check.resolved for check in policy.verification),
    )


def _pivots(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    """The facts with few values that the most rules compare at their top level, besides the action and the intent."""
    asked = Counter(
        part.fact.name
        for rule in rules
        for part in (rule.condition.parts if isinstance(rule.condition, All) else ())
        if isinstance(part, Among) and part.fact.type in _FEW_VALUES and len(part.fact.values) <= MANY_VALUES
    )
    return tuple(name for name, _ in sorted(asked.items(), key=lambda item: (-item[1], item[0]))[:PIVOTS])


def case_of(policy: Policy, tables: Tables, values: Values) -> Case:
    """What can matter for a case like this one."""
    return _case(policy, tuple(values.get(name) for name in tables.pivots))


@lru_cache(maxsize=4096)
def _case(policy: Policy, pivots: tuple[FactValue | None, ...]) -> Case:
    tables, tiers = tables_of(policy), policy.tiers
    known = {name: value for name, value in zip(tables.pivots, pivots, strict=True) if value is not None}
    kind, intent = pivots[:2]
    cells = [
        cell
        for cell in policy.autonomy.matrix
        if (cell.intent is None or cell.intent == intent) and (cell.action is None or cell.action == kind)
    ]
    return Case(
        rules=tuple(
            replace(ready, test=_settled_test(ready.rule.condition, ready.test, known))
            for ready in tables.ready_rules
            if may_hold(ready.rule.condition, known)
        ),
        factors=tuple(
            replace(ready, test=_settled_test(ready.factor.condition, ready.test, known))
            for ready in tables.ready_factors
            if may_hold(ready.factor.condition, known)
        ),
        cells=tuple(
            (cell, tiers[cell.tier])
            for cell in sorted(cells, key=lambda cell: (-specificity(cell), RANK[tiers[cell.tier].mode], cell.tier))
        ),
    )


def may_hold(condition: Condition, known: Values) -> bool:
    """False only where these facts rule the condition out at its top level."""
    return all(admits(condition, name, value) for name, value in known.items())


def _settled_test(condition: Condition, test: Test, known: Values) -> Test:
    """The test without what the case settles; the whole one where it settles nothing."""
    rest = settled(condition, known)
    return test if rest is condition else compile_test(rest)


def specificity(cell: Cell) -> int:
    """How many places a line of the matrix names. The more specific line wins."""
    return sum(part is not None for part in (cell.intent, cell.segment, cell.action, cell.brand))


def _ready(rule: Rule) -> ReadyRule:
    return ReadyRule(
        rule=rule,
        test=compile_test(rule.condition),
        asks=rule.effect is not Verdict.ALLOW and not rule.skip_unknown,
        always_valid=rule.window == ALWAYS,
        bounded=bounded_leaves(rule.condition),
        match=RuleMatch(rule.rule_id, rule.section, rule.effect, rule.reason, cause=rule.cause),
    )


def _ready_factor(factor: RiskFactor) -> ReadyFactor:
    counts_unknown = factor.points > 0 and not factor.skip_unknown
    return ReadyFactor(factor, compile_test(factor.condition), counts_unknown)


def _caps(limits: tuple[LimitRule, ...], currency: str | None) -> Caps:
    ready = [
        (Limit(rule.limit_id, rule.scope, rule.window_s, _cap(rule, currency), rule.count), rule)
        for rule in sorted(limits, key=lambda rule: rule.limit_id)
    ]
    return Caps(
        always=tuple(limit for limit, rule in ready if not rule.automatic_only),
        automatic=tuple(limit for limit, rule in ready if rule.automatic_only),
        silent=tuple(rule.limit_id for _, rule in ready if rule.amounts is not None and currency not in rule.amounts),
    )


def _cap(rule: LimitRule, currency: str | None) -> int | None:
    return None if rule.amounts is None or currency is None else rule.amounts.get(currency)
