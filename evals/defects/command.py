"""`countersign evals defects`: plant one defect after the other, and see that the gate over the suites notices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

INPUT_ERROR: Final = 2


def defects_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Some of them; all where none.")
    ] = None,
    *,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="A report.json of the same commit, so that less must be played.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Ids and faults follow from it.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; as many as cores else.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Scenarios for one defect at most; all else.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Plant defects into the product and play the suites until the gate blocks. Exit status 1 where one is missed."""
    from evals.defects.catalogue import DEFECTS
    from evals.defects.hunt import Hunt
    from evals.suites.errors import SuiteError
    from evals.suites.files import SHIPPED_SUITES, read_suites
    from evals.suites.making import cores
    from evals.suites.results import read_results
    from evals.suites.running import opened_hall

    known = {defect.name: defect for defect in DEFECTS}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        typer.echo(f"no defect is called {unknown[0]!r}; known are {', '.join(sorted(known))}", err=True)
        raise typer.Exit(INPUT_ERROR)
    try:
        clean = None if baseline is None else read_results(baseline)
        filed = read_suites([SHIPPED_SUITES])
    except SuiteError as error:
        typer.echo(error.problems[0], err=True)
        raise typer.Exit(INPUT_ERROR) from error
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    chosen = [known[name] for name in names] if names else list(DEFECTS)
    with opened_hall() as hall:
        hunt = Hunt(hall, filed, baseline=clean, seed=seed, most=most, workers=workers or cores())
        found = list(hunt.each(chosen, say=console.print))
    missed = [one.defect.name for one in found if not one.is_caught]
    if as_json:
        told = [
            {
                "name": one.defect.name,
                "part": one.defect.part,
                "says": one.defect.says,
                "played": one.played,
                "blocks": list(one.blocks),
                "seconds": round(one.seconds, 1),
            }
            for one in found
        ]
        typer.echo(
            json.dumps({"planted": len(found), "caught": len(found) - len(missed), "missed": missed, "defects": told})
        )
    else:
        typer.echo(f"{len(found)} planted, {len(found) - len(missed)} caught by the gate")
    raise typer.Exit(1 if missed else 0)
