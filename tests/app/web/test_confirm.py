"""Above an amount, whoever says yes proves again who they are; below it, and to say no, nobody has to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.db import Database
from app.identity.models import Account
from app.identity.passwords import hash_password
from app.settings import Settings
from app.web.app import create_app
from tests.app.web.door import TENANT, Door, settings_of
from tests.app.web.people import Person, a_person, signed_in
from tests.app.web.waiting import a_waiting_run

PASSWORD = "seven green kettles"
HASH = hash_password(PASSWORD)


@pytest.fixture
def confirm_above() -> dict[str, int]:
    """The run of the tests asks for 90.00 USD."""
    return {"usd": 8999}


@pytest.fixture
async def door(
    confirm_above: dict[str, int], database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[Door]:
    form = settings_of(tmp_path).model_dump()
    form["tenants"][TENANT]["confirm_above"] = confirm_above
    app = create_app(Settings.model_validate(form), database_url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client,
    ):
        opened = Door(client, app, database)
        await a_waiting_run(opened, tmp_path)
        yield opened


async def a_lead(door: Door, minutes_ago: float) -> Person:
    """A lead who signed in so long ago."""
    person = await a_person(door.database.tenant, TENANT)
    async with door.database.tenant(TENANT) as session:
        (await session.get_one(Account, (TENANT, person.account.account_id))).password_hash = HASH
    since = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    person = await signed_in(door.database.tenant, person.account, since)
    person.sits_at(door.client)
    return person


async def answers(door: Door, person: Person, decision: str = "approve", **fields: str) -> tuple[int, str]:
    """The status of the answer, and how the question stands then."""
    form = {"csrf": person.form_token, "decision": decision, **fields}
    answer = await door.client.post(f"/t/{TENANT}/approvals/apr_1", data=form)
    (row,) = await door.rows("SELECT state FROM approval")
    return answer.status_code, row["state"]


async def test_a_while_after_signing_in_much_money_needs_the_password(door: Door) -> None:
    lead = await a_lead(door, 16)
    assert 'name="password"' in (await door.client.get(f"/t/{TENANT}/runs/run_1")).text
    assert await answers(door, lead) == (403, "pending")
    assert await answers(door, lead, password="eight green kettles") == (403, "pending")
    assert await answers(door, lead, password=PASSWORD) == (303, "approved")


async def test_whoever_has_just_signed_in_is_not_asked(door: Door) -> None:
    lead = await a_lead(door, 14)
    assert 'name="password"' not in (await door.client.get(f"/t/{TENANT}/runs/run_1")).text
    assert await answers(door, lead) == (303, "approved")


async def test_saying_no_needs_no_password(door: Door) -> None:
    assert await answers(door, await a_lead(door, 16), "reject", reason_code="other") == (303, "rejected")


@pytest.mark.parametrize("confirm_above", [{"usd": 9000}, {}])
async def test_up_to_the_amount_nobody_is_asked(door: Door) -> None:
    assert await answers(door, await a_lead(door, 16)) == (303, "approved")


@pytest.mark.parametrize("confirm_above", [{"eur": 100_000}])
async def test_an_amount_in_a_currency_that_is_not_listed_is_above(door: Door) -> None:
    assert await answers(door, await a_lead(door, 16)) == (403, "pending")


async def test_guessing_the_password_there_is_counted_as_at_the_door(door: Door) -> None:
    lead = await a_lead(door, 16)
    assert await answers(door, lead, password="wrong password") == (403, "pending")
    await door.rows("UPDATE sign_in_pace SET tries = 100 RETURNING 1")
    assert await answers(door, lead, password=PASSWORD) == (429, "pending")
