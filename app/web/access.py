"""Who may use a route, stated where the route is defined and enforced before its handler runs.

Every route declares one of these: `Allowed` to some roles, `Open` to everybody, `Signed` by a vendor, or, below
`/api/`, `Called` by programs and people (app/api/access.py). Declarations are objects, so that they can be listed; a
route without one keeps the server from starting.

A route that changes something takes only forms that a page of ours sent: the browser says where a form comes from
(`Origin`), and the form carries a token that only the session's own pages know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from fastapi.params import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from app.errors import AppError
from app.identity.roles import Role
from app.identity.sessions import Lifetimes, Visitor, visitor_of
from app.identity.tokens import same
from app.web.places import Places, session_cookie
from graph.tenancy import Sessions

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_FIELD: Final = "csrf"
FORM_HEADER: Final = "x-csrf-token"
MAX_FORM_BYTES: Final = 512 * 1024
"""A reply of some ten thousand words. What is longer is refused before it is read."""


class Refused(Exception):
    """A request that gets a page instead of what it asked for; `location` is where to go for it."""

    def __init__(
        self,
        status: HTTPStatus,
        title: str,
        text: str,
        *,
        location: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.headers = headers or {}
        self.status = status
        self.title = title
        self.text = text
        self.location = location


class UndeclaredRoute(AppError):
    """A route that does not say who may use it: a defect, found when the server starts."""


@runtime_checkable
class Access(Protocol):
    """What a route declares."""

    async def enter(self, request: Request) -> None:
        """Let the request in, or raise `Refused`."""

    def may(self, role: Role | None) -> bool:
        """Whether somebody with this role may; None is nobody in particular."""

    @property
    def told(self) -> str:
        """In words."""


class Tickets(Protocol):
    """Who may see which ticket, as Zendesk has it."""

    async def demand(self, visitor: Visitor, ticket_id: str) -> None:
        """Let them see it, or raise `Refused`."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What deciding about access needs."""

    sessions: Sessions
    tenants: frozenset[str]
    now: Callable[[], datetime]
    lifetimes: Lifetimes
    places: Places
    tickets: Tickets

    def allow(self, roles: frozenset[Role], *, embedded: bool = False) -> Allowed:
        """Only who is signed in and has one of these roles; `embedded` lets the Zendesk app's sessions in, too."""
        return Allowed(self, roles, embedded)

    def open(self, why: str) -> Open:
        """Everybody; why, in a few words."""
        return Open(self, why)

    def tenant_of(self, request: Request) -> str:
        """The tenant in the request's path.

        Raises:
            Refused: there is no such tenant.
        """
        tenant_id = str(request.path_params["tenant_id"])
        if tenant_id not in self.tenants:
            raise Refused(HTTPStatus.NOT_FOUND, "Not found", f"There is no tenant {tenant_id[:64]!r} here.")
        return tenant_id

    async def visitor(self, request: Request, tenant_id: str, *, embedded: bool = False) -> Visitor | None:
        """Who is signed in: by cookie, or where it is allowed by the token that the Zendesk app's page holds."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        is_bearer = embedded and scheme.lower() == "bearer" and bool(bearer)
        token = bearer if is_bearer else self.places.cookie(request, session_cookie(tenant_id))
        if token is None:
            return None
        async with self.sessions(tenant_id) as session:
            return await visitor_of(
                session, tenant_id, token, lifetimes=self.lifetimes, now=self.now(), is_embedded=is_bearer
            )

    async def demand_ticket(self, visitor: Visitor, ticket_id: str) -> None:
        """Refuse somebody of the Zendesk app a ticket that Zendesk does not show them.

        The app vouches for the person, not for the ticket: which one is shown is said by the page, which anybody may
        change. Whoever is signed in here sees every ticket of the tenant, as their roles say.

        Raises:
            Refused: they may not see it, or Zendesk cannot be asked.
        """
        if visitor.is_embedded:
            await self.tickets.demand(visitor, ticket_id)

    def demand_our_page(self, request: Request) -> None:
        """Refuse a form that no page of ours sent.

        Raises:
            Refused: it comes from elsewhere, or under a name that is not known.
        """
        if not self.places.came_from_us(request):
            text = (
                "This form was not sent from a page of this server. Open the page again and send it from there. If you "
                "did, then the address that you use is not the one in the settings: COUNTERSIGN_PUBLIC_URL."
            )
            raise Refused(HTTPStatus.FORBIDDEN, "Not accepted", text)


@dataclass(frozen=True, slots=True)
class ToRoles:
    """Whoever has one of some roles. How they show who they are is for the kinds of it to say."""

    guard: Guard
    roles: frozenset[Role]

    def may(self, role: Role | None) -> bool:
        """Whether the role is one of them."""
        return role in self.roles

    @property
    def told(self) -> str:
        """The roles."""
        return ", ".join(role.value for role in Role if role in self.roles)


@dataclass(frozen=True, slots=True)
class Allowed(ToRoles):
    """Who is signed in and has one of the roles."""

    embedded: bool = False

    async def enter(self, request: Request) -> None:
        """Let in who may, with a form of theirs where something is changed."""
        tenant_id = self.guard.tenant_of(request)
        is_reading = request.method in READING
        if not is_reading:
            self.guard.demand_our_page(request)
        visitor = await self.guard.visitor(request, tenant_id, embedded=self.embedded)
        if visitor is None:
            raise _not_signed_in(request, tenant_id, is_reading=is_reading)
        if not is_reading and not same(await form_token_of(request), visitor.form_token):
            text = "This form is no longer good: you signed in anew since it was shown. Open the page again."
            raise Refused(HTTPStatus.FORBIDDEN, "Not accepted", text)
        if not visitor.roles & self.roles:
            text = f"Your roles do not allow this. It needs one of: {self.told}. An admin can give you one."
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", text)
        request.state.visitor = visitor


@dataclass(frozen=True, slots=True)
class Open:
    """Everybody. What changes something still takes only forms of our own pages."""

    guard: Guard
    why: str

    async def enter(self, request: Request) -> None:
        """Let in everybody, under a tenant that exists where the path names one."""
        if "tenant_id" in request.path_params:
            self.guard.tenant_of(request)
        if request.method not in READING:
            self.guard.demand_our_page(request)

    def may(self, role: Role | None) -> bool:  # noqa: ARG002 - that is the point
        """Anybody may."""
        return True

    @property
    def told(self) -> str:
        """Why it is open."""
        return self.why


@dataclass(frozen=True, slots=True)
class Signed:
    """No person: the handler checks the vendor's signature over the raw body."""

    vendor: str

    async def enter(self, request: Request) -> None:
        """The signature is over the body, which the handler reads."""

    def may(self, role: Role | None) -> bool:  # noqa: ARG002 - that is the point
        """No person may, whatever they are."""
        return False

    @property
    def told(self) -> str:
        """Who signs."""
        return f"signed by {self.vendor}"


