"""The sittings of the bench as files, one JSON object each, so that two commits can be compared and all of them drawn.

A sitting names its commit, its time and the machine, because figures of two machines say nothing about two commits.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final

import psutil
from matplotlib import rc_context
from matplotlib.figure import Figure

FOLDER: Final = Path("bench-history")
"""Where sittings are kept unless another folder is given."""

NOTICED: Final = 0.1
"""Shift of a figure's share that is told as better or worse, where the spreads do not overlap."""
NOTICED_ALONE: Final = 0.5
"""The same for a figure that was measured once and so has no spread."""

INCHES: Final = 8.6
HOLDS, MISSES = "#1f73b7", "#cc3340"


class HistoryError(ValueError):
    """A kept sitting cannot be used."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """One run of the bench. `rows` are the rows' JSON forms; `machine` is what their figures depend on."""

    commit: str
    at: str
    quick: bool
    machine: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    def form(self) -> dict[str, Any]:
        """The sitting as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Shift:
    """One row in two sittings. `change` is the second figure over the first; None where one of them lacks the row."""

    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    change: float | None
    verdict: str


def machine() -> dict[str, Any]:
    """What the figures depend on. Nothing that names the machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(psutil.getloadavg()[0], 2),
    }


def keep(folder: Path, sitting: Sitting) -> Path:
    """Write a sitting into the folder, which is made if need be; the file.

    Raises:
        HistoryError: the folder cannot be written.
    """
    moment = datetime.fromisoformat(sitting.at).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{moment}-{sitting.commit.rstrip('+')[:12]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sitting.form(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise HistoryError(f"the sitting cannot be kept in {str(folder)!r}: {error.strerror or error}") from error
    return path


def read(path: Path) -> Sitting:
    """A kept sitting.

    Raises:
        HistoryError: there is none, or it is not one.
    """
    try:
        form = json.loads(path.read_text(encoding="utf-8"))
        return Sitting(**{name: form[name] for name in Sitting.__dataclass_fields__})
    except OSError as error:
        raise HistoryError(
            f"the sitting {str(path)!r} cannot be read: {error.strerror or error}; give a file of `countersign bench`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise HistoryError(f"{str(path)!r} is not a sitting of `countersign bench`: {error}") from error


def read_all(folder: Path) -> list[Sitting]:
    """Every sitting of a folder, oldest first.

    Raises:
        HistoryError: it has none, or one cannot be read.
    """
    sittings = sorted((read(path) for path in sorted(folder.glob("*.json"))), key=lambda one: one.at)
    if not sittings:
        raise HistoryError(f"no sitting is kept in {str(folder)!r}: run `countersign bench` first")
    return sittings


def compare(before: Sitting, after: Sitting) -> list[Shift]:
    """Every row that either sitting has. The ratio to the bare program is compared where there is one.

    The bare program takes out what the machine did meanwhile, which is why a ratio says more than a figure.
    """
    first = {str(row["name"]): row for row in before.rows}
    second = {str(row["name"]): row for row in after.rows}
    return [_shift(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]


def _shift(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Shift:
    if before is None or after is None:
        return Shift(name, before, after, None, "only after" if before is None else "only before")
    by = "ratio" if before["ratio"] and after["ratio"] else "value"
    if not before[by]:
        return Shift(name, before, after, None, "nothing to compare with")
    change = after[by] / before[by]
    is_apart = after["spread"][0] > before["spread"][1] or after["spread"][1] < before["spread"][0]
    has_spread = before["spread"][0] < before["spread"][1] or after["spread"][0] < after["spread"][1]
    if abs(change - 1) < (NOTICED if has_spread else NOTICED_ALONE) or not is_apart:
        return Shift(name, before, after, change, "the same")
    grows_well = after["goal_is"] == "ratio at least"
    return Shift(name, before, after, change, "better" if (change > 1) == grows_well else "WORSE")


def picture(sittings: Sequence[Sitting]) -> str:
    """Every row as a small chart over the sittings, as one SVG: how much of its goal it reaches; 1 is the goal."""
    names = list(dict.fromkeys(str(row["name"]) for one in sittings for row in one.rows))
    figure = Figure(figsize=(INCHES, 0.5 + 1.1 * len(names)), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(len(names), 1, place)
        points = list(_points(sittings, name))
        shares = [share for _, share, _ in points]
        colours = [HOLDS if holds else MISSES for _, _, holds in points]
        axes.axhline(1.0, color="#888888", linewidth=0.8, linestyle="--")
        axes.plot([at for at, _, _ in points], shares, color="#bbbbbb", linewidth=1, zorder=1)
        axes.scatter([at for at, _, _ in points], shares, c=colours, s=22, zorder=2)
        axes.set_title(f"{name}: {shares[-1]:.2f} of its goal", loc="left", fontsize="small")
        axes.set_xlim(-0.5, len(sittings) - 0.5)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xticks(range(len(sittings)), [one.commit[:7] for one in sittings] if place == len(names) else [])
    drawing = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "countersign"}):
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    return drawing.getvalue()


def _points(sittings: Sequence[Sitting], name: str) -> Iterator[tuple[int, float, bool]]:
    for at, sitting in enumerate(sittings):
        for row in sitting.rows:
            if row["name"] == name:
                yield at, reached(row), bool(row["holds"])


def reached(row: Mapping[str, Any]) -> float:
    """How much of its goal a row reaches: 1 is the goal, more is better, whichever way its figure grows.

    >>> reached({"goal_is": "value below", "goal": 20.0, "value": 10.0, "ratio": None})
    2.0
    """
    if row["goal_is"] == "value below":
        return float(row["goal"]) / max(float(row["value"]), 1e-9)
    return float(row["ratio"] or 0.0) / float(row["goal"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
