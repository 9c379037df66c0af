"""`countersign connectors`: which connectors have fallen back to draft-only, and letting them act again."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer

from app.commanding import Commanding

CONNECTORS: Final = ("zendesk", "stripe", "orders")

app = typer.Typer(name="connectors", help="Connectors that have fallen back to draft-only.", no_args_is_help=True)


@app.command("list")
def list_command(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what each connector may do, and why not."""
    from sqlalchemy import select
    from sqlmodel import col

    from graph.settlement.models import ConnectorState

    commanding = _commanding(ctx)

    async def work() -> dict[str, ConnectorState]:
        async with commanding.tenant_session() as session:
            query = select(ConnectorState).where(col(ConnectorState.tenant_id) == commanding.tenant_id)
            return {row.connector: row for row in (await session.execute(query)).scalars()}

    rows = commanding.run(work())
    states = [
        {
            "connector": name,
            "mode": "draft_only" if name in rows and rows[name].is_draft_only else "normal",
            "reason": rows[name].reason if name in rows else None,
        }
        for name in CONNECTORS
    ]
    if as_json:
        print(json.dumps({"connectors": states}))
        return
    for state in states:
        print(
            f"{state['connector']:<8} {str(state['mode']).replace('_', '-')}"
            + (f"  ({state['reason']})" if state["reason"] else "")
        )


@app.command("check")
def check_command(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask the tenant's vendors what the credentials may do, keep it for the page, and say what the agent can do."""
    from app.connections.checking import configured, keep, look
    from app.connections.sight import Ability, abilities, connectors
    from app.errors import UsageError
    from app.identity.accounts import Act
    from app.terminal import say, say_json

    commanding = _commanding(ctx)
    tenant = commanding.settings.tenants.get(commanding.tenant_id)
    if tenant is None:
        raise UsageError(f"tenant {commanding.tenant_id!r} is not configured; docs/connecting.md says how")
    found = look(commanding.settings, tenant, commanding.now)

    async def work() -> list[Ability]:
        act = Act(commanding.actor, commanding.now(), commanding.new_id)
        async with commanding.tenant_session() as session:
            await keep(session, commanding.tenant_id, found, act)
        async with commanding.tenant_session() as session:
            sights = await connectors(session, commanding.tenant_id, configured(tenant), act.now)
            return await abilities(session, commanding.tenant_id, sights)

    able = commanding.run(work())
    checks = [check for one in found for check in one.checks]
    if as_json:
        say_json({"checks": [asdict(one) for one in checks], "abilities": [asdict(one) for one in able]})
        return
    say([f"{one.state.value:5}  {one.subject}: {one.found}" for one in checks])
    say([f"{one.name:28} {one.can:6} {one.why}" for one in able])


@app.command("restore")
def restore_command(
    ctx: typer.Context,
    connector: Annotated[str, typer.Argument(help="zendesk, stripe or orders")],
) -> None:
    """Let a connector act again, once its credential has its permissions back (`countersign doctor` checks them)."""
    from app.ambient import new_id
    from app.errors import UsageError
    from app.scopes import over_scoped
    from graph.settlement.draft_only import set_draft_only

    if connector not in CONNECTORS:
        raise UsageError(f"unknown connector {connector!r}; write one of {', '.join(CONNECTORS)}")
    commanding = _commanding(ctx)
    tenant = commanding.settings.tenants.get(commanding.tenant_id)
    wide = over_scoped(tenant).get(connector) if tenant is not None else None
    if wide is not None:
        raise UsageError(f"{connector} stays draft-only: {wide}")

    async def work() -> bool:
        async with commanding.tenant_session() as session:
            return await set_draft_only(
                session,
                commanding.tenant_id,
                connector,
                reason=None,
                actor="operator",
                now=commanding.now(),
                new_id=new_id,
            )

    print(f"{connector} may act again" if commanding.run(work()) else f"{connector} was not draft-only")


def _commanding(ctx: typer.Context) -> Commanding:
    assert isinstance(ctx.obj, Commanding)
    return ctx.obj
