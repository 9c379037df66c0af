"""Who changes a policy from the command line: the account of the machine, or an account of ours that proves who it is.

An account is named by `--as` and proves itself by its password, typed at a prompt or read from standard input, so that
nobody says yes in another's name. Where a tenant has accounts that may approve, only they approve.
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


def password_for(email: str, *, from_stdin: bool) -> str:
    """The password, typed unseen or from the first line of standard input; never an argument."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(f"password of {email}: ")


async def account_actor(commanding: Commanding, email: str, password: str) -> str:
    """How the log names the account.

    Raises:
        UsageError: no such account, not this password, disabled, or without a role that may change policies.
    """
    async with commanding.tenant_session() as session:
        account = await accounts.by_email(session, commanding.tenant_id, email)
    checked = await Passwords().check(account.password_hash if account is not None else None, password)
    if account is None or not checked.holds or account.state != AccountState.ACTIVE.value:
        raise UsageError(f"{email!r} and this password open no account; `countersign account list` shows what there is")
    if not PUBLISHERS & set(account.roles):
        said = " or ".join(sorted(PUBLISHERS))
        raise UsageError(f"{email} is {', '.join(account.roles)}; policies are changed by {said}")
    return account.actor


async def must_be_an_account(commanding: Commanding) -> None:
    """Refuse an approval by the machine's account where accounts of ours could give it.

    Raises:
        UsageError: there are such accounts.
    """
    async with commanding.tenant_session() as session:
        every = await accounts.every(session, commanding.tenant_id)
    if any(one.state == AccountState.ACTIVE.value and PUBLISHERS & set(one.roles) for one in every):
        raise UsageError(f"{commanding.tenant_id} has accounts that may approve: name yours with --as EMAIL")
