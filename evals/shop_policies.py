"""Policy files as a shop would write them, drawn from a seed, complete and without a fault; and faults put into them.

A file is made of *topics*. A topic is an action for an intent, perhaps split by a word (the kind of goods, the
fulfilment), each part cut by one number into bands that meet: allow, then a person, then deny. Beside them stand
exceptions with further facts, tiers, approvers and limits that fit each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import yaml

from policies.vocabulary import ActionKind, Intent

Tree = dict[str, Any]

TOPICS: Final = tuple(
    (kind.value, intent.value)
    for kind in (ActionKind.REFUND, ActionKind.CANCEL_SUBSCRIPTION, ActionKind.REPLACEMENT, ActionKind.STORE_CREDIT)
    for intent in (
        Intent.REFUND_REQUEST,
        Intent.DUPLICATE_CHARGE,
        Intent.ITEM_NOT_RECEIVED,
        Intent.ITEM_DAMAGED_OR_WRONG,
        Intent.RETURN_OR_EXCHANGE,
        Intent.CANCEL_ORDER,
        Intent.CANCEL_SUBSCRIPTION,
    )
)
_FIRST_TOPIC: Final = (ActionKind.REFUND.value, Intent.REFUND_REQUEST.value)
NUMBERS: Final = ("charge.age_days", "order.age_days", "order.days_since_delivered", "subscription.days_into_period")
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "item.category": ("physical", "perishable", "custom", "digital"),
    "order.fulfilment": ("unfulfilled", "partly_shipped", "shipped", "delivered", "cancelled"),
    "charge.payment_method": ("card", "bank_debit", "wallet", "other"),
}
EXCEPTIONS: Final[Sequence[tuple[str, str, Tree]]] = (
    ("early-fraud-warning", "needs_approval", {"charge.early_fraud_warning": True}),
    ("final-sale", "deny", {"item.final_sale": True}),
    ("new-payee", "needs_approval", {"action.payee_is_new": True}),
    ("in-flight", "needs_approval", {"charge.refund_in_flight": True}),
    ("many-refunds", "needs_approval", {"customer.refunds_90d": {"at_least": 3}}),
    ("open-dispute", "deny", {"customer.open_disputes": {"at_least": 1}}),
    ("sensitive", "needs_approval", {"request.sensitive_topic": {"is_not": "none"}}),
    ("injection", "needs_approval", {"request.injection_suspected": True}),
    ("tool-trouble", "needs_approval", {"run.tool_errors": {"at_least": 3}}),
    ("young-account", "needs_approval", {"requester.account_age_days": {"below": 7}}),
)
ALLOW, PERSON, DENY = "allow", "needs_approval", "deny"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was put into a file: its kind as `policy check` calls it, and a rule that a finding must name."""

    kind: str
    rule: str


