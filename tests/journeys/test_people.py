"""Journeys in which people have a say: reviewers, agents, the customer who writes again, whoever turns the switch."""

from __future__ import annotations

import asyncio

from app.measures.keeping import fold_all
from connectors.sandbox.faults import FaultKind
from graph.decisions.past import read_past
from tests.journeys.shop import Shop, charged_twice


async def in_the_past(shop: Shop) -> list[tuple[str, str, int, str | None, int | None]]:
    """What is recorded: verdict, mode, amount, what a person said, what was refunded."""
    async with shop.database.tenant(shop.tenant) as session:
        past = await read_past(session, shop.tenant)
    return past.select("verdict", "mode", "action.amount_minor", "review", "refunded_minor").rows()


async def test_above_the_limit_a_person_approves_and_one_refund_is_made(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    assert await shop.outcome(ticket) == ("waiting_for_review", "needs_approval")
    await shop.passes(hours=1)
    assert shop.refunds() == []
    assert await shop.clicks(ticket, "approve") == 303
    await shop.work()
    assert shop.refunds() == [("second", 9000, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    assert await in_the_past(shop) == [("needs_approval", "approve", 9000, "approved", 9000)]
    await shop.balanced()


async def test_two_clicks_have_one_effect_and_the_second_is_told_so(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    form = await shop.form(ticket)
    first, second = await asyncio.gather(shop.posts(form, "approve"), shop.posts(form, "approve"))
    assert sorted([first.status_code, second.status_code]) == [303, 409]
    await shop.work()
    assert (await shop.posts(form, "approve")).status_code == 409
    await shop.work()
    assert shop.refunds() == [("second", 9000, "usd")]
    assert len(shop.said(ticket, public=True)) == 1


async def test_a_rejected_run_goes_to_a_person_with_a_note_and_no_words_to_the_customer(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    assert await shop.clicks(ticket, "reject", reason_code="wrong_amount") == 303
    await shop.work()
    assert shop.refunds() == []
    assert (await shop.outcome(ticket))[0] == "handed_off"
    assert shop.said(ticket, public=True) == []
    (note,) = shop.said(ticket, public=False)
    assert "Suggested next steps" in note
    assert "countersign_handoff" in shop.ticket(ticket)["tags"]
    assert await in_the_past(shop) == [("needs_approval", "approve", 9000, "rejected", None)]


async def test_an_edited_reply_is_what_the_customer_reads(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    words = "Hello Ana,\n\nthe second payment is on its way back to you.\n\nLarkspur Goods"
    assert await shop.clicks(ticket, "approve", reply=words) == 303
    await shop.work()
    assert shop.said(ticket, public=True) == [words]
    assert shop.refunds() == [("second", 9000, "usd")]
    assert await in_the_past(shop) == [("needs_approval", "approve", 9000, "edited", 9000)]
    for score in ("good", "good", "bad"):
        shop.sandbox.doubles.zendesk.customer_rates(int(ticket), score)
        await shop.passes(minutes=2)
        await shop.sweep()
    await fold_all(shop.database.tenant, shop.tenant)
    (told,) = await shop.rows("SELECT * FROM measure_run")
    assert (told["outcome"], told["is_covered"], told["approved"], told["edited"]) == ("resolved", True, 1, 1)
    assert 0 < told["edit_permille"] < 1000
    assert (told["intent"], told["segment"], told["channel"], told["language"]) == (
        "duplicate_charge", "standard", "email", "en",
    )  # fmt: skip
    assert (told["effects"], told["effects_ended"], told["tool_errors"], told["rating"]) == (2, 2, 0, "bad")
    rated = await shop.rows("SELECT body FROM audit_event WHERE kind = 'ticket.rated' ORDER BY seq")
    assert [row["body"]["score"] for row in rated] == ["good", "bad"]


async def test_an_approval_that_nobody_gives_expires_into_a_hand_off(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    await shop.passes(hours=73)
    assert await shop.outcome(ticket) == ("handed_off", "approval_expired")
    assert shop.refunds() == []


async def test_two_people_must_say_yes_to_a_large_refund(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("1500.00"))
    form = await shop.form(ticket)
    assert (await shop.posts(form, "approve")).status_code == 303
    assert (await shop.posts(form, "approve")).status_code == 409
    await shop.passes(hours=1)
    assert shop.refunds() == []
    assert (await shop.outcome(ticket))[0] == "waiting_for_review"


async def test_a_refund_by_hand_before_the_approval_makes_the_yes_worthless(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    await shop.passes(minutes=5)
    shop.sandbox.doubles.stripe.add_refund(
        charge=shop.keys.charges["second"], amount_minor=9000, created=shop.clock.now()
    )
    assert await shop.clicks(ticket, "approve") == 303
    await shop.work()
    assert shop.refunds() == [("second", 9000, "usd")]
    assert await shop.outcome(ticket) != ("resolved", None)


async def test_what_the_customer_writes_during_the_hold_stops_the_refund_and_it_is_planned_anew(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=3)
    await shop.customer_writes(ticket, "Forget it, my bank says the second payment was only a reservation. Thank you!")
    states = await shop.rows("SELECT state FROM effect WHERE kind = 'refund' AND cycle = 1")
    assert [row["state"] for row in states] == ["stopped"]
    await shop.passes(minutes=30)
    assert shop.refunds() == []
    assert (await shop.run(ticket))["cycle"] >= 2


async def test_a_reminder_during_the_hold_leads_to_one_refund_in_the_end(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=3)
    await shop.customer_writes(
        ticket, "Any news? I was charged twice for order 1042, please refund the duplicate charge."
    )
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    await shop.balanced()


async def test_a_switch_turned_off_during_the_hold_stops_the_refund(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.switch_off("stripe.refund")
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "kill_switch")
    assert len(shop.said(ticket, public=False)) == 1
    await shop.balanced()


async def test_an_agent_who_answers_during_the_hold_takes_the_ticket_over(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.agent_writes(ticket, "Hi Ana, I am looking into this myself.")
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "human_took_over")
    assert await in_the_past(shop) == [("allow", "auto", 2490, "stopped", None)]


async def test_a_ticket_that_a_colleague_solves_during_the_hold_is_theirs(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    doubles = shop.sandbox.doubles
    doubles.zendesk.change_status(int(ticket), "solved", user_id=doubles.agent_id())
    await shop.work()
    await shop.passes(minutes=30)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "human_took_over")


async def test_a_ticket_deleted_during_the_hold_gets_no_refund(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    shop.sandbox.doubles.zendesk.delete_ticket(int(ticket))
    await shop.work()
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("ignored", "stale")


async def test_a_ticket_deleted_before_anybody_looked_is_ignored(shop: Shop) -> None:
    ticket = await shop.is_opened(charged_twice())
    shop.sandbox.doubles.zendesk.delete_ticket(int(ticket))
    await shop.work()
    assert await shop.outcome(ticket) == ("ignored", "stale")
    assert shop.refunds() == []


async def test_thanks_after_the_answer_reopen_nothing(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.customer_writes(ticket, "Thank you so much, that was quick!")
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert len(shop.said(ticket, public=True)) == 1
    assert (await shop.outcome(ticket))[0] == "ignored"


async def test_a_change_of_the_ticket_stops_a_held_refund_and_it_is_planned_anew(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=5)
    doubles = shop.sandbox.doubles
    doubles.zendesk.change(int(ticket), doubles.agent_id(), priority="high", tags=["vip"])
    await shop.work()
    states = await shop.rows("SELECT state, reason FROM effect WHERE kind = 'refund' ORDER BY created_at")
    assert states == [{"state": "stopped", "reason": "ticket_changed"}, {"state": "held", "reason": None}]
    await shop.passes(minutes=6)
    assert shop.refunds() == []
    await shop.passes(minutes=5)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert "vip" in shop.ticket(ticket)["tags"]
    await shop.balanced()


async def test_an_agents_answer_that_only_the_sweep_finds_stops_a_held_refund_for_good(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    shop.goes_wrong("zendesk.webhook", FaultKind.WEBHOOK_DROPPED, times=5)
    await shop.passes(minutes=5)
    await shop.agent_writes(ticket, "I will look into it myself.")
    await shop.passes(minutes=2)
    assert await shop.sweep() == 1
    await shop.work()
    await shop.passes(minutes=30)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "human_took_over")


async def test_an_agents_answer_that_nothing_told_of_is_seen_before_the_money_leaves(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    shop.goes_wrong("zendesk.webhook", FaultKind.WEBHOOK_DROPPED, times=5)
    await shop.agent_writes(ticket, "I will look into it myself.")
    await shop.passes(minutes=30)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "human_took_over")


async def test_a_dispute_opened_during_the_hold_stops_the_refund(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=5)
    stripe = shop.sandbox.doubles.stripe
    charge = shop.keys.charges["second"]
    stripe.add_dispute(charge=charge, reason="duplicate", status="needs_response", created=shop.clock.now())
    await shop.work()
    assert await shop.outcome(ticket) == ("handed_off", "policy_denied")
    await shop.passes(minutes=30)
    assert shop.refunds() == []


async def test_a_refund_made_by_hand_during_the_hold_is_not_made_again(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    shop.goes_wrong("stripe.webhook", FaultKind.WEBHOOK_DROPPED, times=5)
    await shop.passes(minutes=5)
    stripe = shop.sandbox.doubles.stripe
    stripe.add_refund(charge=shop.keys.charges["second"], amount_minor=2490, created=shop.clock.now())
    await shop.passes(minutes=30)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert (await shop.outcome(ticket))[0] == "handed_off"


async def test_a_new_message_makes_the_open_question_stale(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    form = await shop.form(ticket)
    await shop.customer_writes(ticket, "Please hurry, order 1042 was charged twice.")
    assert (await shop.posts(form, "approve")).status_code == 409
    states = await shop.rows("SELECT state FROM approval ORDER BY requested_at, state")
    assert [row["state"] for row in states] == ["stale", "pending"]
    assert shop.refunds() == []


async def test_a_ticket_that_a_colleague_has_answered_is_left_alone_and_one_that_a_friend_wrote_on_is_not(
    shop: Shop,
) -> None:
    friend = {"key": "friend", "name": "Bea Lund", "email": "bea.lund@customers.example"}
    ticket = await shop.is_opened(charged_twice(others=[friend]))
    doubles = shop.sandbox.doubles
    doubles.zendesk.agent_writes(int(ticket), doubles.agent_id(), "Hi Ana, I am looking into this myself.")
    await shop.work()
    assert await shop.outcome(ticket) == ("ignored", "human_took_over")
    assert (shop.said(ticket, public=True), shop.said(ticket, public=False)) == ([], [])
    # Her next message asks again, and what somebody in copy adds answers nobody.
    ana = int(str(doubles.zendesk.ticket(int(ticket))["requester_id"]))
    doubles.zendesk.customer_writes(int(ticket), ana, "I was charged twice for order 1042, please refund one of them.")
    doubles.zendesk.customer_writes(int(ticket), shop.keys.customers["friend"].zendesk_user_id, "She is right!")
    await shop.work()
    assert (await shop.run(ticket))["outcome"] != "ignored"
