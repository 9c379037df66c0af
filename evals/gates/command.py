"""`countersign evals gate`: what a version, or a run of suites, must pass; for a version it is written down as rows.

`P` is a file, a shipped policy by its name, or a stored version's hash. Results are recorded for versions that are
stored (`countersign policy draft FILE` stores one, so that its author is who wrote it); else they are only printed.
Exit status 1 where a gate does not pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, TypeVar

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from evals.gates.scenarios import Bounds, judge
from evals.suites.errors import SuiteError
from evals.suites.results import read_results
from graph.lifecycle.gates import record
from graph.lifecycle.publishing import Act
from graph.rulebook import PolicyVersion
from policies.commands import beside
from policies.document import Policy
from policies.errors import PolicyFileError
from policies.gates.analysis import prove
from policies.gates.cases import CaseFileError, read_cases, try_cases
from policies.gates.verdict import GateVerdict
from policies.parse import parse_policy
from policies.shelf import SHIPPED, from_library, library

T = TypeVar("T")
INPUT_ERROR: Final = 2
SHORTEST_PREFIX: Final = 6
_USUAL: Final = Bounds()


class CommandRuntime(Protocol):
    """What the command needs of the application."""

    @property
    def tenant_id(self) -> str:
        """Whose versions they are."""

    @property
    def actor(self) -> str:
        """Who runs the command."""

    @property
    def new_id(self) -> Callable[[str], str]:
        """Makes a fresh id from its prefix."""

    def tenant_session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction of the tenant, committed at the end of the block."""

    def now(self) -> datetime:
        """Aware time."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work in an event loop to its end."""


class GateInputError(ValueError):
    """What was named cannot be used; the message says what to do."""


