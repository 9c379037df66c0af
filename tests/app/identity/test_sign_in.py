"""Who signs in gets a session; who may not learns nothing; whoever is no longer let in is out at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest

from app.ambient import new_id, new_token
from app.db import Database
from app.errors import UsageError
from app.identity import accounts, links
from app.identity.accounts import Act
from app.identity.links import Purpose
from app.identity.models import Account
from app.identity.pace import TRIES_OF_ACCOUNT, TRIES_OF_ADDRESS
from app.identity.passwords import hash_password
from app.identity.roles import Role
from app.settings import Settings
from app.web.app import create_app
from tests.app.web.door import TENANT, Door, settings_of
from tests.app.web.people import Person, a_person

PASSWORD = "seven green kettles"
HASH = hash_password(PASSWORD)
EMAIL = "lead@shop.example"
DOOR = f"/t/{TENANT}/sign-in"
HOME = f"/t/{TENANT}/runs"


def act() -> Act:
    return Act("test", datetime.now(UTC), new_id)


@pytest.fixture
async def lead(door: Door) -> Person:
    """A lead with a password and one session, not at the browser of the test."""
    person = await a_person(door.database.tenant, TENANT)
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, person.account.account_id))
        account.password_hash = HASH
    return person


async def tries(door: Door, email: str = EMAIL, password: str = PASSWORD, **fields: str) -> httpx.Response:
    return await door.client.post(DOOR, data={"email": email, "password": password, **fields})


async def is_in(door: Door) -> bool:
    return (await door.client.get(HOME)).status_code == 200


async def events(door: Door) -> list[str]:
    rows = await door.rows("SELECT kind FROM audit_event ORDER BY seq")
    return [row["kind"].removeprefix("account.") for row in rows]


async def test_the_right_password_opens_a_session_and_leads_on(door: Door, lead: Person) -> None:
    answer = await tries(door, next=f"{HOME}/run_1?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HOME}/run_1?x=1")
    assert await is_in(door)
    (event,) = await door.rows("SELECT actor, body FROM audit_event ORDER BY seq DESC LIMIT 1")
    assert event["actor"] == lead.account.actor
    assert event["body"]["way"] == "password"


async def test_the_address_may_be_typed_in_any_capitals(door: Door, lead: Person) -> None:
    assert (await tries(door, email=f"  {lead.account.email.upper()} ")).status_code == 303


async def test_the_session_token_is_nowhere_in_the_database(door: Door, lead: Person) -> None:
    await tries(door)
    token = door.client.cookies[f"countersign-{TENANT}"]
    rows = await door.rows("SELECT account_session::text AS line FROM account_session")
    assert len(rows) == 2
    assert not [row for row in rows if token in row["line"] or lead.token in row["line"]]


@pytest.mark.usefixtures("lead")
async def test_on_this_machine_the_cookie_is_plain_and_no_script_reads_it(door: Door) -> None:
    cookie = SimpleCookie((await tries(door)).headers["set-cookie"])[f"countersign-{TENANT}"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "lax", "/", "")


@pytest.fixture
async def public(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """The server as the world reaches it by https, through a proxy that takes the encryption off."""
    form = settings_of(tmp_path).model_dump() | {"public_url": "https://cs.example"}
    app = create_app(Settings.model_validate(form), database_url)
    transport = httpx.ASGITransport(app, client=("10.1.2.3", 4000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://cs.example") as client,
    ):
        client.headers["origin"] = "https://cs.example"
        yield Door(client, app, database)


async def test_over_https_the_cookie_is_bound_to_this_host_and_to_https(public: Door) -> None:
    person = await a_person(public.database.tenant, TENANT)
    async with public.database.tenant(TENANT) as session:
        (await session.get_one(Account, (TENANT, person.account.account_id))).password_hash = HASH
    answer = await tries(public)
    cookie = SimpleCookie(answer.headers["set-cookie"])[f"__Host-countersign-{TENANT}"]
    assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
    assert answer.headers["strict-transport-security"]
    public.client.headers["cookie"] = f"countersign-{TENANT}={cookie.value}"
    assert not await is_in(public)  # the plain name counts on the machine itself only
    public.client.headers["cookie"] = f"__Host-countersign-{TENANT}={cookie.value}"
    assert await is_in(public)


async def test_under_a_name_that_is_not_known_no_password_is_taken(public: Door) -> None:
    public.client.headers.update({"host": "other.example", "origin": "http://other.example"})
    answer = await tries(public)
    assert answer.status_code == 403
    assert "COUNTERSIGN_PUBLIC_URL" in answer.text


async def test_whatever_was_wrong_the_answer_is_the_same(door: Door, lead: Person) -> None:
    absent = await tries(door, email="nobody@shop.example")
    wrong = await tries(door, password="eight green kettles")
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, lead.account.account_id))
        account.state = "disabled"
    disabled = await tries(door)
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, lead.account.account_id))
        account.state, account.password_hash = "active", None
    without = await tries(door)
    assert {answer.status_code for answer in (absent, wrong, disabled, without)} == {401}
    pages = {answer.text.replace("nobody@", "lead@") for answer in (absent, wrong, disabled, without)}
    assert len(pages) == 1
    assert not await is_in(door)


@pytest.mark.usefixtures("lead")
async def test_refusals_are_one_event_a_minute_and_never_name_an_address(door: Door) -> None:
    for number in range(4):
        await tries(door, email=f"canary{number}@shop.example")
    await tries(door, password="canary password")
    rows = await door.rows("SELECT kind, body::text AS body FROM audit_event WHERE kind = 'account.sign_in_refused'")
    assert 1 <= len(rows) <= 2  # one a minute, should one pass meanwhile
    assert "canary" not in str(rows)


async def has_tried(door: Door, times: int, email: str = EMAIL) -> None:
    """As if somebody had tried so often; the last time for real."""
    await tries(door, email=email, password="wrong password")
    await door.rows("UPDATE sign_in_pace SET tries = :times RETURNING 1", times=times)


@pytest.mark.usefixtures("lead")
async def test_after_too_many_tries_even_the_right_password_has_to_wait(door: Door) -> None:
    await has_tried(door, TRIES_OF_ACCOUNT)
    answer = await tries(door)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert (await tries(door, email="other@shop.example")).status_code == 401  # the others may still try
    await door.rows("UPDATE sign_in_pace SET since = since - interval '16 minutes' RETURNING 1")
    assert (await tries(door)).status_code == 303


@pytest.mark.usefixtures("lead")
async def test_the_last_try_that_is_left_is_looked_at(door: Door) -> None:
    await has_tried(door, TRIES_OF_ACCOUNT - 1)
    assert (await tries(door)).status_code == 303
    assert (await tries(door)).status_code == 303  # whoever signs in begins to count anew


async def test_an_account_that_does_not_exist_has_to_wait_as_well(door: Door) -> None:
    await has_tried(door, TRIES_OF_ACCOUNT, "nobody@shop.example")
    assert (await tries(door, email="nobody@shop.example")).status_code == 429


async def test_an_address_that_tries_one_account_after_the_other_has_to_wait(door: Door) -> None:
    await has_tried(door, TRIES_OF_ADDRESS)
    assert (await tries(door, email="fresh@shop.example")).status_code == 429


async def test_tries_at_the_same_moment_are_all_counted(door: Door) -> None:
    await has_tried(door, TRIES_OF_ACCOUNT - 2)
    answers = await asyncio.gather(*(tries(door, password="wrong password") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [401, 401, 429, 429, 429]


@pytest.mark.usefixtures("lead")
@pytest.mark.parametrize(
    "asked", ["https://evil.example/", "//evil.example/t/demo/runs", "/\\evil.example", "/t/other/runs", "/t/demo/../x"]
)
async def test_nobody_is_led_elsewhere_after_signing_in(door: Door, asked: str) -> None:
    assert (await tries(door, next=asked)).headers["location"] == HOME


async def test_whoever_is_signed_in_already_goes_on(door: Door, lead: Person) -> None:
    lead.sits_at(door.client)
    answer = await door.client.get(DOOR, params={"next": f"{HOME}/run_1"})
    assert answer.headers["location"] == f"{HOME}/run_1"


async def test_who_is_not_signed_in_is_asked_to_and_comes_back(door: Door) -> None:
    answer = await door.client.get(HOME, params={"outcome": "resolved"})
    assert answer.status_code == 303
    page = (await door.client.get(answer.headers["location"])).text
    assert f'name="next" value="{HOME}?outcome=resolved"' in page


@pytest.mark.parametrize(
    ("change", "is_over"),
    [
        ("seen_at = now() - interval '3 hours 59 minutes'", False),
        ("seen_at = now() - interval '4 hours 1 minute'", True),
        ("ends_at = now() + interval '1 minute'", False),
        ("ends_at = now() - interval '1 second'", True),
    ],
)
async def test_a_session_ends_by_itself(door: Door, lead: Person, change: str, is_over: bool) -> None:  # noqa: FBT001
    lead.sits_at(door.client)
    await door.rows(f"UPDATE account_session SET {change} RETURNING 1")
    assert await is_in(door) is not is_over


async def test_a_session_that_is_used_does_not_end_for_being_idle(door: Door, lead: Person) -> None:
    lead.sits_at(door.client)
    for _ in range(2):
        await door.rows("UPDATE account_session SET seen_at = seen_at - interval '3 hours' RETURNING 1")
        assert await is_in(door)


async def test_signing_out_ends_this_session_and_no_other(door: Door, lead: Person) -> None:
    await tries(door)
    here = await door.client.get(HOME)
    token = here.text.split('name="csrf" value="')[1].split('"')[0]
    stale = dict(door.client.cookies)
    answer = await door.client.post(f"/t/{TENANT}/sign-out", data={"csrf": token})
    assert answer.headers["location"] == DOOR
    door.client.cookies.update(stale)
    assert not await is_in(door)
    lead.sits_at(door.client)
    assert await is_in(door)
    assert (await events(door))[-1] == "signed_out"


async def test_signing_out_everywhere_ends_every_session(door: Door, lead: Person) -> None:
    await tries(door)
    other = dict(door.client.cookies)
    lead.sits_at(door.client)
    page = (await door.client.get(f"/t/{TENANT}/account")).text
    assert page.count("UTC") == 6
    await door.client.post(f"/t/{TENANT}/sign-out-everywhere", data={"csrf": lead.form_token})
    for cookies in (other, lead.cookies):
        door.client.cookies.update(cookies)
        assert not await is_in(door)
    assert (await events(door))[-1] == "sessions_revoked"


async def test_disabling_an_account_ends_its_sessions_with_the_next_request(door: Door, lead: Person) -> None:
    lead.sits_at(door.client)
    assert await is_in(door)
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, lead.account.account_id))
        assert await accounts.disable(session, account, act())
    assert not await is_in(door)
    assert await door.rows("SELECT 1 FROM account_session") == []
    assert (await tries(door)).status_code == 401
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, lead.account.account_id))
        assert await accounts.enable(session, account, act())
    assert not await is_in(door)  # what was ended stays ended
    assert (await tries(door)).status_code == 303


async def test_roles_count_from_the_next_request_on(door: Door, lead: Person) -> None:
    lead.sits_at(door.client)
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, lead.account.account_id))
        assert await accounts.change_roles(session, account, ["service"], act())
    assert (await door.client.get(HOME)).status_code == 403


async def a_link(door: Door, account: Account, purpose: Purpose = Purpose.SET_PASSWORD, age_h: float = 0) -> str:
    token = new_token()
    async with door.database.tenant(TENANT) as session:
        made_at = datetime.now(UTC) - timedelta(hours=age_h)
        await links.keep(session, TENANT, token, purpose, now=made_at, account_id=account.account_id)
    return f"/t/{TENANT}/password/{token}"


async def sets(door: Door, link: str, password: str = "nine blue kettles", again: str | None = None) -> httpx.Response:
    return await door.client.post(link, data={"password": password, "again": password if again is None else again})


async def test_a_link_sets_a_password_once_and_ends_what_was_open(door: Door, lead: Person) -> None:
    link = await a_link(door, lead.account)
    assert lead.account.email in (await door.client.get(link)).text
    assert (await sets(door, link)).status_code == 200
    lead.sits_at(door.client)
    assert not await is_in(door)
    assert (await sets(door, link, "ten red kettles")).status_code == 410
    assert (await door.client.get(link)).status_code == 410
    assert (await tries(door, password=PASSWORD)).status_code == 401
    assert (await tries(door, password="nine blue kettles")).status_code == 303


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("eleven char", "at least 12"),
        ("aaaaaaaaaaaabbbb", "repeats fewer"),
        ("lead@shop.example!", "contains the e-mail"),
        ("x1y2z3" * 100, "at most 512"),
    ],
)
async def test_a_password_that_does_not_do_is_told_and_the_link_stays_good(
    door: Door, lead: Person, password: str, why: str
) -> None:
    link = await a_link(door, lead.account)
    answer = await sets(door, link, password)
    assert answer.status_code == 400
    assert why in answer.text
    assert (await sets(door, link, "nine blue kettles", "nine blue kettle")).status_code == 400
    assert (await sets(door, link)).status_code == 200


async def test_a_link_that_is_late_or_good_for_something_else_is_not_taken(door: Door, lead: Person) -> None:
    late = await a_link(door, lead.account, age_h=24.1)
    other = await a_link(door, lead.account, Purpose.SIGN_IN)
    for link in (late, other, f"/t/{TENANT}/password/nothing"):
        assert (await sets(door, link)).status_code == 410


async def test_disabling_an_account_ends_its_links(door: Door, lead: Person) -> None:
    link = await a_link(door, lead.account)
    async with door.database.tenant(TENANT) as session:
        await accounts.disable(session, await session.get_one(Account, (TENANT, lead.account.account_id)), act())
    assert (await sets(door, link)).status_code == 410


async def test_the_last_admin_can_neither_be_disabled_nor_lose_the_role(door: Door) -> None:
    admin = await a_person(door.database.tenant, TENANT, Role.ADMIN, email="admin@shop.example")
    async with door.database.tenant(TENANT) as session:
        account = await session.get_one(Account, (TENANT, admin.account.account_id))
        with pytest.raises(UsageError, match="last admin"):
            await accounts.disable(session, account, act())
        with pytest.raises(UsageError, match="last admin"):
            await accounts.change_roles(session, account, ["agent"], act())
    await a_person(door.database.tenant, TENANT, Role.ADMIN, email="second@shop.example")
    async with door.database.tenant(TENANT) as session:
        assert await accounts.disable(session, await session.get_one(Account, (TENANT, account.account_id)), act())


async def test_the_link_of_the_demo_is_there_beside_a_sandbox_only(door: Door, lead: Person) -> None:
    token = (await a_link(door, lead.account, Purpose.SIGN_IN)).rpartition("/")[2]
    assert (await door.client.get(f"/t/{TENANT}/demo/{token}")).status_code == 404


async def test_the_link_of_the_demo_signs_in_once_and_on_this_machine_only(
    door: Door, lead: Person, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "sandbox.toml").touch()
    app = create_app(settings_of(tmp_path), database_url)
    path = f"/t/{TENANT}/demo/" + (await a_link(door, lead.account, Purpose.SIGN_IN)).rpartition("/")[2]
    async with app.router.lifespan_context(app):
        for client, headers in ((("10.0.0.9", 1), {}), (("127.0.0.1", 1), {"x-forwarded-for": "10.0.0.9"})):
            far = httpx.ASGITransport(app, client=client)
            async with httpx.AsyncClient(transport=far, base_url="http://127.0.0.1:8080", headers=headers) as browser:
                assert (await browser.get(path)).status_code == 403
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as browser:
            assert (await browser.get(path)).headers["location"] == HOME
            assert (await browser.get(HOME)).status_code == 200
            assert (await browser.get(path)).status_code == 303  # signed in already
            browser.cookies.clear()
            assert (await browser.get(path)).status_code == 410
