"""`countersign crash`: kill a worker at every point of a refunding run, and count what Stripe's books say."""

from __future__ import annotations

import json
import time
from typing import Annotated, Final

import typer
from rich.console import Console

from app.errors import UsageError
from evals.crash.sweep import Tally, Watch, all_pairs, points_of, sampled_pairs, single_kills, sweep, told
from evals.crash.trial import Kill
from evals.trials.ground import opened_ground

ALL: Final = "all"


def crash(
    *,
    trials: Annotated[
        int | None, typer.Option(min=0, help="So many of the kills, drawn by the seed; all where left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which kills are drawn follows from it.")] = 1,
    every_delay: Annotated[
        bool, typer.Option("--every-delay", help="Each point with every delay, instead of one in turn.")
    ] = False,
    pairs: Annotated[
        str | None, typer.Option(metavar="N|all", help="Kill again during the recovery, in so many trials.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="POINT", help="Only the kill at this point, as a failure names it.")
    ] = None,
    delay: Annotated[float, typer.Option(min=0, help="With --at: seconds until the restart.")] = 0.0,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin no further trial after so long, and count those that were made.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Kill a worker at every point of a refunding run. Exit status 1 where money or a ticket went wrong."""
    wanted = _pairs(pairs)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    started = time.monotonic()
    with opened_ground() as ground:
        console.print("watching a refunding run that nobody disturbs")
        points = points_of(ground)
        tally = Tally(len(points))
        watch = Watch(console.print, None if minutes is None else started + 60 * minutes)
        if at is not None:
            sweep(ground, tally, [Kill(at, delay)], watch)
        elif pairs is None:
            kills = list(single_kills(points, trials=trials, seed=seed, every_delay=every_delay))
            console.print(f"{len(points)} points, {len(kills)} kills")
            sweep(ground, tally, kills, watch)
        elif wanted is None:
            all_pairs(ground, tally, points, watch)
        else:
            sampled_pairs(ground, tally, points, wanted, seed, watch)
    if as_json:
        typer.echo(json.dumps({**tally.form(), "seed": seed, "seconds": round(time.monotonic() - started)}))
    else:
        typer.echo(tally.line())
    for verdict in tally.failures:
        console.print(told(verdict))
    raise typer.Exit(0 if tally.holds else 1)


def _pairs(pairs: str | None) -> int | None:
    if pairs is None or pairs == ALL:
        return None
    if not pairs.isdigit() or int(pairs) == 0:
        raise UsageError(f"--pairs cannot be {pairs!r}; write a number above 0, or all")
    return int(pairs)
