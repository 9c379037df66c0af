"""`countersign evals style [REPORT]`: how replies read, by a model, beside how far it agrees with people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from app.commanding import Commanding
    from evals.style.agreement import Agreement
    from evals.suites.results import Results
    from graph.models.gateway import Gateway
    from graph.models.roles.grade import Grade

INPUT_ERROR: Final = 2


def style_command(
    ctx: typer.Context,
    report: Annotated[
        Path | None, typer.Argument(help="A report.json of `evals run --report`; only the grader is graded else.")
    ] = None,
    *,
    most: Annotated[int, typer.Option(min=1, help="Replies of the report to grade at most, evenly.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Grade the style of replies by a model, and say how far it agrees with replies that were graded by hand."""
    from app.settings import Provider
    from evals.style.agreement import agreement, hand_graded
    from evals.suites.errors import SuiteError
    from evals.suites.results import read_results

    commanding: Commanding = ctx.obj
    if commanding.settings.models.provider is not Provider.CLAUDE:
        typer.echo("style is graded by a model: set COUNTERSIGN_MODELS__PROVIDER=claude and its key", err=True)
        raise typer.Exit(INPUT_ERROR)
    try:
        replies = [] if report is None else _evenly(replies_of(read_results(report)), most)
    except SuiteError as error:
        typer.echo(error.problems[0], err=True)
        raise typer.Exit(INPUT_ERROR) from error
    by_hand = hand_graded()

    async def work() -> tuple[list[Grade | None], list[Grade | None], int]:
        from graph.models.gateway import Gateway
        from graph.models.local.model import load_local_model

        gateway = Gateway(load_local_model(commanding.embedder), commanding.outside())
        ours, spent = await _graded(gateway, [(one.message, one.reply) for one in by_hand])
        theirs, also = await _graded(gateway, replies)
        return ours, theirs, spent + also

    tested, graded, cost_usd_micros = commanding.run(work())
    pairs = [(one.grade, grade) for one, grade in zip(by_hand, tested, strict=True) if grade is not None]
    if not pairs:
        typer.echo("no model graded anything: `countersign doctor` says whether it answers", err=True)
        raise typer.Exit(1)
    agreed = agreement([ours for ours, _ in pairs], [theirs for _, theirs in pairs])
    form = _form(agreed, graded, len(pairs), cost_usd_micros)
    typer.echo(json.dumps(form, ensure_ascii=False) if as_json else "\n".join(_lines(form)))


def replies_of(results: Results) -> list[tuple[str, str]]:
    """Each public reply of a report, with the customer's message before it."""
    from evals.suites.customers import CUSTOMER, DESK

    found = []
    for trial in results.trials:
        message = ""
        for line in trial.ending.conversation:
            who, _, text = line.partition(": ")
            if who == CUSTOMER:
                message = text
            elif who == DESK:
                found.append((message, text))
    return found


def _evenly(replies: Sequence[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    step = max(1.0, len(replies) / most)
    return [replies[int(number * step)] for number in range(min(most, len(replies)))]


async def _graded(gateway: Gateway, replies: Sequence[tuple[str, str]]) -> tuple[list[Grade | None], int]:
    from graph.models.errand import Errand

    grades, cost = [], 0
    for message, reply in replies:
        grade, uses = await gateway.grade(message, reply, errand=Errand())
        grades.append(grade)
        cost += sum(use.cost_usd_micros for use in uses)
    return grades, cost


def _form(
    agreed: Mapping[str, Agreement], graded: Sequence[Grade | None], by_hand: int, cost_usd_micros: int
) -> dict[str, Any]:
    from evals.style.agreement import CRITERIA
    from evals.suites.statistics import share

    known = [one for one in graded if one is not None]
    shares = {name: share(sum(bool(asdict(one)[name]) for one in known), len(known)) for name in CRITERIA if known}
    return {
        "graded_by_hand": by_hand,
        "agreement": {name: {"agreed": asdict(one.agreed), "kappa": one.kappa} for name, one in agreed.items()},
        "replies": len(known),
        "not_graded": len(graded) - len(known),
        "style": {name: asdict(one) for name, one in shares.items()},
        "cost_usd_micros": cost_usd_micros,
    }


def _lines(form: Mapping[str, Any]) -> Iterator[str]:
    yield f"the grader against {form['graded_by_hand']} replies that were graded by hand:"
    for name, one in form["agreement"].items():
        kappa = "none, as one side never varies" if one["kappa"] is None else f"{one['kappa']:.2f}"
        yield f"  {name:<16} agrees in {_told(one['agreed'])}, kappa {kappa}"
    if form["replies"]:
        yield f"{form['replies']} replies of the report, {form['not_graded']} not graded:"
        yield from (f"  {name:<16} {_told(one)}" for name, one in form["style"].items())
    yield f"cost {form['cost_usd_micros'] / 1_000_000:.4f} USD"


def _told(one: Mapping[str, Any]) -> str:
    return f"{one['hits']} of {one['trials']} [{one['low']:.3f}, {one['high']:.3f}]"
