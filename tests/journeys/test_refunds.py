"""Money journeys, from a signed webhook to Stripe's own books and the answered ticket."""

from __future__ import annotations

from base64 import b64encode

import pytest

from app.identity.roles import Role
from connectors.sandbox.faults import FaultKind
from connectors.sandbox.world.loading import arrive
from connectors.sandbox.world.model import Setting
from tests.app.web.people import a_person
from tests.graph.photos import a_photo
from tests.journeys.shop import Shop, a_setting, charged_twice


async def test_a_duplicate_charge_is_held_then_refunded_once_and_answered(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    assert shop.refunds() == []
    assert (await shop.run(ticket))["wait_for"] == "settlement"
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    assert shop.ticket(ticket)["status"] == "solved"
    assert {"countersign", "refunded"} <= set(shop.ticket(ticket)["tags"])
    (reply,) = shop.said(ticket, public=True)
    assert "$24.90" in reply
    assert "refund-policy#3.2" in reply
    await shop.balanced()


async def test_our_own_update_and_its_events_start_no_further_run(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.passes(hours=1)
    (runs,) = await shop.rows("SELECT count(*) AS n FROM run WHERE ticket_id = :t", t=ticket)
    assert runs["n"] == 1
    own = await shop.rows("SELECT reason FROM inbox_event WHERE disposition = 'ignored' AND reason = 'own_update'")
    assert own
    assert not await shop.rows("SELECT 1 FROM inbox_event WHERE disposition = 'pending'")


async def test_yen_have_no_minor_unit_and_are_refunded_exactly(shop: Shop) -> None:
    body = "I was charged twice for order 1042, 1980 yen both times. Please refund the duplicate charge."
    ticket = await shop.arrives(charged_twice("1980", "jpy", body=body))
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 1980, "jpy")]
    (reply,) = shop.said(ticket, public=True)
    assert "1,980" in reply
    assert "19.80" not in reply


async def test_dinars_have_three_decimals_and_are_refunded_exactly_once_a_person_agrees(shop: Shop) -> None:
    body = "I was charged twice for order 1042, 24.900 KWD both times. Please refund the duplicate charge."
    ticket = await shop.arrives(charged_twice("24.900", "kwd", body=body))
    assert (await shop.outcome(ticket))[0] == "waiting_for_review", "the shipped policy has no limit in dinars"
    assert await shop.clicks(ticket, "approve") == 303
    # Nor does it say below which amount one person is enough.
    second = await a_person(shop.database.tenant, shop.tenant, Role.ADMIN, email="second@shop.example")
    shop.reviewer = second.account
    assert await shop.clicks(ticket, "approve") == 303
    await shop.work()
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 24_900, "kwd")]
    (reply,) = shop.said(ticket, public=True)
    assert "24.900" in reply
    assert await shop.outcome(ticket) == ("resolved", None)
    await shop.balanced()


async def test_two_charges_of_one_ticket_are_each_refunded_once_and_answered_together(shop: Shop) -> None:
    orders = {"1042": "24.90", "1077": "31.00"}
    charges = [
        {"key": f"{which}-{order}", "amount": amount, "order": order, "description": f"Order {order}", "days_ago": age}
        for order, amount in orders.items()
        for which, age in (("first", "3.01"), ("second", "3"))
    ]
    body = "You charged me twice for order 1042 and twice for order 1077. Please refund both duplicate charges."
    ticket = await shop.arrives(charged_twice(charges=charges, body=body))
    await shop.passes(minutes=11)
    assert sorted(shop.refunds()) == [("second-1042", 2_490, "usd"), ("second-1077", 3_100, "usd")]
    (reply,) = shop.said(ticket, public=True)
    assert "$24.90" in reply
    assert "$31.00" in reply
    assert await shop.outcome(ticket) == ("resolved", None)
    await shop.balanced()


