"""Versions, canaries, switches and breakers at real tickets: what decides, what is stopped, what is taken back."""

from __future__ import annotations

import pytest

from app.ambient import new_id
from connectors.sandbox.faults import FaultKind
from graph.breakers.tally import Happened, count
from graph.breakers.watch import Seen, look
from graph.decisions.shadow import WAITED, watched
from graph.lifecycle.canary import watch_canary
from graph.lifecycle.desk import Desk, Wish
from graph.lifecycle.gates import record
from graph.lifecycle.promotion import Cell, SpokenLanguage, cells_of, newest_promotion, record_promotion
from graph.lifecycle.promotion import Report as SuiteReport
from graph.lifecycle.publishing import Act, Done
from graph.lifecycle.requirements import REQUIRED_GATES
from graph.rulebook import deciding, load_policy, place_of
from graph.runs.models import Run
from policies.breakers import Measure
from policies.shelf import shipped_text
from policies.vocabulary import Mode
from tests.journeys.shop import Shop, charged_twice

pytestmark = pytest.mark.journey


def act(shop: Shop, actor: str) -> Act:
    return Act(actor, shop.clock.now(), "an exercise", new_id)


async def publishes(shop: Shop, text: str, **wish: object) -> str:
    """A version with all that it needs."""
    desk = Desk(lambda: shop.database.tenant(shop.tenant), shop.tenant)
    compared = await desk.compared(await desk.draft(text, act(shop, "ada")))
    for gate in REQUIRED_GATES:
        async with shop.database.tenant(shop.tenant) as session:
            await record(session, shop.tenant, compared.version.policy_hash, gate, {}, act(shop, "ci"), passed=True)
    await desk.approve(compared, act(shop, "bob"))
    answer = await desk.publish(compared, Wish(**wish), act(shop, "ada"))  # type: ignore[arg-type]
    assert isinstance(answer, Done)
    return answer.policy_hash


async def looks(shop: Shop) -> Seen:
    """What the look-out does every second."""
    async with shop.database.tenant(shop.tenant) as session:
        published = (await deciding(session, shop.tenant)).published
        policy = await load_policy(session, shop.tenant, published or "")
    return await look(shop.database.tenant, shop.tenant, policy.breakers, now=shop.clock.now(), new_id=new_id)


