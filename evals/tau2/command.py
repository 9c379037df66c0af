"""`countersign evals tau2 PATH`: the retail tasks of a tau2-bench checkout as tickets, with pass^1 and pass^4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from app.commanding import Commanding

INPUT_ERROR: Final = 2
SHOWN: Final = 20


def tau2_command(  # noqa: PLR0913 - options
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A checkout of tau2-bench, or its data/tau2/domains/retail.")],
    *,
    split: Annotated[str | None, typer.Option(help="Only the tasks of this split, such as test.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Only the first so many tasks.")] = None,
    trials: Annotated[int, typer.Option(min=1, max=100, help="How many times each; pass^4 needs four.")] = 4,
    seed: Annotated[int, typer.Option(help="Ids and faults follow from it.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; as many as cores else.")] = None,
    customers: Annotated[
        str, typer.Option("--customers", help="Who plays the callers: script, or model with a key.")
    ] = "script",
    report: Annotated[Path | None, typer.Option("--report", help="Write the report's files to this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play the retail tasks of a tau2-bench checkout against the doubles. Exit status 1 where money went wrong."""
    from evals.suites.errors import SuiteError
    from evals.suites.making import report_of
    from evals.suites.place import Variant, speakers
    from evals.suites.results import summary, totals
    from evals.suites.showing import shown, written
    from evals.tau2.checkout import read_checkout, tasks_of
    from evals.tau2.converting import NotConverted, scenario_of

    commanding: Commanding = ctx.obj
    models = commanding.settings.models
    try:
        variant = Variant(models, customers=speakers(customers, models))
        checkout = read_checkout(path)
        tasks = tasks_of(checkout, split, most)
    except SuiteError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(INPUT_ERROR) from error
    converted = [scenario_of(one, checkout, path=path) for one in tasks]
    filed = [one for one in converted if not isinstance(one, NotConverted)]
    left_out = [one for one in converted if isinstance(one, NotConverted)]
    for one in left_out[:SHOWN]:
        typer.echo(f"task {one.task_id} is left out: {one.why}", err=True)
    if not filed:
        raise typer.Exit(INPUT_ERROR)
    results = report_of(filed, trials=trials, seed=seed, workers=workers, variant=variant)
    if report is not None:
        written(results, report)
    if as_json:
        told = {"tasks": len(tasks), "left_out": [one.task_id for one in left_out], **summary(results)}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        shown(results, report)
        typer.echo(f"{len(tasks)} tasks, {len(left_out)} left out")
    money = totals(results.trials)
    is_harm = money.over_refunded_minor or money.wrong_charges or money.unexpected_refunds
    raise typer.Exit(1 if is_harm else 0)
