"""Making a report: which scenarios, played how, and under what."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from app.settings import Provider, machine_clock
from evals.suites.files import Filed
from evals.suites.place import Variant
from evals.suites.results import Made, Results, TrialResult
from evals.suites.running import opened_hall
from evals.suites.scoring import Mark
from graph.models.gateway import LOCAL_MODEL
from kb.search import FLOOR, POOL, RANK_OFFSET

VERSIONS: Final = (
    "countersign",
    "langgraph",
    "psycopg",
    "stripe",
    "zenpy",
    "anthropic",
    "torch",
    "sentence-transformers",
)
EMBEDDING: Final = "all-MiniLM-L6-v2"
Load = tuple[float, float, float]


def report_of(filed: Sequence[Filed], *, trials: int, seed: int, workers: int | None, variant: Variant) -> Results:
    """Play them with a progress bar, and say under what."""
    found, seconds, load = played(filed, trials=trials, seed=seed, workers=workers, variant=variant)
    under = made(found, seed=seed, trials=trials, variant=variant, workers=workers, load=load, seconds=seconds)
    return Results(made=under, trials=tuple(found))


def played(
    filed: Sequence[Filed], *, trials: int, seed: int, workers: int | None, variant: Variant
) -> tuple[list[TrialResult], float, Load]:
    """Play them with a progress bar; the trials, the seconds it took, and the machine's load before."""
    load = os.getloadavg()
    started = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    marks: Counter[Mark] = Counter()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scenarios", total=len(filed) * trials)

        def tell(result: TrialResult) -> None:
            marks[result.mark] += 1
            words = ", ".join(f"{marks[mark]} {mark.value}" for mark in Mark)
            progress.update(task, advance=1, description=words)

        with opened_hall() as hall:
            found = hall.play(
                filed, trials=trials, seed=seed, workers=workers or cores(), variant=variant, progress=tell
            )
    return found, time.monotonic() - started, load


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def made(
    found: Sequence[TrialResult],
    *,
    seed: int,
    trials: int,
    variant: Variant,
    workers: int | None,
    load: Load,
    seconds: float,
) -> Made:
    """Under what a report was made."""
    models = variant.models
    is_claude = models.provider is Provider.CLAUDE
    return Made(
        commit=commit(),
        at=machine_clock().isoformat(timespec="seconds"),
        seed=seed,
        trials=trials,
        provider=models.provider.value,
        models=(models.triage, models.plan) if is_claude else (LOCAL_MODEL,),
        asked=_asked(found),
        retrieval={
            "embedding": EMBEDDING,
            "sections_found": variant.sections_found,
            "floor_percent": round(FLOOR * 100),
            "pool": POOL,
            "rank_offset": RANK_OFFSET,
            "reranker": "none" if models.reranker is None else models.reranker.name,
        },
        customers=variant.customers.value,
        policies=dict(Counter(one.ending.policy_hash for one in found)),
        versions={"python": sys.version.split()[0], **{name: version(name) for name in VERSIONS}},
        workers=workers or cores(),
        load=load,
        seconds=round(seconds, 1),
    )


def _asked(found: Sequence[TrialResult]) -> dict[str, int]:
    """Which models with which prompts answered, and in how many trials."""
    return dict(sorted(Counter(one for trial in found for one in set(trial.ending.asked)).items()))


def commit() -> str:
    """The commit of the checkout that runs, with `+` where files differ from it; `unknown` outside of one."""
    folder = Path(__file__).parent
    try:
        said = subprocess.run(  # noqa: S603 - nothing of it comes from outside
            ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()
