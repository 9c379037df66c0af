"""`countersign account create|list|role|disable|enable|password|sessions|matrix`: who may sign in, and as what.

The first admin is made here; whoever may run this command on the machine of the database may do anything anyway. A
password is typed at a prompt, read from standard input, or set by the person through a link that is good once: it is
never an argument, because arguments can be read by every process of the machine. Each change is an event in the log.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar
from urllib.parse import quote

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app.ambient import new_id, new_token
from app.commanding import Commanding
from app.errors import UsageError
from app.identity import accounts, links
from app.identity.accounts import Act, NewAccount
from app.identity.links import Purpose
from app.identity.models import Account, AccountSession
from app.identity.passwords import hash_password, unfit
from app.identity.roles import roles_named
from app.identity.sessions import sessions_of
from app.terminal import commanding_of, operator, say, say_json
from app.token_commands import token_command, tokens_command

T = TypeVar("T")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The account's e-mail address, or its id.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, its first line.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="account", help="Who may sign in, and as what.", no_args_is_help=True)
app.command("token")(token_command)
app.command("tokens")(tokens_command)


@app.command("create")
def create_command(
    ctx: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")],
    *,
    role: Annotated[list[str], typer.Option("--role", help="What they may be; repeat it for several.")],
    name: Annotated[str, typer.Option(help="Their name, as colleagues read it.")] = "",
    zendesk_user: Annotated[str | None, typer.Option(help="The id of their Zendesk user, if they have one.")] = None,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Make an account. Prints a link by which they set their password, unless one comes with --stdin."""
    commanding, roles = commanding_of(ctx), roles_named(role)
    wanted = NewAccount(email, name, roles, zendesk_user)
    password = _read_password(email) if stdin else None

    async def work(session: AsyncSession) -> Account:
        return await accounts.create(session, commanding.tenant_id, wanted, _act(commanding))

    account = _in_tenant(commanding, work)
    link = _set_or_link(commanding, account.account_id, password)
    if as_json:
        say_json({"account": _form(account), "link": link})
        return
    say([f"made {account.email} of {account.tenant_id} with {', '.join(account.roles)} ({account.account_id})"])
    if link is not None:
        say([f"they set their password at {link} (once, within 24 hours)"])


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the accounts, with what they may be."""
    commanding = commanding_of(ctx)

    async def work(session: AsyncSession) -> list[Account]:
        return list(await accounts.every(session, commanding.tenant_id))

    found = _in_tenant(commanding, work)
    if as_json:
        say_json({"accounts": [_form(account) for account in found]})
    elif not found:
        first = "`countersign account create EMAIL --role admin`"
        say([f"no account of {commanding.tenant_id} yet; make the first one with {first}"])
    else:
        say(f"{one.email:32} {one.state:8} {', '.join(one.roles):24} {one.name} ({one.account_id})" for one in found)


@app.command("role")
def role_command(
    ctx: typer.Context,
    email: Email,
    roles: Annotated[list[str], typer.Argument(metavar="ROLE...", help="All the roles they have from now on.")],
    *,
    as_json: Json = False,
) -> None:
    """Give an account exactly these roles. They count from its next request on."""
    _change(ctx, email, lambda s, account, act: accounts.change_roles(s, account, roles, act), as_json=as_json)


@app.command("disable")
def disable_command(ctx: typer.Context, email: Email, *, as_json: Json = False) -> None:
    """Let an account in no longer. Its sessions and links end at once."""
    _change(ctx, email, accounts.disable, as_json=as_json)


@app.command("enable")
def enable_command(ctx: typer.Context, email: Email, *, as_json: Json = False) -> None:
    """Let a disabled account in again."""
    _change(ctx, email, accounts.enable, as_json=as_json)


@app.command("password")
def password_command(
    ctx: typer.Context,
    email: Email,
    *,
    stdin: Stdin = False,
    link: Annotated[bool, typer.Option("--link", help="Print a link by which they set it themselves.")] = False,
    as_json: Json = False,
) -> None:
    """Set an account's password, typed at a prompt. Its sessions end at once."""
    commanding = commanding_of(ctx)
    if link and stdin:
        raise UsageError("--link and --stdin together; choose who sets the password, they or you")
    account = _in_tenant(commanding, lambda session: accounts.named(session, commanding.tenant_id, email))
    password = None if link else (_read_password(account.email) if stdin else _asked_password(account.email))
    made = _set_or_link(commanding, account.account_id, password)
    if as_json:
        say_json({"account": _form(account), "link": made})
    elif made is not None:
        say([made])
    else:
        say([f"{account.email} has a new password, and is signed out everywhere"])


