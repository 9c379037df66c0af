"""`countersign switch off|on TOOL` and `switch list`: stop a tool at once, for one tenant or for all.

Every effect reads the switches in the transaction that reserves it and again before its request leaves, so a change
holds from the next effect on, in every worker. Without a tenant the row is that of `*`, which only the owner of the
database may write. Each change is an event in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.ambient import new_id
from app.errors import UsageError
from app.owner import session_for
from app.problems import nearest
from app.storage import Storage
from app.terminal import commanding_of, named_tenant, operator, say, say_json
from graph.settlement.models import Switch
from graph.settlement.switches import change_switch
from graph.tenancy import EVERY_TENANT
from policies.vocabulary import Tool

ToolName = Annotated[str, typer.Argument(metavar="TOOL", help="Such as stripe.refund; `switch list` names them all.")]
TenantName = Annotated[str | None, typer.Option("--tenant", help="Only for this tenant; for all where left out.")]
Why = Annotated[str, typer.Option("--reason", help="Why; people and the log read it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="switch", help="Turn a tool off or on, at once and for all workers.", no_args_is_help=True)


@app.command("off")
def off_command(
    ctx: typer.Context, tool: ToolName, *, reason: Why, tenant: TenantName = None, as_json: Json = False
) -> None:
    """Stop a tool. What was already sent is not undone; what is held or would come is not sent."""
    _change(ctx, tool, tenant, reason, is_off=True, as_json=as_json)


@app.command("on")
def on_command(
    ctx: typer.Context, tool: ToolName, *, reason: Why, tenant: TenantName = None, as_json: Json = False
) -> None:
    """Let a tool be used again."""
    _change(ctx, tool, tenant, reason, is_off=False, as_json=as_json)


@app.command("list")
def list_command(ctx: typer.Context, *, tenant: TenantName = None, as_json: Json = False) -> None:
    """List every tool and who stopped it, if anybody: for everybody, and for the tenant."""
    commanding = commanding_of(ctx)
    storage = commanding.storage
    named = tenant or named_tenant(ctx)
    tenants = [named] if named is not None else sorted(commanding.settings.tenants)
    rows: list[Switch] = []

    async def work() -> None:
        for tenant_id in dict.fromkeys((EVERY_TENANT, *tenants)):
            async with session_for(storage, tenant_id) as session:
                rows.extend(await _switches(session, tenant_id))

    commanding.run(work())
    if as_json:
        say_json({"tools": [tool.value for tool in Tool], "switches": [_form(row) for row in rows]})
        return
    for tool in Tool:
        off = [row for row in rows if row.tool == tool.value and row.is_off]
        say([f"{tool.value:28} {'; '.join(map(_told, off)) or 'on'}"])


@dataclass(frozen=True, slots=True)
class _Change:
    tenant_id: str
    tool: Tool
    reason: str
    is_off: bool


def _change(ctx: typer.Context, tool: str, tenant: str | None, reason: str, *, is_off: bool, as_json: bool) -> None:
    commanding = commanding_of(ctx)
    known = _known(tool)
    if not reason.strip():
        raise UsageError("a switch without a reason; say why with --reason, for whoever finds it")
    tenant_id = tenant or named_tenant(ctx) or EVERY_TENANT
    change = _Change(tenant_id, known, reason.strip(), is_off)
    changed = commanding.run(_write(commanding.storage, change, commanding.now()))
    if as_json:
        say_json({"tool": known.value, "tenant": tenant_id, "off": is_off, "changed": changed})
        return
    whom = "every tenant" if tenant_id == EVERY_TENANT else f"tenant {tenant_id}"
    state = "off" if is_off else "on"
    say([f"{known.value} is {state} for {whom}" if changed else f"{known.value} was {state} for {whom} already"])


async def _write(storage: Storage, change: _Change, now: datetime) -> bool:
    async with session_for(storage, change.tenant_id) as session:
        return await change_switch(
            session,
            tenant_id=change.tenant_id,
            tool=change.tool.value,
            is_off=change.is_off,
            reason=change.reason,
            actor=operator(),
            now=now,
            new_id=new_id,
        )


async def _switches(session: AsyncSession, tenant_id: str) -> list[Switch]:
    query = select(Switch).where(col(Switch.tenant_id) == tenant_id).order_by(col(Switch.tool))
    return list((await session.execute(query)).scalars())


def _known(name: str) -> Tool:
    try:
        return Tool(name)
    except ValueError as error:
        raise UsageError(f"unknown tool {name!r}; {nearest(name, [tool.value for tool in Tool])}") from error


def _form(row: Switch) -> dict[str, object]:
    return {
        "tool": row.tool,
        "tenant": row.tenant_id,
        "off": row.is_off,
        "reason": row.reason,
        "actor": row.actor,
        "changed_at": row.changed_at.isoformat(),
    }


def _told(row: Switch) -> str:
    whom = "every tenant" if row.tenant_id == EVERY_TENANT else row.tenant_id
    return f"OFF for {whom} since {row.changed_at:%Y-%m-%d %H:%M:%S UTC} by {row.actor}: {row.reason}"