class _Written(yaml.SafeDumper):
    """YAML that says everything out: a policy file may hold few aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401  # yaml's own
        del data
        return True


def text_of(tree: Tree) -> str:
    """The file."""
    written = yaml.dump(tree, Dumper=_Written, sort_keys=False)
    assert isinstance(written, str)
    return written


def shop_policy(chance: Random, rules: int = 40) -> Tree:
    """A file with about as many rules and nothing to remark."""
    topics = list(TOPICS)
    chance.shuffle(topics)
    # A shop without refunds would have tiers whose amounts mean nothing.
    topics.sort(key=lambda topic: topic != _FIRST_TOPIC)
    kept: list[Tree] = []
    used: list[tuple[str, str]] = []
    exceptions = _exceptions(chance, min(len(EXCEPTIONS), max(1, rules // 6)))
    for topic in topics:
        if len(kept) + len(exceptions) >= rules:
            break
        kept += _topic(chance, *topic)
        used.append(topic)
    auto, limit = chance.choice([(50, 500), (30, 300), (80, 1000)])
    return {
        "policy": f"shop-{chance.randrange(10**6)}",
        "title": "A shop",
        "segments": ["standard", "vip", "wholesale"],
        "autonomy": {
            "tiers": {
                "auto": {"mode": "auto", "at_most": {"usd": auto, "eur": auto}, "hold": "600s"},
                "approve": {"mode": "approve"},
            },
            "matrix": [
                *({"action": kind, "intent": intent, "tier": "auto"} for kind, intent in used),
                *(
                    {"action": kind, "segment": "wholesale", "tier": "approve"}
                    for kind in sorted({kind for kind, _ in used})
                ),
            ],
        },
        "rules": [*kept, *exceptions],
        "approvals": {
            "approvers": [{"at_most": {"usd": limit, "eur": limit}, "roles": ["cs_lead"]}, {"roles": ["ops_lead"]}]
        },
        "limits": {"tenant": [{"id": "day", "window": "1d", "amount": {"usd": limit * 4, "eur": limit * 4}}]},
    }


def _topic(chance: Random, kind: str, intent: str) -> list[Tree]:
    """The rules of an action for an intent: every case of it is answered by one of them."""
    about: Tree = {"action.kind": kind, "request.intent": intent}
    parts: list[Tree] = [{}]
    if chance.random() < _SPLIT_SHARE:
        word = chance.choice(sorted(WORDS))
        some = chance.sample(WORDS[word], chance.randint(1, 2))
        parts = [{word: {"one_of": some}}, {word: {"none_of": some}}]
    return [
        rule
        for number, part in enumerate(parts)
        for rule in _bands(chance, f"{kind}-{intent}-{number}".replace("_", "-"), {**about, **part})
    ]


_SPLIT_SHARE: Final = 0.6


def _bands(chance: Random, name: str, about: Tree) -> list[Tree]:
    """Two or three bands of one number, from the mildest to the strictest, that meet without a hole."""
    fact = chance.choice(NUMBERS)
    low = chance.randint(5, 40)
    high = low + chance.randint(5, 60)
    bands: list[tuple[str, str, Tree]] = [(f"{name}-early", ALLOW, {"at_most": low})]
    if chance.random() < _THIRD_BAND_SHARE:
        bands += [(f"{name}-middle", PERSON, {"between": [low + 1, high]}), (f"{name}-late", DENY, {"above": high})]
    else:
        bands += [(f"{name}-late", chance.choice([PERSON, DENY]), {"above": low})]
    return [_rule(rule_id, effect, {**about, fact: band}) for rule_id, effect, band in bands]


_THIRD_BAND_SHARE: Final = 0.7


def _rule(rule_id: str, effect: str, when: Tree) -> Tree:
    return {"id": rule_id, "effect": effect, "reason": f"What {rule_id} says.", "when": when}


def _exceptions(chance: Random, count: int) -> list[Tree]:
    chosen = chance.sample(EXCEPTIONS, count)
    return [
        {**_rule(name, effect, {"action.kind": "refund", **when}), "priority": 50, "if_unknown": "skip"}
        for name, effect, when in chosen
    ]


# faults


def with_fault(tree: Tree, kind: str, chance: Random) -> tuple[Tree, Fault]:
    """A copy of a file without faults, with one of that kind in a place that chance chooses."""
    broken = deepcopy(tree)
    rule = chance.choice([rule for rule in broken["rules"] if rule["id"].endswith("-early")])
    return broken, FAULTS[kind](broken, rule, chance)


def _number(rule: Tree) -> str:
    return next(fact for fact in NUMBERS if fact in rule["when"])


def _dead(tree: Tree, rule: Tree, chance: Random) -> Fault:
    """A further condition that excludes one that is there."""
    fact, low = _number(rule), rule["when"][_number(rule)]["at_most"]
    excluding: Sequence[Tree] = (
        {"all": [{"action.kind": "hand_off"}]},
        {"all": [{fact: {"at_least": low + 1 + chance.randrange(20)}}]},
        {"not": {"request.intent": rule["when"]["request.intent"]}},
        {"customer.refunds_90d": {"below": 0}},
    )
    dead = _rule("put-in", chance.choice([ALLOW, PERSON, DENY]), {**rule["when"], **chance.choice(excluding)})
    tree["rules"].append(dead)
    return Fault("dead_rule", "put-in")


def _shadowed(tree: Tree, rule: Tree, chance: Random) -> Fault:
    """A rule for a part of the cases of one that is stricter, or that says the same."""
    late = next(other for other in tree["rules"] if other["id"] == rule["id"].replace("-early", "-late"))
    wider, milder = chance.choice([(late, ALLOW), (late, late["effect"]), (rule, ALLOW)])
    narrow = {**wider["when"], "charge.status": "succeeded", "claim.photo_attached": chance.choice([True, False])}
    tree["rules"].append(_rule("put-in", milder, narrow))
    return Fault("shadowed_rule", "put-in")


def _gap(tree: Tree, rule: Tree, chance: Random) -> Fault:
    """The first band ends earlier than the second begins, or a later one begins later than the first ends."""
    fact = _number(rule)
    rule["when"][fact] = {"at_most": rule["when"][fact]["at_most"] - chance.randint(1, 4)}
    assert tree["rules"]
    return Fault("gap", fact)


def _contradiction(tree: Tree, rule: Tree, chance: Random) -> Fault:
    """The same question answered otherwise: for the same cases, or with bounds that overlap."""
    fact = _number(rule)
    low = rule["when"][fact]["at_most"]
    other: Tree = chance.choice(
        [{"at_most": low}, {"at_least": low - chance.randrange(5)}, {"between": [low - 2, low + 2]}]
    )
    tree["rules"].append(_rule("put-in", chance.choice([DENY, PERSON]), {**rule["when"], fact: other}))
    return Fault("contradiction", rule["id"])


def _threshold(tree: Tree, rule: Tree, chance: Random) -> Fault:
    """A bound beyond one that is there, or one that the fact never comes to."""
    fact, low = _number(rule), rule["when"][_number(rule)]["at_most"]
    idle: Sequence[Tree] = (
        {"all": [{fact: {"at_most": low + chance.randint(1, 9)}}]},
        {"customer.refunds_90d": {"at_least": 0}},
        {"request.confidence_percent": {"at_most": 100}},
    )
    rule["when"] |= chance.choice(idle)
    assert tree["rules"]
    return Fault("unreachable_threshold", rule["id"])


def _tier(tree: Tree, rule: Tree, chance: Random) -> Fault:
    """A tier that no line names, and that nothing falls to."""
    tree["autonomy"]["tiers"]["put-in"] = {"mode": chance.choice(["policy_autonomy", "auto"])}
    assert rule
    return Fault("unused_tier", "put-in")


FAULTS: Final[Mapping[str, Callable[[Tree, Tree, Random], Fault]]] = {
    "dead": _dead,
    "shadowed": _shadowed,
    "gap": _gap,
    "contradiction": _contradiction,
    "threshold": _threshold,
    "tier": _tier,
}