async def test_a_pending_refund_is_done_and_the_reply_says_that_it_is_pending(shop: Shop) -> None:
    twin = {"amount": "24.90", "order": "1042", "description": "Order 1042", "card": "4000000000007726"}
    ticket = await shop.arrives(
        charged_twice(charges=[{"key": "first", **twin, "days_ago": "3.01"}, {"key": "second", **twin}])
    )
    await shop.passes(minutes=11)
    assert [entry["status"] for entry in shop.sandbox.doubles.stripe.ledger()] == ["pending"]
    assert await shop.outcome(ticket) == ("resolved", None)
    (reply,) = shop.said(ticket, public=True)
    assert "on its way" in reply
    assert "confirmed it yet" in reply
    assert "We have refunded" not in reply
    effects = await shop.rows("SELECT state, vendor_status FROM effect WHERE kind = 'refund'")
    assert effects == [{"state": "settled", "vendor_status": "pending"}]


async def test_an_authorisation_that_was_never_captured_is_released_and_not_refunded(shop: Shop) -> None:
    twin = {"amount": "24.90", "order": "1042", "description": "Order 1042", "captured": False}
    setting = charged_twice(charges=[{"key": "first", **twin, "days_ago": "3.01"}, {"key": "second", **twin}])
    ticket = await shop.arrives(setting)
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    effects = await shop.rows("SELECT state, amount_minor FROM effect WHERE kind = 'cancel_payment'")
    assert effects == [{"state": "settled", "amount_minor": None}]
    assert shop.sandbox.doubles.stripe.ledger() == []
    assert (await shop.outcome(ticket))[0] == "resolved"


async def test_one_item_of_an_order_is_refunded_and_the_rest_stays(shop: Shop) -> None:
    lamp = {"key": "lamp", "name": "Desk lamp", "amount": "30.00"}
    vase = {"key": "vase", "name": "Glass vase", "amount": "12.50"}
    order = {"key": "o1", "customer": "ana", "number": "1042", "charge": "paid", "items": [lamp, vase]}
    order |= {"fulfilment": "delivered", "delivered_days_ago": "2"}
    setting = a_setting(
        "The glass vase of order 1042 arrived broken, please refund the glass vase.",
        charges=[{"key": "paid", "amount": "42.50", "order": "1042", "description": "Order 1042"}],
        subject="Broken vase",
        orders=[order],
    )
    ticket = await shop.arrives(setting)
    if (await shop.outcome(ticket))[0] == "waiting_for_review":
        assert await shop.clicks(ticket, "approve") == 303
        await shop.work()
    await shop.passes(minutes=11)
    assert shop.refunds() == [("paid", 1_250, "usd")]
    await shop.balanced()


async def test_a_refund_that_fails_days_later_is_a_persons_case_again(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    stripe = shop.sandbox.doubles.stripe
    await shop.passes(days=3)
    stripe.fail_refund(stripe.ledger()[0]["id"])
    await shop.work()
    await shop.looks_out()
    assert await shop.outcome(ticket) == ("handed_off", "tool_error")
    (note,) = shop.said(ticket, public=False)
    assert "24.90 USD failed at Stripe" in note
    assert shop.ticket(ticket)["status"] == "open"
    assert "countersign_refund_failed" in shop.ticket(ticket)["tags"]
    await shop.passes(minutes=5)
    await shop.looks_out()
    assert len(shop.said(ticket, public=False)) == 1
    assert shop.refunds() == []
    await shop.balanced()


async def test_a_currency_without_a_limit_waits_for_a_person(shop: Shop) -> None:
    ticket = await shop.arrives(
        charged_twice("24.90", "pln", body="Order 1042 was charged twice, refund the duplicate.")
    )
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert (await shop.outcome(ticket))[0] == "waiting_for_review"


async def test_a_disputed_charge_is_never_refunded(shop: Shop) -> None:
    dispute = {"charge": "second", "reason": "duplicate", "status": "needs_response"}
    ticket = await shop.arrives(charged_twice(disputes=[dispute]))
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "policy_denied")
    (note,) = shop.said(ticket, public=False)
    assert "refund-policy#7.1" in note
    assert shop.said(ticket, public=True) == []