@app.command("sessions")
def sessions_command(
    ctx: typer.Context,
    email: Email,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="End them all, at once.")] = False,
    as_json: Json = False,
) -> None:
    """List where an account is signed in, or sign it out everywhere."""
    commanding = commanding_of(ctx)

    async def work(session: AsyncSession) -> list[AccountSession]:
        account = await accounts.named(session, commanding.tenant_id, email)
        found = list(await sessions_of(session, account))
        if revoke:
            await accounts.revoke_sessions(session, account, _act(commanding))
        return found

    found = _in_tenant(commanding, work)
    if as_json:
        say_json({"sessions": [_session_form(one) for one in found], "revoked": revoke})
        return
    say(f"{one.session_id}  since {one.opened_at:%Y-%m-%d %H:%M} UTC by {one.way}" for one in found)
    say([f"{len(found)} session{'' if len(found) == 1 else 's'}{' ended' if revoke else ''}"])


@app.command("matrix")
def matrix_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Print which role may use which address of the web process, read from the routes themselves."""
    from app.web.app import create_app
    from app.web.matrix import matrix_form, matrix_lines

    commanding = commanding_of(ctx)
    web = create_app(commanding.settings, commanding.storage.app_url)
    if as_json:
        say_json({"routes": matrix_form(web)})
    else:
        say(matrix_lines(web))


_Work = Callable[[AsyncSession, Account, Act], Awaitable[bool]]


def _change(ctx: typer.Context, email: str, work: _Work, *, as_json: bool) -> None:
    commanding = commanding_of(ctx)

    async def change(session: AsyncSession) -> tuple[Account, bool]:
        account = await accounts.named(session, commanding.tenant_id, email)
        return account, await work(session, account, _act(commanding))

    account, changed = _in_tenant(commanding, change)
    if as_json:
        say_json({"account": _form(account), "changed": changed})
    else:
        was = "is" if changed else "was already"
        say([f"{account.email} {was} {account.state} with {', '.join(account.roles)}"])


def _in_tenant(commanding: Commanding, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def run() -> T:
        async with commanding.tenant_session() as session:
            return await work(session)

    return commanding.run(run())


def _set_or_link(commanding: Commanding, account_id: str, password: str | None) -> str | None:
    """Set the password, or make the link by which they do."""

    async def work(session: AsyncSession) -> str | None:
        account = await accounts.named(session, commanding.tenant_id, account_id)
        if password_hash is None:
            return await _link(session, commanding, account)
        await accounts.set_password(session, account, password_hash, _act(commanding))
        return None

    password_hash = None if password is None else hash_password(password)
    return _in_tenant(commanding, work)


async def _link(session: AsyncSession, commanding: Commanding, account: Account) -> str:
    """A link by which they set their password. It is written down that it was made, and by whom."""
    token, act = new_token(), _act(commanding)
    await accounts.end_links(session, account)
    tenant_id = account.tenant_id
    await links.keep(session, tenant_id, token, Purpose.SET_PASSWORD, now=act.now, account_id=account.account_id)
    await accounts.tell(session, account, "link_made", act, {"purpose": Purpose.SET_PASSWORD.value})
    settings = commanding.settings
    web = settings.public_url or f"http://{settings.host}:{settings.port}"
    return f"{web}/t/{quote(tenant_id)}/password/{token}"


def _act(commanding: Commanding) -> Act:
    now: datetime = commanding.now()
    return Act(operator(), now, new_id)


def _read_password(email: str) -> str:
    return _fit(sys.stdin.readline().rstrip("\r\n"), email)


def _asked_password(email: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError("nobody to ask for the password; pipe it in with --stdin, or print a link with --link")
    first = getpass.getpass(f"New password of {email}: ")
    if first != getpass.getpass("The same again: "):
        raise UsageError("the two passwords are not the same; run the command again")
    return _fit(first, email)


def _fit(password: str, email: str) -> str:
    problem = unfit(password, email=email)
    if problem is not None:
        raise UsageError(f"{problem[0].lower()}{problem[1:].rstrip('.')}")
    return password


def _form(account: Account) -> dict[str, object]:
    return {
        "account_id": account.account_id,
        "email": account.email,
        "name": account.name,
        "roles": account.roles,
        "state": account.state,
        "zendesk_user_id": account.zendesk_user_id,
        "created_at": account.created_at.isoformat(),
        "created_by": account.created_by,
        "has_password": account.password_hash is not None,
        "sso": account.sso_issuer,
    }


def _session_form(one: AccountSession) -> dict[str, object]:
    return {
        "session_id": one.session_id,
        "way": one.way,
        "opened_at": one.opened_at.isoformat(),
        "seen_at": one.seen_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
    }
