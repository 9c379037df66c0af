"""Facts are what was read; what was not read stays unknown, because an unknown fact never lets money go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.orders.wire import Category, Fulfilment
from connectors.stripe.wire import DisputeView, EarlyFraudWarningView, RefundView
from connectors.stripe.words import DisputeStatus, RefundStatus, RiskLevel
from graph.casefile import facts_for, is_later, twin_of
from graph.dossier import ChargeHistory, Dossier, Identity
from graph.models.triage import Triage
from policies.facts import Facts
from policies.money import Money
from policies.proposal import Candidate
from policies.vocabulary import ActionKind, Intent
from tests.graph.cases import NOW, a_charge, a_dossier, a_refund, a_subscription, a_triage, ago, an_item, an_order

USD = Money(2490, "usd")


def facts(dossier: Dossier, candidate: Candidate | None = None, triage: Triage | None = None) -> Facts:
    return facts_for(
        candidate or a_refund(),
        dossier,
        triage or a_triage(Intent.DUPLICATE_CHARGE),
        channel="email",
        brand=None,
        run={"run.questions_asked": 0},
        now=NOW,
    )


def a_dispute(status: DisputeStatus, **changes: Any) -> DisputeView:
    fields: dict[str, Any] = {"created_at": ago(days=1), **changes}
    return DisputeView("dp_1", "ch_1", USD, "duplicate", status, is_charge_refundable=True, **fields)


def test_what_stripe_says_of_a_charge_becomes_its_facts() -> None:
    found = facts(a_dossier(a_charge(refunded=Money(490, "usd"))))
    assert found["charge.owned_by_requester"] is True
    assert found["charge.status"] == "succeeded"
    assert (found["charge.amount_minor"], found["charge.refunded_minor"], found["charge.refundable_minor"]) == (
        2490,
        490,
        2000,
    )
    assert (found["charge.currency"], found["charge.age_days"], found["charge.payment_method"]) == ("usd", 3, "card")
    assert found["requester.account_age_days"] == 400


def test_what_was_not_read_is_unknown() -> None:
    found = facts(a_dossier(a_charge(risk_level=RiskLevel.UNKNOWN, payment_method=None, card=None), orders=None))
    for name in (
        "charge.early_fraud_warning",
        "charge.dispute_status",
        "charge.refunds",
        "charge.risk_level",
        "charge.payment_method",
        "charge.card_first_seen_days",
        "order.known",
        "order.fulfilment",
        "item.final_sale",
        "item.category",
        "item.return_received",
        "customer.early_fraud_warnings",
    ):
        assert name not in found


def test_a_shop_that_answers_that_there_is_no_order_is_known_to_have_none() -> None:
    found = facts(a_dossier(a_charge(), orders=()))
    assert found["order.known"] is False
    assert "order.fulfilment" not in found


def test_somebody_elses_charge_is_not_owned() -> None:
    assert facts(a_dossier(a_charge(customer_id="cus_bob")))["charge.owned_by_requester"] is False
    nobody = a_dossier(a_charge(customer_id=None), customer=None)
    assert facts(nobody)["charge.owned_by_requester"] is False


@pytest.mark.parametrize("identity", [one for one in Identity if one is not Identity.VERIFIED])
def test_any_doubt_about_the_writer_is_unverified(identity: Identity) -> None:
    assert facts(a_dossier(a_charge(), identity=identity))["requester.verified"] is False


def test_money_of_ours_that_is_under_way_counts_as_gone() -> None:
    history = {"ch_1": ChargeHistory(refund_in_flight=True, reserved_minor=2000)}
    found = facts(a_dossier(a_charge(), history=history))
    assert (found["charge.refundable_minor"], found["charge.refund_in_flight"]) == (490, True)
    history = {"ch_1": ChargeHistory(reserved_minor=9999)}
    assert facts(a_dossier(a_charge(), history=history))["charge.refundable_minor"] == 0


def test_an_empty_history_that_was_read_is_a_known_nothing() -> None:
    found = facts(a_dossier(a_charge(), history={"ch_1": ChargeHistory(disputes=(), warnings=(), refunds=())}))
    assert found["charge.dispute_status"] == "none"
    assert (found["charge.early_fraud_warning"], found["charge.refunds"]) == (False, 0)
    assert (found["customer.open_disputes"], found["customer.early_fraud_warnings"]) == (0, 0)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([DisputeStatus.NEEDS_RESPONSE], "open"),
        ([DisputeStatus.WARNING_NEEDS_RESPONSE], "inquiry"),
        ([DisputeStatus.WON], "won"),
        ([DisputeStatus.LOST], "lost"),
        ([DisputeStatus.WARNING_CLOSED], "won"),
        ([DisputeStatus.UNKNOWN], "open"),
        ([DisputeStatus.NEEDS_RESPONSE, DisputeStatus.WON], "open"),
        ([DisputeStatus.LOST, DisputeStatus.WON], "lost"),
        ([DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.NEEDS_RESPONSE], "open"),
    ],
)
def test_of_several_disputes_the_worst_counts(statuses: list[DisputeStatus], expected: str) -> None:
    disputes = tuple(a_dispute(one, created_at=ago(days=9 - place)) for place, one in enumerate(statuses))
    found = facts(a_dossier(a_charge(), history={"ch_1": ChargeHistory(disputes=disputes)}))
    assert found["charge.dispute_status"] == expected
    assert found["charge.disputed"] is True


def test_a_warning_about_another_charge_of_the_customer_is_known() -> None:
    warning = EarlyFraudWarningView("issfr_1", "ch_2", is_actionable=True, fraud_type="misc", created_at=ago(days=1))
    history = {"ch_1": ChargeHistory(warnings=()), "ch_2": ChargeHistory(warnings=(warning,))}
    found = facts(a_dossier(a_charge(), a_charge("ch_2", 500), history=history))
    assert (found["charge.early_fraud_warning"], found["customer.early_fraud_warnings"]) == (False, 1)


def test_what_was_refunded_counts_in_the_charges_own_currency() -> None:
    dossier = a_dossier(a_charge(), refunds_90d=2, refunded_90d_minor={"usd": 700, "eur": 99})
    assert facts(dossier)["customer.refunded_90d_minor"] == 700
    assert "customer.refunded_90d_minor" not in facts(a_dossier(a_charge(), refunds_90d=None))


def test_a_twin_is_equal_in_amount_and_purpose_and_near_in_time() -> None:
    first, second = a_charge("ch_1", order="1"), a_charge("ch_2", order="1", created_at=ago(days=2, hours=23))
    assert twin_of(second, (first, second)) == first
    assert (is_later(second, first), is_later(first, second)) == (True, False)
    for other in (
        a_charge("ch_3", 2491, order="1"),
        a_charge("ch_3", currency="eur", order="1"),
        a_charge("ch_3", order="2"),
        a_charge("ch_3", order="1", created_at=ago(days=6)),
        a_charge("ch_3", order="1", is_paid=False),
    ):
        assert twin_of(second, (other, second)) is None


def test_charges_of_the_same_moment_have_exactly_one_later_one() -> None:
    one, two = a_charge("ch_a"), a_charge("ch_b")
    assert [is_later(one, two), is_later(two, one)].count(True) == 1


def test_a_twin_that_was_given_back_makes_no_duplicate_any_more() -> None:
    first = a_charge("ch_1", order="1", created_at=ago(days=3, minutes=5), refunded=USD)
    second = a_charge("ch_2", order="1")
    found = facts(a_dossier(first, second), a_refund(charge_id="ch_2"))
    assert (found["charge.has_twin"], found["charge.is_later_twin"]) == (False, False)


def test_while_the_twins_refund_is_under_way_nobody_knows_whether_it_is_a_duplicate() -> None:
    first = a_charge("ch_1", order="1", created_at=ago(days=3, minutes=5))
    dossier = a_dossier(first, a_charge("ch_2", order="1"), history={"ch_1": ChargeHistory(refund_in_flight=True)})
    found = facts(dossier, a_refund(charge_id="ch_2"))
    assert "charge.is_later_twin" not in found
    assert "charge.has_twin" not in found


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([Fulfilment.DELIVERED, Fulfilment.DELIVERED], "delivered"),
        ([Fulfilment.DELIVERED, Fulfilment.CANCELLED], "delivered"),
        ([Fulfilment.CANCELLED], "cancelled"),
        ([Fulfilment.DELIVERED, Fulfilment.SHIPPED], "shipped"),
        ([Fulfilment.SHIPPED, Fulfilment.UNFULFILLED], "partly_shipped"),
        ([Fulfilment.DELIVERED, None], None),
    ],
)
def test_an_orders_fulfilment_is_that_of_its_items(states: list[Fulfilment | None], expected: str | None) -> None:
    items = [an_item(f"i{place}", fulfilment=state) for place, state in enumerate(states)]
    found = facts(a_dossier(a_charge(order="1042"), orders=(an_order("1042", "ch_1", *items),)))
    assert found.get("order.fulfilment") == expected


def test_an_order_is_delivered_since_its_last_item_and_not_before_all_are() -> None:
    items = (an_item("i1"), an_item("i2", delivered_at=ago(days=2)))
    dossier = a_dossier(a_charge(order="1042"), orders=(an_order("1042", "ch_1", *items),))
    assert facts(dossier)["order.days_since_delivered"] == 2
    items = (an_item("i1"), an_item("i2", delivered_at=None))
    dossier = a_dossier(a_charge(order="1042"), orders=(an_order("1042", "ch_1", *items),))
    assert "order.days_since_delivered" not in facts(dossier)


def test_of_a_whole_order_the_strictest_item_counts() -> None:
    items = (an_item("i1"), an_item("i2", category=Category.CUSTOM, final_sale=True, return_received_at=ago(days=1)))
    dossier = a_dossier(a_charge(minor=4980, order="1042"), orders=(an_order("1042", "ch_1", *items),))
    found = facts(dossier, a_refund(4980))
    assert (found["item.category"], found["item.final_sale"]) == ("custom", True)
    assert (found["item.return_received"], found["item.known"]) == (False, False)
    alone = facts(dossier, a_refund(item_key="i2"))
    assert (alone["item.return_received"], alone["item.known"]) == (True, True)


def test_an_item_of_unknown_kind_leaves_the_kind_of_the_whole_unknown() -> None:
    items = (an_item("i1"), an_item("i2", category=None, final_sale=None))
    found = facts(a_dossier(a_charge(order="1042"), orders=(an_order("1042", "ch_1", *items),)))
    assert "item.category" not in found
    assert "item.final_sale" not in found


def test_a_price_adjustment_has_the_facts_of_its_item() -> None:
    item = an_item("i1", final_sale=True, price_now=Money(2000, "usd"))
    dossier = a_dossier(a_charge(order="1042"), orders=(an_order("1042", "ch_1", item),))
    found = facts(dossier, a_refund(490, item_key="i1:price", intent=Intent.PRICE_ADJUSTMENT))
    assert (found["item.final_sale"], found["item.price_drop_minor"], found["item.known"]) == (True, 490, True)
    assert found["action.scope"] == "item"


@pytest.mark.parametrize(("minor", "scope"), [(2490, "whole"), (2489, "part")])
def test_a_refunds_scope_is_measured_against_what_is_left(minor: int, scope: str) -> None:
    assert facts(a_dossier(a_charge()), a_refund(minor))["action.scope"] == scope


def test_an_uncaptured_or_failed_charge_is_not_succeeded() -> None:
    assert facts(a_dossier(a_charge(is_captured=False)))["charge.status"] == "uncaptured"
    assert facts(a_dossier(a_charge(is_paid=False)))["charge.status"] == "failed"


def test_the_charge_that_paid_the_current_period_is_a_renewal() -> None:
    subscription = a_subscription(latest_payment_intent_id="pi_ch_1")
    found = facts(a_dossier(a_charge(), subscriptions=(subscription,)))
    assert (found["charge.is_renewal"], found["subscription.days_into_period"]) == (True, 2)
    assert "subscription.used_since_renewal" not in found
    assert "charge.is_renewal" not in facts(a_dossier(a_charge(), subscriptions=None))


def test_what_the_customer_claims_is_named_as_a_claim() -> None:
    found = facts(a_dossier(a_charge()), triage=a_triage((Intent.DUPLICATE_CHARGE, 71), unauthorised=True))
    assert (found["claim.unauthorised"], found["request.confidence_percent"]) == (True, 71)
    assert "claim.delivered" not in found


def test_refunds_that_failed_are_listed_and_hold_no_money() -> None:
    refund = RefundView("re_1", "ch_1", "pi", USD, RefundStatus.FAILED, None, "declined", None, NOW - timedelta(1), {})
    found = facts(a_dossier(a_charge(), history={"ch_1": ChargeHistory(refunds=(refund,))}))
    assert found["charge.refunds"] == 1
    assert found["charge.refundable_minor"] == 2490


def test_a_refund_that_only_the_charge_knows_of_yet_counts() -> None:
    charge = a_charge(refunded=Money(500, "usd"))
    found = facts(a_dossier(charge, history={"ch_1": ChargeHistory(refunds=())}))
    assert (found["charge.refunds"], found["charge.refundable_minor"]) == (1, 1990)


def test_an_action_without_money_costs_nothing() -> None:
    found = facts(a_dossier(), Candidate(ActionKind.REPLY, Intent.POLICY_QUESTION))
    assert found["action.amount_minor"] == 0
    assert "action.currency" not in found
