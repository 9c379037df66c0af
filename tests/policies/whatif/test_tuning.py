"""A threshold is moved over the past: what it automates, how far people agree, and which value that speaks for."""

from __future__ import annotations

import pytest

from policies.whatif.comparing import Course, whatif
from policies.whatif.history import Prepared
from policies.whatif.report import tuning_form, tuning_text
from policies.whatif.thresholds import Threshold, ThresholdError, threshold_of, with_threshold
from policies.whatif.tuning import Tuning, tune
from tests.policies.whatif.pasts import POLICY, past, policy, refund
from tests.policies.writing import parsed

USD = Threshold("auto", "usd")


def tuned(history: Prepared, *, quality: float = 0.97, threshold: Threshold = USD) -> Tuning:
    return tune(policy(), history, threshold, quality=quality)


def approved(count: int, amount: int) -> list[dict[str, object]]:
    return [refund(amount, review="approved", refunded_minor=amount) for _ in range(count)]


def paid_alone(count: int, amount: int) -> list[dict[str, object]]:
    return [refund(amount, verdict="allow", mode="auto", refunded_minor=amount) for _ in range(count)]


def rejected(count: int, amount: int) -> list[dict[str, object]]:
    return [refund(amount, review="rejected") for _ in range(count)]


def test_every_point_of_the_curve_is_what_the_policy_with_that_value_would_do() -> None:
    amounts = [100, 999, 1000, 1001, 4999, 5000, 5001, 9000, 20_000]
    lines = [refund(amount, ticket=str(amount)) for amount in amounts]
    lines += [refund(3000, charge__age_days=91), refund(700, currency="eur"), refund(800, requester__verified=False)]
    history = past(*lines)
    found = tuned(history)
    for point in found.points:
        there = whatif(with_threshold(policy(), USD, point.at_most_minor), history).after.courses[Course.ALONE]
        assert point.alone_minor == there.money_minor.get("usd", 0)
    assert [point.alone for point in found.points] == sorted(point.alone for point in found.points)
    assert found.points[-1].alone == len(amounts)
    assert found.refunds == len(amounts) + 2


def test_the_value_goes_up_as_far_as_people_agree() -> None:
    history = past(*paid_alone(50, 3000), *approved(150, 6000), *approved(150, 9000), *rejected(30, 15_000))
    found = tuned(history)
    assert found.current_minor == 5000
    assert found.recommended_minor == 10_000
    assert "people agreed with 300 of 300 refunds up to 100.00 USD" in found.reason
    assert "up to 150.00 USD people reject more often" in found.reason
    assert found.point(10_000).at_least == pytest.approx(0.99, abs=0.001)


def test_many_small_refunds_do_not_speak_for_a_few_large_ones() -> None:
    found = tuned(past(*approved(500, 6000), *approved(20, 40_000), *rejected(1, 40_000)))
    assert found.recommended_minor == 6000
    assert found.points[-1].at_least is not None
    assert found.points[-1].at_least >= 0.97
    assert found.points[-1].near_at_least is not None
    assert found.points[-1].near_at_least < 0.97


@pytest.mark.parametrize(("reviews", "recommended"), [(98, None), (99, 8000)])
def test_too_few_data_are_said_and_not_guessed_from(reviews: int, recommended: int | None) -> None:
    found = tuned(past(*approved(reviews, 7000)))
    assert found.recommended_minor == recommended
    if recommended is None:
        assert found.reason == (
            "too few data: people decided 98 of these refunds, and 97.0% cannot be certain with less than 99, even if "
            "all agree; wait, or lower the floor"
        )


def test_where_people_disagree_the_threshold_stays() -> None:
    found = tuned(past(*approved(180, 7000), *rejected(10, 7000)))
    assert found.recommended_minor == 5000
    assert "no larger value is certain to keep 97.0%: people agreed with 180 of 190" in found.reason


