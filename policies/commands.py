"""`countersign policy`: check, decide, explain, facts, diff.

Promises: what a program reads goes to standard output; 0 is fine, 1 means that a checked file does not hold, 2 a usage
or input error with one line on standard error. Files are read here and nowhere else in this package (`policies.shelf`
reads what ships with it). A policy file is a path, or `shipped`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn, Protocol, runtime_checkable

import typer

from policies.analysis.check import examine
from policies.analysis.compare import compare
from policies.analysis.places import places_of
from policies.analysis.report import comparison_form, comparison_text, finding_form, finding_text
from policies.canonical import Plain
from policies.document import Policy
from policies.errors import FactError, PolicyFileError
from policies.evaluate import decide
from policies.facts import CATALOGUE, Facts, FactValue
from policies.language.inherit import Resolve
from policies.money import Money
from policies.parse import parse_policy
from policies.report import (
    catalogue_form,
    decision_form,
    decision_text,
    policy_text,
    problem_form,
    trace,
    trace_form,
    trace_text,
)
from policies.shelf import SHIPPED, from_library, shipped_text

INPUT_ERROR: Final = 2
MAX_FILE_BYTES: Final = 1_000_000
PROPOSAL_KEYS: Final = {
    "kind": "action.kind",
    "intent": "request.intent",
    "amount_minor": "action.amount_minor",
    "currency": "action.currency",
    "scope": "action.scope",
    "timing": "action.timing",
    "confidence_percent": "request.confidence_percent",
}
"""Keys of a proposal file and the facts that they state."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PolicyPath = Annotated[str, typer.Option("--policy", help="A policy file, or `shipped`.")]
FactsPath = Annotated[str | None, typer.Option("--facts", help="A JSON file of facts by name; - for standard input.")]
ProposalPath = Annotated[str | None, typer.Option("--proposal", help="A JSON file that says what would be done.")]
Now = Annotated[str | None, typer.Option("--now", help="Business time, like 2026-11-21T09:00:00+00:00.")]


@runtime_checkable
class Clocked(Protocol):
    """What the command line may hand over: the application's clock."""

    def now(self) -> datetime:
        """Aware time."""


app = typer.Typer(name="policy", help="Check, explain and try policy files.", no_args_is_help=True)


@app.command("check")
def check_command(
    files: Annotated[list[str], typer.Argument(help="Policy files, or `shipped`.")],
    as_json: Json = False,
) -> None:
    """Read policy files and report every error with its line, and what is probably not meant, each with a case."""
    errors: list[Plain] = []
    remarks: list[Plain] = []
    notes: list[Plain] = []
    lines: list[str] = []
    for file in files:
        try:
            text, name, resolve = _source(file)
            policy = parse_policy(text, name=name, resolve=resolve)
        except PolicyFileError as error:
            errors += [problem_form(problem) for problem in error.problems]
            lines += [f"error: {problem}" for problem in error.problems]
            continue
        found, places = examine(policy), places_of(text, name=name, resolve=resolve)
        remarks += [finding_form(finding, file, places) for finding in found if not finding.is_note]
        notes += [finding_form(finding, file, places) for finding in found if finding.is_note]
        lines += [finding_text(finding, file, places) for finding in found]
        lines.append(f"{file}: fine: {policy.policy_id}, {len(policy.rules)} rules, {policy.content_hash[:12]}")
    if as_json:
        _print_json({"ok": not errors, "errors": errors, "findings": remarks, "notes": notes})
    else:
        typer.echo("\n".join(lines))
    if errors:
        raise typer.Exit(1)


