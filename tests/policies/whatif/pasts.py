"""Small histories, written by hand."""

from __future__ import annotations

import json
from datetime import timedelta

from policies.document import Policy
from policies.whatif.history import Prepared, prepared
from policies.whatif.reading import read_history
from tests.policies.shipped import NOW
from tests.policies.writing import parsed

POLICY = """
policy: tried
autonomy:
  tiers:
    auto: {mode: auto, at_most: {usd: 50, eur: 40}, hold: 600s}
  matrix: [{action: refund, tier: auto}]
limits:
  tenant: [{id: day, window: 1d, amount: {usd: 2000, eur: 1000}}]
rules:
  - {id: refunds, effect: allow, reason: Refunds are paid., when: {action.kind: refund}}
  - {id: late, effect: deny, reason: Too late., when: {charge.age_days: {above: 90}}, if_unknown: skip}
"""


def policy(**changes: str) -> Policy:
    """The policy with words replaced: names are given as they stand, like `usd_50="usd: 100"`."""
    text = POLICY
    for was, becomes in changes.items():
        spelled = was.replace("_", ": ")
        assert spelled in text
        text = text.replace(spelled, becomes)
    return parsed(text)


def refund(amount: int, *, currency: str = "usd", **changes: object) -> dict[str, object]:
    """A line of a history: a plain refund. Record fields by name, facts with `__` for the dot."""
    facts: dict[str, object] = {
        "action.kind": "refund",
        "action.amount_minor": amount,
        "action.currency": currency,
        "charge.currency": currency,
        "charge.refundable_minor": 100_000,
        "charge.owned_by_requester": True,
        "charge.disputed": False,
        "requester.verified": True,
        "charge.age_days": 5,
    }
    facts |= {name.replace("__", "."): value for name, value in changes.items() if "__" in name}
    record = {"ticket": "1", "at": NOW.isoformat(), "verdict": "needs_approval", "mode": "approve", "rule": "before"}
    return {**record, **{name: value for name, value in changes.items() if "__" not in name}, "facts": facts}


def past(*lines: dict[str, object]) -> Prepared:
    return prepared(read_history((json.dumps(line).encode() for line in lines), name="past.jsonl"))


def days_ago(days: int) -> str:
    return (NOW - timedelta(days=days)).isoformat()
