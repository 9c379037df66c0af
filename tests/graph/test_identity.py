"""Every doubt that Zendesk or Stripe records makes a requester unverified, and none of the ticket's words can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.stripe.wire import CustomerView
from graph.casefile import facts_for
from graph.dossier import Identity, MailAuthentication
from graph.identity import identity_of, is_role_mailbox, is_shared, mail_authentication
from policies.vocabulary import Intent
from tests.app.web.waiting import a_snapshot
from tests.graph.cases import CUSTOMER, NOW, a_charge, a_dossier, a_refund, a_triage, ago, an_order

ANA = CustomerView(CUSTOMER, "ana@customers.example", "Ana Ruiz", ago(days=400), {})


@pytest.mark.parametrize(
    ("changes", "customers", "identity"),
    [
        ({}, (ANA,), Identity.VERIFIED),
        ({"flags": (4, 5, 16, 18)}, (ANA,), Identity.VERIFIED),
        ({"requester_verified": False}, (ANA,), Identity.UNVERIFIED_EMAIL),
        *[({"flags": (flag,)}, (ANA,), Identity.FLAGGED_COMMENT) for flag in (0, 2, 3, 11)],
        *[({"flags": (flag,)}, (ANA,), Identity.UNAUTHENTICATED_MAIL) for flag in (14, 20, 21, 22)],
        ({"suspension_cause": 17}, (ANA,), Identity.UNAUTHENTICATED_MAIL),
        ({"is_trusted": False}, (ANA,), Identity.FLAGGED_COMMENT),
        ({"is_carbon_copied": True}, (ANA,), Identity.CARBON_COPIED),
        ({"requester_email": "Billing@customers.example"}, (ANA,), Identity.SHARED_ADDRESS),
        ({"is_shared_user": True}, (ANA,), Identity.SHARED_ADDRESS),
        ({}, (ANA, replace(ANA, customer_id="cus_2")), Identity.SEVERAL_CUSTOMERS),
        ({}, (), Identity.NO_CUSTOMER),
    ],
)
def test_who_a_requester_is(changes: dict[str, Any], customers: tuple[CustomerView, ...], identity: Identity) -> None:
    assert identity_of(replace(a_snapshot("refund me"), **changes), customers) is identity


def test_what_zendesk_records_of_a_mail_and_that_a_form_is_none() -> None:
    mail = a_snapshot("refund me")
    assert mail_authentication(mail) is MailAuthentication.NO_DOUBT
    assert mail_authentication(replace(mail, channel="web")) is MailAuthentication.NOT_MAIL
    assert mail_authentication(replace(mail, flags=(14,), suspension_cause=17)) is MailAuthentication.FAILED
    assert mail_authentication(replace(mail, suspension_cause=17)) is MailAuthentication.SUSPENDED


@pytest.mark.parametrize("mailbox", ["info", "INFO", "billing+eu", "customer.service", "no-reply", "accounts"])
def test_a_mailbox_named_after_a_role_is_shared(mailbox: str) -> None:
    assert is_role_mailbox(f"{mailbox}@customers.example")


@pytest.mark.parametrize("mailbox", ["ana", "ana.ruiz", "informer", "bill", "teamster", "a+billing"])
def test_a_mailbox_named_after_a_person_is_not(mailbox: str) -> None:
    assert not is_role_mailbox(f"{mailbox}@customers.example")


def test_two_customers_behind_one_address_share_it() -> None:
    assert is_shared(a_snapshot("hello"), (ANA, replace(ANA, customer_id="cus_2")))


@pytest.mark.parametrize(
    ("order", "stated", "owned", "named"),
    [
        (an_order(customer_ref=CUSTOMER), ("#1042",), True, True),
        (an_order(customer_ref="cus_bob"), (), False, False),
        (an_order(), ("7001",), True, False),
    ],
)
def test_possession_of_the_order_is_by_the_records_and_naming_it_is_told_apart(
    order: Any,
    stated: tuple[str, ...],
    owned: bool,  # noqa: FBT001
    named: bool,  # noqa: FBT001
) -> None:
    dossier = a_dossier(a_charge(), orders=(order,), photo_repeated=True, is_address_shared=False)
    triage = a_triage(Intent.DUPLICATE_CHARGE, order_ids=stated)
    found = facts_for(a_refund(), dossier, triage, channel="email", brand=None, run={}, now=NOW)
    assert (found["order.owned_by_requester"], found["order.named_by_requester"]) == (owned, named)
    assert (found["request.photo_repeated"], found["requester.address_shared"]) == (True, False)
