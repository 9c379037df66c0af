"""Does `policy check` find the faults, and only them? `python -m evals.policy_faults --count 200 --seed 1`.

Draws files without a fault and as many with one, in turn dead, shadowed, gap, contradiction, threshold and tier.
Promises: the same seed draws the same files; each miss and each false alarm is printed with its seed; exit status 1
where there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from evals.shop_policies import FAULTS, Fault, Tree, shop_policy, text_of, with_fault
from policies.analysis.check import examine
from policies.findings import Finding
from policies.parse import parse_policy

SIZES: Final = (12, 24, 40, 60)
"""Rules in a file, in turn."""


@dataclass(slots=True)
class Found:
    """The figures of a run."""

    clean: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)


def try_out(count: int, seed: int) -> Found:
    """That many files without a fault, and as many with one."""
    result = Found()
    kinds = list(FAULTS)
    for number in range(count):
        drawn = seed * 1_000_003 + number
        chance = Random(drawn)  # noqa: S311  # drawn to be repeated
        tree = shop_policy(chance, SIZES[number % len(SIZES)])
        result.clean += 1
        result.false_alarms += [f"seed {drawn}: {finding}" for finding in _remarks(tree)]
        kind = kinds[number % len(kinds)]
        broken, fault = with_fault(tree, kind, chance)
        result.faults[kind] = result.faults.get(kind, 0) + 1
        if any(_is_about(finding, fault) for finding in _remarks(broken)):
            result.found[kind] = result.found.get(kind, 0) + 1
        else:
            result.missed.append(f"seed {drawn}: {fault}")
    return result


def _remarks(tree: Tree) -> list[Finding]:
    policy = parse_policy(text_of(tree), name="drawn.yaml")
    return [finding for finding in examine(policy) if not finding.is_note]


def _is_about(finding: Finding, fault: Fault) -> bool:
    return finding.kind.value == fault.kind and fault.rule in {finding.about, *finding.rules}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line and give the exit status."""
    parser = argparse.ArgumentParser(description="Look for faults that were put in, and for false alarms.")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    result = try_out(options.count, options.seed)
    for line in (*result.missed, *result.false_alarms):
        sys.stdout.write(f"{line}\n")
    form = {
        "clean": result.clean,
        "false_alarms": len(result.false_alarms),
        "faults": result.faults,
        "found": result.found,
        "missed": len(result.missed),
        "seed": options.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    sys.stdout.write(f"{json.dumps(form)}\n")
    return 1 if result.missed or result.false_alarms else 0


if __name__ == "__main__":
    raise SystemExit(main())
