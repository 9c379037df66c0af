"""`countersign policy whatif`, `tune` and `history`: what a policy would have answered in the past.

Promises: nothing is changed and no vendor is asked. Without `--history` the recorded decisions of the tenant are read;
with it no database is started. A history that cannot be read is one line with the number of the line that is wrong.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from app.errors import UsageError
from app.terminal import commanding_of, say, say_json
from policies.commands import readable_policy
from policies.shelf import SHIPPED

if TYPE_CHECKING:
    import polars as pl

    from policies.document import Policy
    from policies.whatif.history import Prepared

MOST_INVENTED: Final = 5_000_000

File = Annotated[str, typer.Argument(help="A policy file, or `shipped`.")]
HistoryPath = Annotated[
    str | None, typer.Option("--history", help="Recorded decisions as JSON Lines; the tenant's own where left out.")
]
Since = Annotated[int | None, typer.Option("--since", min=1, help="Only the last so many days before the newest.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="policy", no_args_is_help=True)


@app.command("whatif")
def whatif_command(
    ctx: typer.Context,
    file: File,
    *,
    history: HistoryPath = None,
    since: Since = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Compare with this policy's answers, not with the recorded ones.")
    ] = None,
    flips: Annotated[int, typer.Option("--flips", min=0, help="How many changed answers to list.")] = 20,
    as_json: Json = False,
) -> None:
    """Decide the recorded decisions again under a policy, and show what would have been otherwise."""
    from policies.whatif.comparing import whatif
    from policies.whatif.report import whatif_form, whatif_text

    candidate = readable_policy(file)
    compared_with = None if against is None else readable_policy(against)
    past, current = _past(ctx, history, since)
    started = time.perf_counter()
    found = whatif(candidate, past, current=current, compared_with=compared_with)
    seconds = time.perf_counter() - started
    listed = found.flips(flips)
    if as_json:
        say_json(whatif_form(found, seconds=seconds, flips=listed))
    else:
        say(whatif_text(found, seconds=seconds, flips=listed).splitlines())


@app.command("tune")
def tune_command(  # noqa: PLR0913 - an option is a parameter
    ctx: typer.Context,
    file: File,
    *,
    threshold: Annotated[str, typer.Option("--threshold", help="Which amount: TIER.CURRENCY, like auto.usd.")],
    quality: Annotated[
        float, typer.Option("--quality", min=0.5, max=0.9999, help="The agreement with people that must be certain.")
    ] = 0.97,
    intent: Annotated[str | None, typer.Option("--intent", help="Only refunds of this intent.")] = None,
    segment: Annotated[str | None, typer.Option("--segment", help="Only refunds of this segment.")] = None,
    history: HistoryPath = None,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Show what every value of a threshold would have meant, and which one keeps the quality."""
    from policies.whatif.report import tuning_form, tuning_text
    from policies.whatif.thresholds import ThresholdError, threshold_of
    from policies.whatif.tuning import tune

    policy = readable_policy(file)
    try:
        moved = threshold_of(policy, threshold, intent=intent, segment=segment)
    except ThresholdError as error:
        raise UsageError(str(error)) from error
    past, _ = _past(ctx, history, since)
    started = time.perf_counter()
    found = tune(policy, past, moved, quality=quality)
    seconds = time.perf_counter() - started
    if as_json:
        say_json(tuning_form(found, seconds=seconds))
    else:
        say(tuning_text(found).splitlines())


@app.command("history")
def history_command(
    ctx: typer.Context,
    *,
    out: Annotated[str, typer.Option("--out", help="Where to write; - for standard output.")] = "-",
    since: Since = None,
    generate: Annotated[
        int | None,
        typer.Option("--generate", min=1, max=MOST_INVENTED, help="Make up so many decisions; read none."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is made up.")] = 1,
    policy: Annotated[str, typer.Option("--policy", help="The policy that decides what is made up.")] = SHIPPED,
    until: Annotated[
        str | None, typer.Option("--until", help="Where the made-up half year ends, like 2026-11-21T09:00:00+00:00.")
    ] = None,
) -> None:
    """Write the recorded decisions as JSON Lines, without personal data; or make some up, from a seed."""
    from policies.whatif.spelling import history_lines

    if generate is None:
        frame = _latest(_recorded(ctx)[0], since)
    else:
        from graph.decisions.invented import invented_history

        end = commanding_of(ctx).now() if until is None else _moment(until)
        frame = _latest(invented_history(readable_policy(policy), count=generate, seed=seed, until=end), since)
    with _written(out) as sink:
        for piece in history_lines(frame):
            sink.write(piece.encode())
    if out != "-":
        say([f"{len(frame)} decisions written to {out}"])


def _past(ctx: typer.Context, history: str | None, since: int | None) -> tuple[Prepared, Policy | None]:
    """The history in question, and the policy that decides today where the tenant's own is read."""
    from policies.whatif.history import HistoryError, prepared

    try:
        frame, current = _recorded(ctx) if history is None else (_read(history), None)
        past = prepared(_latest(frame, since))
    except HistoryError as error:
        raise UsageError(str(error)) from error
    if past.history.is_empty():
        where = "this tenant has no recorded decision" if history is None else f"{history!r} holds no decision"
        raise UsageError(f"{where}; try `countersign policy history --generate 10000 --out history.jsonl`")
    assert past.digest  # worked out here, so that it is not counted as time of deciding
    return past, current


def _read(file: str) -> pl.DataFrame:
    from policies.whatif.reading import read_history

    try:
        with Path(file).open("rb") as lines:
            return read_history(lines, name=file)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {file!r}: {reason}; `countersign policy history` writes one") from error


def _recorded(ctx: typer.Context) -> tuple[pl.DataFrame, Policy | None]:
    """The tenant's own history, and the policy that decides today."""
    from graph.decisions.past import read_past
    from graph.errors import PolicyMissing
    from graph.rulebook import load_policy, published_hash

    commanding = commanding_of(ctx)

    async def work() -> tuple[pl.DataFrame, Policy | None]:
        async with commanding.tenant_session() as session:
            past = await read_past(session, commanding.tenant_id)
            try:
                current = await published_hash(session, commanding.tenant_id)
            except PolicyMissing:
                return past, None
            return past, await load_policy(session, commanding.tenant_id, current)

    return commanding.run(work())


def _latest(history: pl.DataFrame, days: int | None) -> pl.DataFrame:
    if days is None or history.is_empty():
        return history
    newest = history.get_column("at").max()
    assert isinstance(newest, datetime)
    return history.filter(history.get_column("at") >= newest - timedelta(days=days))


def _moment(written: str) -> datetime:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(f"--until {written!r} is not a time: write it like 2026-11-21T09:00:00+00:00") from error
    if moment.tzinfo is None:
        raise UsageError(f"--until {written!r} has no zone: add +00:00")
    return moment


@contextmanager
def _written(out: str) -> Iterator[BinaryIO]:
    if out == "-":
        yield sys.stdout.buffer
        return
    try:
        with Path(out).open("wb") as sink:
            yield sink
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot write {out!r}: {reason}; name a file in a folder that exists") from error
