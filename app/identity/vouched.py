"""Whom an identity provider vouches for: which account they are, whether they get one, and what they may be.

An account is found by the provider's own name for the person, and the first time by an address that it has verified.
Where the provider gives the roles, it gives them anew each time, and an account is made for whoever has one. Elsewhere
accounts are made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import Act, tell
from app.identity.models import Account, AccountState
from app.identity.sso import Person

SSO_ACTOR = "sso"
"""Who makes an account, or changes its roles, because an identity provider says so."""


@dataclass(frozen=True, slots=True)
class Unwelcome:
    """The person is who they say, and may not come in; why, as a code for the log and a sentence for them."""

    why: str
    text: str


NO_ACCOUNT = Unwelcome("no_account", "You have no account here. An admin can make one for your e-mail address.")
NO_ROLE = Unwelcome("no_role", "Your identity provider gives you no role here. Whoever runs it can give you one.")
DISABLED = Unwelcome("disabled", "Your account is disabled. An admin can enable it.")
SOMEBODY_ELSE = Unwelcome(
    "another_subject", "Your address belongs to an account that signs in as somebody else. Ask an admin."
)


async def account_of(session: AsyncSession, tenant_id: str, person: Person, act: Act) -> Account | Unwelcome:
    """Their account, made or brought up to date in the session's transaction."""
    if person.roles == ():
        return NO_ROLE
    account = await _known(session, tenant_id, person)
    if account is None:
        return await _made(session, tenant_id, person, act) if person.roles else NO_ACCOUNT
    if account.state != AccountState.ACTIVE.value:
        return DISABLED
    if account.sso_subject is None:
        account.sso_issuer, account.sso_subject = person.issuer, person.subject
        await tell(session, account, "sso_linked", act, {"issuer": person.issuer})
    elif (account.sso_issuer, account.sso_subject) != (person.issuer, person.subject):
        return SOMEBODY_ELSE
    if person.roles is not None and (wanted := [role.value for role in person.roles]) != account.roles:
        before, account.roles = list(account.roles), wanted
        await tell(session, account, "roles_changed", act, {"before": before, "after": wanted})
    return account


async def _known(session: AsyncSession, tenant_id: str, person: Person) -> Account | None:
    by_subject = (col(Account.sso_issuer) == person.issuer) & (col(Account.sso_subject) == person.subject)
    for condition in (by_subject, col(Account.email) == person.email):
        query = select(Account).where(col(Account.tenant_id) == tenant_id, condition).with_for_update()
        account = (await session.execute(query)).scalar_one_or_none()
        if account is not None:
            return account
    return None


async def _made(session: AsyncSession, tenant_id: str, person: Person, act: Act) -> Account:
    account = Account(
        tenant_id=tenant_id,
        account_id=act.new_id("acc"),
        email=person.email,
        name=person.name or person.email.partition("@")[0],
        roles=[role.value for role in person.roles or ()],
        sso_issuer=person.issuer,
        sso_subject=person.subject,
        created_at=act.now,
        created_by=act.actor,
    )
    session.add(account)
    await tell(session, account, "created", act, {"roles": account.roles, "issuer": person.issuer})
    return account
