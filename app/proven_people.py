"""Who does it at the command line: the account of the machine, or an account of ours that proves who it is.

An account is named by `--as` and proves itself by its password, typed at a prompt or read from standard input, so that
nobody says yes in another's name. Where a tenant has accounts that may do something of weight, only they do it.
"""

from __future__ import annotations

import getpass
import sys
from typing import Final

from app.commanding import Commanding
from app.errors import UsageError
from app.identity import accounts
from app.identity.models import AccountState
from app.identity.passwords import Passwords
from app.identity.roles import Role

PUBLISHERS: Final = frozenset({Role.OPS_LEAD.value, Role.ADMIN.value})
"""Roles that may draft, approve and publish policies."""

ERASERS: Final = frozenset({Role.ADMIN.value})
"""Roles that may erase a person, and hold their data."""


def password_for(email: str, *, from_stdin: bool) -> str:
    """The password, typed unseen or from the first line of standard input; never an argument."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(f"password of {email}: ")


async def account_actor(
    commanding: Commanding,
    email: str,
    password: str,
    *,
    may: frozenset[str] = PUBLISHERS,
    what: str = "policies are changed",
) -> str:
    """How the log names the account. `may` are the roles of which it needs one, to do `what`.

    Raises:
        UsageError: no such account, not this password, disabled, or without such a role.
    """
    async with commanding.tenant_session() as session:
        account = await accounts.by_email(session, commanding.tenant_id, email)
    checked = await Passwords().check(account.password_hash if account is not None else None, password)
    if account is None or not checked.holds or account.state != AccountState.ACTIVE.value:
        raise UsageError(f"{email!r} and this password open no account; `countersign account list` shows what there is")
    if not may & set(account.roles):
        said = " or ".join(sorted(may))
        raise UsageError(f"{email} is {', '.join(account.roles)}; {what} by {said}")
    return account.actor


async def must_be_an_account(
    commanding: Commanding, *, may: frozenset[str] = PUBLISHERS, what: str = "approve"
) -> None:
    """Refuse the machine's account where accounts of ours may do it.

    Raises:
        UsageError: there are such accounts.
    """
    async with commanding.tenant_session() as session:
        every = await accounts.every(session, commanding.tenant_id)
    if any(one.state == AccountState.ACTIVE.value and may & set(one.roles) for one in every):
        raise UsageError(f"{commanding.tenant_id} has accounts that may {what}: name yours with --as EMAIL")
