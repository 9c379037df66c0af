"""Accounts of one tenant: made, given roles, disabled, each change in one transaction with its event, the log last.

Promises: the log names an account by its id and never by its address; a disabled account has no session; somebody who
may administrate always remains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.errors import UsageError
from app.identity.addresses import checked, spelled
from app.identity.models import Account, AccountSession, AccountState, OneTimeToken, actor_of
from app.identity.roles import Role, roles_named
from graph.audit.log import append


@dataclass(frozen=True, slots=True)
class Act:
    """Who changes something, and when: what every event of the log needs."""

    actor: str
    now: datetime
    new_id: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class NewAccount:
    """Somebody who shall have an account."""

    email: str
    name: str
    roles: tuple[Role, ...]
    zendesk_user_id: str | None = None


async def create(session: AsyncSession, tenant_id: str, wanted: NewAccount, act: Act) -> Account:
    """Make an account. It has no password yet.

    Raises:
        UsageError: the address is none, or address or Zendesk user has an account already.
    """
    email = checked(wanted.email)
    if await by_email(session, tenant_id, email) is not None:
        raise UsageError(
            f"{email!r} has an account of {tenant_id} already; change it with `countersign account role` or `enable`"
        )
    if wanted.zendesk_user_id is not None:
        await _free_zendesk_user(session, tenant_id, wanted.zendesk_user_id)
    account = Account(
        tenant_id=tenant_id,
        account_id=act.new_id("acc"),
        email=email,
        name=wanted.name.strip() or email.partition("@")[0],
        roles=[role.value for role in wanted.roles],
        zendesk_user_id=wanted.zendesk_user_id,
        created_at=act.now,
        created_by=act.actor,
    )
    session.add(account)
    await tell(session, account, "created", act, {"roles": account.roles, "zendesk_user_id": wanted.zendesk_user_id})
    return account


async def every(session: AsyncSession, tenant_id: str) -> Sequence[Account]:
    """All accounts, by address."""
    query = select(Account).where(col(Account.tenant_id) == tenant_id).order_by(col(Account.email))
    return (await session.execute(query)).scalars().all()


async def by_email(session: AsyncSession, tenant_id: str, email: str) -> Account | None:
    """The account with an address, in whatever spelling."""
    query = select(Account).where(col(Account.tenant_id) == tenant_id, col(Account.email) == spelled(email))
    return (await session.execute(query)).scalar_one_or_none()


async def named(session: AsyncSession, tenant_id: str, name: str) -> Account:
    """The account with that address or id.

    Raises:
        UsageError: there is none.
    """
    found = await by_email(session, tenant_id, name) or await session.get(Account, (tenant_id, name))
    if found is None:
        raise UsageError(f"no account {name[:80]!r} of {tenant_id}; `countersign account list` shows what there is")
    return found


async def change_roles(session: AsyncSession, account: Account, roles: Sequence[str], act: Act) -> bool:
    """Give the account exactly these roles; false where it has them already. They count from the next request on.

    Raises:
        UsageError: an unknown role, or nobody would be left who may administrate.
    """
    wanted, before = [role.value for role in roles_named(roles)], list(account.roles)
    if wanted == before:
        return False
    if Role.ADMIN.value not in wanted:
        await _keep_an_admin(session, account)
    account.roles = wanted
    await tell(session, account, "roles_changed", act, {"before": before, "after": wanted})
    return True


async def disable(session: AsyncSession, account: Account, act: Act) -> bool:
    """Let the account in no longer, and end its sessions and links at once; false where it is disabled already.

    Raises:
        UsageError: nobody would be left who may administrate.
    """
    if account.state == AccountState.DISABLED.value:
        return False
    await _keep_an_admin(session, account)
    account.state = AccountState.DISABLED.value
    ended = await end_sessions(session, account)
    await end_links(session, account)
    await tell(session, account, "disabled", act, {"sessions_ended": ended})
    return True


async def enable(session: AsyncSession, account: Account, act: Act) -> bool:
    """Let the account in again; false where it is not disabled."""
    if account.state == AccountState.ACTIVE.value:
        return False
    account.state = AccountState.ACTIVE.value
    await tell(session, account, "enabled", act)
    return True


async def set_password(session: AsyncSession, account: Account, password_hash: str, act: Act) -> None:
    """Store a new password. Every session and link that was made under the old one ends."""
    account.password_hash = password_hash
    ended = await end_sessions(session, account)
    await end_links(session, account)
    await tell(session, account, "password_set", act, {"sessions_ended": ended})


async def revoke_sessions(session: AsyncSession, account: Account, act: Act) -> int:
    """Sign the account out everywhere; how many sessions there were."""
    ended = await end_sessions(session, account)
    if ended:
        await tell(session, account, "sessions_revoked", act, {"sessions_ended": ended})
    return ended


async def end_sessions(session: AsyncSession, account: Account) -> int:
    """Delete the account's sessions, without an event; how many there were."""
    gone = delete(AccountSession).where(
        col(AccountSession.tenant_id) == account.tenant_id, col(AccountSession.account_id) == account.account_id
    )
    return len((await session.execute(gone.returning(col(AccountSession.session_id)))).all())


