"""`countersign bench [NAME...]`: the performance table. Exit status 1 where a goal is missed.

Figures are of this machine in its present state: run it on an idle one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Annotated, Final, Protocol

import typer
from rich.console import Console
from rich.table import Table

from evals.bench.audit_log import audit_append, audit_verify
from evals.bench.console import console
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
from evals.bench.webhook import webhook


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
) -> None:
    """Measure, against bare baselines in the same run. Exit status 1 where a goal is missed."""
    terminal = Console(stderr=True)
    rows = [row for measure in chosen(names or []) for row in measure(is_quick=quick, say=terminal.print)]
    if as_json:
        typer.echo(json.dumps({"quick": quick, "rows": [row.form() for row in rows]}))
    else:
        Console().print(table(rows))
    raise typer.Exit(0 if all(row.holds for row in rows) else 1)


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
