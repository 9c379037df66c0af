from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
import stripe
from stripe.params import RefundListParams

from connectors.errors import Throttled, VendorRefused, VendorUnavailable, WireError
from connectors.sandbox.faults import FaultKind
from connectors.stripe.words import RiskLevel
from policies.money import Money
from tests.contract.stripe.conftest import Shop

LINK = "zendesk_user_id"


def test_lists_run_from_the_newest_to_the_oldest(shop: Shop) -> None:
    """https://docs.stripe.com/api/charges/list "most recent charges appearing first" """
    customer = shop.customer()
    old = shop.charge(customer=customer, created=shop.time.ago(days=9))
    new = shop.charge(customer=customer, created=shop.time.ago(days=1))
    found = shop.adapter.charges_of(customer, since=shop.time.ago(days=30))
    assert [view.charge_id for view in found] == [new, old]


def test_a_list_is_read_to_its_end(shop: Shop) -> None:
    """https://docs.stripe.com/api/pagination , limit, starting_after and has_more"""
    customer = shop.customer()
    made = {shop.charge(customer=customer) for _ in range(203)}
    found = shop.adapter.charges_of(customer, since=shop.time.ago(days=30))
    assert len(found) == 203
    assert {view.charge_id for view in found} == made


def test_a_page_holds_ten_unless_asked(shop: Shop) -> None:
    """https://docs.stripe.com/api/pagination#pagination-limit"""
    for _ in range(11):
        shop.charge()
    page = shop.sdk.v1.charges.list()
    assert (len(page.data), page.has_more) == (10, True)
    rest = shop.sdk.v1.charges.list({"starting_after": page.data[-1].id})
    assert (len(rest.data), rest.has_more) == (1, False)


def test_a_page_can_be_read_backwards(shop: Shop) -> None:
    """https://docs.stripe.com/api/pagination#pagination-ending_before"""
    ids = [shop.charge(created=shop.time.ago(days=10 - day)) for day in range(5)][::-1]
    page = shop.sdk.v1.charges.list({"ending_before": ids[3], "limit": 2})
    assert ([charge.id for charge in page.data], page.has_more) == (ids[1:3], True)


@pytest.mark.parametrize("limit", [0, 101])
def test_a_limit_lies_between_1_and_100(shop: Shop, limit: int) -> None:
    """https://docs.stripe.com/api/pagination#pagination-limit"""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.charges.list({"limit": limit})
    assert caught.value.param == "limit"


def test_an_unknown_cursor_is_a_missing_resource(shop: Shop) -> None:
    """https://docs.stripe.com/api/pagination#pagination-starting_after"""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.charges.list({"starting_after": "ch_nobody"})
    assert (caught.value.code, caught.value.param) == ("resource_missing", "starting_after")


def test_a_time_filter_includes_its_bound(shop: Shop) -> None:
    """https://docs.stripe.com/api/charges/list#list_charges-created , gte"""
    customer = shop.customer()
    at = shop.time.ago(days=5)
    shop.charge(customer=customer, created=at)
    assert len(shop.adapter.charges_of(customer, since=at)) == 1
    assert not shop.adapter.charges_of(customer, since=at + timedelta(seconds=1))


def test_a_list_by_customer_has_only_their_charges(shop: Shop) -> None:
    """https://docs.stripe.com/api/charges/list#list_charges-customer"""
    ana, ben = shop.customer(), shop.customer(email="ben@example.com")
    mine = shop.charge(customer=ana)
    shop.charge(customer=ben)
    assert [view.charge_id for view in shop.adapter.charges_of(ana, since=shop.time.ago(days=30))] == [mine]