async def end_links(session: AsyncSession, account: Account) -> None:
    """Delete what could still be used once in the account's name."""
    await session.execute(
        delete(OneTimeToken).where(
            col(OneTimeToken.tenant_id) == account.tenant_id, col(OneTimeToken.account_id) == account.account_id
        )
    )


async def accounts_of_requester(
    session: AsyncSession, tenant_id: str, *, zendesk_user_id: str | None, email: str | None
) -> frozenset[str]:
    """The actors who are the customer of a ticket: they may not answer a question about it."""
    same_person = []
    if zendesk_user_id is not None:
        same_person.append(col(Account.zendesk_user_id) == zendesk_user_id)
    if email is not None:
        same_person.append(col(Account.email) == spelled(email))
    if not same_person:
        return frozenset()
    query = select(col(Account.account_id)).where(col(Account.tenant_id) == tenant_id, or_(*same_person))
    return frozenset(actor_of(account_id) for account_id in (await session.execute(query)).scalars())


async def name_of(session: AsyncSession, tenant_id: str, actor: str | None) -> str:
    """What colleagues call an actor of the log; the actor's own word where it is no account."""
    prefix = actor_of("")
    account_id = actor.removeprefix(prefix) if actor is not None and actor.startswith(prefix) else None
    account = await session.get(Account, (tenant_id, account_id)) if account_id is not None else None
    return account.name if account is not None else actor or ""


async def names_of(session: AsyncSession, tenant_id: str, actors: Iterable[str]) -> dict[str, str]:
    """What colleagues call each of some actors that is an account, by the actor."""
    prefix = actor_of("")
    ids = {actor.removeprefix(prefix) for actor in actors if actor.startswith(prefix)}
    query = select(Account).where(col(Account.tenant_id) == tenant_id, col(Account.account_id).in_(ids))
    return {account.actor: account.name for account in (await session.execute(query)).scalars()} if ids else {}


async def tell(
    session: AsyncSession, account: Account, what: str, act: Act, body: dict[str, object] | None = None
) -> None:
    """Append what happened to an account. Last in the transaction: the log is locked from here on."""
    await session.flush()
    await append(
        session,
        tenant_id=account.tenant_id,
        at=act.now,
        kind=f"account.{what}",
        actor=act.actor,
        new_id=act.new_id,
        body={"account_id": account.account_id, **(body or {})},
    )


async def _free_zendesk_user(session: AsyncSession, tenant_id: str, zendesk_user_id: str) -> None:
    query = select(Account).where(col(Account.tenant_id) == tenant_id, col(Account.zendesk_user_id) == zendesk_user_id)
    holder = (await session.execute(query)).scalar_one_or_none()
    if holder is not None:
        raise UsageError(f"Zendesk user {zendesk_user_id!r} belongs to {holder.email!r}; one account is enough")


async def _keep_an_admin(session: AsyncSession, leaving: Account) -> None:
    """Refuse to lose the last one. The rows are locked, so that two who leave at once cannot both go."""
    if Role.ADMIN.value not in leaving.roles or leaving.state != AccountState.ACTIVE.value:
        return
    query = (
        select(Account)
        .where(
            col(Account.tenant_id) == leaving.tenant_id,
            col(Account.state) == AccountState.ACTIVE.value,
            col(Account.roles).contains([Role.ADMIN.value]),
        )
        .order_by(col(Account.account_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    admins = (await session.execute(query)).scalars().all()
    if not any(admin.account_id != leaving.account_id for admin in admins):
        raise UsageError(
            f"{leaving.email!r} is the last admin of {leaving.tenant_id}; make another one first with "
            "`countersign account create EMAIL --role admin`"
        )
