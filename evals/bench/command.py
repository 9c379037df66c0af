"""`countersign bench [NAME...]`: the performance table. Exit status 1 where a goal is missed.

Figures are of this machine in its present state: run it on an idle one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import typer
from rich.console import Console
from rich.table import Table

from app.settings import machine_clock
from evals.bench.afternoon import load
from evals.bench.audit_log import audit_append, audit_verify
from evals.bench.console import console
from evals.bench.growth import growth
from evals.bench.history import FOLDER, HistoryError, Sitting, keep, machine, read, read_all
from evals.bench.history import compare as compare_sittings
from evals.bench.history import picture as draw
from evals.bench.ingestion import ingestion
from evals.bench.measures import measures
from evals.bench.model_cost import model_cost
from evals.bench.panel import panel
from evals.bench.policy_analysis import policy_check, policy_diff
from evals.bench.policy_decide import decide
from evals.bench.policy_whatif import whatif
from evals.bench.retrieval import retrieval
from evals.bench.rows import Row
from evals.bench.run import run
from evals.bench.startup import startup
from evals.bench.stop import stop
from evals.bench.webhook import webhook
from evals.bench.workers import scale_out
from evals.suites.making import commit


class Measure(Protocol):
    """A bench: builds what it needs, measures, cleans up."""

    def __call__(self, *, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
        """The rows; progress goes to `say`."""


BENCHES: Final[dict[str, Measure]] = {
    "run": run,
    "webhook": webhook,
    "decide": decide,
    "policy_check": policy_check,
    "policy_diff": policy_diff,
    "whatif": whatif,
    "audit_append": audit_append,
    "audit_verify": audit_verify,
    "model_cost": model_cost,
    "panel": panel,
    "measures": measures,
    "console": console,
    "retrieval": retrieval,
    "ingest": ingestion,
    "stop": stop,
    "start": startup,
    "load": load,
    "workers": scale_out,
    "growth": growth,
}


class UnknownBench(ValueError):
    """No bench is called so."""


def bench(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help=f"Of {', '.join(BENCHES)}.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two short rounds: to see that it runs, not how fast.")
    ] = False,
    history: Annotated[Path, typer.Option(help="Where each sitting is kept as a file.")] = FOLDER,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A B", help="Two kept sittings; nothing is measured.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw all that is kept; nothing is measured.")
    ] = None,
) -> None:
    """Measure, against bare baselines in the same run. Exit status 1 where a goal is missed."""
    if compare is not None:
        _compare(*compare, as_json=as_json)
        return
    if picture is not None:
        _draw(history, picture)
        return
    terminal = Console(stderr=True)
    measures, facts, at = chosen(names or []), machine(), machine_clock().isoformat(timespec="seconds")
    rows = [row for measure in measures for row in measure(is_quick=quick, say=terminal.print)]
    kept = keep(history, Sitting(commit(), at, quick, facts, [row.form() for row in rows]))
    terminal.print(f"kept as {kept}", highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps({"quick": quick, "rows": [row.form() for row in rows]}))
    else:
        Console().print(table(rows))
    raise typer.Exit(0 if all(row.holds for row in rows) else 1)


def _compare(before: Path, after: Path, *, as_json: bool) -> None:
    """Two sittings side by side. Exit status 1 where something became worse."""
    first, second = read(before), read(after)
    shifts = compare_sittings(first, second)
    if as_json:
        rows = [asdict(one) for one in shifts]
        typer.echo(json.dumps({"before": first.commit, "after": second.commit, "rows": rows}))
    else:
        terminal = Console()
        for name in ("processor", "cores", "python"):
            if first.machine.get(name) != second.machine.get(name):
                terminal.print(f"another {name}: {first.machine.get(name)} and {second.machine.get(name)}")
        shown = Table(box=None, header_style="bold", pad_edge=False)
        for head in ("what", first.commit[:12], second.commit[:12], "change", ""):
            shown.add_column(head, justify="left" if head in {"what", ""} else "right", overflow="fold")
        for one in shifts:
            change = f"{one.change:.2f} x" if one.change is not None else ""
            shown.add_row(one.name, _figure(one.before), _figure(one.after), change, one.verdict)
        terminal.print(shown)
    raise typer.Exit(1 if any(one.verdict == "WORSE" for one in shifts) else 0)


def _figure(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    ratio = f", {row['ratio']:.2f} of bare" if row["ratio"] is not None else ""
    return f"{row['value']:.4g} {row['unit']}{ratio}"


def _draw(history: Path, out: Path) -> None:
    try:
        out.write_text(draw(read_all(history)), encoding="utf-8")
    except OSError as error:
        raise HistoryError(f"the picture cannot be written to {str(out)!r}: {error.strerror or error}") from error


def chosen(names: Sequence[str]) -> list[Measure]:
    """The benches of those names, all of them for none.

    Raises:
        UnknownBench: a name is not one of ours.
    """
    for name in names:
        if name not in BENCHES:
            close = get_close_matches(name, BENCHES, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(BENCHES)}"
            raise UnknownBench(f"unknown bench {name!r}; {meant}")
    return [BENCHES[name] for name in dict.fromkeys(names or BENCHES)]


def table(rows: Sequence[Row]) -> Table:
    """The rows for a reader, each with its spread and what explains it."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("what", "ours", "bare", "ratio", "goal", "holds", "explained by"):
        shown.add_column(head, justify="right" if head in {"ours", "bare", "ratio"} else "left", overflow="fold")
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        bare = f"{row.baseline.median:.4g} ({row.baseline.low:.4g} to {row.baseline.high:.4g})" if row.baseline else ""
        goal = f"< {row.goal:g} {row.unit}" if row.is_limit else f">= {row.goal:g} x"
        ours = f"{row.value.median:.4g} {row.unit} ({row.value.low:.4g} to {row.value.high:.4g})"
        explained = ", ".join(f"{name} {figure:.4g}" for name, figure in row.parts.items())
        shown.add_row(row.name, ours, bare, ratio, goal, "yes" if row.holds else "NO", explained)
    return shown
