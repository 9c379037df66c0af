"""Random policies and facts, from a seed: any condition the language can say, any fact unknown at times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from policies.canonical import content_hash
from policies.conditions import All, Among, Any, Condition, Interval, MoneyWithin, Not, Positive, Within
from policies.decision import LimitScope
from policies.document import (
    Approvals,
    ApproverBand,
    Autonomy,
    Band,
    Cell,
    LimitRule,
    Policy,
    Risk,
    RiskFactor,
    Rule,
    Tier,
    Window,
)
from policies.facts import CATALOGUE, Fact, FactType, FactValue
from policies.money import Money
from policies.tools import ToolEntry, ToolRules
from policies.vocabulary import ActionKind, Intent, Mode, Reason, Tool, Verdict

CURRENCIES = ("usd", "eur", "jpy")
LABELS = {
    "requester.segment": ("standard", "vip", "wholesale"),
    "request.brand": ("north", "south"),
    "request.language": ("en", "de", "und"),
    "request.channel": ("email", "web"),
}
ROLES = ("agent", "cs_lead", "ops_lead")
KINDS = tuple(str(kind) for kind in (*[ActionKind.REFUND] * 6, *ActionKind))
INTENTS = tuple(str(intent) for intent in (*[Intent.REFUND_REQUEST, Intent.DUPLICATE_CHARGE] * 4, *Intent))
WORDS: Mapping[str, tuple[FactValue, ...]] = {
    "action.kind": KINDS,
    "request.intent": INTENTS,
    "action.currency": (*CURRENCIES, "gbp"),
    "charge.currency": (*CURRENCIES, "gbp"),
    **{name: (*words, "other") for name, words in LABELS.items()},
}
FIRST_DAY = date(2026, 11, 1)
DAYS = 30
NUMBERS = (-1, 0, 1, 2, 3, 5, 7, 10, 30, 50, 60, 61, 90)
AMOUNTS = (-1, 0, 1, 99, 100, 101, 1999, 2000, 2001, 4999, 5000, 5001, 100_000)
SEVERAL = (1, 1, 2, 3)


def facts_of(rng: Random, *, unknown: float = 0.15) -> dict[str, FactValue]:
    """Facts of one case. Few facts, so that conditions meet them, and each unknown now and then."""
    values: dict[str, FactValue] = {}
    for fact in CATALOGUE.values():
        if rng.random() >= unknown:
            values[fact.name] = _value(rng, fact)
    if rng.random() < 0.8 and "action.currency" in values:
        values["charge.currency"] = values["action.currency"]
    return values


def _value(rng: Random, fact: Fact) -> FactValue:
    words: tuple[FactValue, ...] = WORDS.get(fact.name, (True, False) if fact.type is FactType.BOOLEAN else fact.values)
    return rng.choice(words or (AMOUNTS if fact.type is FactType.MONEY else NUMBERS))


def time_of(rng: Random) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(DAYS * 86_400))


def policy_of(rng: Random) -> Policy:
    """A policy of random rules, tiers, cells, limits, lists of tools, factors and roles."""
    tiers = tuple(_tier(rng, number) for number in range(rng.randrange(1, 5)))
    names = [tier.name for tier in tiers]
    made = Policy(
        policy_id="random",
        title="Random",
        segments=LABELS["requester.segment"],
        languages=rng.choice(((), ("en",), ("en", "de"))),
        autonomy=Autonomy(
            tiers=tiers,
            matrix=tuple(_cell(rng, names) for _ in range(rng.randrange(8))),
            default=rng.choice((Mode.SHADOW, Mode.SUGGEST, Mode.DRAFT)),
        ),
        rules=tuple(_rule(rng, number) for number in range(rng.choice((0, 1, 3, 8, 20)))),
        tools=_tools(rng),
        approvals=_approvals(rng),
        limits=tuple(_limit(rng, number) for number in range(rng.randrange(3))),
        risk=_risk(rng),
    )
    return replace(made, content_hash=content_hash(made))


def _amounts(rng: Random) -> Mapping[str, int]:
    return {currency: rng.choice(AMOUNTS[2:]) for currency in CURRENCIES if rng.random() < 0.7}


def _window(rng: Random) -> Window:
    first, last = sorted(FIRST_DAY + timedelta(days=rng.randrange(DAYS)) for _ in range(2))
    return Window(rng.choice((None, first)), rng.choice((None, last)))


def _tier(rng: Random, number: int) -> Tier:
    return Tier(
        name=f"tier-{number}",
        mode=rng.choice(list(Mode)),
        at_most=rng.choice((None, _amounts(rng), _amounts(rng))),
        min_confidence_percent=rng.choice((0, 0, 60)),
        hold_s=rng.choice((0, 600)),
        approvers=rng.choice(((), ("cs_lead",))),
        section=rng.choice((None, "policy#1")),
        during=tuple(Band(_window(rng), _amounts(rng)) for _ in range(rng.choice((0, 0, 1, 2)))),
    )


def _cell(rng: Random, names: list[str]) -> Cell:
    return Cell(
        intent=rng.choice((None, Intent.REFUND_REQUEST, Intent.DUPLICATE_CHARGE, Intent.CANCEL_ORDER)),
        segment=rng.choice((None, None, *LABELS["requester.segment"], "nobody")),
        action=rng.choice((None, ActionKind.REFUND, ActionKind.REFUND, ActionKind.REPLY)),
        brand=rng.choice((None, None, None, "north")),
        tier=rng.choice(names),
        window=rng.choice((Window(), Window(), _window(rng))),
    )


def _rule(rng: Random, number: int) -> Rule:
    effect = rng.choice(list(Verdict))
    return Rule(
        rule_id=f"rule-{number:02}",
        section=rng.choice((None, f"policy#{number}")),
        effect=effect,
        reason="Because.",
        condition=condition_of(rng),
        approvers=rng.choice(((), ("cs_lead",), ("ops_lead", "agent"))) if effect is Verdict.NEEDS_APPROVAL else (),
        cause=rng.choice((None, Reason.SUSPECTED_ABUSE)),
        priority=rng.choice((0, 0, 5, 10)),
        skip_unknown=effect is not Verdict.ALLOW and rng.random() < 0.5,
        window=rng.choice((Window(), Window(), _window(rng))),
    )


def condition_of(rng: Random, depth: int = 0) -> Condition:
    """Any condition, up to three levels deep. Often about what the case does, so that it matters."""
    shape = rng.random()
    if depth < 3 and shape < 0.35:
        parts = tuple(condition_of(rng, depth + 1) for _ in range(rng.choice((0, *SEVERAL, 4))))
        return All(parts) if shape < 0.25 else Any(parts)
    if depth < 3 and shape < 0.42:
        return Not(condition_of(rng, depth + 1))
    if shape < 0.6:
        name = rng.choice(("action.kind", "request.intent"))
        return Among(CATALOGUE[name], frozenset(rng.choices(CATALOGUE[name].values, k=5)), rng.random() < 0.3)
    return _leaf(rng, rng.choice(list(CATALOGUE.values())))


def _leaf(rng: Random, fact: Fact) -> Condition:
    if fact.type is FactType.MONEY:
        currency_fact = "charge.currency" if fact.name.startswith(("charge.", "item.")) else "action.currency"
        intervals = {currency: _interval(rng, AMOUNTS) for currency in CURRENCIES if rng.random() < 0.7}
        return Positive(fact, rng.random() < 0.5) if rng.random() < 0.2 else MoneyWithin(fact, currency_fact, intervals)
    if fact.type is FactType.INTEGER:
        return Within(fact, _interval(rng, NUMBERS))
    words: tuple[FactValue, ...] = (True, False) if fact.type is FactType.BOOLEAN else fact.values
    words = words or (*LABELS.get(fact.name, ()), "nowhere")
    return Among(fact, frozenset(rng.choices(words, k=rng.choice((1, 1, 2, 6)))), rng.random() < 0.3)


def _interval(rng: Random, numbers: tuple[int, ...]) -> Interval:
    low, high = sorted(rng.choices(numbers, k=2))
    return rng.choice((Interval(low, high), Interval(low, None), Interval(None, high), Interval(low, low), Interval()))


def _tools(rng: Random) -> ToolRules:
    if rng.random() < 0.5:
        return ToolRules()
    return ToolRules(
        allow=rng.choice((None, tuple(_entry(rng, number) for number in range(rng.randrange(4))))),
        deny=tuple(_entry(rng, number) for number in range(rng.randrange(3))),
        approve=tuple(_entry(rng, number) for number in range(rng.randrange(3))),
    )


def _entry(rng: Random, number: int) -> ToolEntry:
    tools = rng.choice((frozenset({Tool.STRIPE_REFUND}), frozenset({Tool.ZENDESK_REPLY}), frozenset(Tool)))
    over = rng.choice((None, Money(rng.choice(AMOUNTS[3:]), rng.choice(CURRENCIES))))
    return ToolEntry(f"entry-{number}", tools, over)


def _approvals(rng: Random) -> Approvals:
    bands = [ApproverBand(_amounts(rng), (rng.choice(ROLES),)) for _ in range(rng.randrange(3))]
    if rng.random() < 0.5:
        bands.append(ApproverBand(None, ("ops_lead",)))
    return Approvals(roles=ROLES, bands=tuple(bands), four_eyes_above=rng.choice((None, _amounts(rng))))


def _limit(rng: Random, number: int) -> LimitRule:
    scope = rng.choice(list(LimitScope))
    return LimitRule(f"limit-{number}", scope, 86_400, rng.choice((None, _amounts(rng))), 5, rng.random() < 0.5)


def _risk(rng: Random) -> Risk:
    factors = tuple(
        RiskFactor(f"factor-{number}", rng.choice((-10, 5, 20, 60)), "Because.", condition_of(rng), rng.random() < 0.5)
        for number in range(rng.randrange(5))
    )
    return Risk(factors, rng.choice((None, 0, 20, 50)))
