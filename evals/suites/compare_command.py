"""`countersign evals compare A B`: two reports of the same scenarios, pair by pair."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from evals.suites.comparing import Comparison
    from evals.suites.results import Made, Results
    from evals.suites.statistics import Shift

INPUT_ERROR: Final = 2
SHOWN: Final = 12

Report = Annotated[Path, typer.Argument(help="A report.json of `evals run --report`.")]


def compare_command(
    a: Report,
    b: Report,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two runs of the same scenarios, B against A: another model, prompt, policy or commit."""
    from evals.suites.comparing import compared  # noqa: PLC0415 - importing scipy takes a moment
    from evals.suites.errors import SuiteError  # noqa: PLC0415
    from evals.suites.results import read_results  # noqa: PLC0415

    try:
        before, after = read_results(a), read_results(b)
        found = compared(before, after)
    except SuiteError as error:
        for problem in error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(INPUT_ERROR) from error
    if as_json:
        form = {"differs": list(differing(before.made, after.made)), **asdict(found)}
        form["flips"] = [{**asdict(flip), "is_worse": flip.is_worse} for flip in found.flips]
        typer.echo(json.dumps(form, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(before, after, found)))


def differing(before: Made, after: Made) -> Iterator[str]:
    """What the two runs were made with otherwise: provider, models and prompts, policy, retrieval, customers, seed."""
    a, b = _made_with(before), _made_with(after)
    return (f"{name} {a[name]} -> {b[name]}" for name in a if a[name] != b[name])


def _made_with(made: Made) -> dict[str, str]:
    return {
        "commit": made.commit,
        "provider": made.provider,
        "models": ", ".join(made.models),
        "models and prompts": ", ".join(made.asked),
        "policies": ", ".join(policy[:SHOWN] for policy in made.policies),
        "retrieval": ", ".join(f"{name} {value}" for name, value in made.retrieval.items()),
        "customers": made.customers,
        "seed": str(made.seed),
        "trials": str(made.trials),
    }


def _lines(before: Results, after: Results, found: Comparison) -> Iterator[str]:
    for name, side in (("A", before), ("B", after)):
        yield f"{name}: commit {side.made.commit}, {side.made.provider}, seed {side.made.seed}"
    yield from (f"differs: {one}" for one in differing(before.made, after.made))
    yield f"{found.scenarios} scenarios in both" + _missing(found)
    yield f"correct          {_shift(found.correct)}, chance {found.chance:.3f} (McNemar)"
    yield f"correct or safe  {_shift(found.in_order)}"
    yield f"model cost, USD  {_shift(found.cost_usd)}"
    yield f"calls of tools   {_shift(found.tool_calls)}"
    yield f"work, seconds    {_shift(found.work_s)}"
    worse, harm = sum(flip.is_worse for flip in found.flips), len(found.new_breaches)
    yield f"{len(found.flips)} flips, {worse} of them worse, {harm} with new harm"
    for flip in found.flips:
        sign = "HARM  " if flip.is_new_breach else "worse " if flip.is_worse else "better"
        yield f"{sign} {flip.id} ({flip.suite}): {flip.before.value} -> {flip.after.value}  {'; '.join(flip.saw)}"


def _missing(found: Comparison) -> str:
    return (
        f"; {len(found.only_in_a)} only in A, {len(found.only_in_b)} only in B"
        if found.only_in_a or found.only_in_b
        else ""
    )


def _shift(shift: Shift) -> str:
    return f"{shift.mean:+.4f} [{shift.low:+.4f}, {shift.high:+.4f}]"
