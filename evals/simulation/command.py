"""`countersign simulate`: seeds under the scheduler, one history each; a seed that is named replays."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from evals.simulation.play import Play, play
from evals.simulation.schedule import interposed
from evals.simulation.stage import opened_stage


def simulate(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="The first of them; with --seeds 1 it replays that one.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=1, help="Stop after the seed that ends then.")] = None,
    humans: Annotated[
        bool, typer.Option("--humans", help="In each seed a person refunds by hand, in the middle of it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let 2 to 5 workers settle under a seeded scheduler, with faults and kills. Exit status 1 where a seed broke."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    started = time.monotonic()
    plays = asyncio.run(_played(range(first, first + seeds), seconds, console, humans=humans))
    broken = [one for one in plays if one.findings]
    told = {
        "seeds": len(plays),
        "first": first,
        "steps": sum(one.steps for one in plays),
        "refunds": sum(one.refunds for one in plays),
        "by_hand": sum(one.by_hand for one in plays),
        "worker_kills": sum(one.kills for one in plays),
        "faults": sum(one.faults for one in plays),
        "broken": [asdict(one) for one in broken],
        "seconds": round(time.monotonic() - started),
    }
    if len(plays) == 1:
        told["trace"] = plays[0].trace
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(
            f"{told['seeds']} seeds from {first}, {told['steps']} steps, {told['refunds']} refunds of ours and "
            f"{told['by_hand']} by hand, {told['worker_kills']} kills, {told['faults']} faults: {len(broken)} broken "
            f"(below {3 / len(plays):.2g} of seeds at 95 % where 0)"
        )
        if len(plays) == 1:
            typer.echo(f"trace {plays[0].trace}")
    raise typer.Exit(1 if broken else 0)


async def _played(seeds: range, seconds: float | None, console: Console, *, humans: bool) -> list[Play]:
    until = None if seconds is None else time.monotonic() + seconds
    plays: list[Play] = []
    async with opened_stage() as stage:
        with interposed():
            for seed in seeds:
                plays.append(await play(stage, seed, humans=humans))
                for finding in plays[-1].findings:
                    console.print(f"seed {seed}: {finding.kind}: {finding.detail}")
                if until is not None and time.monotonic() > until:
                    break
    return plays
