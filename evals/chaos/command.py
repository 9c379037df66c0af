"""`countersign chaos`: tickets in a storm, and what came of them."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from evals.chaos.count import count
from evals.chaos.storm import Storm
from evals.trials.ground import opened_ground


def chaos(
    *,
    tickets: Annotated[int, typer.Option(min=1, max=100_000, help="How many tickets arrive.")] = 60,
    seconds: Annotated[float, typer.Option(min=5, help="How long things break.")] = 60.0,
    seed: Annotated[int, typer.Option(help="What breaks when follows from it.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Stop PostgreSQL, kill processes, fail vendors while tickets arrive. Exit status 1 where something went wrong."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with opened_ground(durable=True) as ground:
        ground.fresh(seed=seed)
        storm = Storm(ground, random.Random(seed), console.print)  # noqa: S311 - repeatable, not secret
        storm.blow(tickets, seconds)
        counted = count(storm)
    if as_json:
        typer.echo(json.dumps({**asdict(counted), "seed": seed}))
    else:
        typer.echo(
            f"{counted.tickets} tickets, {counted.refunds} refunds: {counted.double} double, {counted.lost} lost, "
            f"{counted.drift_minor} minor units of drift, log {'holds' if counted.log_holds else 'BROKEN'}; "
            f"{counted.worker_kills} workers and {counted.door_kills} web processes killed, "
            f"PostgreSQL stopped {counted.postgres_stops} times, "
            f"{counted.faults} faults; outcomes {counted.outcomes}"
        )
        typer.echo(f"seconds until the log grew again: killed {counted.after_kill_s}, stopped {counted.after_stop_s}")
        typer.echo(f"seconds until a killed worker's own ticket was another's: {counted.own_after_kill_s}")
    raise typer.Exit(0 if counted.holds else 1)
