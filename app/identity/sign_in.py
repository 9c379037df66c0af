"""Signing in: by password, by a link that can be used once, after a trip to an identity provider.

Promises: whoever is refused learns only that they are, in the same words and the same time whatever was wrong; tries
are counted first; a refusal leaves one event a minute for each address, a success always one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity import accounts, links, pace
from app.identity.accounts import Act
from app.identity.addresses import spelled
from app.identity.links import Purpose
from app.identity.models import Account, AccountSession, AccountState
from app.identity.pace import TooMany
from app.identity.passwords import Checked, Passwords, unfit
from app.identity.sessions import Lifetimes, Visitor, Way, open_session
from graph.audit.log import append
from graph.intake.receive import refused_knock
from graph.tenancy import Sessions

DOOR = "web"
"""Who writes an event of somebody who is not signed in."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """They are in: the token for their browser."""

    token: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """They are not, and are not told why."""


@dataclass(frozen=True, slots=True)
class PasswordSet:
    """The password holds from now on, and whoever was signed in under the old one no longer is."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """The new password does not do; why, as a sentence for them."""

    why: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """What signing in works with."""

    sessions: Sessions
    passwords: Passwords
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    new_token: Callable[[], str]
    lifetimes: Lifetimes

    async def by_password(
        self, tenant_id: str, email: str, password: str, *, address: str
    ) -> SignedIn | Wrong | TooMany:
        """Try an e-mail address and a password."""
        email, now = spelled(email), self.now()
        async with self.sessions(tenant_id) as session:
            too_many = await pace.count_address(session, tenant_id, address, now=now)
            too_many = too_many or await pace.count_account(session, tenant_id, email, now=now)
            account = await accounts.by_email(session, tenant_id, email)
        if too_many is not None:
            await self._refused(tenant_id, address, "too_many_tries", account)
            return too_many
        stored = account.password_hash if account is not None else None
        checked = await self.passwords.check(stored, password)
        if account is None or not checked.holds:
            await self._refused(tenant_id, address, "wrong", account)
            return Wrong()
        token = await self._let_in(account, checked)
        if token is None:
            await self._refused(tenant_id, address, "disabled", account)
            return Wrong()
        return SignedIn(token)

    async def _let_in(self, seen: Account, checked: Checked) -> str | None:
        """A session, unless the account was disabled or got another password meanwhile."""
        async with self.sessions(seen.tenant_id) as session:
            account = await _locked(session, seen.tenant_id, seen.account_id)
            if account is None or account.password_hash != seen.password_hash:
                return None
            account.password_hash = checked.new_hash or account.password_hash
            await pace.forget_account(session, account.tenant_id, account.email, now=self.now())
            return await self._open(session, account, Way.PASSWORD)

    async def by_link(self, tenant_id: str, token: str) -> SignedIn | Wrong:
        """Use up a link that signs in."""
        async with self.sessions(tenant_id) as session:
            account = await self._bearer(session, tenant_id, token, Purpose.SIGN_IN)
            return SignedIn(await self._open(session, account, Way.LINK)) if account is not None else Wrong()

    async def holder(self, tenant_id: str, token: str) -> Account | None:
        """Whose password that link could still set."""
        async with self.sessions(tenant_id) as session:
            found = await links.look_at(session, tenant_id, token, Purpose.SET_PASSWORD, now=self.now())
            if found is None or found.account_id is None:
                return None
            return await session.get(Account, (tenant_id, found.account_id))

    async def set_password(self, tenant_id: str, token: str, password: str) -> PasswordSet | Unfit | Wrong:
        """Use up a link that sets a password. A password that does not do leaves the link good."""
        holder = await self.holder(tenant_id, token)
        if holder is None:
            return Wrong()  # before a hash is computed for a stranger
        problem = unfit(password, email=holder.email)
        if problem is not None:
            return Unfit(problem)
        password_hash = await self.passwords.hash(password)
        async with self.sessions(tenant_id) as session:
            account = await self._bearer(session, tenant_id, token, Purpose.SET_PASSWORD)
            if account is None:
                return Wrong()
            await accounts.set_password(session, account, password_hash, self._act(account))
        return PasswordSet()

    async def confirm(self, visitor: Visitor, password: str, *, address: str) -> Visitor | Wrong | TooMany:
        """Prove again who one is, for what asks for it."""
        now = self.now()
        async with self.sessions(visitor.tenant_id) as session:
            too_many = await pace.count_address(session, visitor.tenant_id, address, now=now)
            too_many = too_many or await pace.count_account(session, visitor.tenant_id, visitor.email, now=now)
            account = await session.get(Account, (visitor.tenant_id, visitor.account_id))
        if too_many is not None:
            return too_many
        checked = await self.passwords.check(account.password_hash if account else None, password)
        if account is None or not checked.holds:
            await self._refused(visitor.tenant_id, address, "wrong", account)
            return Wrong()
        async with self.sessions(visitor.tenant_id) as session:
            row = await session.get(AccountSession, (visitor.tenant_id, visitor.session_id))
            if row is None:
                return Wrong()
            row.confirmed_at = now
        return replace(visitor, confirmed_at=now)

    async def open_for(self, session: AsyncSession, account: Account, way: Way) -> str | None:
        """A session for somebody whom another one vouches for; None where the account is disabled."""
        locked = await _locked(session, account.tenant_id, account.account_id)
        return await self._open(session, locked, way) if locked is not None else None

    async def refused(self, tenant_id: str, *, address: str, why: str) -> None:
        """Write down that somebody was refused, whoever they are."""
        await self._refused(tenant_id, address, why, None)

    async def _bearer(self, session: AsyncSession, tenant_id: str, token: str, purpose: Purpose) -> Account | None:
        used = await links.use(session, tenant_id, token, purpose, now=self.now())
        return await _locked(session, tenant_id, used.account_id) if used is not None and used.account_id else None

    async def _open(self, session: AsyncSession, account: Account, way: Way) -> str:
        token = self.new_token()
        await open_session(session, account, way=way, token=token, lifetimes=self.lifetimes, act=self._act(account))
        return token

    async def _refused(self, tenant_id: str, address: str, why: str, account: Account | None) -> None:
        """The same few statements whoever it was, so that the time says nothing either."""
        now = self.now()
        async with self.sessions(tenant_id) as session:
            if await refused_knock(session, tenant_id, kind="sign_in", source_address=address, now=now):
                await append(
                    session,
                    tenant_id=tenant_id,
                    at=now,
                    kind="account.sign_in_refused",
                    actor=DOOR,
                    new_id=self.new_id,
                    body={"why": why, "address": address, "account_id": account.account_id if account else None},
                )

    def _act(self, account: Account) -> Act:
        return Act(account.actor, self.now(), self.new_id)


async def _locked(session: AsyncSession, tenant_id: str, account_id: str) -> Account | None:
    """The account, locked, so that it cannot be disabled until the session that it gets is there to be ended."""
    query = (
        select(Account)
        .where(
            col(Account.tenant_id) == tenant_id,
            col(Account.account_id) == account_id,
            col(Account.state) == AccountState.ACTIVE.value,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.execute(query)).scalar_one_or_none()
