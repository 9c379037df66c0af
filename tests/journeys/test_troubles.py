"""Journeys through outages, lost webhooks and lost permissions."""

from __future__ import annotations

import random

from connectors.sandbox.faults import FaultKind
from connectors.sandbox.zendesk.double import Said
from tests.journeys.shop import Shop, charged_twice


async def test_the_sweeper_finds_a_ticket_whose_webhooks_were_lost(shop: Shop) -> None:
    shop.goes_wrong("zendesk.webhook", FaultKind.WEBHOOK_DROPPED, times=100)
    ticket = await shop.arrives(charged_twice())
    assert not await shop.rows("SELECT 1 FROM run")
    shop.clock.advance(120)
    assert await shop.sweep() == 1
    await shop.work()
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)


async def test_a_webhook_delivered_twice_is_one_event_and_one_run(shop: Shop) -> None:
    shop.goes_wrong("zendesk.webhook", FaultKind.WEBHOOK_DUPLICATED, times=100)
    await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    deliveries = await shop.rows("SELECT max(deliveries) AS n FROM inbox_event WHERE source = 'zendesk'")
    assert deliveries[0]["n"] == 2
    assert (await shop.rows("SELECT count(*) AS n FROM run"))[0]["n"] == 1
    assert shop.refunds() == [("second", 2490, "usd")]


async def test_webhooks_out_of_order_lead_to_the_same_end(shop: Shop) -> None:
    shop.goes_wrong("zendesk.webhook", FaultKind.WEBHOOK_OUT_OF_ORDER, times=100)
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)


async def test_a_zendesk_that_is_away_for_a_while_delays_and_does_not_lose(shop: Shop) -> None:
    shop.goes_wrong("zendesk.tickets.show", FaultKind.UNAVAILABLE, times=6)
    ticket = await shop.arrives(charged_twice())
    assert (await shop.run(ticket))["wait_for"] == "vendor"
    for _ in range(5):
        await shop.passes(minutes=2)
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    assert (await shop.run(ticket))["retries"] >= 1


async def test_a_zendesk_that_is_away_from_the_start_loses_no_ticket(shop: Shop) -> None:
    ticket = await shop.is_opened(charged_twice())
    shop.goes_wrong("zendesk.*", FaultKind.UNAVAILABLE, times=10_000)
    shop.goes_wrong("zendesk.oauth.*", FaultKind.UNAVAILABLE, times=10_000)
    for _ in range(12):
        await shop.advance(ticket)
    assert not await shop.rows("SELECT 1 FROM inbox_event WHERE disposition = 'parked'")
    shop.faults.clear()
    await shop.work()
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    assert shop.refunds() == [("second", 2490, "usd")]


async def test_a_zendesk_that_denies_access_for_a_while_loses_no_ticket(shop: Shop) -> None:
    ticket = await shop.is_opened(charged_twice())
    shop.goes_wrong("zendesk.*", FaultKind.FORBIDDEN, times=10_000)
    for _ in range(12):
        await shop.advance(ticket)
    assert not await shop.rows("SELECT 1 FROM inbox_event WHERE disposition = 'parked'")
    (event,) = await shop.rows("SELECT reason, look_again_at > received_at AS later FROM inbox_event LIMIT 1")
    assert (event["reason"], event["later"]) == ("AccessDenied", True)
    shop.faults.clear()
    await shop.passes(minutes=2)
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    assert shop.refunds() == [("second", 2490, "usd")]


async def test_a_zendesk_that_stays_away_ends_the_run_with_a_person_and_no_refund(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    shop.goes_wrong("zendesk.*", FaultKind.UNAVAILABLE, times=10_000)
    await shop.passes(minutes=11)
    for _ in range(12):
        await shop.passes(minutes=2)
    assert await shop.outcome(ticket) == ("handed_off", "tool_error")
    # Whether the customer, or an agent, has written meanwhile cannot be told, so the money stays.
    assert shop.refunds() == []
    await shop.balanced()


async def test_an_answer_that_comes_during_an_outage_is_taken_up_afterwards(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    shop.goes_wrong("zendesk.comments.list", FaultKind.UNAVAILABLE, times=30)
    await shop.customer_writes(ticket, "Never mind, it has been solved.")
    assert (await shop.run(ticket))["wait_for"] == "vendor"
    shop.faults.clear()
    await shop.passes(minutes=2)
    assert await shop.outcome(ticket) == ("handed_off", "ambiguous_request")
    assert shop.refunds() == []


async def test_a_stripe_that_refuses_the_key_makes_the_connector_draft_only_and_says_so(shop: Shop) -> None:
    shop.goes_wrong("stripe.charges.list", FaultKind.FORBIDDEN, times=100)
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "tool_error")
    rows = await shop.rows("SELECT connector, is_draft_only, reason FROM connector_state")
    assert [(row["connector"], row["is_draft_only"]) for row in rows] == [("stripe", True)]
    calls = await shop.rows(
        "SELECT 1 FROM audit_event WHERE kind = 'tool.called' AND body ->> 'outcome' = 'access_denied'"
    )
    assert calls


async def test_a_truncated_answer_of_stripe_is_no_answer(shop: Shop) -> None:
    shop.goes_wrong("stripe.charges.list", FaultKind.TRUNCATED_BODY)
    ticket = await shop.arrives(charged_twice())
    for _ in range(3):
        await shop.passes(minutes=2)
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)


async def test_a_busy_stripe_is_asked_again_after_the_time_it_names(shop: Shop) -> None:
    shop.goes_wrong("stripe.*", FaultKind.TOO_MANY_REQUESTS, times=2, retry_after_s=5)
    ticket = await shop.arrives(charged_twice())
    for _ in range(3):
        await shop.passes(minutes=2)
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)


async def test_on_a_day_without_webhooks_every_ticket_is_found_within_three_minutes(shop: Shop) -> None:
    """The sweep goes every minute; minutes in which nothing can be found are passed over."""
    zendesk = shop.sandbox.doubles.zendesk
    shop.goes_wrong("zendesk.webhook", FaultKind.WEBHOOK_DROPPED, times=1000)
    ana = zendesk.add_user(name="Ana Ruiz", email="ana@example.com")
    chance, waited = random.Random(7), []
    shop.clock.advance(3700)
    await shop.sweep()
    for _ in range(40):
        shop.clock.advance(chance.randrange(1, 4300))
        said = [Said(ana, "Where is my order?")]
        ticket = zendesk.create_ticket(requester=ana, subject="Order", channel="email", comments=said)
        arrived = shop.clock.now()
        shop.clock.advance(chance.randrange(1, 60))
        while not await shop.rows("SELECT 1 FROM inbox_event WHERE ticket_id = :t", t=str(ticket)):
            await shop.sweep()
            shop.clock.advance(60)
        (found,) = await shop.rows("SELECT received_at FROM inbox_event WHERE ticket_id = :t", t=str(ticket))
        waited.append((found["received_at"] - arrived).total_seconds())
    assert max(waited) <= 180, waited
