"""`countersign plants`: take out one safeguard after the other, and see that a trial notices each."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from app.errors import UsageError
from evals.plants.catalogue import PLANTS, Plant
from evals.plants.hunt import Hunted, hunt
from evals.simulation.stage import opened_stage


def plants(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Some of them; all where none.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take out each safeguard and see that it is noticed. Exit status 1 where one is missed."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    hunted = asyncio.run(_hunted(_chosen(names or []), console))
    missed = [one.plant.name for one in hunted if not one.is_caught]
    if as_json:
        found = [
            {
                "name": one.plant.name,
                "says": one.plant.says,
                "trial": one.plant.trial.__name__,
                "found": one.found,
                "seconds": round(one.seconds, 1),
            }
            for one in hunted
        ]
        typer.echo(
            json.dumps({"planted": len(hunted), "caught": len(hunted) - len(missed), "missed": missed, "plants": found})
        )
    else:
        slowest = max(one.seconds for one in hunted)
        typer.echo(f"{len(hunted)} planted, {len(hunted) - len(missed)} caught, the slowest in {slowest:.0f} s")
    raise typer.Exit(1 if missed else 0)


def _chosen(names: list[str]) -> list[Plant]:
    known = {plant.name: plant for plant in PLANTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no plant is called {unknown[0]!r}; known are {', '.join(sorted(known))}")
    return [known[name] for name in names] if names else list(PLANTS)


async def _hunted(chosen: list[Plant], console: Console) -> list[Hunted]:
    async with opened_stage() as stage:
        return [one async for one in hunt(stage, chosen, say=console.print)]
