"""Programs of the tests: a service's account with a token, and a client that calls with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.ambient import new_id, new_token
from app.identity import accounts, service_tokens
from app.identity.accounts import Act, NewAccount
from app.identity.roles import Role
from app.identity.service_tokens import Scope, Wanted
from graph.tenancy import Sessions


async def a_token(
    sessions: Sessions,
    tenant: str,
    *roles: Role,
    scopes: Sequence[Scope] = tuple(Scope),
    now: datetime | None = None,
    days: float = 30,
    email: str = "robot@shop.example",
) -> str:
    """A token of a service with these roles besides, made `now`."""
    act = Act("test", now or datetime.now(UTC), new_id)
    async with sessions(tenant) as session:
        account = await accounts.by_email(session, tenant, email)
        if account is None:
            wanted = NewAccount(email, "Robot", (*roles, Role.SERVICE))
            account = await accounts.create(session, tenant, wanted, act)
        made = Wanted("a test", tuple(scopes), timedelta(days=days))
        _, token = await service_tokens.make(session, account, made, new_token(), act)
    return token


def bearing(token: str) -> dict[str, str]:
    """The headers of a call with a token."""
    return {"authorization": f"Bearer {token}", "accept": "application/json"}
