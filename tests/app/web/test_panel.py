"""The panel below the browser: forms without a script, what programs are told, the stream, how things are written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.requests import Request

from app.ambient import new_id
from app.web.formats import formats_of
from app.web.live import Full, Pulse
from graph.audit.log import append
from policies.money import Money
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import a_waiting_run

TICKET = f"/t/{TENANT}/tickets/7"
NOW = datetime(2026, 11, 21, 17, 30, tzinfo=UTC)


async def test_the_card_and_its_forms_work_without_a_script(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    lead = await a_person(door.database.tenant, TENANT)
    lead.sits_at(door.client)
    page = (await door.client.get(TICKET)).text
    assert "Waiting for you" in page
    assert 'action="/t/demo/tickets/7/answer"' in page
    form = {"csrf": lead.form_token, "approval_id": "apr_1", "decision": "reject"}
    missing = await door.client.post(f"{TICKET}/answer", data=form)
    assert (missing.status_code, "A reason is missing" in missing.text) == (422, True)
    done = await door.client.post(f"{TICKET}/answer", data={**form, "reason_code": "wrong_tone", "comment": "Softer."})
    assert (done.status_code, done.headers["location"]) == (303, TICKET)
    assert "Lea Lead said no: the reply is not right." in (await door.client.get(f"{TICKET}/card")).text
    (row,) = await door.rows("SELECT state, reason_code, sealed_comment IS NOT NULL AS told FROM approval")
    assert row == {"state": "rejected", "reason_code": "wrong_tone", "told": True}


async def test_a_program_is_told_what_came_of_an_act(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    lead = await a_person(door.database.tenant, TENANT)
    lead.sits_at(door.client)
    door.client.headers.update({"accept": "application/json", "x-csrf-token": lead.form_token})
    taken = await door.client.post(f"{TICKET}/take-over", data={"run_id": "run_1"})
    assert taken.json()["said"].startswith("It is yours.")
    (event,) = await door.rows("SELECT source, kind, disposition FROM inbox_event")
    assert event == {"source": "review", "kind": "taken_over", "disposition": "pending"}
    nothing = await door.client.post(f"{TICKET}/stop", data={"run_id": "run_1"})
    assert (nothing.status_code, nothing.json()["title"]) == (409, "Nothing was changed")
    nobody = await door.client.post(f"{TICKET}/undo", data={"run_id": "run_1", "effect_id": "eff_1"})
    assert nobody.status_code == 404
    bad = await door.client.post(f"{TICKET}/remember", data={"run_id": "run_1", "name": "remedy", "value": "gold"})
    assert (bad.status_code, bad.json()["title"]) == (422, "Not accepted")


async def test_a_ticket_that_nobody_worked_on_says_so(door: Door) -> None:
    lead = await a_person(door.database.tenant, TENANT)
    lead.sits_at(door.client)
    assert "Nothing yet" in (await door.client.get(f"/t/{TENANT}/tickets/9")).text
    once = await door.client.get(f"/t/{TENANT}/tickets/9/live")
    assert once.text == "event: version\ndata: -1\n\n"


async def test_only_the_panels_of_the_ticket_that_changed_are_told(door: Door) -> None:
    pulse = Pulse(door.database.tenant, every_s=0.02, most=2)
    async with pulse.watching(TENANT, "7") as ours, pulse.watching(TENANT, "8") as others:
        with pytest.raises(Full):
            await pulse.watching(TENANT, "9").__aenter__()
        async with door.database.tenant(TENANT) as session:
            await append(
                session,
                tenant_id=TENANT,
                at=NOW,
                kind="run.waiting",
                actor="test",
                new_id=new_id,
                ticket_id="7",
                body={"for": "review", "on": []},
            )
        await asyncio.wait_for(ours.wait(), 5)
        assert not others.is_set()
        await pulse.close()
        assert others.is_set()  # a process that stops ends every stream
    assert pulse.open == 0


def a_request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


def test_money_and_times_are_written_as_their_reader_writes_them() -> None:
    german = formats_of(a_request(accept_language="de-DE,de;q=0.9", x_time_zone="Europe/Berlin"), NOW)
    assert german.money(Money(249000, "eur")) == "2.490,00\xa0€"
    assert german.moment(NOW) == "21 Nov. 2026, 18:30:00 MEZ"
    assert german.ago(NOW - timedelta(days=3)) == "vor 3 Tagen"
    american = formats_of(a_request(accept_language="xx, en-US"), NOW)
    assert american.money(Money(3000, "jpy")) == "¥3,000"
    assert american.day(NOW) == "Nov 21"
    assert american.moment(NOW).endswith("UTC")
    odd = formats_of(a_request(accept_language="a;q=b,,;", x_time_zone="../../etc/passwd"), NOW)
    assert odd.moment(NOW).endswith("UTC")