def test_a_list_by_an_unknown_customer_is_refused(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#resource-missing"""
    with pytest.raises(VendorRefused) as caught:
        shop.adapter.charges_of("cus_nobody", since=shop.time.now())
    assert (caught.value.status, caught.value.code) == (400, "resource_missing")


def test_refunds_are_listed_by_charge_and_by_time(shop: Shop) -> None:
    """https://docs.stripe.com/api/refunds/list"""
    one, two = shop.charge(), shop.charge()
    shop.double.add_refund(charge=one, amount_minor=1, created=shop.time.ago(days=2))
    shop.refund(two, 2, "key-1")
    assert [view.amount.minor for view in shop.adapter.refunds_of(one)] == [1]
    assert [view.amount.minor for view in shop.adapter.refunds_since(shop.time.ago(days=1))] == [2]
    assert [view.amount.minor for view in shop.adapter.refunds_since(shop.time.ago(days=3))] == [2, 1]


def test_a_charge_shows_card_risk_and_billing_address(shop: Shop) -> None:
    """https://docs.stripe.com/api/charges/object"""
    charge = shop.charge(
        1200,
        "jpy",
        customer=shop.customer(),
        description="Order 1042",
        metadata={"order_id": "1042"},
        card="5555555555554444",
        risk_level="elevated",
        billing_email="else@example.com",
    )
    view = shop.adapter.charge(charge)
    assert view.amount == Money(1200, "jpy")
    assert (view.description, dict(view.metadata)) == ("Order 1042", {"order_id": "1042"})
    assert view.card is not None
    assert (view.card.last4, view.card.brand, view.payment_method) == ("4444", "mastercard", "card")
    assert view.card.fingerprint
    assert (view.risk_level, view.billing_email) == (RiskLevel.ELEVATED, "else@example.com")
    assert (view.is_captured, view.is_disputed) == (True, False)


def test_an_unknown_id_in_the_path_is_404(shop: Shop) -> None:
    """https://docs.stripe.com/error-codes#resource-missing"""
    with pytest.raises(VendorRefused, match="No such charge: 'ch_nobody'") as caught:
        shop.adapter.charge("ch_nobody")
    assert caught.value.status == 404


def test_customers_are_found_by_exact_address(shop: Shop) -> None:
    """https://docs.stripe.com/api/customers/list#list_customers-email "case-sensitive filter" """
    shop.customer(email="Ana@Example.com")
    assert not shop.sdk.v1.customers.list({"email": "ana@example.com"}).data
    assert len(shop.sdk.v1.customers.list({"email": "Ana@Example.com"}).data) == 1


def test_the_adapter_also_tries_the_address_in_lower_case(shop: Shop) -> None:
    """https://docs.stripe.com/api/customers/list#list_customers-email"""
    customer = shop.customer(email="ana@example.com")
    found = shop.adapter.find_customers(email="Ana@Example.COM", zendesk_user_id=None)
    assert [view.customer_id for view in found] == [customer]


def test_several_customers_may_share_an_address(shop: Shop) -> None:
    """https://docs.stripe.com/api/customers/object#customer_object-email , which is not unique"""
    shop.customer()
    shop.customer()
    assert len(shop.adapter.find_customers(email="ana@example.com", zendesk_user_id="5")) == 2


def test_a_linked_customer_wins_over_the_address(shop: Shop) -> None:
    """https://docs.stripe.com/search#metadata"""
    linked = shop.customer(email="other@example.com", metadata={LINK: "5"})
    shop.customer(email="ana@example.com")
    found = shop.adapter.find_customers(email="ana@example.com", zendesk_user_id="5")
    assert [view.customer_id for view in found] == [linked]


def test_a_customer_linked_to_somebody_else_is_not_found_by_address(shop: Shop) -> None:
    """https://docs.stripe.com/metadata : the link is the shop's own word"""
    shop.customer(metadata={LINK: "6"})
    assert shop.adapter.find_customers(email="ana@example.com", zendesk_user_id="5") == ()


def test_search_does_not_see_what_was_just_written(shop: Shop) -> None:
    """https://docs.stripe.com/search#data-freshness "Don't use search for read-after-write flows" """
    customer = shop.sdk.v1.customers.create({"email": "x@example.com", "metadata": {LINK: "5"}})
    query = f'metadata["{LINK}"]:"5"'
    assert not shop.sdk.v1.customers.search({"query": query}).data
    shop.time.advance(minutes=1)
    assert [hit.id for hit in shop.sdk.v1.customers.search({"query": query}).data] == [customer.id]


def test_a_fresh_link_is_found_by_address_while_search_lags(shop: Shop) -> None:
    """https://docs.stripe.com/search#data-freshness"""
    mine = shop.sdk.v1.customers.create({"email": "ana@example.com", "metadata": {LINK: "5"}}).id
    shop.customer(email="ana@example.com")
    found = shop.adapter.find_customers(email="ana@example.com", zendesk_user_id="5")
    assert [view.customer_id for view in found] == [mine]


def test_a_stale_search_hit_is_not_believed(shop: Shop) -> None:
    """https://docs.stripe.com/search#data-freshness"""
    customer = shop.customer(email="other@example.com", metadata={LINK: "5"})
    shop.sdk.v1.customers.update(customer, {"metadata": {LINK: "6"}})
    assert len(shop.sdk.v1.customers.search({"query": f'metadata["{LINK}"]:"5"'}).data) == 1
    assert shop.adapter.find_customers(email=None, zendesk_user_id="5") == ()


def test_search_compares_numbers_and_parts(shop: Shop) -> None:
    """https://docs.stripe.com/search#search-query-language"""
    charge = shop.charge(5000, customer=shop.customer())
    shop.charge(100)
    hits = shop.sdk.v1.charges.search({"query": 'amount>1000 AND currency:"USD"'}).data
    assert [hit.id for hit in hits] == [charge]
    assert len(shop.sdk.v1.customers.search({"query": 'email~"example" AND -name:"Ben"'}).data) == 1


@pytest.mark.parametrize("query", ["", "amount>", 'a:"1" AND b:"2" OR c:"3"', 'name:"x" name:"y"'])
def test_an_unreadable_search_query_is_refused(shop: Shop, query: str) -> None:
    """https://docs.stripe.com/search#search-query-language "you can't combine AND and OR" """
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.sdk.v1.charges.search({"query": query})
    assert caught.value.param == "query"


def test_objects_can_be_expanded(shop: Shop) -> None:
    """https://docs.stripe.com/expand"""
    customer = shop.customer()
    charge = shop.charge(customer=customer)
    found = shop.sdk.v1.charges.retrieve(charge, {"expand": ["customer", "payment_intent"]})
    assert isinstance(found.customer, stripe.Customer)
    assert isinstance(found.payment_intent, stripe.PaymentIntent)
    assert found.customer.id == customer


def test_what_is_no_reference_cannot_be_expanded(shop: Shop) -> None:
    """https://docs.stripe.com/expand"""
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        shop.sdk.v1.charges.retrieve(shop.charge(), {"expand": ["amounts"]})


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.SERVER_ERROR, VendorUnavailable),
        (FaultKind.UNAVAILABLE, VendorUnavailable),
        (FaultKind.RESET_BEFORE_EFFECT, VendorUnavailable),
        (FaultKind.TRUNCATED_BODY, VendorUnavailable),
        (FaultKind.TOO_MANY_REQUESTS, Throttled),
    ],
)
def test_a_read_that_does_not_come_back_may_be_made_again(shop: Shop, kind: FaultKind, error: type[Exception]) -> None:
    """https://docs.stripe.com/error-low-level"""
    charge = shop.charge()
    shop.fault("stripe.refunds.list", kind, retry_after_s=2)
    with pytest.raises(error) as caught:
        shop.adapter.refunds_of(charge)
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after_s == 2.0
    assert not isinstance(caught.value, WireError)
    assert shop.adapter.refunds_of(charge) == ()


