"""The report as one page that needs nothing else: pictures as SVG, and the transcript of each failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final
from xml.etree.ElementTree import tostring

import pygal
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pygal.style import Style

from evals.suites.markdown import KINDS
from evals.suites.results import Results, Totals, by_tag, pass_k, totals
from evals.suites.scoring import Mark
from evals.suites.statistics import quantile, share

COLOURS: Final = {Mark.CORRECT: "#1f73b7", Mark.SAFE: "#f2a33a", Mark.WRONG: "#cc3340"}
BINS: Final = 20
STYLE: Final = Style(
    background="transparent",
    plot_background="transparent",
    colors=tuple(COLOURS.values()),
    font_family="system-ui, sans-serif",
    label_font_size=12,
    major_label_font_size=12,
    legend_font_size=12,
    title_font_size=15,
)


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
    chart = pygal.HorizontalStackedBar(
        title=title,
        style=STYLE,
        js=[],
        height=90 + 24 * len(groups),
        width=860,
        legend_at_bottom=True,
        show_y_guides=False,
    )
    chart.x_labels = list(groups)
    chart.add("correct", [one.correct for one in groups.values()])
    chart.add("safe", [one.safe for one in groups.values()])
    chart.add("wrong", [one.wrong for one in groups.values()])
    return _drawn(chart)


def _distribution(title: str, values: Sequence[float]) -> Markup:
    """How often which value occurs."""
    top = max(values) or 1.0
    width = top / BINS
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value / width))] += 1
    chart = pygal.Histogram(title=title, style=STYLE, js=[], height=240, width=860, show_legend=False)
    chart.add("trials", [(count, place * width, (place + 1) * width) for place, count in enumerate(counts)])
    return _drawn(chart)


def _drawn(chart: Any) -> Markup:  # noqa: ANN401 - the library has no types
    # The library escapes what it writes; its one script is taken out, so that nothing in the picture runs.
    tree = chart.render_tree()
    for parent in tree.iter():
        for child in [one for one in parent if str(one.tag).endswith("script")]:
            parent.remove(child)
    return Markup(tostring(tree, encoding="unicode"))  # noqa: S704