def gate_command(  # noqa: PLR0913 - options
    ctx: typer.Context,
    policy: Annotated[
        str | None, typer.Option("--policy", help="A policy file, a shipped one, or a version's hash.")
    ] = None,
    cases: Annotated[
        str | None,
        typer.Option("--cases", help="Its file of cases; NAME.cases.yaml beside a file NAME.yaml where left out."),
    ] = None,
    candidate: Annotated[
        Path | None, typer.Option("--candidate", help="A report.json of `evals run --report` that must hold.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="The report.json of the run before, to hold it against.")
    ] = None,
    *,
    correct_loss: Annotated[
        float, typer.Option(min=0, max=1, help="Of the share that is correct; a larger loss beyond chance blocks.")
    ] = _USUAL.correct_loss,
    lost_scenarios: Annotated[
        int, typer.Option(min=0, help="Scenarios that may become worse, whatever chance says.")
    ] = _USUAL.lost_scenarios,
    cost_ratio: Annotated[
        float, typer.Option(min=1, help="How many times its model cost a run may cost.")
    ] = _USUAL.cost_ratio,
    calls_ratio: Annotated[
        float, typer.Option(min=1, help="How many times its calls of tools a run may make.")
    ] = _USUAL.calls_ratio,
    work_ratio: Annotated[
        float,
        typer.Option(min=1, help="How many times its time in the nodes a run may take; tighten it on one machine."),
    ] = _USUAL.work_ratio,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Try a policy against its cases, and a run of the suites against the one before; say whether they pass."""
    runtime: CommandRuntime = ctx.obj
    try:
        _check_named(policy, candidate, baseline)
        bounds = Bounds(
            correct_loss=correct_loss,
            lost_scenarios=lost_scenarios,
            cost_ratio=cost_ratio,
            calls_ratio=calls_ratio,
            work_ratio=work_ratio,
        )
        judged = [] if candidate is None else [_judged(candidate, baseline, bounds)]
        read, verdicts, recorded = (
            (None, [], False) if policy is None else runtime.run(_gate(runtime, policy, cases, judged))
        )
    except (GateInputError, CaseFileError, SuiteError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(INPUT_ERROR) from error
    except PolicyFileError as error:
        typer.echo(str(error.problems[0]), err=True)
        raise typer.Exit(INPUT_ERROR) from error
    verdicts = [*verdicts, *judged]
    passed = all(verdict.passed for verdict in verdicts)
    if as_json:
        form = {
            "policy_hash": None if read is None else read.content_hash,
            "passed": passed,
            "recorded": recorded,
            "gates": [{"gate": one.gate, "passed": one.passed, "figures": dict(one.figures)} for one in verdicts],
        }
        typer.echo(json.dumps(form, ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(read, verdicts, policy, recorded=recorded)))
    raise typer.Exit(0 if passed else 1)


def _check_named(policy: str | None, candidate: Path | None, baseline: Path | None) -> None:
    if policy is None and candidate is None:
        raise GateInputError("nothing to try: name a policy with --policy, or a run with --candidate")
    if baseline is not None and candidate is None:
        raise GateInputError("--baseline is what a run is held against: name that run with --candidate")


def _judged(candidate: Path, baseline: Path | None, bounds: Bounds) -> GateVerdict:
    return judge(read_results(candidate), None if baseline is None else read_results(baseline), bounds)


async def _gate(
    runtime: CommandRuntime, name: str, cases: str | None, judged: list[GateVerdict]
) -> tuple[Policy, list[GateVerdict], bool]:
    async with runtime.tenant_session() as session:
        query = select(PolicyVersion).where(col(PolicyVersion.tenant_id) == runtime.tenant_id)
        stored = {one.policy_hash: one for one in (await session.execute(query)).scalars()}
    read = _policy(name, stored)
    text, file_name = _case_text(name, cases)
    file = read_cases(text, name=file_name)
    verdicts = [try_cases(read, file, now=runtime.now()), prove(read)]
    if read.content_hash not in stored:
        return read, verdicts, False
    act = Act(runtime.actor, runtime.now(), "gate", runtime.new_id)
    for verdict in (*verdicts, *judged):
        async with runtime.tenant_session() as session:
            await record(
                session,
                runtime.tenant_id,
                read.content_hash,
                verdict.gate,
                verdict.figures,
                act,
                passed=verdict.passed,
            )
    return read, verdicts, True


def _policy(name: str, stored: dict[str, PolicyVersion]) -> Policy:
    path, shipped = Path(name), from_library(name)
    if path.is_file():
        return parse_policy(path.read_text(encoding="utf-8"), name=name, resolve=beside(path.parent))
    if shipped is not None:
        return parse_policy(shipped, name=name, resolve=from_library)
    found = [key for key in stored if len(name) >= SHORTEST_PREFIX and key.startswith(name)]
    if len(found) != 1:
        raise GateInputError(
            f"no policy {name!r}: give a file, a shipped policy, or the hash of one version; "
            "`countersign policy versions` lists them"
        )
    return parse_policy(stored[found[0]].source_text, name=name)


def _case_text(name: str, cases: str | None) -> tuple[str, str]:
    """The text of the file of cases, and its name."""
    if cases is None and name == SHIPPED:
        return (library() / "refunds.cases.yaml").read_text(encoding="utf-8"), "refunds.cases.yaml"
    path = Path(cases) if cases is not None else Path(name).with_suffix(".cases.yaml")
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise GateInputError(
            f"no file of cases {str(path)!r}: write one, or name it with --cases; docs/policies.md shows how"
        ) from error


def _lines(read: Policy | None, verdicts: list[GateVerdict], name: str | None, *, recorded: bool) -> list[str]:
    lines = [] if read is None else [f"{read.policy_id} {read.content_hash[:12]}"]
    for one in verdicts:
        lines.append(f"gate {one.gate}: {'passed' if one.passed else 'did not pass'}")
        lines += [f"  {key}: {_said(value)}" for key, value in one.figures.items()]
    if read is not None and not recorded:
        lines.append(f"not recorded, because the version is not stored: `countersign policy draft {name}` stores it")
    return lines


def _said(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(str(one) for one in value) or "none"
    return str(value)
