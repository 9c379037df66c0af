"""Single sign-on against a provider over real HTTP: whom it vouches for comes in, and nobody whom it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from app.db import Database
from app.settings import Settings
from app.tenants import SsoSettings
from app.web.app import create_app
from tests.app.identity.provider import CLIENT_ID, CLIENT_SECRET, Claims, Provider, a_key, standing_provider
from tests.app.web.door import TENANT, Door, settings_of
from tests.app.web.people import a_person

HOME = f"/t/{TENANT}/runs"
BACK = f"/t/{TENANT}/sso/back"
KEY = a_key()
OTHER_KEY = a_key()
MAPPING = {"roles_claim": "groups", "roles": {"support-leads": "cs_lead", "support": "agent"}}


@dataclass
class Trip:
    """A browser between our server and the provider."""

    door: Door
    provider: Provider

    async def out(self, asked: str = "") -> str:
        """To the provider and back; the address that it sends the browser to."""
        answer = await self.door.client.get(f"/t/{TENANT}/sso", params={"next": asked})
        assert answer.status_code == 303, answer.text
        async with httpx.AsyncClient(trust_env=False) as browser:
            return (await browser.get(answer.headers["location"])).headers["location"]

    async def whole(self, asked: str = "") -> httpx.Response:
        return await self.door.client.get(await self.out(asked))

    async def is_in(self) -> bool:
        return (await self.door.client.get(HOME)).status_code == 200

    async def events(self) -> list[str]:
        return [row["kind"] for row in await self.door.rows("SELECT kind FROM audit_event ORDER BY seq")]


@pytest.fixture
def provider() -> Iterator[Provider]:
    with standing_provider(KEY) as standing:
        yield standing


@pytest.fixture
def mapping() -> dict[str, Any]:
    """No roles by the provider; a test that wants them says so."""
    return {}


@pytest.fixture
async def trip(
    provider: Provider, mapping: dict[str, Any], database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[Trip]:
    form = settings_of(tmp_path).model_dump()
    sso = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **mapping}
    form["tenants"][TENANT]["sso"] = sso
    app = create_app(Settings.model_validate(form), database_url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client,
    ):
        yield Trip(Door(client, app, database), provider)


async def test_whom_the_provider_vouches_for_comes_in_to_their_own_account(trip: Trip) -> None:
    lead = await a_person(trip.door.database.tenant, TENANT)
    answer = await trip.whole(f"{HOME}?outcome=resolved")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{HOME}?outcome=resolved")
    assert await trip.is_in()
    (row,) = await trip.door.rows("SELECT account_id, sso_subject FROM account")
    assert (row["account_id"], row["sso_subject"]) == (lead.account.account_id, "u-1")
    assert (await trip.events())[-2:] == ["account.sso_linked", "account.signed_in"]


async def test_after_the_first_time_the_provider_s_own_name_counts_and_not_the_address(trip: Trip) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    await trip.whole()
    trip.provider.person |= {"email": "married@shop.example"}
    assert (await trip.whole()).status_code == 303
    trip.provider.person |= {"sub": "u-2", "email": "lead@shop.example"}
    answer = await trip.whole()
    assert answer.status_code == 403
    assert "signs in as somebody else" in answer.text


async def test_without_an_account_nobody_comes_in_where_accounts_are_made_here(trip: Trip) -> None:
    assert (await trip.whole()).status_code == 403
    assert not await trip.is_in()
    assert await trip.door.rows("SELECT 1 FROM account") == []


async def test_a_disabled_account_stays_out(trip: Trip) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    await trip.door.rows("UPDATE account SET state = 'disabled' RETURNING 1")
    assert (await trip.whole()).status_code == 403


@pytest.mark.parametrize("mapping", [MAPPING])
async def test_the_provider_s_groups_make_the_account_and_its_roles_anew_each_time(trip: Trip) -> None:
    async def roles() -> list[str]:
        (row,) = await trip.door.rows("SELECT roles FROM account")
        return list(row["roles"])

    trip.provider.person |= {"groups": ["support-leads", "support", "kitchen"]}
    assert (await trip.whole()).status_code == 303
    assert await roles() == ["agent", "cs_lead"]
    trip.provider.person |= {"groups": "support"}
    assert (await trip.whole()).status_code == 303
    assert await roles() == ["agent"]
    trip.provider.person |= {"groups": ["kitchen"]}
    assert (await trip.whole()).status_code == 403
    assert (await trip.events()).count("account.roles_changed") == 1


@pytest.mark.parametrize("mapping", [MAPPING])
async def test_who_has_no_group_of_ours_gets_no_account(trip: Trip) -> None:
    assert (await trip.whole()).status_code == 403
    assert await trip.door.rows("SELECT 1 FROM account") == []


def without(name: str) -> Callable[[Claims], Claims]:
    return lambda claims: {key: value for key, value in claims.items() if key != name}


def with_(**changes: object) -> Callable[[Claims], Claims]:
    return lambda claims: {**claims, **changes}


@pytest.mark.parametrize(
    "tampers",
    [
        with_(iss="https://evil.example"),
        with_(aud="another client"),
        with_(aud=["countersign", "another"], azp="another"),
        with_(exp=1),
        with_(nonce="of another trip"),
        without("nonce"),
        without("exp"),
        without("sub"),
        with_(email_verified=False),
        with_(email_verified="true"),
        without("email_verified"),
        with_(email="lead@shop.example, evil@evil.example"),
        with_(email="\u212aead@shop.example"),
        with_(exp="soon"),
    ],
)
async def test_claims_that_do_not_hold_let_nobody_in(trip: Trip, tampers: Callable[[Claims], Claims]) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    trip.provider.tampers = tampers
    answer = await trip.whole()
    assert (answer.status_code, "did not vouch" in answer.text) == (502, True)
    assert not await trip.is_in()
    assert (await trip.events())[-1] == "account.sign_in_refused"


@pytest.mark.parametrize("how", ["another key", "the client's secret", "nothing"])
async def test_a_token_that_is_not_signed_by_a_published_key_lets_nobody_in(trip: Trip, how: str) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    provider = trip.provider
    provider.signs_with = {
        "another key": lambda claims: provider.signed(claims, OTHER_KEY),
        "the client's secret": provider.signed_with_the_client_secret,
        "nothing": provider.unsigned,
    }[how]
    assert (await trip.whole()).status_code == 502
    assert not await trip.is_in()


async def test_a_new_key_of_the_provider_is_fetched_when_it_is_first_used(trip: Trip) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    assert (await trip.whole()).status_code == 303
    trip.provider.key = a_key("k2")
    assert (await trip.whole()).status_code == 303


async def test_where_the_token_is_short_the_provider_is_asked_for_the_address(trip: Trip) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    trip.provider.person = {"sub": "u-1"}
    trip.provider.userinfo = {"sub": "u-1", "email": "lead@shop.example", "email_verified": True}
    assert (await trip.whole()).status_code == 303
    trip.provider.userinfo |= {"sub": "u-2"}
    assert (await trip.whole()).status_code == 502


async def test_the_way_back_is_good_once_and_in_the_browser_that_left_only(trip: Trip) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    back = await trip.out()
    cookies = dict(trip.door.client.cookies)
    trip.door.client.cookies.clear()
    assert (await trip.door.client.get(back)).status_code == 403
    trip.door.client.cookies.update(cookies)
    assert (await trip.door.client.get(back)).status_code == 303
    trip.door.client.cookies.clear()
    trip.door.client.cookies.update(cookies)
    assert (await trip.door.client.get(back)).status_code == 403
    assert (await trip.door.client.get(BACK)).status_code == 403


async def test_the_code_of_another_trip_is_of_no_use(trip: Trip) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    stolen = httpx.URL(await trip.out()).params["code"]
    mine = httpx.URL(await trip.out())
    mixed = mine.copy_set_param("code", stolen)
    assert (await trip.door.client.get(str(mixed))).status_code == 502  # its verifier is another one
    assert not await trip.is_in()


@pytest.mark.parametrize("iss", ["https://evil.example", None])
async def test_an_answer_of_another_provider_is_refused(trip: Trip, iss: str | None) -> None:
    await a_person(trip.door.database.tenant, TENANT)
    back = httpx.URL(await trip.out())
    back = back.copy_set_param("iss", iss) if iss is not None else back.copy_remove_param("iss")
    assert (await trip.door.client.get(str(back))).status_code == 502


async def test_a_refusal_of_the_provider_is_told(trip: Trip) -> None:
    trip.provider.is_refusing = True
    assert (await trip.whole()).status_code == 502


async def test_the_sign_in_page_offers_it_where_there_is_a_provider(trip: Trip) -> None:
    assert f'href="/t/{TENANT}/sso?next=' in (await trip.door.client.get(f"/t/{TENANT}/sign-in")).text


async def test_a_provider_that_is_away_or_calls_itself_otherwise_is_told(trip: Trip) -> None:
    issuer, trip.provider.issuer = trip.provider.issuer, "https://evil.example"
    assert (await trip.door.client.get(f"/t/{TENANT}/sso")).status_code == 502
    assert issuer.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "http://login.acme.example"}, "begins with https://"),
        ({"roles_claim": "groups"}, "roles_claim and roles together"),
        ({"roles": {"x": "cs_lead"}}, "roles_claim and roles together"),
        ({"roles_claim": "groups", "roles": {"x": "chief"}}, "'cs_lead'"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(changes: dict[str, Any], said: str) -> None:
    form = {"issuer": "https://login.acme.example", "client_id": "c", "client_secret": "s"}
    with pytest.raises(ValidationError, match=said):
        SsoSettings.model_validate(form | changes)
