"""Accounts and tokens for programs, and for the page of the admin: invite, roles, state, sessions, tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Id, call, conflict, missing
from app.errors import UsageError
from app.identity import accounts, service_tokens
from app.identity.accounts import Act, NewAccount
from app.identity.links import Purpose, keep
from app.identity.models import Account, AccountState
from app.identity.roles import Role
from app.identity.service_tokens import Scope, Wanted
from app.identity.sessions import Visitor, sessions_of
from app.web.access import Guard, signed_in

ADMINS: Final = frozenset({Role.ADMIN})

Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80, pattern=r"^[^\x00]*$")]
Email = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=254, pattern=r"^[^\x00]*$")]


class AccountForm(BaseModel):
    """An account."""

    account_id: str
    email: str
    name: str
    roles: list[Role]
    state: AccountState
    has_password: bool
    sso: str | None
    sessions: int
    created_at: datetime
    created_by: str


class Accounts(BaseModel):
    """Everybody who has an account, by address."""

    items: list[AccountForm]


class Invitation(BaseModel):
    """Somebody who shall have an account."""

    email: Email
    name: Name = ""
    roles: list[Role] = Field(min_length=1, max_length=len(Role))


class Invited(BaseModel):
    """Their account, and the link by which they set a password: once, within 24 hours, shown now and never again."""

    account: AccountForm
    link: str


class Change(BaseModel):
    """What shall be different. What is left out stays."""

    roles: list[Role] | None = Field(default=None, min_length=1, max_length=len(Role))
    state: AccountState | None = None


class Ended(BaseModel):
    """How many sessions were ended."""

    ended: int


class TokenForm(BaseModel):
    """A token, without what would let anybody in."""

    token_id: str
    name: str
    scopes: list[Scope]
    made_at: datetime
    ends_at: datetime
    seen_at: datetime | None
    revoked_at: datetime | None


class Tokens(BaseModel):
    """The tokens of an account, the newest first."""

    items: list[TokenForm]


class TokenWanted(BaseModel):
    """A token that shall be made."""

    name: Name = ""
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    days: int = Field(default=90, ge=1, le=366)


class TokenMade(BaseModel):
    """The token, shown now and never again."""

    token_id: str
    token: str


@dataclass(frozen=True, slots=True)
class People:
    """The handlers, which the page uses, too. `base_url` is where people reach the pages."""

    guard: Guard
    new_id: Callable[[str], str]
    new_token: Callable[[], str]
    base_url: str

    async def list_accounts(self, request: Request) -> Accounts:
        """List the accounts."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            found = await accounts.every(session, tenant_id)
            return Accounts(items=[await _form(session, one) for one in found])

    async def invite(self, wanted: Invitation, request: Request) -> Invited:
        """Make an account, and the link by which its owner sets a password."""
        visitor = signed_in(request)
        async with self._changing(visitor) as (session, act):
            roles = tuple(role for role in Role if role in wanted.roles)
            account = await accounts.create(
                session, visitor.tenant_id, NewAccount(wanted.email, wanted.name, roles), act
            )
            link = await self._link(session, account, act)
            return Invited(account=await _form(session, account), link=link)

    async def change_account(self, account_id: Id, wanted: Change, request: Request) -> AccountForm:
        """Give an account other roles, disable it, or enable it. Done twice it is done once."""
        visitor = signed_in(request)
        async with self._changing(visitor) as (session, act):
            account = await _existing(session, visitor.tenant_id, account_id)
            if wanted.roles is not None:
                await accounts.change_roles(session, account, [role.value for role in wanted.roles], act)
            if wanted.state is AccountState.DISABLED:
                await accounts.disable(session, account, act)
            if wanted.state is AccountState.ACTIVE:
                await accounts.enable(session, account, act)
            return await _form(session, account)

    async def make_link(self, account_id: Id, request: Request) -> Invited:
        """Make a new link by which the owner of an account sets a password; an earlier one ends."""
        visitor = signed_in(request)
        async with self._changing(visitor) as (session, act):
            account = await _existing(session, visitor.tenant_id, account_id)
            link = await self._link(session, account, act)
            return Invited(account=await _form(session, account), link=link)

    async def end_sessions(self, account_id: Id, request: Request) -> Ended:
        """Sign an account out everywhere."""
        visitor = signed_in(request)
        async with self._changing(visitor) as (session, act):
            account = await _existing(session, visitor.tenant_id, account_id)
            return Ended(ended=await accounts.revoke_sessions(session, account, act))

    async def list_tokens(self, account_id: Id, request: Request) -> Tokens:
        """List the tokens of a service."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            account = await _existing(session, tenant_id, account_id)
            found = await service_tokens.tokens_of(session, account)
            fields = TokenForm.model_fields
            return Tokens(items=[TokenForm(**{name: getattr(one, name) for name in fields}) for one in found])

    async def make_token(self, account_id: Id, wanted: TokenWanted, request: Request) -> TokenMade:
        """Make a token for a service."""
        visitor = signed_in(request)
        scopes = tuple(scope for scope in Scope if scope in wanted.scopes)
        async with self._changing(visitor) as (session, act):
            account = await _existing(session, visitor.tenant_id, account_id)
            made = Wanted(wanted.name, scopes, timedelta(days=wanted.days))
            token_id, token = await service_tokens.make(session, account, made, self.new_token(), act)
        return TokenMade(token_id=token_id, token=token)

    async def revoke_token(self, account_id: Id, token_id: Id, request: Request) -> Ended:
        """Let a token in no longer."""
        visitor = signed_in(request)
        async with self._changing(visitor) as (session, act):
            account = await _existing(session, visitor.tenant_id, account_id)
            if token_id not in {one.token_id for one in await service_tokens.tokens_of(session, account)}:
                raise missing("token", token_id)
            return Ended(ended=int(await service_tokens.revoke(session, account, token_id, act)))

    async def _link(self, session: AsyncSession, account: Account, act: Act) -> str:
        token, tenant_id = self.new_token(), account.tenant_id
        await accounts.end_links(session, account)
        await keep(session, tenant_id, token, Purpose.SET_PASSWORD, now=act.now, account_id=account.account_id)
        await accounts.tell(session, account, "link_made", act, {"purpose": Purpose.SET_PASSWORD.value})
        return f"{self.base_url}/t/{quote(tenant_id)}/password/{token}"

    @asynccontextmanager
    async def _changing(self, visitor: Visitor) -> AsyncIterator[tuple[AsyncSession, Act]]:
        """One transaction; what the domain refuses in words is a conflict, and nothing was changed."""
        try:
            async with self.guard.sessions(visitor.tenant_id) as session:
                yield session, Act(visitor.actor, self.guard.now(), self.new_id)
        except UsageError as error:
            text = str(error)
            raise conflict(f"{text[:1].upper()}{text[1:]}.") from error


def routes(people: People) -> APIRouter:
    """The routes of this module."""
    router, access = APIRouter(), Called(people.guard, ADMINS, Scope.ADMIN)
    call(router, "GET", "/accounts", people.list_accounts, access, gives=Accounts)
    call(router, "POST", "/accounts", people.invite, access, gives=Invited, status=HTTPStatus.CREATED)
    call(router, "PATCH", "/accounts/{account_id}", people.change_account, access, gives=AccountForm)
    call(router, "POST", "/accounts/{account_id}/link", people.make_link, access, gives=Invited)
    call(router, "DELETE", "/accounts/{account_id}/sessions", people.end_sessions, access, gives=Ended)
    call(router, "GET", "/accounts/{account_id}/tokens", people.list_tokens, access, gives=Tokens)
    made = HTTPStatus.CREATED
    call(router, "POST", "/accounts/{account_id}/tokens", people.make_token, access, gives=TokenMade, status=made)
    call(router, "DELETE", "/accounts/{account_id}/tokens/{token_id}", people.revoke_token, access, gives=Ended)
    return router


async def _existing(session: AsyncSession, tenant_id: str, account_id: str) -> Account:
    account = await session.get(Account, (tenant_id, account_id))
    if account is None:
        raise missing("account", account_id)
    return account


async def _form(session: AsyncSession, account: Account) -> AccountForm:
    return AccountForm(
        account_id=account.account_id,
        email=account.email,
        name=account.name,
        roles=[Role(role) for role in account.roles],
        state=AccountState(account.state),
        has_password=account.password_hash is not None,
        sso=account.sso_issuer,
        sessions=len(await sessions_of(session, account)),
        created_at=account.created_at,
        created_by=account.created_by,
    )
