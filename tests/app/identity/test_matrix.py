"""Every route, every role, every way of not being who one should be: read from the router, so that none is left out.

Some five thousand requests go to one application with one database, so none of them may change what another one meets:
whose session may end by what is asked has an account and a session of their own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, Response

from app.api.access import TENANT_HEADER, Called
from app.db import Database
from app.embedded import EmbeddedServer
from app.identity.roles import Role
from app.identity.service_tokens import Scope
from app.web.access import FORM_HEADER, Allowed, Declared, Signed, SignedRoute, UndeclaredRoute, declared
from app.web.app import create_app
from app.web.matrix import matrix_lines
from tests.app.api.programs import a_token
from tests.app.web.door import TENANT, settings_of
from tests.app.web.people import Person, a_person, signed_in
from tests.conftest import a_clone

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
    "name": "remedy",
    "tier": "auto",
    "currency": "usd",
    "policy_hash": "0" * 64,
    "schedule_id": "sch_1",
    "tool": "stripe.refund",
    "breaker_id": "refunds",
    "connector": "zendesk",
    "candidate_id": "cand_1",
    "proposal_id": "cor_1",
    "incident_id": "inc_1",
}
READING = {"GET"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


AT_ONCE = 8
"""Requests under way, so that one is served while another waits for the database."""


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """The web process of two tenants, its routes, and one person of each role in each tenant.

    Requests go to the application as a server hands them over, without a client: that halves the time of a cell.
    """

    app: FastAPI
    database: Database
    people: dict[Role, Person]
    strangers: dict[Role, Person]

    @property
    def routes(self) -> list[Declared]:
        return declared(self.app)

    @property
    def guarded(self) -> list[Declared]:
        return [route for route in self.routes if isinstance(route.access, GUARDED)]

    async def asks(
        self, route: Declared, *, token: str | None, form_token: str | None = None, origin: str | None = ORIGIN
    ) -> Answered:
        headers = {"accept": "text/html", TENANT_HEADER: TENANT} | ({"origin": origin} if origin is not None else {})
        if is_call(route) and form_token is not None:
            headers[FORM_HEADER] = form_token
        if token is not None:
            headers["cookie"] = f"countersign-{TENANT}={token}"
        form = {"decision": "maybe"} | ({"csrf": form_token} if form_token is not None else {})
        is_form = route.method not in READING and not is_call(route)
        return await self.hears(route.method, path_of(route), headers, form if is_form else None)

    async def calls(self, route: Declared, token: str) -> Answered:
        return await self.hears(route.method, path_of(route), {"authorization": f"Bearer {token}"})

    async def hears(
        self, method: str, address: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> Answered:
        """One request, as HTTP servers tell an application of it: https://asgi.readthedocs.io/en/stable/specs/www.html"""
        parts, body = urlsplit(ORIGIN + address), b"" if form is None else urlencode(form).encode()
        sent = {"host": parts.netloc, "content-length": str(len(body)), **headers}
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 40000),
            "server": ("127.0.0.1", 8080),
        }
        said: list[Any] = []
        coming = iter([{"type": "http.request", "body": body, "more_body": False}])
        ended = asyncio.Event()

        async def receive() -> dict[str, object]:
            for message in coming:
                return message
            await ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                ended.set()

        await self.app(scope, receive, send)
        start, *rest = said
        known = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answered(start["status"], known, b"".join(one.get("body", b"") for one in rest))


async def every(cells: Iterable[Awaitable[None]]) -> None:
    """All cells, a few at a time, until one is wrong."""
    coming = iter(cells)

    async def some() -> None:
        for cell in coming:
            await cell

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())


@pytest.fixture(scope="module")
def place(server: EmbeddedServer, template: str) -> Iterator[str]:
    """The name of the one database of all these tests."""
    with a_clone(server, template) as name:
        yield name


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(server: EmbeddedServer, place: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    url = server.app_url(place)
    app = create_app(settings_of(tmp_path_factory.mktemp("web"), TENANT, OTHER), url)
    database = Database(url, pool_size=5)
    people = {role: await a_person(database.tenant, TENANT, role, email=f"{role}@shop.example") for role in Role}
    strangers = {role: await a_person(database.tenant, OTHER, role, email=f"{role}@shop.example") for role in Role}
    async with app.router.lifespan_context(app):
        yield Server(app, database, people, strangers)
    await database.close()


def path_of(route: Declared, tenant: str = TENANT) -> str:
    """The route's address, with a name for each of its parts."""
    return route.path.replace(":path}", "}").format(tenant_id=tenant, **NAMES)


GUARDED = (Allowed, Called)


def is_call(route: Declared) -> bool:
    return isinstance(route.access, Called)


def is_refused(route: Declared, answer: Answered) -> bool:
    """Whether whoever asked was not let in: sent to the sign-in page, or told that they are not."""
    if is_call(route):
        return answer.status_code in {401, 403} and answer.headers["content-type"] == "application/problem+json"
    if route.method in READING:
        return answer.status_code == 303 and answer.headers["location"].startswith(f"/t/{TENANT}/sign-in?next=")
    return answer.status_code in {401, 403}


async def test_without_a_session_of_this_tenant_no_role_gets_anywhere(web: Server) -> None:
    async def cell(route: Declared, who: object, token: str | None, form_token: str | None) -> None:
        assert is_refused(route, await web.asks(route, token=token, form_token=form_token)), (route, who)

    strangers = [(role, one.token, one.form_token) for role, one in web.strangers.items()]
    whoever = [("nobody", None, None), ("made up", "made up", "made up"), *strangers]
    await every(cell(route, *one) for route in web.guarded for one in whoever)


async def test_an_expired_session_is_none(web: Server) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)

    async def cell(route: Declared, role: Role, expired: Person) -> None:
        answer = await web.asks(route, token=expired.token, form_token=expired.form_token)
        assert is_refused(route, answer), (route, role)

    expired = {role: await signed_in(web.database.tenant, one.account, long_ago) for role, one in web.people.items()}
    await every(cell(route, role, one) for route in web.guarded for role, one in expired.items())


