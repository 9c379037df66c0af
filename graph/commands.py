"""Commands of the graph package: `triage` and `redact`, JSON lines in and out.

They need no database and no key. Every line of input gives a line of output; a line that cannot be read is named on
standard error, the others go on, and the exit status is 2.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn, Protocol

import typer

if TYPE_CHECKING:  # both cost seconds to import, which a command pays only when it needs them
    from graph.models.outside import Outside
    from graph.models.question import Question
    from graph.models.triage import Triage

INPUT = typer.Argument(help="JSON lines; '-' or nothing reads standard input", allow_dash=True)
BAD_INPUT = 2


class LineError(ValueError):
    """A line of input that is not what the command reads."""


class CommandRuntime(Protocol):
    """What these commands need of the application."""

    def outside(self) -> Outside:
        """The models outside of this process as the settings name them; raises where no key is configured."""


def triage(
    ctx: typer.Context,
    file: Annotated[Path, INPUT] = Path("-"),
    provider: Annotated[str, typer.Option(help="'local' needs no key; 'claude' needs one")] = "local",
    currency: Annotated[str, typer.Option(help="the shop's currency, in which a bare 44.50 is read")] = "usd",
    score: Annotated[
        bool,
        typer.Option("--score", help='compare with each line\'s "intents" or "accepted"; print accuracy per intent'),
    ] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="ask Claude in one batch: half the price, within a day; for evaluation")
    ] = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="fit the local model's head on its written examples, store it and say how it did"),
    ] = False,
) -> None:
    """Say what tickets ask for: lines of {"id", "subject", "body"} in, intents, claims and confidence out."""
    if train:
        _train()
        return
    from graph.models.scoring import Score
    from graph.models.wire import triage_as_json

    lines: Iterable[tuple[int, bytes]] = _lines(file)
    if batch:
        lines = list(lines)
        understand = _in_batch(ctx.obj, provider, lines)
    else:
        understand = _understanding(ctx.obj, provider, currency)
    tallies = Score()

    def answer(ticket: dict[str, Any]) -> dict[str, Any]:
        understood = understand(_text(ticket, "subject"), _text(ticket, "body"))
        if score:
            tallies.add(understood, _accepted(ticket), str(ticket.get("source") or file.name))
        return {"id": ticket.get("id"), **triage_as_json(understood)}

    try:
        _each(lines, answer, is_silent=score)
    finally:
        if tallies.by_label:
            print("\n".join(tallies.lines()))


def _train() -> None:
    from graph.models.embedding import load_embedder
    from graph.models.local.train import HEAD_FILE, fit, store

    fitted = fit(load_embedder())
    try:
        store(fitted)
    except OSError as error:
        _stop(f"cannot write {str(HEAD_FILE)!r} ({error.strerror}): train from a checkout that you may change")
    print(
        f"{fitted.tickets} written tickets, each judged while left out: {fitted.right:.3f} right; "
        f"sure from {fitted.head.unsure_below} % on, which {fitted.coverage:.3f} reach, "
        f"{fitted.right_of_answered:.3f} of them right",
    )
    print(f"stored {HEAD_FILE.name}, fitted on examples {fitted.head.data_hash[:12]}")


def _understanding(runtime: CommandRuntime, provider: str, currency: str) -> Callable[[str, str], Triage]:
    """What a provider answers for subject and body."""
    from policies.money import CURRENCIES

    if currency not in CURRENCIES:
        _stop(f"unknown currency {currency!r}: write a lower-case ISO 4217 code such as 'usd'")
    if provider == "local":
        from graph.models.embedding import load_embedder
        from graph.models.local.model import load_local_model

        return load_local_model(load_embedder(), shop_currency=currency).triage
    if provider != "claude":
        _stop(f"unknown provider {provider!r}: write 'local' or 'claude'")
    outside = runtime.outside()

    def ask(subject: str, body: str) -> Triage:
        found, uses = asyncio.run(outside.ask(_question(subject, body), Errand()))
        if found is None:
            raise LineError(f"no model gave an answer: {', '.join(f'{use.model} {use.outcome}' for use in uses)}")
        return found

    from graph.models.errand import Errand

    return ask


def _in_batch(
    runtime: CommandRuntime, provider: str, lines: Iterable[tuple[int, bytes]]
) -> Callable[[str, str], Triage]:
    """What Claude answers for every good line, asked in one batch before the first is told."""
    from connectors.errors import ConnectorError
    from graph.models.use import ModelUnusable

    if provider != "claude":
        _stop("only Claude is asked in batches: add `--provider claude`, or leave `--batch` out")
    questions: dict[str, Question[Triage]] = {}
    names: dict[tuple[str, str], str] = {}
    for number, raw in lines:
        with suppress(LineError):  # it is named when its turn comes
            ticket = _object(raw)
            key = (_text(ticket, "subject"), _text(ticket, "body"))
            if key not in names:
                names[key] = f"line-{number}"
                questions[names[key]] = _question(*key)
    try:
        answers = asyncio.run(runtime.outside().ask_in_batch(questions)) if questions else {}
    except (ConnectorError, ValueError, LookupError) as error:
        _stop(f"the batch gave no answers: {error}")

    def told(subject: str, body: str) -> Triage:
        found = answers.get(names.get((subject, body), ""))
        if found is None or isinstance(found, ModelUnusable):
            raise LineError(f"no model gave an answer: {found or 'it could not be asked'}")
        return found

    return told


def _question(subject: str, body: str) -> Question[Triage]:
    """What a model outside is asked about a ticket, redacted."""
    from graph.models.roles.triage import triage_question
    from graph.redaction.redact import RedactionError
    from graph.redaction.redact import redact as redact_text

    try:
        return triage_question(redact_text(subject).text, redact_text(body).text, ())
    except RedactionError as error:
        raise LineError(str(error)) from error


def _accepted(ticket: dict[str, Any]) -> list[str]:
    """The right answers of a labelled line: any of `accepted`, else the first of `intents`."""
    labels = ticket.get("accepted") or (ticket.get("intents") or [])[:1]
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise LineError('no label to compare with: give "intents" or "accepted" as a list of strings')
    return labels


def redact(
    file: Annotated[Path, INPUT] = Path("-"),
    score: Annotated[
        bool, typer.Option("--score", help='compare with each line\'s "spans" and "order_id"; print recall per class')
    ] = False,
) -> None:
    """Take personal data out of texts: lines of {"id", "text"} in, the safe text and the places out.

    A ticket's {"subject", "body"} is read as well: its text is the subject, an empty line and the body. An optional
    {"known": {"names", "emails", "phones", "addresses"}} holds the requester's own data.
    """
    from graph.redaction.profile import KnownProfile
    from graph.redaction.redact import RedactionError
    from graph.redaction.redact import redact as redact_text
    from graph.redaction.scoring import LabelError, RedactionScore

    tallies = RedactionScore()

    def compare(line: dict[str, Any]) -> dict[str, Any]:
        try:
            tallies.add(line)
        except (LabelError, RedactionError) as error:
            raise LineError(str(error)) from error
        return {}

    def answer(line: dict[str, Any]) -> dict[str, Any]:
        known = line.get("known") or {}
        if not isinstance(known, dict) or not known.keys() <= {"names", "emails", "phones", "addresses"}:
            raise LineError("'known' is no object of names, emails, phones and addresses: give lists of strings")
        try:
            safe = redact_text(_whole_text(line), KnownProfile(**{name: tuple(known[name]) for name in known}))
        except RedactionError as error:
            raise LineError(str(error)) from error
        events = [{"class": event.data_class.value, "start": event.start, "end": event.end} for event in safe.events]
        return {"id": line.get("id"), "text": safe.text, "events": events}

    if not score:
        _each(_lines(file), answer)
        return
    try:
        _each(_lines(file), compare, is_silent=True)
    finally:
        if tallies.by_class:
            print("\n".join(tallies.lines()))
    if not tallies.by_class:
        _stop('no line is labelled: give "spans", or an "order_id"')
    if not tallies.holds:
        raise typer.Exit(1)


def _whole_text(line: dict[str, Any]) -> str:
    if "text" in line:
        return _text(line, "text")
    subject, body = _text(line, "subject"), _text(line, "body")
    return f"{subject}\n\n{body}" if subject else body


def _each(
    lines: Iterable[tuple[int, bytes]],
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    is_silent: bool = False,
) -> None:
    is_clean = True
    for number, raw in lines:
        try:
            written = json.dumps(answer(_object(raw)), ensure_ascii=False)
        except LineError as error:
            is_clean = False
            print(f"line {number}: {error}", file=sys.stderr)
        else:
            if not is_silent:
                print(written, flush=True)
    if not is_clean:
        raise typer.Exit(BAD_INPUT)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        opened: AbstractContextManager[IO[bytes]] = (
            nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb")
        )
    except OSError as error:
        _stop(f"cannot read {str(file)!r} ({error.strerror}): give a file of JSON lines or '-'")
    with opened as stream:
        for number, raw in enumerate(stream, start=1):
            if raw.strip():
                yield number, raw


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 at byte {error.start}: write the file in UTF-8") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise LineError(f"not JSON ({error}): write one object a line") from error
    if not isinstance(value, dict):
        raise LineError(f"{type(value).__name__!r} is no object: write one object a line")
    return value


def _text(line: dict[str, Any], name: str) -> str:
    value = line.get(name)
    if value is None and name != "text":
        return ""
    if not isinstance(value, str):
        raise LineError(f"{name!r} holds {value!r}: give it a string")
    # A lone surrogate is valid JSON and no text; it would break the output.
    return value.encode("utf-8", "replace").decode("utf-8")


def _stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(BAD_INPUT)
