"""`countersign keys ...`: which master keys there are, a new one, and secrets sealed for the settings."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from app.ambient import new_id, vault_of
from app.errors import UsageError
from app.keys.ring import KmsRing, add_master, masters_of, own_master_of
from app.keys.sealed import seal
from app.owner import session_for
from app.settings import Settings
from app.tenants import TenantSettings
from app.terminal import commanding_of, operator, say, say_json
from graph.audit.log import append
from graph.vault import wrapped_under

BATCH: Final = 500
"""Data keys of one transaction: others seal and open between two of them."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="keys", help="List and rotate master keys, and seal secrets.", no_args_is_help=True)


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """How many data keys of the tenant each master key wraps, the present one marked. Keys are never shown."""
    commanding = commanding_of(ctx)
    settings, tenant_id = commanding.settings, commanding.tenant_id
    tenant = settings.tenants.get(tenant_id, TenantSettings())
    ring = _own(settings, tenant_id) if tenant.kms is not None else None
    current, storage = (ring or masters_of(settings)).current, commanding.storage

    async def work() -> dict[str, int]:
        async with session_for(storage, tenant_id) as session:
            return await wrapped_under(session, tenant_id)

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
    own: Annotated[
        bool, typer.Option("--own", help="The key that the tenant has to itself, and that tenant's data keys alone.")
    ] = False,
) -> None:
    """Make a new master key and wrap the data keys of every tenant without one of its own under it.

    Nothing that was sealed is sealed anew. The old key stays, for what it sealed in the settings and in backups;
    processes that run take the new one by themselves. Where the keys are in the settings, change them there and give
    --rewrap-only. With --own it is the key of the tenant alone.
    """
    commanding = commanding_of(ctx)
    settings, storage = commanding.settings, commanding.storage
    ring = _own(settings, commanding.tenant_id) if own else None
    before = (ring or masters_of(settings)).current
    if ring is not None and not rewrap_only:
        ring.add()
    elif not rewrap_only:
        add_master(settings)
    vault, after = vault_of(settings), (ring or masters_of(settings)).current
    sharing = [name for name, tenant in sorted(settings.tenants.items()) if tenant.kms is None]
    whom = sharing if settings.tenants and ring is None else [commanding.tenant_id]

    async def work() -> dict[str, int]:
        rewrapped = {}
        for tenant_id in whom:
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
                    body={"before": before, "after": after, "data_keys": count},
                )
        return rewrapped

    say(f"{count} data keys of {name} are wrapped by {after}" for name, count in commanding.run(work()).items())


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


def _own(settings: Settings, tenant_id: str) -> KmsRing:
    """The keys that the tenant has to itself.

    Raises:
        UsageError: it has none.
    """
    kms = settings.tenants.get(tenant_id, TenantSettings()).kms
    if kms is None:
        raise UsageError(f"{tenant_id} has no master key of its own: set tenants.{tenant_id}.kms, see docs/keys.md")
    return own_master_of(settings.data_dir, tenant_id, kms)