async def test_only_the_roles_that_a_route_declares_are_let_in(web: Server) -> None:
    let_in: set[Role] = set()

    async def cell(route: Declared, role: Role, person: Person) -> None:
        answer = await web.asks(route, token=person.token, form_token=person.form_token)
        is_let_in = answer.status_code in {200, 303, 400, 404, 409, 422}
        assert is_let_in is route.access.may(role), (route, role, answer.status_code)
        assert is_let_in or answer.status_code == 403
        if is_let_in:
            let_in.add(role)
        # A service has no page: what it may, it may by a call.
        assert role is not Role.SERVICE or not is_let_in or is_call(route), route

    reading = [route for route in web.guarded if route.method in READING]
    await every(cell(route, role, one) for route in reading for role, one in web.people.items())
    # One of them signs out, another one ends all other sessions: each is met by somebody who has just come.
    for role in Role:
        somebody = await a_person(web.database.tenant, TENANT, role, email=f"{role}-two@shop.example")
        for route in web.guarded:
            if route.method not in READING:
                fresh = await signed_in(web.database.tenant, somebody.account, datetime.now(UTC))
                await cell(route, role, fresh)
    assert let_in == set(Role)


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

    async def cell(route: Declared, access: Called, role: Role, scope: Scope) -> None:
        answer = await web.calls(route, tokens[role, scope])
        may = (access.may(role) or access.may(Role.SERVICE)) and scope is access.scope
        assert (answer.status_code not in {401, 403}) is may, (route, role, scope, answer.status_code)

    async def apart(route: Declared) -> None:
        """Another tenant's token reads its own tenant, where nothing is, and never this one's."""
        if "{" in route.path:
            answer = await web.calls(route, other)
            is_idle = answer.status_code == 200 and answer.json()["repeated"] is True  # nothing to let go of
            assert is_idle or answer.status_code in {404, 409, 422}, route
        assert (await web.calls(route, tokens[Role.ADMIN, Scope.READ].replace(TENANT, OTHER))).status_code == 401

    async def page(route: Declared) -> None:
        assert (await web.calls(route, tokens[Role.ADMIN, Scope.ADMIN])).status_code in {303, 401, 403}, route

    await every(cell(one, one.access, *token) for one in calls for token in tokens if isinstance(one.access, Called))
    await every(apart(route) for route in calls)
    await every(page(route) for route in web.routes if isinstance(route.access, Allowed))


async def test_whatever_changes_something_takes_only_a_form_of_the_session_and_of_this_server(web: Server) -> None:
    changing = [route for route in web.routes if route.method not in READING and not isinstance(route.access, Signed)]
    assert len(changing) >= 5

    async def elsewhere(route: Declared, role: Role, person: Person, origin: str | None) -> None:
        answer = await web.asks(route, token=person.token, form_token=person.form_token, origin=origin)
        assert answer.status_code == 403, (route, role, origin)

    async def without(route: Declared, role: Role, person: Person, form_token: str | None) -> None:
        answer = await web.asks(route, token=person.token, form_token=form_token)
        assert answer.status_code == 403, (route, role, form_token)

    origins = (None, "null", "http://evil.example", "https://127.0.0.1:8080")
    for role, person in web.people.items():
        await every(elsewhere(route, role, person, origin) for route in changing for origin in origins)
        wrong = (None, "", "made up", web.strangers[role].form_token)
        guarded = [route for route in changing if isinstance(route.access, GUARDED)]
        await every(without(route, role, person, form_token) for route in guarded for form_token in wrong)


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
            answer = await web.hears(route.method, path, {"origin": ORIGIN})
            assert answer.status_code == 404, route


async def test_every_answer_keeps_the_page_to_itself(web: Server) -> None:
    nonces = set()
    for route in web.routes:
        answer = await web.asks(route, token=web.people[Role.ADMIN].token)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, route
        assert "frame-ancestors 'none'" in policy, route
        assert "unsafe" not in policy, route
        if isinstance(route, SignedRoute):
            assert "-src" not in policy.replace("default-src 'none'", ""), route  # it is no page, so nothing may run
        else:
            nonces.add(policy.split("'nonce-")[1].split("'")[0])
    assert len(nonces) == len([route for route in web.routes if not isinstance(route, SignedRoute)])


async def test_a_route_that_declares_nothing_keeps_the_server_from_starting() -> None:
    app, router = FastAPI(openapi_url=None, docs_url=None, redoc_url=None), APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> Response:
        return PlainTextResponse("open to everybody")

    app.include_router(router)
    with pytest.raises(UndeclaredRoute, match="says nothing of who may use it"):
        declared(app)
    app.router.routes[:] = router.routes
    with pytest.raises(UndeclaredRoute, match="'/forgotten' says nothing of who may use it"):
        declared(app)


async def test_an_error_of_ours_is_a_page_that_says_nothing_of_how(web: Server) -> None:
    cookie = {"cookie": f"countersign-{TENANT}={web.people[Role.ADMIN].token}"}
    answer = await web.hears("GET", f"/t/{TENANT}/runs/%00", cookie)  # PostgreSQL holds no such text
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
