"""Policy files and cases drawn at random from a seed: every construct of the language, cases near every threshold.

For harnesses that hold several readings of the language together. Nothing here is realistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

import yaml

from policies.analysis.mentions import Mentions, mentions_of
from policies.document import Policy
from policies.facts import CATALOGUE, Fact, Facts, FactType
from policies.parse import parse_policy
from policies.vocabulary import ActionKind, Intent, Mode

CURRENCIES: Final = ("usd", "eur", "jpy", "kwd")
KINDS: Final = (*[ActionKind.REFUND] * 6, *ActionKind)
INTENTS: Final = (Intent.REFUND_REQUEST, Intent.DUPLICATE_CHARGE, Intent.CANCEL_ORDER)
SEGMENTS: Final = ("standard", "vip")
BRANDS: Final = ("north", "south")
EPOCH: Final = date(2026, 11, 1)
DAYS: Final = 60

Tree = dict[str, object]


def _happens(chance: Random, share: float) -> bool:
    return chance.random() < share


@dataclass(frozen=True, slots=True)
class RandomCase:
    """The facts of one case and when it is decided."""

    facts: Facts
    now: datetime


def random_policy(chance: Random) -> Policy:
    """A policy through the whole of the reader, as a file would be read."""
    return parse_policy(random_text(chance), name="random.yaml")


def random_text(chance: Random) -> str:
    """A policy file with a handful of everything."""
    tiers = [f"tier-{number}" for number in range(chance.randint(1, 4))]
    tree: Tree = {
        "policy": "random",
        "segments": list(SEGMENTS),
        "brands": list(BRANDS),
        "autonomy": {
            "default": chance.choice(["shadow", "suggest", "draft"]),
            "tiers": {name: _tier(chance) for name in tiers},
            "matrix": _cells(chance, tiers),
        },
        "rules": [*_broad(chance), *(_rule(chance, number) for number in range(chance.randint(0, 8)))],
        "approvals": _approvals(chance),
    }
    if _happens(chance, 0.3):
        tree["languages"] = ["en", "de"]
    if _happens(chance, 0.5):
        tree["never"] = [
            {"id": f"never-{number}", "reason": "Never.", "when": _block(chance, 1), **_valid(chance)}
            for number in range(chance.randint(1, 2))
        ]
    if _happens(chance, 0.3):
        tree["tools"] = _tools(chance)
    if _happens(chance, 0.5):
        tree["limits"] = {"customer": [_limit(chance, "one")], "tenant": [_limit(chance, "two")]}
    if _happens(chance, 0.5):
        tree["risk"] = {
            "approve_at": chance.randint(1, 60),
            "factors": [
                {
                    "id": f"factor-{number}",
                    "points": chance.randint(-20, 40),
                    "reason": "Points.",
                    "when": _block(chance, 1),
                    **({"if_unknown": "skip"} if _happens(chance, 0.3) else {}),
                }
                for number in range(chance.randint(1, 4))
            ],
        }
    # Amounts are exact decimals as written, so they are strings here and stand unquoted in the file.
    return yaml.safe_dump(tree, sort_keys=False).replace("'", "")


def _tier(chance: Random) -> Tree:
    tier: Tree = {"mode": chance.choice(list(Mode)).value}
    if _happens(chance, 0.7):
        tier["at_most"] = _amounts(chance)
    if _happens(chance, 0.3):
        tier["min_confidence_percent"] = chance.choice([0, 50, 80])
    if _happens(chance, 0.3):
        tier["hold"] = "600s"
    if _happens(chance, 0.3):
        tier["approvers"] = [chance.choice(["agent", "cs_lead", "ops_lead"])]
    if _happens(chance, 0.2):
        first, last = _two_days(chance)
        tier["during"] = [{"from": first, "until": last, "at_most": _amounts(chance)}]
    return tier


def _cells(chance: Random, tiers: Sequence[str]) -> list[Tree]:
    cells: dict[str, Tree] = {}
    if _happens(chance, 0.6):
        cells["refunds"] = {"action": "refund", "tier": chance.choice(tiers)}
    for _ in range(chance.randint(0, 6)):
        cell: Tree = {}
        if _happens(chance, 0.5):
            cell["intent"] = chance.choice(INTENTS).value
        if _happens(chance, 0.7):
            cell["action"] = chance.choice(KINDS).value
        if _happens(chance, 0.3):
            cell["segment"] = chance.choice(SEGMENTS)
        if _happens(chance, 0.2):
            cell["brand"] = chance.choice(BRANDS)
        cell |= _valid(chance)
        if cell != {"action": "refund"}:
            cells[repr(sorted(cell.items()))] = {**cell, "tier": chance.choice(tiers)}
    return list(cells.values())


def _broad(chance: Random) -> list[Tree]:
    """A rule that allows most refunds, so that something is left for the others to take away."""
    if _happens(chance, 0.4):
        return []
    return [{"id": "broad", "effect": "allow", "reason": "Refunds.", "when": {"action.kind": "refund"}}]


def _rule(chance: Random, number: int) -> Tree:
    effect = chance.choice(["allow", "allow", "needs_approval", "deny"])
    rule: Tree = {
        "id": f"rule-{number}",
        "effect": effect,
        "reason": "Because.",
        "when": _block(chance, 2),
        "priority": chance.randint(-2, 2),
        **_valid(chance),
    }
    if effect != "allow" and _happens(chance, 0.4):
        rule["if_unknown"] = chance.choice(["skip", "ask"])
    if effect == "needs_approval" and _happens(chance, 0.5):
        rule["approvers"] = chance.sample(["agent", "cs_lead", "ops_lead"], chance.randint(1, 2))
    return rule


def _valid(chance: Random) -> Tree:
    if _happens(chance, 0.8):
        return {}
    first, last = _two_days(chance)
    return {"valid": chance.choice([{"from": first, "until": last}, {"from": first}, {"until": last}])}


def _two_days(chance: Random) -> tuple[str, str]:
    first, last = sorted(EPOCH + timedelta(days=chance.randrange(DAYS)) for _ in range(2))
    return first.isoformat(), last.isoformat()


def _amounts(chance: Random) -> Tree:
    return {currency: _amount(chance, currency) for currency in chance.sample(CURRENCIES, chance.randint(1, 3))}


def _amount(chance: Random, currency: str) -> str:
    whole = chance.randint(1, 60)
    return {"jpy": f"{whole * 10}", "kwd": f"{whole}.250"}.get(currency, f"{whole}.50")


def _approvals(chance: Random) -> Tree:
    approvals: Tree = {}
    if _happens(chance, 0.5):
        approvals["approvers"] = [
            {"at_most": {"usd": 20, "eur": 20}, "roles": ["agent"]},
            {"at_most": {"usd": 40}, "roles": ["cs_lead"]},
            *([{"roles": ["ops_lead"]}] if _happens(chance, 0.5) else []),
        ]
    if _happens(chance, 0.4):
        approvals["four_eyes_above"] = _amounts(chance)
    if _happens(chance, 0.2):
        approvals["billing.refund_over_25"] = "required"
    return approvals


def _tools(chance: Random) -> Tree:
    tools: Tree = {}
    if _happens(chance, 0.5):
        tools["allow"] = chance.sample(["zendesk.*", "stripe.refund", "stripe.*", "external_email.send"], 2)
    if _happens(chance, 0.7):
        tools["deny"] = [chance.choice(["billing.refund_over_50", "billing.refund_over_30_eur", "stripe.*"])]
    return tools


def _limit(chance: Random, name: str) -> Tree:
    limit: Tree = {"id": name, "window": "1d", "applies_to": chance.choice(["automatic", "all"])}
    if _happens(chance, 0.8):
        limit["amount"] = _amounts(chance)
    if _happens(chance, 0.3) or "amount" not in limit:
        limit["count"] = chance.randint(0, 3)
    return limit


# conditions

_ASKED: Final = (
    "charge.disputed",
    "charge.age_days",
    "charge.amount_minor",
    "charge.status",
    "requester.verified",
    "requester.segment",
    "request.language",
    "request.confidence_percent",
    "order.days_past_promised",
    "customer.refunds_90d",
    "customer.refunded_90d_minor",
    "claim.photo_attached",
)
"""Facts that random conditions ask about, beside the action and the intent."""


def _block(chance: Random, depth: int) -> Tree:
    block: Tree = {}
    if _happens(chance, 0.7):
        block["action.kind"] = chance.choice([ActionKind.REFUND.value, {"one_of": _kinds(chance)}])
    if _happens(chance, 0.4):
        block["request.intent"] = chance.choice(INTENTS).value
    if _happens(chance, 0.3):
        block["action.amount"] = {chance.choice(["at_most", "at_least", "below", "above"]): _amounts(chance)}
    for name in chance.sample(_ASKED, chance.randint(0, 3)):
        fact = CATALOGUE[name]
        block[name.removesuffix("_minor")] = _comparison(chance, fact)
    if depth and _happens(chance, 0.25):
        block[chance.choice(["any", "all"])] = [_block(chance, depth - 1) for _ in range(2)]
    if depth and _happens(chance, 0.15):
        block["not"] = _block(chance, depth - 1)
    return block or {"action.kind": "refund"}


def _kinds(chance: Random) -> list[str]:
    return [kind.value for kind in chance.sample(list(ActionKind), 2)]


def _comparison(chance: Random, fact: Fact) -> object:
    if fact.type is FactType.BOOLEAN:
        return chance.choice([True, False])
    if fact.type is FactType.ENUM:
        return chance.choice([{"is_not": chance.choice(fact.values)}, {"one_of": chance.sample(fact.values, 2)}])
    if fact.type is FactType.LABEL:
        return {chance.choice(["is", "is_not"]): _word(fact)}
    if fact.type is FactType.MONEY:
        zero = {chance.choice(["above", "is"]): 0}
        return chance.choice([zero, {chance.choice(["at_most", "above"]): _amounts(chance)}])
    low = chance.randint(0, 40)
    return chance.choice(
        [
            {chance.choice(["at_most", "at_least", "below", "above", "is"]): low},
            {"between": [low, low + chance.randint(0, 20)]},
        ],
    )


def _word(fact: Fact) -> str:
    return {"requester.segment": "vip", "request.brand": "north"}.get(fact.name, "en")


# cases


class Drawer:
    """Draws cases for one policy: what it mentions, one beside it, or nothing at all."""

    def __init__(self, policy: Policy) -> None:
        mentions = mentions_of([policy])
        names = {
            *mentions.facts,
            *mentions.words,
            *mentions.cuts,
            "action.kind",
            "request.intent",
            "charge.owned_by_requester",
            "charge.disputed",
            "charge.currency",
            "charge.refundable_minor",
            "requester.verified",
            "run.draft_only",
        }
        self._values: Mapping[str, Sequence[object]] = {name: _candidates(name, mentions) for name in sorted(names)}
        days = {day + step for day in mentions.days for step in (-1, 0)} or {EPOCH.toordinal()}
        self._days = sorted(days)

    def case(self, chance: Random) -> RandomCase:
        """One case. Mostly the plain one, so that what is drawn beside it decides."""
        plain = _happens(chance, 0.7)
        values = dict(_PLAIN) if plain else {}
        unknown, drawn = chance.choice([0.0, 0.1, 0.4]), chance.choice([0.02, 0.1, 0.3])
        for name, candidates in self._values.items():
            if name not in values or _happens(chance, drawn):
                values[name] = None if _happens(chance, unknown) else chance.choice(candidates)
        day = date.fromordinal(chance.choice(self._days))
        return RandomCase(Facts(values), datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


_PLAIN: Final[Mapping[str, object]] = {
    "action.kind": "refund",
    "action.currency": "usd",
    "charge.currency": "usd",
    "charge.refundable_minor": 10**6,
    "charge.owned_by_requester": True,
    "charge.disputed": False,
    "requester.verified": True,
    "run.draft_only": False,
    "request.confidence_percent": 90,
}


def _candidates(name: str, mentions: Mentions) -> Sequence[object]:
    fact = CATALOGUE[name]
    if fact.type is FactType.BOOLEAN:
        return [True, False]
    if name in {"action.kind", "request.intent"}:
        return [*fact.values, *(KINDS if name == "action.kind" else INTENTS)]
    if fact.type is FactType.ENUM:
        mentioned = sorted(mentions.words.get(name, ()), key=str)
        return [*mentioned, *[word for word in fact.values if word not in mentioned][:2]]
    if fact.type is FactType.LABEL:
        return [*sorted(mentions.words.get(name, ()), key=str), "something-else"]
    cuts = {cut + step for cut in mentions.cuts.get(name, ()) for step in (-1, 0, 1)}
    return sorted({*cuts, 0, 1, 5_000})
