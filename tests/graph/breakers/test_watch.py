"""Breakers trip at what their policy states, once, and come back by a person, by time, and by nothing else."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from graph.breakers.tally import Happened, count
from graph.breakers.trips import Watched, covering, reset, trip, tripped
from graph.breakers.watch import Seen, look
from graph.runs.models import Run
from graph.settlement.models import Approval
from policies.breakers import Breaker, Measure, Scope
from policies.vocabulary import Intent, Tool
from tests.graph.lifecycle.versions import Office

INJECTIONS = Breaker("injections", Measure.INJECTIONS, 3600, count=3)
REFUNDS = Breaker("refunds", Measure.TOOL_ERRORS, 900, count=2, share_percent=50, tool=Tool.STRIPE_REFUND)
ANY = Watched("refund_request", None, "auto")


async def happens(office: Office, *things: Happened) -> None:
    async with office.database.tenant(office.tenant) as session:
        await count(session, office.tenant, things, now=office.moment)


async def looks(office: Office, *breakers: Breaker) -> Seen:
    return await look(office.database.tenant, office.tenant, breakers, now=office.moment, new_id=office.new_id)


async def stops(office: Office, tool: str = "stripe.refund", watched: Watched = ANY) -> str | None:
    async with office.database.tenant(office.tenant) as session:
        breaker = covering(await tripped(session, office.tenant), tool, watched)
    return None if breaker is None else breaker.breaker_id


def injected(brand: str = "") -> Happened:
    return Happened(Measure.INJECTIONS, is_bad=True, brand=brand)


async def test_it_trips_at_its_count_and_not_one_before(office: Office) -> None:
    await happens(office, injected(), injected(), Happened(Measure.INJECTIONS, is_bad=False))
    assert (await looks(office, INJECTIONS)).tripped == ()
    await happens(office, injected())
    assert (await looks(office, INJECTIONS)).tripped == ("injections",)
    assert await stops(office) == "injections"
    (event,) = await office.events("breaker.")
    assert event[:2] == ("breaker.tripped", "breakers")
    assert event[2]["cause"] == "3 of 4 messages tried to instruct the agent within 3600 s"


async def test_what_is_older_than_its_window_does_not_count(office: Office) -> None:
    await happens(office, injected(), injected())
    office.passes(minutes=61)
    await happens(office, injected())
    assert (await looks(office, INJECTIONS)).tripped == ()


async def test_several_look_outs_trip_it_once(office: Office) -> None:
    await happens(office, injected(), injected(), injected())
    await asyncio.gather(*(looks(office, INJECTIONS) for _ in range(3)))
    assert len(await office.events("breaker.tripped")) == 1


async def test_a_person_resets_it_and_counting_begins_anew(office: Office) -> None:
    await happens(office, injected(), injected(), injected())
    await looks(office, INJECTIONS)
    office.passes(minutes=2)
    async with office.database.tenant(office.tenant) as session:
        done = await reset(
            session,
            office.tenant,
            "injections",
            reason="a test of ours",
            actor="ada",
            now=office.moment,
            new_id=office.new_id,
        )
    assert done
    assert await stops(office) is None
    assert (await looks(office, INJECTIONS)).tripped == ()
    assert (await office.events("breaker."))[-1][:2] == ("breaker.reset", "ada")


async def test_without_a_cool_down_time_alone_never_resets_it(office: Office) -> None:
    await happens(office, injected(), injected(), injected())
    await looks(office, INJECTIONS)
    office.passes(days=30)
    assert (await looks(office, INJECTIONS)).cooled == ()
    assert await stops(office) == "injections"


async def test_a_cool_down_resets_it_at_its_time(office: Office) -> None:
    cooling = Breaker("injections", Measure.INJECTIONS, 3600, count=3, cool_down_s=1800)
    await happens(office, injected(), injected(), injected())
    await looks(office, cooling)
    office.passes(minutes=30, microseconds=-1)
    assert (await looks(office, cooling)).cooled == ()
    office.passes(microseconds=1)
    assert (await looks(office, cooling)).cooled == ("injections",)
    assert await stops(office) is None


async def test_the_errors_of_a_tool_stop_that_tool_where_half_of_its_calls_fail(office: Office) -> None:
    for is_bad in (True, True, False, False):
        await happens(office, Happened(Measure.TOOL_ERRORS, is_bad, "stripe.refund"))
    await happens(office, *(Happened(Measure.TOOL_ERRORS, is_bad=True, subject="stripe.read") for _ in range(9)))
    assert (await looks(office, REFUNDS)).tripped == ("refunds",)
    assert await stops(office, "stripe.refund") == "refunds"
    assert await stops(office, "stripe.cancel_subscription") is None


async def test_the_errors_of_a_tool_that_only_reads_stop_everything(office: Office) -> None:
    reading = Breaker("reading", Measure.TOOL_ERRORS, 900, count=1, tool=Tool.STRIPE_READ)
    await happens(office, Happened(Measure.TOOL_ERRORS, is_bad=True, subject="stripe.read"))
    await looks(office, reading)
    assert await stops(office, "zendesk.reply") == "reading"


async def test_a_brands_breaker_counts_and_covers_that_brand(office: Office) -> None:
    north = Breaker("north", Measure.INJECTIONS, 3600, count=2, scope=Scope(brand="north"))
    await happens(office, injected("south"), injected("south"), injected("north"))
    assert (await looks(office, north)).tripped == ()
    await happens(office, injected("north"))
    assert (await looks(office, north)).tripped == ("north",)
    assert await stops(office, watched=Watched("refund_request", "north", "auto")) == "north"
    assert await stops(office, watched=Watched("refund_request", "south", "auto")) is None


OVERRIDES = Breaker("people", Measure.OVERRIDES, 86400, count=2, share_percent=50)


async def answered(
    office: Office, at: datetime, state: str, *, intent: str = "refund_request", edited: bool = False
) -> None:
    """A person's answer to a question of a run of its own, as the tables keep it."""
    number = office.new_id("n")
    run = Run(
        tenant_id=office.tenant,
        run_id=number,
        ticket_id=number,
        state="ended",
        actions=[{"intent": intent, "tier": "auto"}],
        started_at=at,
        updated_at=at,
    )
    approval = Approval(
        tenant_id=office.tenant,
        approval_id=number,
        run_id=number,
        ticket_id=number,
        cycle=0,
        state=state,
        action_digest="",
        policy_hash="",
        evidence_digest="",
        requested_at=at,
        expires_at=at,
        decided_at=at,
        sealed_reply=b"sealed" if edited else None,
    )
    async with office.database.tenant(office.tenant) as session:
        session.add_all([run, approval])


