"""An admin keeps accounts at a page: links and tokens are shown once, and the last admin stays."""

from __future__ import annotations

import re

import httpx

from app.identity.roles import Role
from tests.app.api.programs import bearing
from tests.app.web.door import TENANT, Door
from tests.app.web.people import Person, a_person

PAGE = f"/t/{TENANT}/accounts"


async def sends(door: Door, who: Person, path: str, **form: str | list[str]) -> httpx.Response:
    who.sits_at(door.client)
    return await door.client.post(f"{PAGE}{path}", data={"csrf": who.form_token, **form})


def shown(answer: httpx.Response) -> str:
    """The secret that a page shows once."""
    found = re.search(r"<pre[^>]*>([^<]+)</pre>", answer.text)
    assert found is not None, answer.text
    return found[1]


async def test_an_invited_person_sets_a_password_and_a_disabled_one_is_out_at_once(door: Door) -> None:
    admin = await a_person(door.database.tenant, TENANT, Role.ADMIN, email="admin@shop.example")
    made = await sends(door, admin, "", email="new@shop.example", name="New One", roles=["agent", "viewer"])
    assert made.status_code == 200, made.text
    link = shown(made).removeprefix("http://127.0.0.1:8080")
    assert "set_password" not in made.text
    assert link not in (await door.client.get(PAGE)).text
    assert (await door.client.get(link)).status_code == 200
    (row,) = await door.rows("SELECT account_id, roles FROM account WHERE email = 'new@shop.example'")
    assert row["roles"] == ["viewer", "agent"]
    assert (await sends(door, admin, f"/{row['account_id']}/roles", roles=["cs_lead"])).status_code == 303
    assert (await sends(door, admin, f"/{row['account_id']}/state", state="disabled")).status_code == 303
    assert (await door.client.get(link)).status_code == 410
    (row,) = await door.rows("SELECT state, roles FROM account WHERE email = 'new@shop.example'")
    assert row == {"state": "disabled", "roles": ["cs_lead"]}


async def test_the_last_admin_stays_and_what_is_misspelled_changes_nothing(door: Door) -> None:
    admin = await a_person(door.database.tenant, TENANT, Role.ADMIN, email="admin@shop.example")
    one = f"/{admin.account.account_id}"
    answer = await sends(door, admin, f"{one}/state", state="disabled")
    assert answer.status_code == 409
    assert "last admin" in answer.text
    for path, form in ((f"{one}/roles", {}), (f"{one}/state", {"state": "x"}), ("", {"email": "", "roles": ["admin"]})):
        assert (await sends(door, admin, path, **form)).status_code == 400, path
    assert (await sends(door, admin, "", email="no address", roles=["admin"])).status_code == 409


async def test_a_service_gets_a_token_that_is_shown_once_and_ends_when_it_is_revoked(door: Door) -> None:
    admin = await a_person(door.database.tenant, TENANT, Role.ADMIN, email="admin@shop.example")
    await sends(door, admin, "", email="robot@shop.example", name="Robot", roles=["service"])
    (row,) = await door.rows("SELECT account_id FROM account WHERE email = 'robot@shop.example'")
    tokens = f"/{row['account_id']}/tokens"
    token = shown(await sends(door, admin, tokens, name="reports", scopes=["read"], days="30"))
    assert token not in (await door.client.get(PAGE)).text
    door.client.cookies.clear()
    assert (await door.client.get("/api/v1/runs", headers=bearing(token))).status_code == 200
    (row,) = await door.rows("SELECT token_id FROM service_token")
    assert (await sends(door, admin, f"{tokens}/{row['token_id']}/revoke")).status_code == 303
    door.client.cookies.clear()
    assert (await door.client.get("/api/v1/runs", headers=bearing(token))).status_code == 401
    assert (await sends(door, admin, f"/{admin.account.account_id}/tokens", scopes=["read"])).status_code == 409
