"""Sessions: opened, looked up on each request, ended. Everything is in the database, so that an end holds at once.

A session ends when nobody has used it for a while, when its time is over however busy it is, when its account is
disabled or gets another password, or when somebody ends it. The browser holds a random token; its digest is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import Act, tell
from app.identity.models import Account, AccountSession, AccountState, actor_of
from app.identity.roles import Role
from app.identity.tokens import digest, form_token

SEEN_EVERY: Final = timedelta(seconds=60)
"""How exactly the last use is known: a row is not written for every picture of a page."""


EMBEDDED_IDLE: Final = timedelta(minutes=15)
"""An open panel asks for news all the time, so a token that nobody uses belongs to no panel any more."""


class Way(StrEnum):
    """How somebody signed in."""

    PASSWORD = "password"  # noqa: S105 - a word of ours, no password
    SSO = "sso"
    LINK = "link"
    ZENDESK = "zendesk"  # the app in Zendesk's frame vouched; the session is a bearer's, never a cookie's


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a session ends by itself: so long after its last use, and so long after its start."""

    idle: timedelta
    whole: timedelta


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in, as a request sees it."""

    tenant_id: str
    account_id: str
    session_id: str
    name: str
    email: str
    roles: frozenset[Role]
    form_token: str
    confirmed_at: datetime
    is_embedded: bool = False
    zendesk_user_id: str | None = None

    @property
    def actor(self) -> str:
        """How the log names them."""
        return actor_of(self.account_id)

    def confirmed_within(self, span: timedelta, now: datetime) -> bool:
        """Whether they proved who they are that recently; what is above a threshold may ask for it."""
        return now - self.confirmed_at <= span


async def open_session(
    session: AsyncSession, account: Account, *, way: Way, token: str, lifetimes: Lifetimes, act: Act
) -> None:
    """Let somebody in with this fresh token, in the session's transaction. Their sessions that are over go.

    The account must be locked or fresh: whether it is active is the caller's to check.
    """
    await session.execute(
        delete(AccountSession).where(
            col(AccountSession.tenant_id) == account.tenant_id,
            col(AccountSession.account_id) == account.account_id,
            (col(AccountSession.ends_at) <= act.now) | (col(AccountSession.seen_at) <= act.now - lifetimes.idle),
        )
    )
    row = AccountSession(
        tenant_id=account.tenant_id,
        session_id=act.new_id("ses"),
        account_id=account.account_id,
        token_digest=digest(token),
        way=way.value,
        opened_at=act.now,
        seen_at=act.now,
        ends_at=act.now + lifetimes.whole,
        confirmed_at=act.now,
    )
    session.add(row)
    await tell(session, account, "signed_in", act, {"session_id": row.session_id, "way": way.value})


async def visitor_of(
    session: AsyncSession,
    tenant_id: str,
    token: str,
    *,
    lifetimes: Lifetimes,
    now: datetime,
    is_embedded: bool = False,
) -> Visitor | None:
    """Whose session that token is, with the roles they have now; None where it is nobody's, or over.

    A token of the Zendesk app counts only where `is_embedded`, and no other one does there.
    """
    query = (
        select(AccountSession, Account)
        .join(
            Account,
            (col(Account.tenant_id) == col(AccountSession.tenant_id))
            & (col(Account.account_id) == col(AccountSession.account_id)),
        )
        .where(col(AccountSession.tenant_id) == tenant_id, col(AccountSession.token_digest) == digest(token))
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, account = found
    if (row.way == Way.ZENDESK.value) is not is_embedded:
        return None
    idle = min(lifetimes.idle, EMBEDDED_IDLE) if is_embedded else lifetimes.idle
    if now >= row.ends_at or now - row.seen_at >= idle or account.state != AccountState.ACTIVE.value:
        return None
    if now - row.seen_at >= SEEN_EVERY:
        row.seen_at = now
    return Visitor(
        tenant_id=tenant_id,
        account_id=account.account_id,
        session_id=row.session_id,
        name=account.name,
        email=account.email,
        roles=frozenset(Role(role) for role in account.roles),
        form_token=form_token(token),
        confirmed_at=row.confirmed_at,
        is_embedded=is_embedded,
        zendesk_user_id=account.zendesk_user_id,
    )


async def sessions_of(session: AsyncSession, account: Account) -> Sequence[AccountSession]:
    """Where the account is signed in, the newest first."""
    query = (
        select(AccountSession)
        .where(col(AccountSession.tenant_id) == account.tenant_id, col(AccountSession.account_id) == account.account_id)
        .order_by(col(AccountSession.opened_at).desc(), col(AccountSession.session_id))
    )
    return (await session.execute(query)).scalars().all()


async def end_session(session: AsyncSession, visitor: Visitor, act: Act) -> None:
    """Sign somebody out here. Done twice it is done once."""
    gone = await session.execute(
        delete(AccountSession)
        .where(col(AccountSession.tenant_id) == visitor.tenant_id, col(AccountSession.session_id) == visitor.session_id)
        .returning(col(AccountSession.session_id))
    )
    if gone.one_or_none() is None:
        return
    account = await session.get_one(Account, (visitor.tenant_id, visitor.account_id))
    await tell(session, account, "signed_out", act, {"session_id": visitor.session_id})
