"""What cannot be worked on is parked with its reason, shown, and tried again when a person says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.errors import UsageError
from connectors.errors import VendorUnavailable, WireError
from graph.intake.models import Disposition, InboxEvent
from graph.intake.parking import MAX_ATTEMPTS, count_failure
from tests.app.terminal import NOW, Terminal, new_id


async def stored(terminal: Terminal, event_id: str, **fields: Any) -> None:
    event: dict[str, Any] = {"source": "stripe", "kind": "refund.updated", "object_id": "re_1", **fields}
    async with terminal.database.tenant(terminal.tenant) as session:
        session.add(InboxEvent(tenant_id=terminal.tenant, event_id=event_id, received_at=NOW, **event))


async def fails(terminal: Terminal, event_id: str, error: Exception, times: int) -> InboxEvent:
    for _ in range(times):
        async with terminal.database.tenant(terminal.tenant) as session:
            event = await session.get_one(InboxEvent, (terminal.tenant, "stripe", event_id))
            await count_failure(session, [event], error, now=NOW, new_id=new_id)
    return event


async def test_an_event_that_keeps_failing_is_parked_shown_and_tried_again(terminal: Terminal) -> None:
    await stored(terminal, "evt_1")
    assert (await fails(terminal, "evt_1", WireError("no amount"), MAX_ATTEMPTS - 1)).disposition == "pending"
    assert (await fails(terminal, "evt_1", WireError("no amount"), 1)).disposition == "parked"
    (shown,) = (await terminal.run("inbox", "parked", "--json")).json["parked"]
    assert (shown["event"], shown["reason"], shown["attempts"]) == ("evt_1", "WireError", MAX_ATTEMPTS)
    assert "refund.updated  re_1  evt_1: WireError" in (await terminal.run("inbox", "parked")).out
    done = await terminal.run("inbox", "retry", "evt_1", "--json")
    assert (done.status, done.json) == (0, {"retried": ["evt_1"]})
    assert (await terminal.run("inbox", "parked")).out == "nothing of demo is parked\n"
    async with terminal.database.tenant(terminal.tenant) as session:
        event = await session.get_one(InboxEvent, (terminal.tenant, "stripe", "evt_1"))
        assert (event.disposition, event.attempts, event.look_again_at) == (Disposition.PENDING.value, 0, None)


async def test_what_a_vendors_outage_holds_up_is_never_parked(terminal: Terminal) -> None:
    await stored(terminal, "evt_1")
    event = await fails(terminal, "evt_1", VendorUnavailable("away"), 3 * MAX_ATTEMPTS)
    assert (event.disposition, event.look_again_at) == ("pending", NOW + timedelta(seconds=60))


async def test_of_what_could_not_be_read_nothing_is_left_to_try(terminal: Terminal) -> None:
    await stored(terminal, "unreadable:1", kind="unreadable", disposition="parked", reason="unreadable")
    assert (await terminal.run("inbox", "parked", "--json")).json["parked"][0]["can_retry"] is False
    assert (await terminal.run("inbox", "retry", "--all")).status == 1


async def test_what_to_try_again_must_be_named(terminal: Terminal) -> None:
    assert isinstance((await terminal.run("inbox", "retry")).error, UsageError)
    assert isinstance((await terminal.run("inbox", "retry", "evt_1", "--all")).error, UsageError)
