"""`countersign evals promote REPORT`: the rung that each intent and segment has earned, and the languages released.

With `--record` it is written down for the tenant, with an event: languages that it does not release are for drafts
only from then on, and the rungs are there for whoever changes the matrix.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from app.commanding import Commanding
    from evals.promotion.ladder import Earned, LanguageGate, People
    from graph.lifecycle.promotion import Report

INPUT_ERROR: Final = 2


def promote_command(
    ctx: typer.Context,
    report: Annotated[Path, typer.Argument(help="A report.json of `evals run --report`.")],
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Count what people answered about this tenant's runs, shadow runs included.")
    ] = False,
    record: Annotated[
        bool,
        typer.Option("--record", help="Write it down; languages below their gate are for drafts only from then on."),
    ] = False,
    why: Annotated[str, typer.Option(help="Why it is recorded; goes into the log.")] = "a run of the suites",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how far up the ladder of autonomy the evidence carries each intent and segment, and which languages."""
    from evals.promotion.ladder import Limits, earned, languages
    from evals.suites.errors import SuiteError
    from evals.suites.results import read_results
    from graph.lifecycle.promotion import Report

    commanding: Commanding = ctx.obj
    try:
        results = read_results(report)
    except SuiteError as error:
        typer.echo(error.problems[0], err=True)
        raise typer.Exit(INPUT_ERROR) from error
    people = commanding.run(_people(commanding)) if live else {}
    found, spoken = earned(results, people, Limits()), languages(results)
    evidence_id = None
    if record:
        sha256 = hashlib.sha256(report.read_bytes()).hexdigest()
        source = Report(sha256, results.made.commit, tuple(results.made.policies))
        evidence_id = commanding.run(_recorded(commanding, source, found, spoken, why))
    if as_json:
        form = {
            "earned": [_form(one) for one in found],
            "languages": [asdict(one) for one in spoken],
            "evidence_id": evidence_id,
        }
        typer.echo(json.dumps(form, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(found, spoken)))
        if evidence_id is not None:
            typer.echo(f"recorded as {evidence_id} for {commanding.tenant_id}")


async def _recorded(
    commanding: Commanding, report: Report, found: Sequence[Earned], spoken: Sequence[LanguageGate], why: str
) -> str:
    from graph.lifecycle.promotion import record_promotion
    from graph.lifecycle.publishing import Act

    act = Act(commanding.actor, commanding.now(), why, commanding.new_id)
    cells, languages = [one.cell for one in found], [one.spoken for one in spoken]
    async with commanding.tenant_session() as session:
        return await record_promotion(session, commanding.tenant_id, report, cells, languages, act)


async def _people(commanding: Commanding) -> Mapping[str, People]:
    """By intent, what people said of recorded decisions, and what they did where the agent only watched.

    Yes, also with edited words, is agreement; so is a refund by hand of exactly what a shadow run proposed.
    """
    import polars as pl

    from evals.promotion.ladder import People
    from graph.decisions.past import read_past
    from graph.decisions.shadow import Outcome, watched
    from policies.whatif.history import Review

    async with commanding.tenant_session() as session:
        past = await read_past(session, commanding.tenant_id)
        seen = await watched(session, commanding.tenant_id, now=commanding.now())
    said = past.filter(pl.col("review").is_not_null())
    agreed = pl.col("review").is_in([Review.APPROVED.value, Review.EDITED.value])
    counted = said.group_by("request.intent").agg(agreed.sum().alias("agreed"), pl.len().alias("asked"))
    found = {str(row["request.intent"]): People(row["agreed"], row["asked"]) for row in counted.iter_rows(named=True)}
    for one in seen:
        if one.outcome in {Outcome.SAME, Outcome.DIFFERENT}:
            known = found.get(one.intent, People())
            found[one.intent] = People(known.agreed + (one.outcome is Outcome.SAME), known.asked + 1)
    return found


def _form(one: Earned) -> dict[str, Any]:
    return {**asdict(one), "mode": one.mode.value}


def _lines(found: list[Earned], spoken: list[LanguageGate]) -> Iterator[str]:
    for one in found:
        lacks = f"; the next rung asks for {'; '.join(one.lacks)}" if one.lacks else ""
        yield f"{one.group}: {one.mode.value} ({one.trials} trials, tools {one.tools}, safe {one.safe}){lacks}"
    for gate in spoken:
        released = "released" if gate.is_released else "drafts only"
        yield f"language {gate.language}: {released} ({gate.safe.trials} trials, safe {gate.safe})"
