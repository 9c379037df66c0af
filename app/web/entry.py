"""The pages in front of all others: sign in, sign out, set a password by a link, and one's own account.

A tenant has its own door, `/t/TENANT/sign-in`. Where to go afterwards is taken only as a path below the same tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.identity import accounts
from app.identity.accounts import Act
from app.identity.addresses import LONGEST
from app.identity.models import Account
from app.identity.pace import TooMany
from app.identity.roles import PEOPLE
from app.identity.sessions import end_session, sessions_of
from app.identity.sign_in import PasswordSet, SignedIn, SignIn, Unfit, Wrong
from app.web.access import Guard, Refused, add, signed_in
from app.web.places import session_cookie
from app.web.rendering import Renderer

USED_UP: Final = (
    "This link was used already, or its time is over. Ask an admin for another one; they make it with "
    "`countersign account password EMAIL --link`."
)


class SignInForm(BaseModel):
    """What the sign-in form sends."""

    email: str = ""
    password: str = ""
    next: str = ""


class PasswordForm(BaseModel):
    """What the form of a new password sends."""

    password: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """The handlers. `has_sso` are the tenants with an identity provider."""

    guard: Guard
    sign_in: SignIn
    renderer: Renderer
    has_sso: frozenset[str] = frozenset()

    async def first(self, request: Request) -> Response:
        """The first page: the only tenant's runs, or the question which tenant."""
        tenants = sorted(self.guard.tenants)
        if len(tenants) == 1:
            return RedirectResponse(home_of(tenants[0]))
        text = (
            "No tenant is configured; `countersign doctor` says what to do."
            if not tenants
            else "Open the address that you were given: it ends in /t/ and the name of your shop."
        )
        return self.renderer.page(request, "message.html", title="Countersign", text=text, back=None)

    async def show(self, tenant_id: str, request: Request, next: str = "") -> Response:  # noqa: A002 - the form's name
        """The sign-in page; somebody who is signed in goes on."""
        if await self.guard.visitor(request, tenant_id) is not None:
            return RedirectResponse(local(tenant_id, next), HTTPStatus.SEE_OTHER)
        return self._door(request, tenant_id, next)

    async def enter(self, tenant_id: str, request: Request, form: Annotated[SignInForm, Form()]) -> Response:
        """Try to sign in."""
        self._demand_safe(request)
        tried = await self.sign_in.by_password(tenant_id, form.email, form.password, address=address_of(request))
        match tried:
            case SignedIn(token=token):
                return self.let_in(request, tenant_id, token, form.next)
            case TooMany(wait_s=wait_s):
                minutes = -(-wait_s // 60)
                said = f"Too many tries. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again."
                too_many = HTTPStatus.TOO_MANY_REQUESTS
                answer = self._door(request, tenant_id, form.next, said, email=form.email, status=too_many)
                answer.headers["Retry-After"] = str(wait_s)
                return answer
            case Wrong():
                said = "That address and password do not belong together. Nothing tells which of the two is wrong."
                wrong = HTTPStatus.UNAUTHORIZED
                return self._door(request, tenant_id, form.next, said, email=form.email, status=wrong)

    async def leave(self, tenant_id: str, request: Request) -> Response:
        """Sign out here."""
        visitor = signed_in(request)
        async with self.sign_in.sessions(tenant_id) as session:
            await end_session(session, visitor, self._act(visitor.actor))
        return self._out(tenant_id)

    async def account(self, tenant_id: str, request: Request) -> Response:
        """One's own account: who one is here, and where one is signed in."""
        visitor = signed_in(request)
        async with self.sign_in.sessions(tenant_id) as session:
            account = await session.get_one(Account, (tenant_id, visitor.account_id))
            listed = await sessions_of(session, account)
        return self.renderer.page(request, "account.html", tenant_id=tenant_id, account=account, sessions=listed)

    async def leave_everywhere(self, tenant_id: str, request: Request) -> Response:
        """Sign out on every browser."""
        visitor = signed_in(request)
        async with self.sign_in.sessions(tenant_id) as session:
            account = await session.get_one(Account, (tenant_id, visitor.account_id))
            await accounts.revoke_sessions(session, account, self._act(visitor.actor))
        return self._out(tenant_id)

    async def show_link(self, tenant_id: str, token: str, request: Request) -> Response:
        """The form of a new password."""
        holder = await self.sign_in.holder(tenant_id, token)
        if holder is None:
            raise Refused(HTTPStatus.GONE, "No longer good", USED_UP)
        return self._password_form(request, tenant_id, holder.email)

    async def use_link(
        self, tenant_id: str, token: str, request: Request, form: Annotated[PasswordForm, Form()]
    ) -> Response:
        """Set the password that the form has twice."""
        self._demand_safe(request)
        holder = await self.sign_in.holder(tenant_id, token)
        if holder is None:
            raise Refused(HTTPStatus.GONE, "No longer good", USED_UP)
        if form.password != form.again:
            said = "The two passwords are not the same; type them again."
            return self._password_form(request, tenant_id, holder.email, said, status=HTTPStatus.BAD_REQUEST)
        match await self.sign_in.set_password(tenant_id, token, form.password):
            case PasswordSet():
                said = "The password is set. Sign in with it."
                return self._door(request, tenant_id, "", said, is_good=True)
            case Unfit(why=why):
                return self._password_form(request, tenant_id, holder.email, why, status=HTTPStatus.BAD_REQUEST)
            case Wrong():
                raise Refused(HTTPStatus.GONE, "No longer good", USED_UP)

    async def follow(self, tenant_id: str, token: str, request: Request) -> Response:
        """Sign in by the demo's link. It is there beside a sandbox only, and good on this machine only."""
        if not self.guard.places.is_here(request):
            text = "This link is good on the machine that the demo runs on, under 127.0.0.1."
            raise Refused(HTTPStatus.FORBIDDEN, "Not here", text)
        if await self.guard.visitor(request, tenant_id) is not None:
            return RedirectResponse(home_of(tenant_id), HTTPStatus.SEE_OTHER)
        match await self.sign_in.by_link(tenant_id, token):
            case SignedIn(token=fresh):
                return self.let_in(request, tenant_id, fresh, "")
            case Wrong():
                text = "This link was used already, or its time is over. The demo prints a new one when it is started."
                raise Refused(HTTPStatus.GONE, "No longer good", text)

    def let_in(self, request: Request, tenant_id: str, token: str, asked: str) -> Response:
        """Give the browser its session and send it where it wanted to go."""
        answer = RedirectResponse(local(tenant_id, asked), HTTPStatus.SEE_OTHER)
        age_s = int(self.sign_in.lifetimes.whole.total_seconds())
        self.guard.places.set_cookie(request, answer, session_cookie(tenant_id), token, max_age_s=age_s)
        return answer

    def _out(self, tenant_id: str) -> Response:
        answer = RedirectResponse(f"/t/{quote(tenant_id)}/sign-in", HTTPStatus.SEE_OTHER)
        self.guard.places.drop_cookie(answer, session_cookie(tenant_id))
        return answer

    def _door(
        self,
        request: Request,
        tenant_id: str,
        asked: str,
        said: str | None = None,
        *,
        email: str = "",
        is_good: bool = False,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        return self.renderer.page(
            request,
            "sign_in.html",
            status,
            email=email[:LONGEST],
            tenant_id=tenant_id,
            next=asked,
            said=said,
            is_good=is_good,
            has_sso=tenant_id in self.has_sso,
        )

    def _password_form(
        self,
        request: Request,
        tenant_id: str,
        email: str,
        said: str | None = None,
        *,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        return self.renderer.page(request, "set_password.html", status, tenant_id=tenant_id, email=email, said=said)

    def _demand_safe(self, request: Request) -> None:
        if not self.guard.places.is_safe(request):
            text = (
                "Passwords are taken over https only. Open the https address of this server, or ask whoever runs it "
                "to set COUNTERSIGN_PUBLIC_URL to that address."
            )
            raise Refused(HTTPStatus.FORBIDDEN, "Not over plain http", text)

    def _act(self, actor: str) -> Act:
        return Act(actor, self.sign_in.now(), self.sign_in.new_id)


def routes(entry: Entry, *, is_demo: bool) -> APIRouter:
    """The routes of this module; the link that signs in only for a demo."""
    guard, router = entry.guard, APIRouter()
    door = guard.open("whoever is not signed in yet")
    add(router, "GET", "/", entry.first, guard.open("leads to the sign-in page"))
    add(router, "GET", "/t/{tenant_id}/sign-in", entry.show, door)
    add(router, "POST", "/t/{tenant_id}/sign-in", entry.enter, door)
    add(router, "POST", "/t/{tenant_id}/sign-out", entry.leave, guard.allow(PEOPLE))
    add(router, "GET", "/t/{tenant_id}/account", entry.account, guard.allow(PEOPLE))
    add(router, "POST", "/t/{tenant_id}/sign-out-everywhere", entry.leave_everywhere, guard.allow(PEOPLE))
    holder = guard.open("whoever holds the link, once")
    add(router, "GET", "/t/{tenant_id}/password/{token}", entry.show_link, holder)
    add(router, "POST", "/t/{tenant_id}/password/{token}", entry.use_link, holder)
    if is_demo:
        add(router, "GET", "/t/{tenant_id}/demo/{token}", entry.follow, guard.open("the demo's link, once, here"))
    return router


def home_of(tenant_id: str) -> str:
    """Where somebody begins who is signed in."""
    return f"/t/{quote(tenant_id)}/runs"


def local(tenant_id: str, asked: str) -> str:
    """Where to go after signing in: the path that was asked for, if it is one of this tenant's own pages.

    >>> local("acme", "/t/acme/runs/run_1?x=1")
    '/t/acme/runs/run_1?x=1'
    >>> [local("acme", path) for path in ("//evil.example", "/t/other/runs", "/t/acme/../../x", "")]
    ['/t/acme/runs', '/t/acme/runs', '/t/acme/runs', '/t/acme/runs']
    """
    below = f"/t/{quote(tenant_id)}/"
    is_plain = asked.isascii() and asked.isprintable() and "\\" not in asked and "/.." not in asked
    return asked if is_plain and asked.startswith(below) else home_of(tenant_id)


def address_of(request: Request) -> str:
    """The address that a request comes from, as the server sees it."""
    return request.client.host if request.client is not None else "unknown"