def test_stopped_refunds_speak_for_a_lower_value() -> None:
    stopped = [refund(4500, verdict="allow", mode="auto", review="stopped") for _ in range(20)]
    found = tuned(past(*paid_alone(100, 1500), *paid_alone(50, 4500), *stopped))
    assert found.recommended_minor == 4000
    assert found.reason.startswith("people stopped 20 of 170 refunds that were paid alone up to 50.00 USD")


def test_a_history_without_such_refunds_has_nothing_to_say() -> None:
    found = tuned(past(refund(700, currency="eur")))
    assert (found.recommended_minor, found.refunds) == (None, 0)
    assert "nothing to learn from" in found.reason


def test_intent_and_segment_narrow_what_counts() -> None:
    history = past(
        refund(700, request__intent="refund_request", requester__segment="vip"),
        refund(800, request__intent="refund_request", requester__segment="standard"),
        refund(900, request__intent="duplicate_charge", requester__segment="vip"),
    )
    assert tuned(history, threshold=Threshold("auto", "usd", intent="refund_request")).refunds == 2
    assert tuned(history, threshold=Threshold("auto", "usd", intent="refund_request", segment="vip")).refunds == 1


def test_a_currency_that_the_tier_does_not_name_yet_can_be_tuned() -> None:
    found = tuned(past(refund(700, currency="eur")), threshold=Threshold("auto", "gbp"))
    assert found.current_minor is None


@pytest.mark.parametrize(
    ("written", "more", "said"),
    [
        ("auto.usx", {}, "threshold 'auto.usx' ends in no currency: write auto.usd, say"),
        ("atuo.usd", {}, "no threshold 'atuo.usd' in policy 'tried'; did you mean 'auto.usd'?"),
        ("zzz", {}, "no threshold 'zzz' in policy 'tried'; write TIER.CURRENCY; known are auto.usd, auto.eur"),
        ("auto.usd", {"intent": "refund"}, "unknown intent 'refund'; did you mean 'refund_status'?"),
        ("auto.usd", {"intent": "zzz"}, "unknown intent 'zzz'; known are refund_request, "),
    ],
)
def test_a_threshold_that_does_not_exist_is_refused(written: str, more: dict[str, str], said: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        threshold_of(policy(), written, **more)
    assert said in str(caught.value)


def test_a_segment_that_the_policy_does_not_declare_is_refused() -> None:
    declared = parsed(POLICY + "segments: [vip, standard]\n")
    assert threshold_of(declared, "auto.usd", segment="vip").segment == "vip"
    with pytest.raises(ThresholdError, match="unknown segment 'vpi': known are standard, vip"):
        threshold_of(declared, "auto.usd", segment="vpi")


def test_moving_one_tier_leaves_the_others_as_they_are() -> None:
    two = parsed(POLICY.replace("  matrix:", "    audit: {mode: execute_with_audit, at_most: {usd: 80}}\n  matrix:"))
    moved = with_threshold(two, USD, 6000)
    assert moved.tiers["auto"].at_most == {"usd": 6000, "eur": 4000}
    assert moved.tiers["audit"] == two.tiers["audit"]
    assert moved.content_hash != two.content_hash


def test_a_tier_without_a_bound_has_no_threshold() -> None:
    with pytest.raises(ThresholdError, match="covers every amount"):
        threshold_of(parsed(POLICY.replace(", at_most: {usd: 50, eur: 40}", "")), "auto.usd")


def test_the_table_marks_the_present_and_the_recommended_value() -> None:
    found = tuned(past(*approved(150, 7000)))
    text = tuning_text(found)
    assert "now" in next(line for line in text.splitlines() if line.strip().startswith("50.00 USD"))
    assert "recommended" in next(line for line in text.splitlines() if line.strip().startswith("80.00 USD"))
    form = tuning_form(found, seconds=0.1)
    assert (form["current_minor"], form["recommended_minor"], form["interval"]) == (
        5000,
        8000,
        "clopper-pearson, one-sided, 95 %",
    )
