"""People of the tests who are signed in: a real account, a real session, and a browser's cookie and origin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from app.ambient import new_id, new_token
from app.identity import accounts
from app.identity.accounts import Act, NewAccount
from app.identity.models import Account
from app.identity.roles import Role
from app.identity.sessions import Lifetimes, Way, open_session
from app.identity.tokens import form_token
from graph.tenancy import Sessions

LIFETIMES = Lifetimes(timedelta(hours=4), timedelta(hours=24))


@dataclass(frozen=True)
class Person:
    """Somebody with an account, signed in with `token`."""

    account: Account
    token: str

    @property
    def form_token(self) -> str:
        return form_token(self.token)

    @property
    def cookies(self) -> dict[str, str]:
        return {f"countersign-{self.account.tenant_id}": self.token}

    def sits_at(self, browser: httpx.AsyncClient) -> None:
        """From now on the browser is theirs."""
        browser.cookies.update(self.cookies)
        browser.headers["origin"] = str(browser.base_url).rstrip("/")


async def a_person(
    sessions: Sessions,
    tenant: str,
    *roles: Role,
    email: str = "lead@shop.example",
    zendesk_user_id: str | None = None,
    now: datetime | None = None,
) -> Person:
    """Make an account and sign it in."""
    now = now or datetime.now(UTC)
    async with sessions(tenant) as session:
        wanted = NewAccount(email, "Lea Lead", roles or (Role.CS_LEAD,), zendesk_user_id)
        account = await accounts.create(session, tenant, wanted, Act("test", now, new_id))
    return await signed_in(sessions, account, now)


async def signed_in(sessions: Sessions, account: Account, now: datetime) -> Person:
    """The person with a session that begins now."""
    token = new_token()
    async with sessions(account.tenant_id) as session:
        act = Act(account.actor, now, new_id)
        await open_session(session, account, way=Way.PASSWORD, token=token, lifetimes=LIFETIMES, act=act)
    return Person(account, token)
