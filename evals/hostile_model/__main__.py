"""`python -m evals.hostile_model --pairs 1000000 --malformed 1000000`: exit status 1 where one of them gets through."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console
from rich.progress import track

from evals.hostile_model.malformed import barrage
from evals.hostile_model.pairs import attack
from policies.parse import parse_policy
from policies.shelf import shipped_text

SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m evals.hostile_model", description=__doc__)
    parser.add_argument("--pairs", type=int, default=0, help="pairs of a saying and a class of facts")
    parser.add_argument("--malformed", type=int, default=0, help="outputs that are no answers")
    parser.add_argument("--seed", type=int, default=1, help="draws the malformed outputs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args(arguments)
    if asked.pairs <= 0 and asked.malformed <= 0:
        parser.error("nothing to do: give --pairs N or --malformed N, both above 0")
    policy = parse_policy(shipped_text(), name="shipped")
    found: dict[str, object] = {}
    bad = 0
    if asked.pairs > 0:
        started = time.perf_counter()
        tally = attack(policy, _shown(asked.pairs, "pairs"))
        bad += len(tally.over_authorised)
        shown = {**asdict(tally), "over_authorised": len(tally.over_authorised)}
        found["pairs"] = {**shown, "examples": tally.over_authorised[:SHOWN], "seconds": _since(started)}
    if asked.malformed > 0:
        started = time.perf_counter()
        outcome = barrage(policy, _shown(asked.malformed, "outputs"), asked.seed)
        bad += len(outcome.crashes) + len(outcome.effects)
        shown = {**asdict(outcome), "crashes": len(outcome.crashes), "effects": len(outcome.effects)}
        examples = [*outcome.crashes, *outcome.effects][:SHOWN]
        found["malformed"] = {**shown, "examples": examples, "seed": asked.seed, "seconds": _since(started)}
    if asked.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, figures in found.items():
            assert isinstance(figures, dict)
            told = ", ".join(f"{key} {value}" for key, value in figures.items() if key != "examples")
            sys.stdout.write(f"{name}: {told}\n" + "".join(f"  {example}\n" for example in figures["examples"]))
    return 1 if bad else 0


def _shown(count: int, what: str) -> Iterable[int]:
    """The numbers below a count, with a bar on a terminal."""
    return track(range(count), what, console=Console(stderr=True), transient=True)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 1)


if __name__ == "__main__":
    sys.exit(main())
