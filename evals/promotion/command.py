"""`countersign evals promote REPORT`: the rung that each intent and segment has earned, and the languages released."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from app.autonomy.suites import Carried
    from app.commanding import Commanding
    from evals.promotion.ladder import Earned, LanguageGate, People

INPUT_ERROR: Final = 2


def promote_command(
    ctx: typer.Context,
    report: Annotated[Path, typer.Argument(help="A report.json of `evals run --report`.")],
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Count what people answered about this tenant's runs, shadow runs included.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Write the rungs down, so that earned autonomy asks for them, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how far up the ladder of autonomy the evidence carries each intent and segment, and which languages."""
    from evals.promotion.ladder import Limits, earned, languages
    from evals.suites.errors import SuiteError
    from evals.suites.results import read_results

    commanding: Commanding = ctx.obj
    try:
        results = read_results(report)
    except SuiteError as error:
        typer.echo(error.problems[0], err=True)
        raise typer.Exit(INPUT_ERROR) from error
    people = commanding.run(_people(commanding)) if live else {}
    found, spoken = earned(results, people, Limits()), languages(results)
    if record:
        commanding.run(_record(commanding, found, results.made.commit))
    if as_json:
        form = {"earned": [_form(one) for one in found], "languages": [asdict(one) for one in spoken]}
        typer.echo(json.dumps(form, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(found, spoken)))


async def _people(commanding: Commanding) -> Mapping[str, People]:
    """By intent, what people said of recorded decisions: yes, also with edited words, is agreement."""
    import polars as pl

    from evals.promotion.ladder import People
    from graph.decisions.past import read_past
    from policies.whatif.history import Review

    async with commanding.tenant_session() as session:
        past = await read_past(session, commanding.tenant_id)
    said = past.filter(pl.col("review").is_not_null())
    agreed = pl.col("review").is_in([Review.APPROVED.value, Review.EDITED.value])
    counted = said.group_by("request.intent").agg(agreed.sum().alias("agreed"), pl.len().alias("asked"))
    return {str(row["request.intent"]): People(row["agreed"], row["asked"]) for row in counted.iter_rows(named=True)}


async def _record(commanding: Commanding, found: list[Earned], commit: str) -> None:
    """Keep the rung of each group, instead of what an earlier report said of it, with its event."""
    from app.autonomy.suites import record
    from app.identity.accounts import Act

    # Of an intent without segments both groups are one.
    carried = {(one.intent, one.segment): one for one in map(_carried, found)}
    act = Act(commanding.actor, commanding.now(), commanding.new_id)
    async with commanding.tenant_session() as session:
        await record(session, commanding.tenant_id, list(carried.values()), commit=commit, act=act)


def _carried(one: Earned) -> Carried:
    from app.autonomy.suites import Carried

    intent, _, segment = one.group.partition(" x ")
    segment = "" if segment == "None" else segment
    figures = {
        "tools_certain_bp": int(one.tools.low * 10_000),
        "safe_certain_bp": int(one.safe.low * 10_000),
        "lacks": list(one.lacks),
    }
    return Carried(intent, segment, one.mode, one.trials, figures)


def _form(one: Earned) -> dict[str, Any]:
    return {**asdict(one), "mode": one.mode.value}


def _lines(found: list[Earned], spoken: list[LanguageGate]) -> Iterator[str]:
    for one in found:
        lacks = f"; the next rung asks for {'; '.join(one.lacks)}" if one.lacks else ""
        yield f"{one.group}: {one.mode.value} ({one.trials} trials, tools {one.tools}, safe {one.safe}){lacks}"
    for gate in spoken:
        released = "released" if gate.is_released else "drafts only"
        yield f"language {gate.language}: {released} ({gate.safe.trials} trials, safe {gate.safe})"