async def test_a_charge_of_another_customer_named_in_the_ticket_is_never_refunded(shop: Shop) -> None:
    victim = {"key": "bob", "name": "Bob Stone", "email": "bob.stone@customers.example"}
    charges = [
        {"key": "first", "customer": "bob", "amount": "24.90", "order": "7001", "days_ago": "3.01"},
        {"key": "second", "customer": "bob", "amount": "24.90", "order": "7001"},
    ]
    setting = charged_twice(
        charges=charges,
        others=[victim],
        body="I was charged twice for order 7001. Please refund the duplicate charge of $24.90.",
    )
    ticket = await shop.arrives(setting)
    await shop.passes(minutes=11)
    await shop.customer_writes(ticket, "It is order 7001, refund the second charge of order 7001 to me.")
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    words = " ".join(shop.said(ticket, public=True))
    assert "Bob" not in words
    assert "24.90" not in words


async def test_a_duplicate_whose_first_charge_was_given_back_by_hand_is_not_refunded_too(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice(refunds=[{"charge": "first", "amount": "24.90", "days_ago": "1"}]))
    await shop.passes(minutes=11)
    assert shop.refunds() == [("first", 2490, "usd")]
    assert await shop.outcome(ticket) == ("handed_off", "policy_denied")


async def test_an_unverified_writer_gets_no_money_without_a_person(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice(customer={"verified": False}))
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("waiting_for_review", "identity_not_verified")


@pytest.mark.parametrize(
    ("comment", "customer"),
    [
        ({"flags": [14]}, {}),
        ({"suspension": 17}, {}),
        ({"sender": "ana@elsewhere.example"}, {}),
        ({}, {"email": "office@customers.example"}),
    ],
    ids=["not_authenticated", "let_through", "another_address", "shared"],
)
async def test_a_mail_that_need_not_be_the_customers_gets_no_money_without_a_person(
    shop: Shop, comment: dict[str, object], customer: dict[str, object]
) -> None:
    body = "I was charged twice for order 1042. Please refund the duplicate charge."
    said = [{"from": "ana", "body": body, **comment}]
    ticket = await shop.arrives(charged_twice(customer=customer, ticket={"comments": said}))
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("waiting_for_review", "identity_not_verified")


async def test_a_photo_that_another_ticket_showed_makes_a_person_look(shop: Shop) -> None:
    def damaged(number: int, photo: bytes) -> Setting:
        vase = {"key": "vase", "name": "Glass vase", "amount": "12.50", "category": "physical", "final_sale": False}
        order = {"key": f"10{number}", "customer": "ana", "charge": "paid", "items": [vase]}
        file = {"name": "photo.jpg", "content_type": "image/jpeg", "content": b64encode(photo).decode()}
        body = f"The glass vase of order 10{number} arrived broken, see the photo. Please refund the glass vase."
        return a_setting(
            body,
            charges=[{"key": "paid", "amount": "12.50", "order": f"10{number}"}],
            subject="Broken vase",
            customer={"email": f"ana.{number}@customers.example"},
            orders=[order | {"fulfilment": "delivered", "delivered_days_ago": "2"}],
            ticket={"comments": [{"from": "ana", "body": body, "attachments": [file]}]},
        )

    first = await shop.arrives(damaged(42, a_photo(7, quality=90)))
    other = await shop.arrives(damaged(43, a_photo(8, quality=90)))
    again = await shop.arrives(damaged(44, a_photo(7, quality=60, side=300)))
    assert [(await shop.outcome(one))[1] for one in (first, other)] == [None, None]
    assert await shop.outcome(again) == ("waiting_for_review", "suspected_abuse")
    facts = await shop.rows("SELECT facts FROM decision WHERE ticket_id = :t AND action = 'refund'", t=again)
    assert facts[0]["facts"]["request.photo_repeated"] is True


async def test_a_charge_that_a_person_refused_is_a_persons_also_under_another_address(shop: Shop) -> None:
    setting = charged_twice("60.00")
    ticket = await shop.arrives(setting)
    assert await shop.clicks(ticket, "reject", reason_code="wrong_amount") == 303
    await shop.work()
    shop.clock.advance(60)
    assert setting.ticket is not None
    again = str(arrive(setting.ticket, setting.world, shop.keys, shop.sandbox.doubles))
    await shop.work()
    facts = await shop.rows("SELECT facts FROM decision WHERE ticket_id = :t AND action = 'refund'", t=again)
    assert facts[0]["facts"]["charge.prior_refusals"] == 1
    assert shop.refunds() == []


