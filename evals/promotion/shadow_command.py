"""`countersign evals shadow`: what was proposed while the agent only watched, against what people did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from graph.decisions.shadow import Outcome, Watched, watched
from policies.money import Money

if TYPE_CHECKING:
    from app.commanding import Commanding


def shadow_command(
    ctx: typer.Context,
    *,
    days: Annotated[float | None, typer.Option("--days", min=0, help="Only runs of the last so many days.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List what shadow runs proposed about money, and what people then did with the same charges."""
    commanding: Commanding = ctx.obj

    async def work() -> Sequence[Watched]:
        now = commanding.now()
        since = None if days is None else now - timedelta(days=days)
        async with commanding.tenant_session() as session:
            return await watched(session, commanding.tenant_id, now=now, since=since)

    found = commanding.run(work())
    counted = Counter(one.outcome.value for one in found)
    if as_json:
        proposals = [{**asdict(one), "outcome": one.outcome.value} for one in found]
        typer.echo(json.dumps({"proposals": len(found), **counted, "watched": proposals}, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(found, counted)))


def _lines(found: Sequence[Watched], counted: Counter[str]) -> Iterator[str]:
    told = ", ".join(f"{counted[one.value]} {one.value}" for one in Outcome)
    yield f"{len(found)} proposals of shadow runs about refunds: {told}"
    for one in found:
        if one.outcome is Outcome.DIFFERENT:
            proposed, paid = Money(one.proposed_minor, one.currency), Money(one.paid_minor, one.currency)
            yield (
                f"ticket {one.ticket_id}, {one.intent}: {one.verdict} by {one.rule} would have paid {proposed}; "
                f"people paid {paid}"
            )
