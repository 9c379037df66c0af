"""Candidates come from the requester's own charges, items and subscriptions, never from what a customer wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graph.dossier import Dossier, Identity
from graph.models.triage import StatedAmount, Triage, Want
from graph.planning import Answer, Item, narrow, plan, requests
from policies.money import Money
from policies.proposal import Missing
from policies.vocabulary import ActionKind, Intent, Reason
from tests.graph.cases import NOW, a_charge, a_dossier, a_subscription, a_triage, ago, an_item, an_order


def planned(triage: Triage, dossier: Dossier, text: str = "") -> Item:
    (item,) = plan(triage, dossier, text, now=NOW).items
    return item


def charges_of(item: Item) -> list[str | None]:
    return [candidate.charge_id for candidate in item.candidates]


FIRST = a_charge("ch_1", order="1042", created_at=ago(days=3, minutes=15))
SECOND = a_charge("ch_2", order="1042")
OTHER = a_charge("ch_3", 9900, order="1077", created_at=ago(days=30))


@pytest.mark.parametrize("order_ids", [(), ("1042",), ("#1042",), ("10-42",)])
def test_of_two_equal_charges_the_later_one_is_the_candidate(order_ids: tuple[str, ...]) -> None:
    item = planned(a_triage(Intent.DUPLICATE_CHARGE, order_ids=order_ids), a_dossier(OTHER, SECOND, FIRST))
    assert charges_of(item) == ["ch_2"]
    assert item.candidates[0].amount == Money(2490, "usd")
    assert not item.missing


def test_two_pairs_of_twins_lead_to_a_question_unless_an_order_is_named() -> None:
    pair = (a_charge("ch_5", 500, order="9"), a_charge("ch_6", 500, order="9", created_at=ago(days=2, hours=23)))
    dossier = a_dossier(FIRST, SECOND, *pair)
    assert planned(a_triage(Intent.DUPLICATE_CHARGE), dossier).missing == {Missing.WHICH_CHARGE}
    assert charges_of(planned(a_triage(Intent.DUPLICATE_CHARGE, order_ids=("9",)), dossier)) == ["ch_6"]


def test_charges_that_stand_too_far_apart_or_differ_are_no_twins() -> None:
    far = a_charge("ch_1", order="1042", created_at=ago(days=6))
    item = planned(a_triage(Intent.DUPLICATE_CHARGE, order_ids=("1042",)), a_dossier(far, SECOND))
    assert charges_of(item) == ["ch_2"]  # for the policy to refuse, and a person to read


def test_an_order_number_that_is_not_the_customers_finds_nothing() -> None:
    for intent in (Intent.DUPLICATE_CHARGE, Intent.REFUND_REQUEST, Intent.ITEM_NOT_RECEIVED):
        item = planned(a_triage(intent, order_ids=("7001",)), a_dossier(FIRST, SECOND, OTHER))
        assert item.candidates == ()
        assert item.missing == {Missing.ORDER_NUMBER}


def test_charges_are_narrowed_by_order_first_and_by_amount_else() -> None:
    dossier = a_dossier(FIRST, OTHER)
    amount = (StatedAmount(9900, "usd"),)

    def found(**claims: Any) -> list[str]:
        claimed = a_triage(Intent.REFUND_REQUEST, **claims).claims
        return [charge.charge_id for charge in narrow(claimed, (FIRST, OTHER), dossier)]

    assert found(order_ids=("1042",), amounts=amount) == ["ch_1"]
    assert found(amounts=amount) == ["ch_3"]
    assert found(amounts=(StatedAmount(9900, None),)) == ["ch_3"]
    assert found(amounts=(StatedAmount(9900, "eur"),)) == ["ch_1", "ch_3"]
    assert found() == ["ch_1", "ch_3"]


def test_of_several_charges_the_customer_is_asked_which_and_all_are_candidates_for_a_choice() -> None:
    item = planned(a_triage(Intent.ITEM_NOT_RECEIVED), a_dossier(FIRST, OTHER))
    assert item.missing == {Missing.WHICH_CHARGE}
    assert item.is_ambiguous
    assert charges_of(item) == ["ch_1", "ch_3"]


def test_without_any_charge_the_order_number_is_asked_for() -> None:
    assert planned(a_triage(Intent.REFUND_REQUEST), a_dossier()).missing == {Missing.ORDER_NUMBER}


def test_an_unpaid_charge_is_no_candidate() -> None:
    unpaid = a_charge("ch_9", is_paid=False)
    assert planned(a_triage(Intent.REFUND_REQUEST), a_dossier(unpaid)).candidates == ()


def test_money_that_is_only_held_is_released_instead_of_refunded() -> None:
    held = a_charge("ch_1", is_captured=False, captured_amount=Money(0, "usd"))
    (candidate,) = planned(a_triage(Intent.CANCEL_ORDER), a_dossier(held)).candidates
    assert (candidate.kind, candidate.amount) == (ActionKind.CANCEL_PAYMENT, Money(2490, "usd"))


def test_what_is_refunded_is_never_more_than_what_is_left_of_the_charge() -> None:
    partly = a_charge("ch_1", 3000, refunded=Money(2000, "usd"), order="1042")
    order = an_order("1042", "ch_1", an_item("i1", minor=2500), an_item("i2", "oak board", minor=500))
    dossier = a_dossier(partly, orders=(order,))
    whole = planned(a_triage(Intent.REFUND_REQUEST), dossier)
    assert whole.candidates[0].amount == Money(1000, "usd")
    named = planned(a_triage(Intent.ITEM_DAMAGED_OR_WRONG), dossier, "the stoneware pitcher is broken")
    assert (named.candidates[0].item_key, named.candidates[0].amount) == ("i1", Money(1000, "usd"))


def test_an_item_named_in_the_message_is_what_is_refunded() -> None:
    order = an_order("1042", "ch_1", an_item("i1"), an_item("i2", "oak serving board", 1500))
    dossier = a_dossier(a_charge("ch_1", 3990, order="1042"), OTHER, orders=(order,))
    item = planned(a_triage(Intent.ITEM_DAMAGED_OR_WRONG), dossier, "My oak serving boards arrived cracked")
    assert [(one.item_key, one.amount) for one in item.candidates] == [("i2", Money(1500, "usd"))]


def test_damage_to_an_order_of_several_items_without_a_name_asks_which_item() -> None:
    order = an_order("1042", "ch_1", an_item("i1"), an_item("i2", "oak serving board", 1500))
    dossier = a_dossier(a_charge("ch_1", 3990, order="1042"), orders=(order,))
    assert planned(a_triage(Intent.ITEM_DAMAGED_OR_WRONG), dossier, "it broke").missing == {Missing.WHICH_ITEM}


def test_a_replacement_that_is_wanted_is_prefilled_for_a_person() -> None:
    dossier = a_dossier(a_charge(order="1042"), orders=(an_order(),))
    item = planned(a_triage(Intent.ITEM_DAMAGED_OR_WRONG, wants=Want.REPLACEMENT), dossier)
    assert [one.kind for one in item.proposals] == [ActionKind.REPLACEMENT]


def test_a_price_adjustment_is_the_drop_under_a_key_of_its_own() -> None:
    order = an_order("1042", "ch_1", an_item("i1", price_now=Money(2000, "usd")))
    item = planned(a_triage(Intent.PRICE_ADJUSTMENT), a_dossier(a_charge(order="1042"), orders=(order,)))
    assert [(one.item_key, one.amount) for one in item.candidates] == [("i1:price", Money(490, "usd"))]


def test_a_price_that_is_not_known_goes_to_a_person() -> None:
    item = planned(a_triage(Intent.PRICE_ADJUSTMENT), a_dossier(a_charge(order="1042"), orders=(an_order(),)))
    assert item.needs_person is Reason.MISSING_DATA


def test_the_only_order_answers_where_it_is_and_several_are_asked_about() -> None:
    one, two = an_order(), an_order("1077", "ch_3")
    item = planned(a_triage(Intent.ORDER_STATUS), a_dossier(orders=(one,)))
    assert (item.answer, item.candidates[0].order_id) == (Answer.ORDER_STATUS, "1042")
    assert planned(a_triage(Intent.ORDER_STATUS), a_dossier(orders=(one, two))).missing == {Missing.WHICH_CHARGE}
    named = planned(a_triage(Intent.ORDER_STATUS, order_ids=("1077",)), a_dossier(orders=(one, two)))
    assert named.candidates[0].order_id == "1077"
    assert planned(a_triage(Intent.ORDER_STATUS, order_ids=("5",)), a_dossier(orders=(one,))).candidates == ()


def test_orders_that_could_not_be_read_are_not_taken_for_none() -> None:
    assert planned(a_triage(Intent.ORDER_STATUS), a_dossier(orders=None)).needs_person is Reason.MISSING_DATA


def test_a_subscription_is_cancelled_to_the_end_of_its_period() -> None:
    item = planned(a_triage(Intent.CANCEL_SUBSCRIPTION), a_dossier(subscriptions=(a_subscription(),)))
    assert [(one.kind, one.timing) for one in item.candidates] == [(ActionKind.CANCEL_SUBSCRIPTION, "period_end")]


def test_several_subscriptions_are_asked_about_and_none_is_for_a_person() -> None:
    both = (a_subscription("sub_1"), a_subscription("sub_2"))
    asked = planned(a_triage(Intent.CANCEL_SUBSCRIPTION), a_dossier(subscriptions=both))
    assert asked.missing == {Missing.WHICH_SUBSCRIPTION}
    assert planned(a_triage(Intent.CANCEL_SUBSCRIPTION), a_dossier()).needs_person is not None
    unknown = a_dossier(subscriptions=None)
    assert planned(a_triage(Intent.CANCEL_SUBSCRIPTION), unknown).needs_person is not None


def test_whoever_is_not_a_customer_goes_to_a_person_with_the_right_reason() -> None:
    stranger = a_dossier(customer=None, charges=None, identity=Identity.NO_CUSTOMER)
    assert planned(a_triage(Intent.REFUND_REQUEST), stranger).needs_person is Reason.IDENTITY_NOT_VERIFIED
    blind = a_dossier(customer=None, charges=None, draft_only=("stripe",))
    assert planned(a_triage(Intent.REFUND_REQUEST), blind).needs_person is Reason.TOOL_ERROR


@pytest.mark.parametrize("intent", [Intent.TALK_TO_HUMAN, Intent.COMPLAINT, Intent.CHANGE_ORDER, Intent.OTHER])
def test_what_no_machine_does_goes_to_a_person(intent: Intent) -> None:
    assert planned(a_triage(intent), a_dossier()).needs_person is Reason.OUT_OF_SCOPE


@pytest.mark.parametrize(
    "intent", [Intent.POLICY_QUESTION, Intent.INVOICE_OR_RECEIPT, Intent.PAYMENT_PROBLEM, Intent.ACCOUNT_ACCESS]
)
def test_a_question_is_answered_from_the_shops_policy_for_anybody(intent: Intent) -> None:
    item = planned(a_triage(intent), a_dossier(customer=None, charges=None))
    assert (item.answer, item.candidates[0].kind) == (Answer.POLICY, ActionKind.REPLY)


def test_a_refunds_whereabouts_are_answered() -> None:
    assert planned(a_triage(Intent.REFUND_STATUS), a_dossier(FIRST)).answer is Answer.REFUND_STATUS


@pytest.mark.parametrize("intent", list(Intent))
def test_every_intent_has_a_plan_of_candidates_a_question_or_a_person(intent: Intent) -> None:
    for dossier in (a_dossier(), a_dossier(FIRST), a_dossier(FIRST, OTHER, orders=(an_order(),))):
        item = planned(a_triage(intent), dossier, "the stoneware pitcher")
        assert item.candidates or item.missing or item.needs_person
        known = {charge.charge_id for charge in dossier.charges or ()}
        assert {one.charge_id for one in item.candidates if one.charge_id} <= known


def test_one_matter_told_in_several_ways_is_one_request() -> None:
    said = a_triage(Intent.ITEM_NOT_RECEIVED, (Intent.REFUND_REQUEST, 80), (Intent.ORDER_STATUS, 70))
    assert requests(said) == (Intent.ITEM_NOT_RECEIVED,)
    two = a_triage(Intent.DUPLICATE_CHARGE, (Intent.CANCEL_SUBSCRIPTION, 80), (Intent.PRICE_ADJUSTMENT, 20))
    assert requests(two) == (Intent.DUPLICATE_CHARGE, Intent.CANCEL_SUBSCRIPTION)


def test_a_request_to_end_something_is_not_lost_because_its_reading_is_unsure() -> None:
    unsure = a_triage(Intent.DUPLICATE_CHARGE, (Intent.CANCEL_SUBSCRIPTION, 30), (Intent.PRICE_ADJUSTMENT, 20))
    assert requests(unsure) == (Intent.DUPLICATE_CHARGE,)
    put_into_words = replace(unsure, claims=replace(unsure.claims, wants=Want.CANCEL))
    assert requests(put_into_words) == (Intent.DUPLICATE_CHARGE, Intent.CANCEL_SUBSCRIPTION)
