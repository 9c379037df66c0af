"""Do all readings of the policy language agree? `python -m evals.policy_agreement --pairs 1000000 --seed 1`.

Random policies and cases are answered by `decide` and by every other reading, a *leg*; what a leg says about a case
must be what `decide` says. Promises: the same seed draws the same pairs; each disagreement is printed with its seed and
facts; exit status 1 where there is one. Refuses to average: one disagreement is a failure.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from evals.policies_at_random import Drawer, RandomCase, random_policy
from evals.policy_columns import column_answers
from policies.analysis.answers import answers_of
from policies.analysis.space import Space
from policies.decision import Decision
from policies.document import Policy
from policies.evaluate import decide

CASES_PER_POLICY: Final = 400
SHOWN: Final = 5

Said = Mapping[str, object]
"""What a leg says about a case: some of a decision's parts by name (`verdict`, `mode`, `rule`, `approvers`, ...)."""


class Leg(Protocol):
    """Another reading of the language."""

    name: str

    def answers(self, policy: Policy, cases: Sequence[RandomCase]) -> Sequence[Said]:
        """What it says about each of the cases, in their order."""


class Enumerator:
    """The analysis: the cell in which a case lies, and the answer that the diagram gives for it."""

    name = "enumerator"

    def answers(self, policy: Policy, cases: Sequence[RandomCase]) -> Sequence[Said]:
        """Verdict, mode, approvers, two people, hold and limits of each case's cell."""
        space = Space([policy], has_impossible=True)
        answers = answers_of(policy, space)
        return [self._said(space, answers.answer, case) for case in cases]

    def _said(self, space: Space, answer: int, case: RandomCase) -> Said:
        point = space.point(case.facts.by_name, case.now.date())
        assert space.diagrams.at(space.consistent, point) is True
        found = space.diagrams.at(answer, point)
        return {name: getattr(found, name) for name in _PARTS}


class Columns:
    """The what-if: all cases at once, as columns."""

    name = "columns"

    def answers(self, policy: Policy, cases: Sequence[RandomCase]) -> Sequence[Said]:
        """What the columns answer."""
        return column_answers(policy, [(case.facts.by_name, case.now) for case in cases])


_PARTS: Final = ("verdict", "mode", "approvers", "four_eyes", "hold_s", "limits")


def _z3() -> Leg:
    from evals.policy_z3 import Z3  # noqa: PLC0415  # an optional extra

    return Z3()


LEGS: Final[Mapping[str, Callable[[], Leg]]] = {"enumerator": Enumerator, "columns": Columns}
SLOW_LEGS: Final[Mapping[str, Callable[[], Leg]]] = {"z3": _z3}
"""Legs that answer some hundred cases a second; they are asked only where they are named."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One case that a leg answers otherwise than `decide`."""

    leg: str
    policy_seed: int
    part: str
    decided: object
    said: object
    case: RandomCase

    def __str__(self) -> str:
        facts = json.dumps(dict(self.case.facts), sort_keys=True)
        return (
            f"{self.leg}: {self.part} is {self.said!r}, decide says {self.decided!r}: "
            f"policy of seed {self.policy_seed}, {self.case.now.isoformat()}, {facts}"
        )


@dataclass(slots=True)
class Agreement:
    """The figures of a run. `proved` counts policies for which z3 found no case that the diagrams answer otherwise."""

    policies: int = 0
    pairs: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)
    proved: int = 0
    refuted: list[str] = field(default_factory=list)


def agree(pairs: int, seed: int, legs: Sequence[Leg], *, per_policy: int = CASES_PER_POLICY) -> Agreement:
    """Draw that many pairs and ask every leg."""
    found = Agreement()
    while found.pairs < pairs:
        policy_seed = seed * 1_000_003 + found.policies
        random = Random(policy_seed)  # noqa: S311  # drawn to be repeated
        policy = random_policy(random)
        drawer = Drawer(policy)
        cases = [drawer.case(random) for _ in range(min(per_policy, pairs - found.pairs))]
        decisions = [decide(policy, case.facts, now=case.now) for case in cases]
        for decision in decisions:
            found.verdicts[decision.verdict.value] = found.verdicts.get(decision.verdict.value, 0) + 1
        for leg in legs:
            found.answers[leg.name] = found.answers.get(leg.name, 0) + len(cases)
            found.disagreements += _differences(leg, policy, policy_seed, cases, decisions)
        found.policies += 1
        found.pairs += len(cases)
    return found


def _differences(
    leg: Leg,
    policy: Policy,
    policy_seed: int,
    cases: Sequence[RandomCase],
    decisions: Sequence[Decision],
) -> Iterator[Disagreement]:
    for case, decision, said in zip(cases, decisions, leg.answers(policy, cases), strict=True):
        for part, value in said.items():
            decided = getattr(decision, part)
            if decided != value:
                yield Disagreement(leg.name, policy_seed, part, decided, value, case)


def prove(count: int, seed: int, found: Agreement) -> None:
    """Let z3 look for a case that the diagrams answer otherwise, for that many of the policies. Needs the extra."""
    from evals.policy_z3 import proved_equal  # noqa: PLC0415  # an optional extra

    for number in range(count):
        policy = random_policy(Random(seed * 1_000_003 + number))  # noqa: S311  # drawn to be repeated
        space = Space([policy], has_impossible=True)
        refuted = proved_equal(policy, space, answers_of(policy, space).answer)
        if refuted is None:
            found.proved += 1
        else:
            found.refuted.append(f"policy of seed {seed * 1_000_003 + number}: {refuted}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line and give the exit status."""
    parser = argparse.ArgumentParser(description="Hold all readings of the policy language together.")
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--leg", action="append", choices=sorted({**LEGS, **SLOW_LEGS}), help="one or several")
    parser.add_argument("--prove", type=int, default=0, help="for so many policies, all cases at once by z3")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    legs = [{**LEGS, **SLOW_LEGS}[name]() for name in options.leg or LEGS]
    found = agree(options.pairs, options.seed, legs)
    if options.prove:
        prove(options.prove, options.seed, found)
    for line in (*found.disagreements[:SHOWN], *found.refuted[:SHOWN]):
        sys.stdout.write(f"{line}\n")
    form = {
        "policies": found.policies,
        "pairs": found.pairs,
        "answers": found.answers,
        "verdicts": found.verdicts,
        "disagreements": len(found.disagreements),
        "proved": found.proved,
        "refuted": len(found.refuted),
        "seed": options.seed,
        "seconds": round(time.perf_counter() - started, 1),
    }
    sys.stdout.write(f"{json.dumps(form)}\n")
    return 1 if found.disagreements or found.refuted else 0


if __name__ == "__main__":
    raise SystemExit(main())
