"""Every route, every role, every way of not being who one should be: read from the router, so that none is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, Response

from app.api.access import TENANT_HEADER, Called
from app.db import Database
from app.identity.roles import Role
from app.identity.service_tokens import Scope
from app.web.access import FORM_HEADER, Allowed, Declared, Signed, UndeclaredRoute, declared
from app.web.app import create_app
from app.web.matrix import matrix_lines
from tests.app.api.programs import a_token
from tests.app.web.door import TENANT, settings_of
from tests.app.web.people import Person, a_person, signed_in

OTHER = "other"
ORIGIN = "http://127.0.0.1:8080"
NAMES = {
    "run_id": "run_1",
    "approval_id": "apr_1",
    "token": "nothing",
    "ticket_id": "7",
    "section_id": "refund-policy",
    "item_id": "apr_1",
    "account_id": "acc_1",
    "token_id": "tok_1",
    "move_id": "mov_1",
    "alert_id": "alt_1",
}
READING = {"GET"}


@dataclass
class Server:
    """The web process of two tenants, its routes, and one person of each role in each tenant."""

    app: FastAPI
    client: httpx.AsyncClient
    database: Database
    people: dict[Role, Person]
    strangers: dict[Role, Person]

    @property
    def routes(self) -> list[Declared]:
        return declared(self.app)

    async def asks(
        self, route: Declared, *, token: str | None, form_token: str | None = None, origin: str | None = ORIGIN
    ) -> httpx.Response:
        path = path_of(route)
        headers = {"accept": "text/html", TENANT_HEADER: TENANT} | ({"origin": origin} if origin is not None else {})
        if is_call(route) and form_token is not None:
            headers[FORM_HEADER] = form_token
        self.client.cookies.clear()
        if token is not None:
            self.client.cookies.set(f"countersign-{TENANT}", token)
        form = {"decision": "maybe"} | ({"csrf": form_token} if form_token is not None else {})
        data = form if route.method not in READING else None
        return await self.client.request(route.method, path, headers=headers, data=None if is_call(route) else data)

    async def calls(self, route: Declared, token: str) -> httpx.Response:
        self.client.cookies.clear()
        headers = {"authorization": f"Bearer {token}"}
        return await self.client.request(route.method, path_of(route), headers=headers)


@pytest.fixture
async def web(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    app = create_app(settings_of(tmp_path, TENANT, OTHER), database_url)
    people = {role: await a_person(database.tenant, TENANT, role, email=f"{role}@shop.example") for role in Role}
    strangers = {role: await a_person(database.tenant, OTHER, role, email=f"{role}@shop.example") for role in Role}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client,
    ):
        yield Server(app, client, database, people, strangers)


def path_of(route: Declared, tenant: str = TENANT) -> str:
    """The route's address, with a name for each of its parts."""
    return route.path.replace(":path}", "}").format(tenant_id=tenant, **NAMES)


GUARDED = (Allowed, Called)


def is_call(route: Declared) -> bool:
    return isinstance(route.access, Called)


def is_refused(route: Declared, answer: httpx.Response) -> bool:
    """Whether whoever asked was not let in: sent to the sign-in page, or told that they are not."""
    if is_call(route):
        return answer.status_code in {401, 403} and answer.headers["content-type"] == "application/problem+json"
    if route.method in READING:
        return answer.status_code == 303 and answer.headers["location"].startswith(f"/t/{TENANT}/sign-in?next=")
    return answer.status_code in {401, 403}


async def test_without_a_session_of_this_tenant_no_role_gets_anywhere(web: Server) -> None:
    for route in web.routes:
        if not isinstance(route.access, GUARDED):
            continue
        assert is_refused(route, await web.asks(route, token=None)), route
        assert is_refused(route, await web.asks(route, token="made up", form_token="made up")), route
        for role, stranger in web.strangers.items():
            answer = await web.asks(route, token=stranger.token, form_token=stranger.form_token)
            assert is_refused(route, answer), (route, role)


async def test_an_expired_session_is_none(web: Server) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    for role, person in web.people.items():
        expired = await signed_in(web.database.tenant, person.account, long_ago)
        for route in web.routes:
            if isinstance(route.access, GUARDED):
                answer = await web.asks(route, token=expired.token, form_token=expired.form_token)
                assert is_refused(route, answer), (route, role)


async def test_only_the_roles_that_a_route_declares_are_let_in(web: Server) -> None:
    seen = set()
    for route in web.routes:
        if not isinstance(route.access, GUARDED):
            continue
        for role, person in web.people.items():
            fresh = await signed_in(web.database.tenant, person.account, datetime.now(UTC))
            answer = await web.asks(route, token=fresh.token, form_token=fresh.form_token)
            is_let_in = answer.status_code in {200, 303, 400, 404, 409, 422}
            assert is_let_in is route.access.may(role), (route, role, answer.status_code)
            assert is_let_in or answer.status_code == 403
            seen.add((is_let_in, role))
            # A service has no page: what it may, it may by a call.
            assert role is not Role.SERVICE or not is_let_in or is_call(route), route
    assert len({role for is_let_in, role in seen if is_let_in}) == len(Role)


