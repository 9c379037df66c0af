"""`countersign alerts list|check`: what somebody should look at, and looking now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.terminal import commanding_of, say, say_json

if TYPE_CHECKING:
    from app.api.alerts import AlertForm
    from app.commanding import Commanding

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="alerts", help="What somebody should look at.", no_args_is_help=True)


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List alerts, the open ones first. Exit status 1 where one is open."""
    _list(commanding_of(ctx), as_json=as_json)


@app.command("check")
def check_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Measure every rule now, raise and resolve what is due, then list. Exit status 1 where an alert is open."""
    from app.alerts.raising import look
    from app.alerts.tending import ACTOR, rules_of
    from app.identity.accounts import Act

    commanding = commanding_of(ctx)
    tenant = commanding.settings.tenants.get(commanding.tenant_id)

    async def work() -> None:
        for rule in rules_of(tenant.alerts if tenant is not None else {}).values():
            async with commanding.tenant_session() as session:
                await look(session, commanding.tenant_id, rule, Act(ACTOR, commanding.now(), commanding.new_id))

    commanding.run(work())
    _list(commanding, as_json=as_json)


def _list(commanding: Commanding, *, as_json: bool) -> None:
    from app.alerts.models import AlertState
    from app.alerts.raising import alerts
    from app.api.alerts import alert_form

    async def work() -> list[AlertForm]:
        async with commanding.tenant_session() as session:
            return [alert_form(one) for one in await alerts(session, commanding.tenant_id)]

    found = commanding.run(work())
    if as_json:
        say_json({"alerts": [one.model_dump(mode="json") for one in found]})
    else:
        say([_line(one) for one in found] or ["nothing was ever beyond its bound"])
    if any(one.state is AlertState.OPEN for one in found):
        raise typer.Exit(1)


def _line(alert: AlertForm) -> str:
    until = f" until {alert.resolved_at:%Y-%m-%d %H:%M UTC}" if alert.resolved_at is not None else ""
    return f"{alert.state.value:8}  {alert.rule}  since {alert.raised_at:%Y-%m-%d %H:%M UTC}{until}: {alert.said}"