async def test_people_who_say_no_or_edit_trip_the_breaker_of_overrides(office: Office) -> None:
    now = office.moment
    await answered(office, now, "used")
    await answered(office, now, "used", edited=True)
    await answered(office, now - timedelta(days=2), "rejected")
    assert (await looks(office, OVERRIDES)).tripped == ()
    await answered(office, now, "rejected")
    assert (await looks(office, OVERRIDES)).tripped == ("people",)


async def test_overrides_of_another_intent_do_not_count(office: Office) -> None:
    scoped = Breaker("cancelled", Measure.OVERRIDES, 86400, count=2, scope=Scope(intent=Intent.CANCEL_ORDER))
    for intent in ("refund_request", "refund_request", "cancel_order"):
        await answered(office, office.moment, "rejected", intent=intent)
    assert (await looks(office, scoped)).tripped == ()
    await answered(office, office.moment, "rejected", intent="cancel_order")
    assert (await looks(office, scoped)).tripped == ("cancelled",)
    assert await stops(office, watched=Watched("refund_request", None, "auto")) is None


@pytest.mark.parametrize("tool", ["stripe.refund", "zendesk.reply", ""])
async def test_a_breaker_without_a_scope_covers_every_action(office: Office, tool: str) -> None:
    async with office.database.tenant(office.tenant) as session:
        await trip(session, office.tenant, INJECTIONS, cause="x", figures={}, now=office.moment, new_id=office.new_id)
    assert await stops(office, tool) == "injections"
