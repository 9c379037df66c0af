"""The page of accounts, for admins: who there is, inviting, roles, letting in and out, sessions, tokens of services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from app.api.people import ADMINS, Change, Invitation, People, TokenWanted
from app.api.routing import Id
from app.identity.models import AccountState
from app.identity.roles import Role
from app.identity.service_tokens import Scope
from app.web.access import add
from app.web.forms import back_to, read
from app.web.rendering import Renderer


class InvitationForm(BaseModel):
    """What the form of an invitation sends."""

    email: str = ""
    name: str = ""
    roles: list[str] = Field(default_factory=list)


class ChangeForm(BaseModel):
    """What the form of an account sends."""

    roles: list[str] = Field(default_factory=list)


class StateForm(BaseModel):
    """Whether an account may sign in."""

    state: str = ""


class TokenForm(BaseModel):
    """What the form of a token sends."""

    name: str = ""
    scopes: list[str] = Field(default_factory=list)
    days: str = "90"


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """The handlers."""

    people: People
    renderer: Renderer

    async def show(self, tenant_id: str, request: Request) -> Response:
        """Everybody who has an account."""
        return await self._page(tenant_id, request)

    async def invite(self, tenant_id: str, request: Request, form: Annotated[InvitationForm, Form()]) -> Response:
        """Make an account, and show its link once."""
        wanted = read(Invitation, email=form.email, name=form.name, roles=form.roles)
        made = await self.people.invite(wanted, request)
        told = f"{made.account.email} has an account. They set their password through this link, once, within 24 hours:"
        return await self._page(tenant_id, request, told=told, secret=made.link)

    async def link(self, tenant_id: str, account_id: Id, request: Request) -> Response:
        """Make a new link to set a password, and show it once."""
        made = await self.people.make_link(account_id, request)
        told = f"{made.account.email} sets a password through this link, once, within 24 hours:"
        return await self._page(tenant_id, request, told=told, secret=made.link)

    async def roles(
        self, tenant_id: str, account_id: Id, request: Request, form: Annotated[ChangeForm, Form()]
    ) -> Response:
        """Give an account exactly these roles."""
        await self.people.change_account(account_id, read(Change, roles=form.roles), request)
        return back_to(tenant_id, "accounts")

    async def state(
        self, tenant_id: str, account_id: Id, request: Request, form: Annotated[StateForm, Form()]
    ) -> Response:
        """Disable an account, or enable it."""
        await self.people.change_account(account_id, read(Change, state=form.state), request)
        return back_to(tenant_id, "accounts")

    async def sign_out(self, tenant_id: str, account_id: Id, request: Request) -> Response:
        """Sign an account out everywhere."""
        await self.people.end_sessions(account_id, request)
        return back_to(tenant_id, "accounts")

    async def token(
        self, tenant_id: str, account_id: Id, request: Request, form: Annotated[TokenForm, Form()]
    ) -> Response:
        """Make a token, and show it once."""
        wanted = read(TokenWanted, name=form.name, scopes=form.scopes, days=form.days)
        made = await self.people.make_token(account_id, wanted, request)
        told = "The token. Keep it now, because nobody can show it again:"
        return await self._page(tenant_id, request, told=told, secret=made.token)

    async def revoke(self, tenant_id: str, account_id: Id, token_id: Id, request: Request) -> Response:
        """Let a token in no longer."""
        await self.people.revoke_token(account_id, token_id, request)
        return back_to(tenant_id, "accounts")

    async def _page(self, tenant_id: str, request: Request, *, told: str = "", secret: str = "") -> Response:
        found = (await self.people.list_accounts(request)).items
        services = [one for one in found if Role.SERVICE in one.roles]
        tokens = {one.account_id: (await self.people.list_tokens(one.account_id, request)).items for one in services}
        return self.renderer.page(
            request,
            "accounts.html",
            tenant_id=tenant_id,
            accounts=found,
            tokens=tokens,
            roles=list(Role),
            scopes=list(Scope),
            told=told,
            secret=secret,
            now=self.people.guard.now(),
            states=AccountState,
        )


def routes(page: PeoplePage) -> APIRouter:
    """The routes of this module."""
    router, admins = APIRouter(), page.people.guard.allow(ADMINS)
    below, one = "/t/{tenant_id}/accounts", "/t/{tenant_id}/accounts/{account_id}"
    add(router, "GET", below, page.show, admins)
    add(router, "POST", below, page.invite, admins)
    add(router, "POST", f"{one}/link", page.link, admins)
    add(router, "POST", f"{one}/roles", page.roles, admins)
    add(router, "POST", f"{one}/state", page.state, admins)
    add(router, "POST", f"{one}/sign-out", page.sign_out, admins)
    add(router, "POST", f"{one}/tokens", page.token, admins)
    add(router, "POST", f"{one}/tokens/{{token_id}}/revoke", page.revoke, admins)
    return router