Handler = Callable[..., Awaitable[Response]]


class Declared(Route):
    """A route, and who may use it.

    What FastAPI reads from the handler's signature is read when the route is first used: for all of them it is most of
    the time that a start takes, and a server uses few of them in its first minute. `said` goes to `APIRoute`.
    """

    def __init__(self, method: str, path: str, handler: Callable[..., Any], access: Access, **said: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(path, handler, methods=[method])
        self.methods = {method}  # Starlette would let HEAD in wherever GET is
        self.method, self.access = method, access
        self._handler, self._said = handler, said

    @cached_property
    def read(self) -> APIRoute:
        """The route as FastAPI has it. Nobody gets to the handler but through `access`."""
        entering = [Depends(self.access.enter)]
        return APIRoute(self.path, self._handler, methods=[self.method], dependencies=entering, **self._said)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is for this route."""
        await self.read.handle(scope, receive, send)


class SignedRoute(Declared):
    """A route for a vendor's program. Its handler takes the request and nothing else, so FastAPI has nothing to do."""

    def __init__(self, path: str, handler: Callable[[Request], Awaitable[Response]], access: Signed) -> None:
        super().__init__("POST", path, handler, access)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is for this route."""
        await Route.handle(self, scope, receive, send)


def add(router: APIRouter, method: str, path: str, handler: Handler, access: Access) -> None:
    """Add a page's route together with who may use it. The API's are added by `call`, a vendor's are `SignedRoute`s."""
    router.routes.append(Declared(method, path, handler, access, response_model=None, max_body_size=MAX_FORM_BYTES))


def signed_in(request: Request) -> Visitor:
    """Who sent a request to a route that is allowed to roles."""
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor), "the route declares no roles"
    return visitor


def declared(app: FastAPI) -> list[Declared]:
    """Every route of the application with its declaration, by path.

    Raises:
        UndeclaredRoute: one has none.
    """
    return sorted(map(_declared, app.routes), key=lambda one: (one.path, one.method))


def _declared(route: BaseRoute) -> Declared:
    if not isinstance(route, Declared):
        raise UndeclaredRoute(f"the route {getattr(route, 'path', route)!r} says nothing of who may use it; `add` it")
    return route


def _not_signed_in(request: Request, tenant_id: str, *, is_reading: bool) -> Refused:
    door = f"/t/{quote(tenant_id)}/sign-in"
    if is_reading:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Refused(HTTPStatus.SEE_OTHER, "Sign in", "Sign in first.", location=f"{door}?next={quote(asked)}")
    text = "You are not signed in any more, so nothing was changed. Sign in, and do it again."
    return Refused(HTTPStatus.UNAUTHORIZED, "Not signed in", text)


async def form_token_of(request: Request) -> str:
    """The token that came with the form, or in a header where there is no form; empty where there is none."""
    header = request.headers.get(FORM_HEADER)
    if header is not None:
        return header
    found = (await request.form()).get(FORM_FIELD)
    return found if isinstance(found, str) else ""