async def test_a_switch_stops_what_is_held_at_once_and_not_at_the_end_of_its_hold(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.switch_off("stripe.refund")
    assert len((await looks(shop)).stopped) == 1
    await shop.work()
    assert await shop.outcome(ticket) == ("handed_off", "kill_switch")
    assert shop.refunds() == []
    await shop.balanced()


async def test_a_breaker_stops_a_held_refund_at_the_next_look_and_the_next_ticket_is_only_drafted(shop: Shop) -> None:
    held = await shop.arrives(charged_twice())
    async with shop.database.tenant(shop.tenant) as session:
        injections = [Happened(Measure.INJECTIONS, is_bad=True)] * 10
        await count(session, shop.tenant, injections, now=shop.clock.now())
    seen = await looks(shop)
    assert (seen.tripped, len(seen.stopped)) == (("injections",), 1)
    await shop.work()
    assert await shop.outcome(held) == ("handed_off", "breaker_tripped")
    following = await shop.arrives(charged_twice(customer={"email": "b@customers.example", "name": "Bo"}))
    assert await shop.outcome(following) == ("handed_off", "breaker_tripped")
    assert shop.said(following, public=True) == []
    assert len(shop.said(following, public=False)) == 1
    assert shop.refunds() == []


async def test_the_refund_that_would_pass_a_breakers_amount_trips_it_and_waits_for_people(shop: Shop) -> None:
    bound = "{usd: 450, eur: 414"
    assert bound in shipped_text()
    await publishes(shop, shipped_text().replace(bound, "{usd: 40, eur: 414"))
    first = await shop.arrives(charged_twice())
    second = await shop.arrives(charged_twice(customer={"email": "b@customers.example", "name": "Bo"}))
    assert await shop.outcome(second) == ("handed_off", "breaker_tripped")
    assert [row["breaker_id"] for row in await shop.rows("SELECT breaker_id FROM breaker WHERE is_tripped")] == [
        "refunds-per-hour"
    ]
    await shop.passes(minutes=11)
    # What was held when it tripped is only drafted, too.
    assert await shop.outcome(first) == ("handed_off", "breaker_tripped")
    assert shop.refunds() == []
    await shop.balanced()


async def test_a_language_below_its_recorded_gate_is_only_drafted(shop: Shop) -> None:
    report = SuiteReport("0" * 64, "c0ffee", ("p" * 64,))
    cell = Cell("duplicate_charge", None, 40, 900_000, 910_000, Mode.AUTO)
    for share, released in ((700_000, False), (950_000, True)):
        async with shop.database.tenant(shop.tenant) as session:
            spoken = [SpokenLanguage("en", 40, share, released)]
            evidence = await record_promotion(session, shop.tenant, report, [cell], spoken, act(shop, "ci"))
            newest = await newest_promotion(session, shop.tenant)
        assert newest is not None
        assert cells_of(newest) == (cell,)
        shop.clock.advance(1)
        ana = {"email": f"ana{share}@customers.example", "name": "Ana Ruiz"}
        ticket = await shop.arrives(charged_twice(customer=ana))
        if not released:
            assert await shop.outcome(ticket) == ("handed_off", "unsupported_language")
            assert shop.said(ticket, public=True) == []
            assert "below its gate" in shop.said(ticket, public=False)[0]
        else:
            assert (await shop.run(ticket))["state"] == "waiting"
            assert await shop.rows("SELECT state FROM effect WHERE kind = 'refund'") == [{"state": "held"}]
        told = await shop.rows(
            "SELECT body FROM audit_event WHERE kind = 'promotion.recorded' ORDER BY seq DESC LIMIT 1"
        )
        assert told[0]["body"]["evidence_id"] == evidence


async def test_what_a_shadow_run_proposed_is_held_against_what_people_then_paid(shop: Shop) -> None:
    watching = shipped_text().replace("mode: auto\n      at_most: {usd: 50", "mode: shadow\n      at_most: {usd: 50", 1)
    assert watching != shipped_text()
    await publishes(shop, watching)
    tickets = []
    for number in range(3):
        ana = {"email": f"ana{number}@customers.example", "name": "Ana Ruiz"}
        tickets.append(await shop.arrives(charged_twice(customer=ana)))
    assert shop.refunds() == []
    stripe = shop.sandbox.doubles.stripe
    proposed = [(await shop.run(ticket))["actions"][0]["charge"] for ticket in tickets]
    assert (await shop.run(tickets[0]))["is_shadow"]
    shop.clock.advance(3600)
    for charge, minor in zip(proposed[:2], (2490, 1000), strict=True):
        stripe.add_refund(charge=charge, amount_minor=minor, created=shop.clock.now())
    await shop.work()
    async with shop.database.tenant(shop.tenant) as session:
        early = await watched(session, shop.tenant, now=shop.clock.now())
        late = await watched(session, shop.tenant, now=shop.clock.now() + WAITED)
    assert [one.outcome.value for one in early] == ["same", "open", "open"]
    assert [(one.outcome.value, one.proposed_minor, one.paid_minor) for one in late] == [
        ("same", 2490, 2490),
        ("different", 2490, 1000),
        ("different", 2490, 0),
    ]


async def test_a_canary_whose_refunds_fail_is_taken_back_with_its_figures(shop: Shop) -> None:
    looser = shipped_text().replace("at_most: {usd: 50, eur: 46", "at_most: {usd: 60, eur: 46")
    async with shop.database.tenant(shop.tenant) as session:
        stable = (await deciding(session, shop.tenant)).published
    canary = await publishes(shop, looser, share=99)
    ended = [(stable, 60), (canary, 15)]
    async with shop.database.tenant(shop.tenant) as session:
        session.add_all(
            Run(
                tenant_id=shop.tenant,
                run_id=new_id("run"),
                ticket_id=new_id("past"),
                state="ended",
                outcome="resolved",
                policy_hash=version,
                started_at=shop.clock.now(),
                updated_at=shop.clock.now(),
            )
            for version, runs in ended
            for _ in range(runs)
        )
    for number in range(5):
        ana = {"email": f"ana{number}@customers.example", "name": "Ana Ruiz"}
        ticket = await shop.arrives(charged_twice(customer=ana))
        assert place_of(shop.tenant, ticket) < 9_900
        run = await shop.run(ticket)
        assert (run["policy_hash"], run["arm"]) == (canary, "canary")
        shop.goes_wrong("stripe.refunds.create", FaultKind.FORBIDDEN, times=1)
        await shop.passes(minutes=11)
        assert await shop.outcome(ticket) == ("handed_off", "tool_error")
    worse = await watch_canary(
        lambda: shop.database.tenant(shop.tenant), shop.tenant, now=shop.clock.now(), new_id=new_id
    )
    assert worse == "errors"
    (event,) = await shop.rows("SELECT body FROM audit_event WHERE kind = 'policy.rolled_back'")
    assert event["body"]["trigger"]["canary"]["errors"] == 5
    after = await shop.arrives(charged_twice(customer={"email": "b@customers.example", "name": "Bo"}))
    assert ((await shop.run(after))["policy_hash"], (await shop.run(after))["arm"]) == (stable, "stable")
