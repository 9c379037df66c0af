"""What a candidate changes is counted, listed, and compared with what people said."""

from __future__ import annotations

import pytest

from policies.vocabulary import Verdict
from policies.whatif.comparing import Course, Tally, whatif
from policies.whatif.report import whatif_form, whatif_text
from tests.policies.whatif.pasts import days_ago, past, policy, refund


def test_counts_and_money_move_from_people_to_nobody() -> None:
    history = past(refund(4000, verdict="allow", mode="auto"), refund(7000, ticket="2"), refund(12_000, ticket="3"))
    found = whatif(policy(usd_50="usd: 100"), history)
    assert found.before.courses[Course.ALONE] == Tally(1, {"usd": 4000})
    assert found.after.courses[Course.ALONE] == Tally(2, {"usd": 11_000})
    assert found.after.verdicts[Verdict.NEEDS_APPROVAL] == Tally(1, {"usd": 12_000})
    assert (found.rows, found.flipped, found.loosened, found.tightened) == (3, 2, 1, 0)


@pytest.mark.parametrize(("amount", "flipped"), [(9999, 1), (10_000, 1), (10_001, 0)])
def test_a_threshold_flips_up_to_itself(amount: int, flipped: int) -> None:
    found = whatif(policy(usd_50="usd: 100"), past(refund(amount)), compared_with=policy())
    assert found.flipped == flipped


def test_the_largest_new_automatic_refund_is_listed_first_with_its_reason() -> None:
    history = past(
        refund(6000, ticket="small", review="approved"),
        refund(9000, ticket="large", review="rejected", review_reason="wrong_amount"),
        refund(3000, ticket="denied", charge__age_days=91),
    )
    found = whatif(policy(usd_50="usd: 100"), history)
    assert [flip.ticket for flip in found.flips()] == ["large", "small", "denied"]
    large = found.flips(limit=1)[0]
    assert (large.before.rule, large.after.rule, large.after.reason) == ("before", "refunds", "Refunds are paid.")
    assert (large.review, large.review_reason) == ("rejected", "wrong_amount")
    assert [flip.ticket for flip in found.flips(limit=1, offset=1)] == ["small"]
    assert found.flipped_tickets == 3


def test_agreement_counts_answers_without_a_person_only() -> None:
    history = past(
        refund(6000, review="approved"),
        refund(6000, review="edited"),
        refund(6000, review="rejected"),
        refund(6000, review="stopped"),
        refund(20_000, review="approved"),
        refund(6000, charge__age_days=91, review="rejected"),
        refund(6000, charge__age_days=91, review="approved"),
        refund(6000),
    )
    found = whatif(policy(usd_50="usd: 100"), history)
    agreement = found.after.agreement
    assert (agreement.reviewed, agreement.agrees, agreement.disagrees, agreement.left_to_people) == (6, 3, 2, 1)
    assert agreement.stopped == 1
    assert agreement.share == 0.6
    assert agreement.at_least is not None
    assert agreement.at_least < 0.6
    assert found.before.agreement.share is None


def test_the_busiest_day_is_counted_for_each_currency() -> None:
    history = past(
        refund(4000),
        refund(3000),
        refund(5000, at=days_ago(1)),
        refund(2000, currency="eur"),
        refund(9000, currency="gbp"),
    )
    found = whatif(policy(), history)
    assert found.after.busiest_day == {"eur": 2000, "gbp": 0, "usd": 7000}
    assert found.after.worst_day == {"eur": 100_000, "gbp": 0, "usd": 200_000}
    assert found.before.worst_day is None


def test_the_policy_of_today_gives_the_worst_day_before() -> None:
    found = whatif(policy(usd_2000="usd: 9000"), past(refund(1)), current=policy())
    assert found.before.worst_day == {"usd": 200_000}
    assert found.after.worst_day == {"usd": 900_000}


def test_the_same_history_and_policy_give_the_same_digest_and_others_another() -> None:
    lines = [refund(4000), refund(7000)]
    digest = whatif(policy(), past(*lines)).digest
    assert whatif(policy(), past(*lines)).digest == digest
    assert whatif(policy(usd_50="usd: 80"), past(*lines)).digest != digest
    assert whatif(policy(), past(refund(4000), refund(7001))).digest != digest
    assert whatif(policy(), past(*lines[::-1])).digest != digest


def test_actions_without_money_are_counted_without_money() -> None:
    reply = {**refund(0), "facts": {"action.kind": "reply", "request.intent": "order_status"}}
    found = whatif(policy(), past(reply))
    assert found.after.verdicts[Verdict.NEEDS_APPROVAL] == Tally(1, {})
    assert "order_status" in whatif_text(found, seconds=0, flips=found.flips())


def test_the_report_says_the_same_to_people_and_programs() -> None:
    history = past(refund(6000, review="approved"), refund(20_000, review="approved"))
    found = whatif(policy(usd_50="usd: 100"), history, current=policy())
    form = whatif_form(found, seconds=0.5, flips=found.flips())
    assert {"rows", "flipped", "before", "after", "seconds", "digest"} <= set(form)
    assert form["rows"] == 2
    text = whatif_text(found, seconds=0.5, flips=found.flips())
    assert "2 recorded decisions under tried" in text
    assert "refund 60.00 USD, None: needs_approval/approve -> allow/auto; a person: approved" in text
    assert "worst day after, as the limits have it: 2000.00 USD" in text
    assert "1 of 2 that people decided are left to people; of the other 1 1 agree (at least 5.0% at 95 %)" in text


def test_a_report_without_examples_lists_none() -> None:
    found = whatif(policy(usd_50="usd: 100"), past(refund(6000)))
    text = whatif_text(found, seconds=0.5, flips=())
    assert "1 are answered otherwise, on 1 tickets:" in text
    assert "new automatic ones first" not in text
