"""An amount of its own for an intent or a segment changes what is decided there, and nowhere else."""

from __future__ import annotations

import difflib
from datetime import date
from itertools import product

import pytest

from policies.analysis.compare import compare
from policies.analysis.effect import Direction
from policies.document import Policy
from policies.locked import MOVES_MONEY
from policies.parse import parse_policy
from policies.rungs import Spot, tier_at
from policies.shelf import shipped_text
from policies.vocabulary import ActionKind, Intent
from policies.whatif.own_amounts import is_own, own_name, text_with_own_threshold
from policies.whatif.thresholds import Threshold, ThresholdError

TEXT = """# the head
agent:
  name: tried   # and a tail
  segments: [standard, vip, wholesale]
  autonomy:
    tiers:
      # what may be paid alone
      auto: {mode: auto, at_most: {usd: 50, eur: 40},
             hold: 10m}   # money

      ask: {mode: approve}
    matrix: [{intent: [duplicate_charge, "refund_request"], action: refund, tier: auto},
             {segment: wholesale, action: refund, tier: ask}]
  rules:
    - {id: small, effect: allow, reason: Small., when: {action.kind: refund}}
"""
DAY = date(2026, 11, 21)
SHIPPED = shipped_text()


def tiers_of(policy: Policy) -> dict[tuple[Intent, str, ActionKind], str]:
    places = product(Intent, policy.segments, ActionKind)
    return {place: tier_at(policy, Spot(*place), DAY).name for place in places}


@pytest.mark.parametrize("text", [SHIPPED.replace("\n", "\r\n"), TEXT], ids=["shipped", "flow"])
@pytest.mark.parametrize(
    ("intent", "segment"),
    [
        ("duplicate_charge", None),
        ("refund_request", None),
        (None, "vip"),
        ("duplicate_charge", "vip"),
        ("refund_request", "standard"),
    ],
)
def test_an_amount_of_its_own_decides_there_and_nowhere_else(
    text: str, intent: str | None, segment: str | None
) -> None:
    before, threshold = parse_policy(text, name="before"), Threshold("auto", "usd", intent, segment)
    changed = text_with_own_threshold(text, threshold, 12_345)
    after = parse_policy(changed, name="after")
    name = own_name(threshold)
    expected = {
        place: name
        if tier == "auto" and place[2] in MOVES_MONEY and intent in {None, place[0]} and segment in {None, place[1]}
        else tier
        for place, tier in tiers_of(before).items()
    }
    assert name in expected.values()
    assert tiers_of(after) == expected
    was, now = before.tiers["auto"], after.tiers[name]
    assert now.at_most == {**(was.at_most or {}), "usd": 12_345}
    assert (now.mode, now.hold_s, now.min_confidence_percent) == (was.mode, was.hold_s, was.min_confidence_percent)
    # The file keeps every line, but where a word of a list went to a line of its own.
    gone = [line for line in difflib.ndiff(text.splitlines(), changed.splitlines()) if line.startswith("- ")]
    assert all("intent" in line or (intent or "-") in line for line in gone), gone
    assert len(gone) <= 1
    # It is a tier like any other, whose amount moves as every amount does.
    assert is_own(after, Threshold(name, "usd", intent, segment))
    assert not is_own(before, threshold)


def test_once_more_for_a_part_of_it_and_again_elsewhere() -> None:
    one = text_with_own_threshold(SHIPPED, Threshold("auto", "usd", None, "vip"), 9_000)
    two = text_with_own_threshold(one, Threshold("auto-vip", "usd", "duplicate_charge", "vip"), 12_000)
    three = text_with_own_threshold(two, Threshold("auto", "usd", "cancel_order"), 2_000)
    policy = parse_policy(three, name="three")
    # Analysis says what loosens and what tightens as for every tier.
    assert compare(parse_policy(SHIPPED, name="shipped"), policy).direction is Direction.BOTH
    found = {place: name for place, name in tiers_of(policy).items() if place[2] is ActionKind.REFUND}
    assert found[Intent.DUPLICATE_CHARGE, "vip", ActionKind.REFUND] == "auto-vip-duplicate_charge-vip"
    assert found[Intent.REFUND_REQUEST, "vip", ActionKind.REFUND] == "auto-vip"
    assert found[Intent.CANCEL_ORDER, "standard", ActionKind.REFUND] == "auto-cancel_order"
    assert found[Intent.DUPLICATE_CHARGE, "standard", ActionKind.REFUND] == "auto"
    assert found[Intent.DUPLICATE_CHARGE, "wholesale", ActionKind.REFUND] == "approve"


def refused(text: str, threshold: Threshold) -> str:
    with pytest.raises(ThresholdError) as caught:
        text_with_own_threshold(text, threshold, 9_000)
    return str(caught.value)


def test_what_would_change_more_or_cannot_be_written_is_refused_with_the_next_step() -> None:
    # A line for the segment alone loses against a narrower one: people still decide for wholesale.
    wholesale = Threshold("auto", "usd", "duplicate_charge", "wholesale")
    assert "lines of the matrix overlap" in refused(SHIPPED, wholesale)
    assert "decides no money for 'order_status'" in refused(SHIPPED, Threshold("auto", "usd", "order_status"))
    once = text_with_own_threshold(SHIPPED, Threshold("auto", "usd", None, "vip"), 9_000)
    assert "tier 'auto-vip' exists" in refused(once, Threshold("auto", "usd", None, "vip"))
    short = "agent: {name: a, segments: [vip, other], autonomy: {tier_2: {mode: auto, max_refund_usd: 20}}}"
    assert "edit the text" in refused(short, Threshold("tier_2", "usd", None, "vip"))
    both = TEXT.replace("action: refund, tier: auto", "action: [refund, cancel_payment], tier: auto")
    assert "lists several" in refused(both, Threshold("auto", "usd", "duplicate_charge"))
