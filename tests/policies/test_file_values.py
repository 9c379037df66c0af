"""A number of a policy file is changed in its place, and nothing else of the file is."""

from __future__ import annotations

import pytest

from policies.language.values import ValueNotFound, values_of, with_value
from policies.parse import parse_policy
from policies.shelf import from_library, shipped_text
from policies.whatif.thresholds import Threshold, ThresholdError, text_with_threshold

TEXT = """# the head
agent:
  name: tried   # and a tail
  autonomy:
    tiers:
      auto: {mode: auto, at_most: {usd: "50", eur: 40}, hold: 10m}   # money
    matrix: [{action: refund, tier: auto}]
  limits: {tenant: [{id: day, window: 1d, amount: {usd: 2000, eur: 9}}, {id: hour, window: 1h, count: 3}]}
  rules:
    - {id: small, effect: allow, reason: Small., when: {action.amount: {at_most: {usd: 50}}}}
"""


def test_every_number_of_the_settings_is_found_by_its_path_and_none_of_a_rule() -> None:
    assert {value.name: value.text for value in values_of(TEXT)} == {
        "autonomy.tiers.auto.at_most.usd": "50",
        "autonomy.tiers.auto.at_most.eur": "40",
        "autonomy.tiers.auto.hold": "10m",
        "limits.tenant.day.window": "1d",
        "limits.tenant.day.amount.usd": "2000",
        "limits.tenant.day.amount.eur": "9",
        "limits.tenant.hour.window": "1h",
        "limits.tenant.hour.count": "3",
    }


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), shipped_text()])
def test_a_value_changes_alone(text: str) -> None:
    values = values_of(text)
    for value in values[:: max(1, len(values) // 8)]:
        changed = with_value(text, value.name, "11h" if value.text[-1].isalpha() else "11.5")
        after = {one.name: one.text for one in values_of(changed)}
        assert after.pop(value.name) in {"11h", "11.5"}
        assert after == {one.name: one.text for one in values if one.name != value.name}
        assert len(changed) - len(text) == len("11h" if value.text[-1].isalpha() else "11.5") - len(value.text)


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("autonomy.tiers.auto.at_most.gbp", "1", "the file states no value"),
        ("autonomy.tiers.auto.hold", "10m}, x: {", "is no number and no duration"),
        ("autonomy.tiers.auto.hold", "", "is no number and no duration"),
    ],
)
def test_what_is_not_there_and_what_is_no_number_is_refused(name: str, written: str, said: str) -> None:
    with pytest.raises(ValueNotFound, match=said):
        with_value(TEXT, name, written)


def test_a_value_that_an_alias_repeats_is_changed_only_where_the_policy_is_the_one_that_was_meant() -> None:
    shared = TEXT.replace('{usd: "50", eur: 40}', "&same {usd: 50, eur: 40}").replace(
        "amount: {usd: 2000, eur: 9}", "amount: *same"
    )
    with pytest.raises(ThresholdError, match="would change more than that"):
        text_with_threshold(shared, Threshold("auto", "usd"), 6000)


@pytest.mark.parametrize("name", ["refund_request_agent.yaml", "support_agent.yaml"])
def test_a_threshold_of_a_file_that_others_wrote_is_moved_in_its_text(name: str) -> None:
    text = from_library(name)
    assert text is not None
    policy = parse_policy(text, name=name, resolve=from_library)
    for tier in policy.autonomy.tiers:
        for currency, minor in (tier.at_most or {}).items():
            moved = parse_policy(text_with_threshold(text, Threshold(tier.name, currency), minor + 100), name=name)
            assert dict(moved.tiers[tier.name].at_most or {})[currency] == minor + 100


def test_a_threshold_in_dollars_of_the_short_spelling_is_moved_too() -> None:
    text = "agent: {name: a, autonomy: {tier_2: {mode: auto, max_refund_usd: 20}}}"
    assert text_with_threshold(text, Threshold("tier_2", "usd"), 2550) == text.replace("20", "25.50")