async def test_a_token_of_each_role_and_scope_gets_where_both_allow_it_and_nowhere_else(web: Server) -> None:
    tokens = {
        (role, scope): await a_token(
            web.database.tenant, TENANT, role, scopes=(scope,), email=f"{role.value}-service@shop.example"
        )
        for role in Role
        for scope in Scope
    }
    other = await a_token(web.database.tenant, OTHER, Role.ADMIN)
    calls = [route for route in web.routes if isinstance(route.access, Called)]
    assert len(calls) > 15
    for route in calls:
        access = route.access
        assert isinstance(access, Called)
        for (role, scope), token in tokens.items():
            answer = await web.calls(route, token)
            may = (access.may(role) or access.may(Role.SERVICE)) and scope is access.scope
            assert (answer.status_code not in {401, 403}) is may, (route, role, scope, answer.status_code)
        # Another tenant's token reads its own tenant, where nothing is, and never this one's.
        if "{" in route.path:
            answer = await web.calls(route, other)
            is_idle = answer.status_code == 200 and answer.json()["repeated"] is True  # nothing to let go of
            assert is_idle or answer.status_code in {404, 409, 422}, route
        assert (await web.calls(route, tokens[Role.ADMIN, Scope.READ].replace(TENANT, OTHER))).status_code == 401
    pages = [route for route in web.routes if isinstance(route.access, Allowed)]
    for route in pages:
        assert (await web.calls(route, tokens[Role.ADMIN, Scope.ADMIN])).status_code in {303, 401, 403}, route


async def test_whatever_changes_something_takes_only_a_form_of_the_session_and_of_this_server(web: Server) -> None:
    changing = [route for route in web.routes if route.method not in READING]
    assert len(changing) >= 5
    for route in changing:
        if isinstance(route.access, Signed):
            continue
        for role, person in web.people.items():
            token, form_token = person.token, person.form_token
            for origin in (None, "null", "http://evil.example", "https://127.0.0.1:8080"):
                answer = await web.asks(route, token=token, form_token=form_token, origin=origin)
                assert answer.status_code == 403, (route, role, origin)
            if isinstance(route.access, GUARDED):
                for wrong in (None, "", "made up", web.strangers[role].form_token):
                    answer = await web.asks(route, token=token, form_token=wrong)
                    assert answer.status_code == 403, (route, role, wrong)


async def test_what_a_vendor_signs_lets_no_person_in(web: Server) -> None:
    signed = [route for route in web.routes if isinstance(route.access, Signed)]
    assert {route.path for route in signed} == {
        "/webhooks/zendesk/{tenant_id}",
        "/webhooks/stripe/{tenant_id}",
        "/t/{tenant_id}/zendesk/app",
    }
    for route in signed:
        for person in web.people.values():
            assert (await web.asks(route, token=person.token, form_token=person.form_token)).status_code == 401


async def test_an_unknown_tenant_has_no_page(web: Server) -> None:
    for route in web.routes:
        if "{tenant_id}" in route.path:
            path = path_of(route, "nobody")
            answer = await web.client.request(route.method, path, headers={"origin": ORIGIN})
            assert answer.status_code == 404, route


async def test_every_answer_keeps_the_page_to_itself(web: Server) -> None:
    nonces = set()
    for route in web.routes:
        answer = await web.asks(route, token=web.people[Role.ADMIN].token)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, route
        assert "frame-ancestors 'none'" in policy, route
        assert "unsafe" not in policy, route
        nonces.add(policy.split("'nonce-")[1].split("'")[0])
    assert len(nonces) == len(web.routes)


def test_a_route_that_declares_nothing_keeps_the_server_from_starting() -> None:
    app, router = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> Response:
        return PlainTextResponse("open to everybody")

    app.include_router(router)
    with pytest.raises(UndeclaredRoute, match="'/forgotten' declares 0 accesses"):
        declared(app)


async def test_an_error_of_ours_is_a_page_that_says_nothing_of_how(web: Server) -> None:
    web.client.cookies.update(web.people[Role.ADMIN].cookies)
    answer = await web.client.get(f"/t/{TENANT}/runs/%00")  # PostgreSQL holds no such text
    assert answer.status_code == 500
    assert "An error of ours" in answer.text
    assert "Traceback" not in answer.text
    assert "sqlalchemy" not in answer.text.lower()
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_the_page_about_identity_shows_the_matrix_of_the_routes(web: Server) -> None:
    page = (Path(__file__).parents[3] / "docs" / "identity.md").read_text("utf-8")
    assert "\n".join(matrix_lines(web.app)) in page, (
        "run `countersign account matrix` and paste it into docs/identity.md"
    )