def test_a_fault_on_the_second_page_loses_no_page(shop: Shop) -> None:
    """https://docs.stripe.com/api/pagination"""
    charge = shop.charge(10_000)
    for _ in range(101):
        shop.double.add_refund(charge=charge, amount_minor=1, created=shop.time.now())
    shop.fault("stripe.refunds.list", FaultKind.SERVER_ERROR, skip=1)
    with pytest.raises(VendorUnavailable):
        shop.adapter.refunds_of(charge)
    assert len(shop.adapter.refunds_of(charge)) == 101


@pytest.mark.parametrize(
    ("bound", "seconds", "hits"),
    [("gt", -1, 1), ("gt", 0, 0), ("gte", 0, 1), ("lt", 1, 1), ("lt", 0, 0), ("lte", 0, 1), ("lte", -1, 0)],
)
def test_every_bound_of_a_time_filter_is_kept(shop: Shop, bound: str, seconds: int, hits: int) -> None:
    """https://docs.stripe.com/api/refunds/list#list_refunds-created"""
    at = shop.time.ago(days=5)
    shop.double.add_refund(charge=shop.charge(created=at), amount_minor=1, created=at)
    filters = cast("RefundListParams", {"created": {bound: int(at.timestamp()) + seconds}})
    assert len(shop.sdk.v1.refunds.list(filters).data) == hits


@pytest.mark.parametrize(
    "filters",
    [
        {"created": {"since": 1}},
        {"created": {"gte": "monday"}},
        {"starting_after": "re_1", "ending_before": "re_2"},
        {"ticket": "7"},
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(shop: Shop, filters: dict[str, object]) -> None:
    """https://docs.stripe.com/error-codes#parameter-unknown"""
    with pytest.raises(stripe.InvalidRequestError):
        shop.sdk.v1.refunds.list(cast("RefundListParams", filters))


def test_a_list_by_address_follows_a_change_of_the_address(shop: Shop) -> None:
    """https://docs.stripe.com/api/customers/list#list_customers-email , exact and case by case"""
    customer = shop.customer(email="before@shop.example")
    shop.sdk.v1.customers.update(customer, {"email": "After@shop.example"})
    found = {
        email: [entry.id for entry in shop.sdk.v1.customers.list({"email": email}).data]
        for email in ("before@shop.example", "After@shop.example", "after@shop.example")
    }
    assert found == {"before@shop.example": [], "After@shop.example": [customer], "after@shop.example": []}
