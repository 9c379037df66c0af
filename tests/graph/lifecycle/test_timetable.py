"""A change with a time takes effect and reverts by itself; what is missing at its time makes it come to nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from graph.lifecycle.models import PolicySchedule
from graph.lifecycle.publishing import Done, Refused
from graph.rulebook import VersionState
from tests.graph.lifecycle.versions import START, Office, policy_text

LOW, HIGH = policy_text(20), policy_text(50)
FRIDAY, MONDAY = START + timedelta(days=6), START + timedelta(days=9)


async def scheduled(office: Office) -> tuple[str, str]:
    """A higher threshold for one weekend, approved; the hashes of the ordinary version and of the weekend's."""
    low = await office.wishes(LOW)
    entry = await office.wishes(HIGH, approver="bob", gated=True, starts_at=FRIDAY, ends_at=MONDAY)
    assert isinstance(low, Done)
    assert isinstance(entry, PolicySchedule)
    return low.policy_hash, entry.policy_hash


async def at(office: Office, time: timedelta) -> str | None:
    office.moment = START + time
    await office.desk.keep_time(office.act("lookout", "its time has come"))
    return (await office.deciding()).published


async def test_a_weekend_begins_and_ends_by_itself(office: Office) -> None:
    low, high = await scheduled(office)
    assert await at(office, timedelta(days=6, microseconds=-1)) == low
    assert await at(office, timedelta(days=6)) == high
    assert await at(office, timedelta(days=9, microseconds=-1)) == high
    assert await at(office, timedelta(days=9)) == low
    assert (await office.states())[high] == VersionState.EXPIRED.value
    told = [(kind, actor) for kind, actor, _ in await office.events()][-3:]
    assert told == [("policy.scheduled", "ada"), ("policy.published", "lookout"), ("policy.expired", "lookout")]
    assert await at(office, timedelta(days=30)) == low


async def test_two_look_outs_do_it_once(office: Office) -> None:
    await scheduled(office)
    office.moment = FRIDAY
    entries = [*await office.desk.keep_time(office.act("one")), *await office.desk.keep_time(office.act("other"))]
    assert len(entries) == 1
    assert len(await office.events("policy.published")) == 2


async def test_what_is_published_until_a_time_reverts_at_it(office: Office) -> None:
    low = await office.wishes(LOW)
    await office.wishes(HIGH, approver="bob", gated=True, ends_at=MONDAY)
    assert isinstance(low, Done)
    assert (await office.deciding()).published != low.policy_hash
    assert await at(office, timedelta(days=9)) == low.policy_hash


async def test_nothing_reverts_where_somebody_else_has_published_meanwhile(office: Office) -> None:
    await scheduled(office)
    await at(office, timedelta(days=6))
    other = await office.wishes(policy_text(10))
    assert isinstance(other, Done)
    assert await at(office, timedelta(days=9)) == other.policy_hash
    (entry,) = await office.desk.entries()
    assert entry.state == "over"
    assert "nothing was reverted" in (entry.note or "")


async def test_loosening_is_put_on_the_calendar_only_with_all_it_needs(office: Office) -> None:
    await office.wishes(LOW)
    answer = await office.wishes(HIGH, starts_at=FRIDAY)
    assert isinstance(answer, Refused)
    assert await office.desk.entries() == []


async def test_a_yes_against_another_base_does_not_count_when_the_time_has_come(office: Office) -> None:
    await scheduled(office)
    tighter = await office.wishes(policy_text(10))
    assert isinstance(tighter, Done)
    assert await at(office, timedelta(days=6)) == tighter.policy_hash
    (entry,) = await office.desk.entries()
    assert entry.state == "refused"
    assert "a second person" in (entry.note or "")
    assert (await office.events())[-1][0] == "policy.schedule_refused"


async def test_a_change_whose_whole_time_passed_unseen_never_takes_effect(office: Office) -> None:
    low, _ = await scheduled(office)
    assert await at(office, timedelta(days=12)) == low
    (entry,) = await office.desk.entries()
    assert (entry.state, entry.note) == ("refused", "its time was over before anybody looked")


@pytest.mark.parametrize("days", [1, 7], ids=["before-its-time", "while-it-decides"])
async def test_what_is_taken_off_the_calendar_changes_nothing_any_more(office: Office, days: int) -> None:
    await scheduled(office)
    decides = await at(office, timedelta(days=days))
    (entry,) = await office.desk.entries()
    cancelled = await office.desk.unschedule(entry.schedule_id, office.act("carl", "not this year"))
    assert isinstance(cancelled, PolicySchedule)
    assert await at(office, timedelta(days=30)) == decides
    again = await office.desk.unschedule(entry.schedule_id, office.act("carl"))
    assert isinstance(again, Refused)
