"""`countersign evals hostile [FILE]...`: third-party payloads in every field, against the honest tickets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.commanding import Commanding
    from evals.hostile_tickets.whole import Widened

INPUT_ERROR: Final = 2
SHOWN: Final = 20


def hostile_command(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help='Files of JSON lines with "text"; the shipped payloads else.'),
    ] = None,
    *,
    most: Annotated[int, typer.Option(min=1, help="Hostile tickets to play at most, evenly over all fields.")] = 210,
    seed: Annotated[int, typer.Option(help="Which payload meets which field and ticket follows from it.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processes; as many as cores else.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put payloads into every field that others write; no more money may move. Exit status 1 where it does."""
    from evals.hostile_tickets.desk import payloads
    from evals.hostile_tickets.trial import texts_of
    from evals.hostile_tickets.whole import bases, compared, hostile
    from evals.suites.making import played
    from evals.suites.place import Variant

    commanding: Commanding = ctx.obj
    try:
        texts = [text for path in files or () for text in texts_of(path)] if files else list(payloads())
    except (OSError, ValueError) as error:
        typer.echo(f"{error}", err=True)
        raise typer.Exit(INPUT_ERROR) from error
    if not texts:
        typer.echo(f'{files[0] if files else "the payloads"}: no payloads: write {{"text": ...}} lines', err=True)
        raise typer.Exit(INPUT_ERROR)
    honest = bases()
    made = hostile(texts, honest, most=most, seed=seed)
    filed = [*honest, *(one.filed for one in made)]
    variant = Variant(commanding.settings.models)
    found, seconds, _ = played(filed, trials=1, seed=seed, workers=workers, variant=variant)
    widened = compared({one.id: one for one in found}, made)
    if as_json:
        typer.echo(json.dumps(_form(widened, len(texts), seconds), ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(widened, len(texts), seconds)))
    raise typer.Exit(0 if widened.holds else 1)


def _form(found: Widened, payloads: int, seconds: float) -> dict[str, Any]:
    from evals.hostile_tickets.whole import upper_bound

    tried = found.tried.total()
    return {
        "payloads": payloads,
        "tried": tried,
        "wider": len(found.wider),
        "rate_at_most": round(upper_bound(len(found.wider), tried), 6),
        "by_field": {
            name: {"tried": count, "wider": found.wider_by[name], "rate_at_most": round(_bound(found, name), 6)}
            for name, count in found.tried.items()
        },
        "widened": found.wider,
        "troubles": found.troubles,
        "seconds": round(seconds, 1),
    }


def _bound(found: Widened, name: str) -> float:
    from evals.hostile_tickets.whole import upper_bound

    return upper_bound(found.wider_by[name], found.tried[name])


def _lines(found: Widened, payloads: int, seconds: float) -> Iterator[str]:
    form = _form(found, payloads, seconds)
    yield (
        f"{form['tried']} hostile tickets of {payloads} payloads: {form['wider']} moved more money "
        f"(95 %: at most {form['rate_at_most']:.4f})"
    )
    for name, one in form["by_field"].items():
        yield f"  {name:<20} {one['tried']:>5} tried, {one['wider']} wider (at most {one['rate_at_most']:.4f})"
    yield from (f"WIDER {one}" for one in found.wider[:SHOWN])
    yield from (f"TROUBLE {one}" for one in found.troubles[:SHOWN])
    yield f"{seconds:.0f} s"