async def test_a_second_ticket_about_the_same_charge_does_not_refund_it_again(shop: Shop) -> None:
    setting = charged_twice()
    await shop.is_opened(setting)
    keys = shop.keys
    doubles = shop.sandbox.doubles
    assert setting.ticket is not None
    arrive(setting.ticket, setting.world, keys, doubles)
    await shop.work()
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    await shop.balanced()


async def test_which_order_is_asked_once_and_the_answer_leads_to_the_refund(shop: Shop) -> None:
    item = {"fulfilment": "shipped", "category": "physical", "final_sale": False, "shipped_days_ago": "21"}
    setting = a_setting(
        "My order still has not arrived. The tracking has not moved. I would like my money back please.",
        charges=[
            {"key": "one", "amount": "24.90", "order": "1042", "days_ago": "24"},
            {"key": "two", "amount": "31.00", "order": "1077", "days_ago": "24"},
        ],
        orders=[
            {
                "key": "1042",
                "customer": "ana",
                "charge": "one",
                "placed_days_ago": "24",
                "promised_days_ago": "15",
                **item,
            },
            {
                "key": "1077",
                "customer": "ana",
                "charge": "two",
                "placed_days_ago": "24",
                "promised_days_ago": "15",
                **item,
            },
        ],
        subject="Order never arrived",
    )
    ticket = await shop.arrives(setting)
    assert await shop.outcome(ticket) == ("waiting_for_customer", "missing_data")
    assert shop.ticket(ticket)["status"] == "pending"
    assert len(shop.said(ticket, public=True)) == 1
    await shop.customer_writes(ticket, "It is order 1077.")
    await shop.passes(minutes=11)
    assert shop.refunds() == [("two", 3100, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    assert len(shop.said(ticket, public=True)) == 2
    await shop.balanced()


async def test_a_customer_who_never_answers_the_question_is_handed_to_a_person(shop: Shop) -> None:
    setting = a_setting(
        "My order still has not arrived. The tracking has not moved. I would like my money back please.",
        charges=[{"key": "one", "amount": "24.90", "order": "1042"}, {"key": "two", "amount": "31", "order": "1077"}],
    )
    ticket = await shop.arrives(setting)
    assert (await shop.outcome(ticket))[0] == "waiting_for_customer"
    await shop.passes(days=8)
    assert await shop.outcome(ticket) == ("handed_off", "customer_silent")
    assert shop.refunds() == []


async def test_a_time_out_after_the_refund_was_made_leaves_one_refund(shop: Shop) -> None:
    shop.goes_wrong("stripe.refunds.create", FaultKind.TIMEOUT_AFTER_EFFECT)
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.passes(minutes=2)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    await shop.balanced()


async def test_a_time_out_before_the_refund_was_made_leaves_one_refund(shop: Shop) -> None:
    shop.goes_wrong("stripe.refunds.create", FaultKind.TIMEOUT_BEFORE_EFFECT)
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.passes(minutes=2)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    await shop.balanced()


async def test_a_stored_500_of_stripe_is_found_out_and_not_repeated(shop: Shop) -> None:
    shop.goes_wrong("stripe.refunds.create", FaultKind.SERVER_ERROR)
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    for _ in range(4):
        await shop.passes(minutes=2)
    assert len(shop.refunds()) <= 1
    outcome, _ = await shop.outcome(ticket)
    assert outcome in {"resolved", "handed_off"}
    assert (outcome == "resolved") == bool(shop.refunds())


async def test_a_reply_whose_answer_was_lost_is_written_once(shop: Shop) -> None:
    shop.goes_wrong("zendesk.tickets.update", FaultKind.TIMEOUT_AFTER_EFFECT)
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.passes(minutes=2)
    assert len(shop.said(ticket, public=True)) == 1
    assert await shop.outcome(ticket) == ("resolved", None)
