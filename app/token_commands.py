"""`countersign account token|tokens`: tokens by which programs call the API. A token is printed once, when made."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from app.ambient import new_id, new_token
from app.identity import accounts, service_tokens
from app.identity.accounts import Act
from app.identity.models import ServiceToken
from app.identity.service_tokens import Wanted, scopes_named
from app.terminal import commanding_of, operator, say, say_json

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The service's e-mail address, or its account's id.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def token_command(
    ctx: typer.Context,
    email: Email,
    *,
    scope: Annotated[list[str], typer.Option("--scope", help="read, review or admin; repeat it for several.")],
    name: Annotated[str, typer.Option(help="What it is for, as the list shows it.")] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="For how long it is good.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a token for an account with the role service. It is shown now and never again."""
    commanding = commanding_of(ctx)
    wanted = Wanted(name, scopes_named(scope), timedelta(days=days))

    async def work() -> tuple[str, str]:
        async with commanding.tenant_session() as session:
            account = await accounts.named(session, commanding.tenant_id, email)
            act = Act(operator(), commanding.now(), new_id)
            return await service_tokens.make(session, account, wanted, new_token(), act)

    token_id, token = commanding.run(work())
    if as_json:
        say_json({"token_id": token_id, "token": token, "scopes": [one.value for one in wanted.scopes], "days": days})
    else:
        say([token, f"{token_id}, good for {days} days; keep it now, because nobody can show it again"])


def tokens_command(
    ctx: typer.Context,
    email: Email,
    *,
    revoke: Annotated[str | None, typer.Option(metavar="TOKEN_ID", help="Let this one in no longer, at once.")] = None,
    as_json: Json = False,
) -> None:
    """List the tokens of an account, or revoke one."""
    commanding = commanding_of(ctx)

    async def work(session: AsyncSession) -> list[ServiceToken]:
        account = await accounts.named(session, commanding.tenant_id, email)
        if revoke is not None:
            act = Act(operator(), commanding.now(), new_id)
            await service_tokens.revoke(session, account, revoke, act)
        return list(await service_tokens.tokens_of(session, account))

    async def run() -> list[ServiceToken]:
        async with commanding.tenant_session() as session:
            return await work(session)

    found = commanding.run(run())
    if as_json:
        say_json({"tokens": [form_of(one) for one in found]})
    else:
        say(_line(one) for one in found)
        say([f"{len(found)} token{'' if len(found) == 1 else 's'}"])


def form_of(one: ServiceToken) -> dict[str, object]:
    """A token as JSON values, without what would let anybody in."""
    return {
        "token_id": one.token_id,
        "name": one.name,
        "scopes": one.scopes,
        "made_at": one.made_at.isoformat(),
        "made_by": one.made_by,
        "ends_at": one.ends_at.isoformat(),
        "seen_at": one.seen_at.isoformat() if one.seen_at else None,
        "revoked_at": one.revoked_at.isoformat() if one.revoked_at else None,
    }


def _line(one: ServiceToken) -> str:
    used = f"last used {one.seen_at:%Y-%m-%d %H:%M} UTC" if one.seen_at else "never used"
    ends = "revoked" if one.revoked_at else f"until {one.ends_at:%Y-%m-%d}"
    return f"{one.token_id}  {ends:16} {','.join(one.scopes):18} {used:30} {one.name}"
