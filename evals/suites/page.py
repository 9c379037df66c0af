"""The report as one page that needs nothing else: pictures as SVG, and the transcript of each failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from io import StringIO
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evals.suites.markdown import KINDS
from evals.suites.results import Results, Totals, by_tag, pass_k, totals
from evals.suites.scoring import Mark
from evals.suites.statistics import quantile, share

COLOURS: Final = {Mark.CORRECT: "#1f73b7", Mark.SAFE: "#f2a33a", Mark.WRONG: "#cc3340"}
BINS: Final = 20
INCHES: Final = 8.6


def page(results: Results) -> str:
    """The page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("evals.suites").joinpath("report.html").read_text(encoding="utf-8"))
    found = totals(results.trials)
    groups = {kind: _of_kind(results, kind) for kind in KINDS}
    worked = [one.ending.use.worked_ms / 1000 for one in results.trials]
    costs = [one.ending.use.cost_usd_micros / 1_000_000 for one in results.trials]
    return template.render(
        results=results,
        made=results.made,
        found=found,
        correct=share(found.correct, found.trials),
        in_order=share(found.in_order, found.trials),
        pass_k={k: pass_k(results, k) for k in range(1, results.made.trials + 1)},
        groups={kind: of for kind, of in groups.items() if of},
        tables={
            kind: [(name, one, share(one.correct, one.trials)) for name, one in of.items()]
            for kind, of in groups.items()
        },
        pictures={kind: _marks(f"Trials by {kind}", of) for kind, of in groups.items() if of},
        work=_distribution("Seconds of work in the nodes, a trial", worked),
        calls=_distribution("Calls of tools, a trial", [float(one.ending.use.tool_calls) for one in results.trials]),
        cost=_distribution("Model cost in USD, a trial", costs) if any(costs) else None,
        work_median=quantile(worked, 0.5),
        work_p95=quantile(worked, 0.95),
    )


def _of_kind(results: Results, kind: str) -> Mapping[str, Totals]:
    return {tag.partition(":")[2]: one for tag, one in by_tag(results).items() if tag.startswith(f"{kind}:")}


def _marks(title: str, groups: Mapping[str, Totals]) -> Markup:
    """Stacked bars: how many of each group were correct, safe and wrong."""
    figure, axes = _figure(title, 0.8 + 0.27 * len(groups))
    names, left = list(groups), [0] * len(groups)
    counts = {
        Mark.CORRECT: [one.correct for one in groups.values()],
        Mark.SAFE: [one.safe for one in groups.values()],
        Mark.WRONG: [one.wrong for one in groups.values()],
    }
    for mark, numbers in counts.items():
        axes.barh(names, numbers, left=left, color=COLOURS[mark], label=mark.value, height=0.7)
        left = [before + number for before, number in zip(left, numbers, strict=True)]
    axes.invert_yaxis()
    axes.legend(loc="lower right", frameon=False, fontsize="small")
    return _drawn(figure)


def _distribution(title: str, values: Sequence[float]) -> Markup:
    """How often which value occurs."""
    figure, axes = _figure(title, 2.2)
    axes.hist(values, bins=BINS, color=COLOURS[Mark.CORRECT])
    return _drawn(figure)


def _figure(title: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(INCHES, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _drawn(figure: Figure) -> Markup:
    """The figure as SVG, its words as text. The library escapes what it writes, and writes no script."""
    drawing = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "countersign"}):
        figure.savefig(drawing, format="svg", transparent=True, metadata={"Date": None})
    text = drawing.getvalue()
    return Markup(text[text.index("<svg") :])  # noqa: S704
