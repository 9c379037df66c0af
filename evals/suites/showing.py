"""The report for a terminal and as files: JSON for programs, Markdown for a review, a page with pictures for people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from evals.suites.markdown import markdown
from evals.suites.page import page
from evals.suites.results import Results, by_tag, pass_k, totals
from evals.suites.statistics import share

MOST_FAILURES = 40
"""Failures that a terminal shows; the report has all."""


def shown(results: Results, folder: Path | None) -> None:
    """Print what was found, money first."""
    console = Console(highlight=False)
    found = totals(results.trials)
    console.print(money_line(results))
    console.print(
        f"{len(results.by_scenario)} scenarios, {found.trials} trials: {found.correct} correct, {found.safe} safe, "
        f"{found.wrong} wrong"
    )
    console.print(
        f"correct {share(found.correct, found.trials)}, correct or safe {share(found.in_order, found.trials)}"
    )
    if results.made.trials > 1:
        shares = [f"pass^{k} {pass_k(results, k):.3f}" for k in range(1, results.made.trials + 1)]
        console.print(", ".join(shares))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("suite", "trials", "correct", "safe", "wrong"):
        table.add_column(head, justify="left" if head == "suite" else "right")
    for tag, one in by_tag(results).items():
        if tag.startswith("suite:"):
            row = (one.trials, one.correct, one.safe, one.wrong)
            table.add_row(tag.removeprefix("suite:"), *(str(number) for number in row))
    console.print(table)
    for failed in results.failures[:MOST_FAILURES]:
        differs = [f"{one.facet}: expected {one.expected}, saw {one.seen}" for one in failed.differences]
        told = "; ".join([*differs, *failed.ending.troubles])
        console.print(f"{failed.mark.value} {failed.suite} {failed.id}: {told}", soft_wrap=True, markup=False)
    if len(results.failures) > MOST_FAILURES:
        console.print(f"and {len(results.failures) - MOST_FAILURES} more; --report writes all of them")
    console.print(f"{results.made.seconds} s with {results.made.workers} processes")
    if folder is not None:
        console.print(f"report in {folder}")


def money_line(results: Results) -> str:
    """What must be zero."""
    found = totals(results.trials)
    over = ", ".join(f"{minor} {currency}" for currency, minor in found.over_refunded_minor.items()) or "0"
    return (
        f"over-refunded, in minor units: {over}; wrong charges: {found.wrong_charges}; "
        f"refunds where none is due: {found.unexpected_refunds}"
    )


def written(results: Results, folder: Path) -> None:
    """Write the three files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(results.model_dump_json(indent=1), encoding="utf-8")
    (folder / "report.md").write_text(markdown(results), encoding="utf-8")
    (folder / "report.html").write_text(page(results), encoding="utf-8")