@app.command("decide")
def decide_command(
    ctx: typer.Context,
    policy: PolicyPath = SHIPPED,
    facts: FactsPath = None,
    proposal: ProposalPath = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Say what a policy answers for one action."""
    decision = decide(readable_policy(policy), _facts(facts, proposal), now=_time(ctx, now))
    if as_json:
        _print_json(decision_form(decision))
    else:
        typer.echo(decision_text(decision))


@app.command("explain")
def explain_command(
    ctx: typer.Context,
    policy: PolicyPath = SHIPPED,
    facts: FactsPath = None,
    proposal: ProposalPath = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Say why: every rule that could speak, and what each compared. Without facts: the whole policy in sentences."""
    read = readable_policy(policy)
    if facts is None and proposal is None:
        typer.echo(policy_text(read))
        return
    given = _facts(facts, proposal)
    decision, traces = decide(read, given, now=_time(ctx, now)), trace(read, given)
    if as_json:
        _print_json({**decision_form(decision), "rules": trace_form(traces)})
    else:
        typer.echo(f"{decision_text(decision)}\n\nRules that could speak\n{trace_text(traces)}")


@app.command("facts")
def facts_command(as_json: Json = False) -> None:
    """List every fact that a policy may ask about: name, type, unit, source."""
    if as_json:
        _print_json({"facts": catalogue_form()})
        return
    for fact in CATALOGUE.values():
        kind = f"{fact.type.value}{f' ({fact.unit})' if fact.unit else ''}"
        typer.echo(f"{fact.name:34} {kind:16} {fact.source.value:8} {fact.description}")


@app.command("worst-case")
def worst_case_command(policy: PolicyPath = SHIPPED, as_json: Json = False) -> None:
    """Print the most that can be refunded without a person within any 24 hours, by currency."""
    # Loads the library that decides in columns, which takes long and which no other command here needs.
    from policies.whatif.exposure import worst_day

    read = readable_policy(policy)
    currencies = {currency for limit in read.limits for currency in limit.amounts or ()}
    worst = worst_day(read, currencies)
    if as_json:
        _print_json({"policy": read.policy_id, "hash": read.content_hash, "within_24h_minor": dict(worst)})
        return
    for currency, minor in worst.items():
        bound = "no bound" if minor is None else f"at most {Money(minor, currency)}"
        typer.echo(f"{currency}: {bound} within any 24 hours")
    if not worst:
        typer.echo("no limit names an amount, so nothing bounds a day")


@app.command("diff")
def diff_command(
    before: Annotated[str, typer.Argument(help="The policy that decides now: a file, or `shipped`.")],
    after: Annotated[str, typer.Argument(help="The policy that would decide instead.")],
    *,
    refuse_loosening: Annotated[
        bool, typer.Option("--refuse-loosening", help="Exit with 1 where the second loosens anything.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say for which cases two policies differ, each with an example, and whether the second loosens or tightens."""
    comparison = compare(readable_policy(before), readable_policy(after))
    if as_json:
        _print_json(comparison_form(comparison))
    else:
        typer.echo(comparison_text(comparison))
    if refuse_loosening and comparison.direction.loosens:
        raise typer.Exit(1)


# files


def _policy(file: str) -> Policy:
    """The policy in a file.

    Raises:
        PolicyFileError: it cannot be read as a policy.
    """
    text, name, resolve = _source(file)
    return parse_policy(text, name=name, resolve=resolve)


def _source(file: str) -> tuple[str, str, Resolve]:
    """A policy file's text, its name in messages, and what finds the files it extends."""
    if file == SHIPPED:
        return shipped_text(), "refunds.yaml", from_library
    return _text(file), file, beside(Path(file).parent)


def beside(folder: Path) -> Resolve:
    """Finds other policy files in a folder, then among the shipped ones. A name never leads out of the folder."""

    def resolve(name: str) -> str | None:
        if Path(name).name == name and (folder / name).is_file():
            return _text(str(folder / name))
        return from_library(name)

    return resolve


def readable_policy(file: str) -> Policy:
    """The policy in a file, or a refusal on standard error with the exit status of an input error."""
    try:
        return _policy(file)
    except PolicyFileError as error:
        more = len(error.problems) - 1
        rest = f" (and {more} more: `countersign policy check {file}` lists them)" if more else ""
        _refuse(f"{error.problems[0]}{rest}")


def _text(file: str) -> str:
    """A file's text; `-` is standard input. One byte more than a policy may have is enough to refuse it."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_FILE_BYTES + 1).decode()
        with Path(file).open("rb") as handle:
            return handle.read(MAX_FILE_BYTES + 1).decode()
    except OSError as error:
        _refuse(f"cannot read {file!r}: {error.strerror or error}; give a file, or `shipped` for a policy")
    except UnicodeDecodeError:
        _refuse(f"{file!r} is not UTF-8 text: save it as UTF-8")


def _facts(facts: str | None, proposal: str | None) -> Facts:
    values: dict[str, object] = {}
    if facts is not None:
        values |= {_fact_name(name): value for name, value in _object(facts).items()}
    if proposal is not None:
        for key, value in _object(proposal).items():
            if key not in PROPOSAL_KEYS:
                _refuse(f"proposal {proposal!r} has an unknown key {key!r}: write {', '.join(PROPOSAL_KEYS)}")
            values[PROPOSAL_KEYS[key]] = value
    try:
        return Facts(values)
    except FactError as error:
        _refuse(str(error))


def _fact_name(name: str) -> str:
    return "action.kind" if name == "action.type" else name


def _object(file: str) -> Mapping[str, FactValue]:
    """The JSON object in a file."""
    try:
        found = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        _refuse(f"{file!r} is not JSON: {error}")
    if not isinstance(found, dict):
        _refuse(f'{file!r} must hold one JSON object, like {{"action.kind": "refund"}}')
    return found


def _time(ctx: typer.Context, now: str | None) -> datetime:
    if now is None:
        if isinstance(ctx.obj, Clocked):
            return ctx.obj.now()
        _refuse("no time: add --now 2026-11-21T09:00:00+00:00")
    try:
        moment = datetime.fromisoformat(now)
    except ValueError:
        _refuse(f"--now {now!r} is not a time: write it like 2026-11-21T09:00:00+00:00")
    if moment.tzinfo is None:
        _refuse(f"--now {now!r} has no zone: add +00:00")
    return moment


def _print_json(form: Mapping[str, Plain]) -> None:
    typer.echo(json.dumps(form, ensure_ascii=False))


def _refuse(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(INPUT_ERROR)
