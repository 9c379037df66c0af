"""`python -m evals.measures_check --runs 20000 --seed 1`: does every figure follow from the exported events?

Exit status 1 where one does not.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from app.db import Database
from evals.bench.place import TENANT, Place, opened_place
from evals.measures_check.comparison import Compared, compare, fill
from evals.measures_check.month import DAYS, START, Month

SHOWN = 20


def main(
    *,
    runs: Annotated[int, typer.Option(help="How many runs the month has.", min=1)] = 20_000,
    seed: Annotated[int, typer.Option(help="What they are drawn from.")] = 1,
) -> None:
    """Fill a fresh database with a generated month, and compute every figure twice."""
    with opened_place() as place:
        compared = asyncio.run(_work(place, runs, seed))
    for one in compared.differences[:SHOWN]:
        typer.echo(f"{one.where}: {one.name} is shown as {one.shown}, and recomputed as {one.recomputed}")
    typer.echo(f"{compared.figures} figures compared, {len(compared.differences)} differ")
    raise typer.Exit(1 if compared.differences else 0)


async def _work(place: Place, runs: int, seed: int) -> Compared:
    database = Database(place.storage.app_url, pool_size=2)
    try:
        started = time.perf_counter()
        events = await fill(database.tenant, TENANT, Month(runs, seed), typer.echo)
        typer.echo(f"{runs} runs of seed {seed} are {events} events, appended in {time.perf_counter() - started:.0f} s")
        started = time.perf_counter()
        compared = await compare(database.tenant, TENANT, START, DAYS)
        typer.echo(f"folded, read, exported and recomputed in {time.perf_counter() - started:.0f} s")
        return compared
    finally:
        await database.close()


if __name__ == "__main__":
    typer.run(main)
