"""`countersign evals`: run scenarios, compare runs, gate, replay and promote."""

from __future__ import annotations

import typer

from evals.defects.command import defects_command
from evals.gates.command import gate_command
from evals.hostile_tickets.command import hostile_command
from evals.promotion.command import promote_command
from evals.promotion.shadow_command import shadow_command
from evals.style.command import style_command
from evals.suites.command import run_command, schema_command
from evals.suites.compare_command import compare_command
from evals.tau2.command import tau2_command

app = typer.Typer(
    name="evals", help="Run scenarios, compare runs, gate and promote.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def evals() -> None:
    """Run scenarios, compare runs, gate and promote."""


app.command("run")(run_command)
app.command("compare")(compare_command)
app.command("defects")(defects_command)
app.command("promote")(promote_command)
app.command("hostile")(hostile_command)
app.command("schema")(schema_command)
app.command("shadow")(shadow_command)
app.command("style")(style_command)
app.command("tau2")(tau2_command)
app.command("gate")(gate_command)
