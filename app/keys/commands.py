"""`countersign keys ...`: which master keys there are, a new one, and secrets sealed for the settings."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from app.ambient import new_id
from app.errors import UsageError
from app.keys.ring import add_master, masters_of
from app.keys.sealed import seal
from app.owner import session_for
from app.terminal import commanding_of, operator, say, say_json
from graph.audit.log import append
from graph.vault import Vault, wrapped_under

BATCH: Final = 500
"""Data keys of one transaction: others seal and open between two of them."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="keys", help="List and rotate master keys, and seal secrets.", no_args_is_help=True)


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """How many data keys of the tenant each master key wraps, the present one marked. Keys are never shown."""
    commanding = commanding_of(ctx)
    current, storage = masters_of(commanding.settings).current, commanding.storage

    async def work() -> dict[str, int]:
        async with session_for(storage, commanding.tenant_id) as session:
            return await wrapped_under(session, commanding.tenant_id)

    found = {current: 0} | commanding.run(work())
    if as_json:
        say_json({"current": current, "data_keys": found})
    else:
        say(
            f"{name}  {count} data keys{', the present one' if name == current else ''}"
            for name, count in found.items()
        )


@app.command("rotate")
def rotate_command(
    ctx: typer.Context,
    *,
    rewrap_only: Annotated[
        bool, typer.Option("--rewrap-only", help="Make no new key; wrap under the present one what is under others.")
    ] = False,
) -> None:
    """Make a new master key and wrap every tenant's data keys under it. Nothing that was sealed is sealed anew.

    The old key stays, for what it sealed in the settings and in backups; processes that run take the new one by
    themselves. Where the keys are in the settings, change them there and give --rewrap-only.
    """
    commanding = commanding_of(ctx)
    settings, storage = commanding.settings, commanding.storage
    before = masters_of(settings).current
    if not rewrap_only:
        add_master(settings)
    masters = masters_of(settings)
    vault = Vault(masters)

    async def work() -> dict[str, int]:
        rewrapped = {}
        for tenant_id in sorted(settings.tenants) or [commanding.tenant_id]:
            count, done = 0, BATCH
            while done == BATCH:
                async with session_for(storage, tenant_id) as session:
                    done = await vault.rewrap(session, tenant_id, limit=BATCH)
                count += done
            rewrapped[tenant_id] = count
            async with session_for(storage, tenant_id) as session:
                await append(
                    session,
                    tenant_id=tenant_id,
                    at=commanding.now(),
                    kind="key.rotated",
                    actor=operator(),
                    new_id=new_id,
                    body={"before": before, "after": masters.current, "data_keys": count},
                )
        return rewrapped

    say(
        f"{count} data keys of {name} are wrapped by {masters.current}"
        for name, count in commanding.run(work()).items()
    )


@app.command("seal")
def seal_command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="SETTING", help="The setting, like tenants.acme.stripe.api_key.")],
) -> None:
    """Seal a secret, read from the terminal or from standard input, for one setting; prints what to write there."""
    commanding = commanding_of(ctx)
    secret = typer.prompt("secret", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not secret.strip():
        raise UsageError("there is no secret on standard input; give one line")
    typer.echo(seal(masters_of(commanding.settings), name, secret.strip()))
