"""Tokens of programs: each belongs to an account, may do what its scopes name and the account's roles allow, and ends.

Promises: a token is shown once, when it is made; its digest is stored; a revoked token, and one of a disabled account,
lets nobody in from the next request on. Only an account with the role `service` may have any, so that no person's
rights leak into a script by accident.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.errors import UsageError
from app.identity.accounts import Act, tell
from app.identity.models import Account, AccountState, ServiceToken
from app.identity.roles import Role
from app.identity.sessions import SEEN_EVERY, Visitor
from app.identity.tokens import digest
from app.problems import nearest

PREFIX: Final = "cst"
"""How a token of ours begins, so that scanners of leaked secrets can know it."""
LONGEST: Final = timedelta(days=366)


class Scope(StrEnum):
    """What a token may be used for. A scope never gives what the account's roles do not."""

    READ = "read"  # runs, traces, the queue, the log
    REVIEW = "review"  # claim, release, answer
    STEER = "steer"  # policies, switches and breakers
    ADMIN = "admin"  # accounts and their tokens


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token that shall be made."""

    name: str
    scopes: tuple[Scope, ...]
    good_for: timedelta


def scopes_named(names: Sequence[str]) -> tuple[Scope, ...]:
    """The scopes with those names, each once.

    Raises:
        UsageError: there is no such scope, or none was named.
    """
    known = [scope.value for scope in Scope]
    for name in names:
        if name not in known:
            raise UsageError(f"unknown scope {name!r}; {nearest(name, known)}")
    if not names:
        raise UsageError(f"a token without a scope can do nothing; name one of {', '.join(known)}")
    return tuple(scope for scope in Scope if scope.value in names)


async def make(session: AsyncSession, account: Account, wanted: Wanted, secret: str, act: Act) -> tuple[str, str]:
    """Make a token from a fresh random secret, with its event; its id, and the token, which nobody can show again.

    Raises:
        UsageError: the account is no service, is disabled, or the token would be good for ever.
    """
    if Role.SERVICE.value not in account.roles:
        raise UsageError(
            f"{account.email!r} is no service; tokens are for accounts with the role service: "
            "`countersign account create EMAIL --role service`"
        )
    if account.state != AccountState.ACTIVE.value:
        raise UsageError(f"{account.email!r} is disabled; enable it first with `countersign account enable`")
    if not timedelta(0) < wanted.good_for <= LONGEST:
        raise UsageError(f"a token good for {wanted.good_for.days} days; choose 1 to {LONGEST.days}")
    token = f"{PREFIX}.{account.tenant_id}.{secret}"
    row = ServiceToken(
        tenant_id=account.tenant_id,
        token_id=act.new_id("tok"),
        account_id=account.account_id,
        name=wanted.name.strip()[:80] or "token",
        token_digest=digest(token),
        scopes=[scope.value for scope in wanted.scopes],
        made_at=act.now,
        made_by=act.actor,
        ends_at=act.now + wanted.good_for,
    )
    session.add(row)
    await tell(session, account, "token_made", act, {"token_id": row.token_id, "scopes": row.scopes})
    return row.token_id, token


def tenant_named(token: str) -> str | None:
    """The tenant that a token says it is of; None where it is none of ours. Whether it is good, `bearer_of` says."""
    prefix, _, rest = token.partition(".")
    tenant_id, _, secret = rest.partition(".")
    return tenant_id if prefix == PREFIX and tenant_id and secret else None


async def bearer_of(
    session: AsyncSession, tenant_id: str, token: str, *, now: datetime
) -> tuple[Visitor, frozenset[Scope]] | None:
    """Whose token that is, with the roles they have now and the token's scopes; None where it lets nobody in."""
    query = (
        select(ServiceToken, Account)
        .join(
            Account,
            (col(Account.tenant_id) == col(ServiceToken.tenant_id))
            & (col(Account.account_id) == col(ServiceToken.account_id)),
        )
        .where(col(ServiceToken.tenant_id) == tenant_id, col(ServiceToken.token_digest) == digest(token))
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, account = found
    is_over = row.revoked_at is not None or now >= row.ends_at or account.state != AccountState.ACTIVE.value
    if is_over or Role.SERVICE.value not in account.roles:
        return None
    if row.seen_at is None or now - row.seen_at >= SEEN_EVERY:
        row.seen_at = now
    visitor = Visitor(
        tenant_id=tenant_id,
        account_id=account.account_id,
        session_id=row.token_id,
        name=account.name,
        email=account.email,
        roles=frozenset(Role(role) for role in account.roles),
        form_token="",
        confirmed_at=row.made_at,
    )
    return visitor, frozenset(Scope(scope) for scope in row.scopes)


async def tokens_of(session: AsyncSession, account: Account) -> Sequence[ServiceToken]:
    """The account's tokens, the newest first, those that are over among them."""
    query = (
        select(ServiceToken)
        .where(col(ServiceToken.tenant_id) == account.tenant_id, col(ServiceToken.account_id) == account.account_id)
        .order_by(col(ServiceToken.made_at).desc(), col(ServiceToken.token_id))
    )
    return (await session.execute(query)).scalars().all()


async def revoke(session: AsyncSession, account: Account, token_id: str, act: Act) -> bool:
    """Let a token of the account in no longer, with its event; false where it was revoked already.

    Raises:
        UsageError: the account has no such token.
    """
    row = await session.get(ServiceToken, (account.tenant_id, token_id), with_for_update=True)
    if row is None or row.account_id != account.account_id:
        raise UsageError(f"no token {token_id[:80]!r} of {account.email}; `countersign account tokens` lists them")
    if row.revoked_at is not None:
        return False
    row.revoked_at = act.now
    await tell(session, account, "token_revoked", act, {"token_id": token_id})
    return True
