"""The gate `analysis`: the promises that hold under every policy are proved for this one, in every case.

A broken promise, a milder answer for a larger amount, two rules that contradict each other, and a proof that was not
finished fail it. The other findings are remarks for the author, and are counted.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from policies.analysis.check import remarks
from policies.document import Policy
from policies.findings import FindingKind
from policies.gates.verdict import GateVerdict

GATE: Final = "analysis"
NAMED: Final = 20
"""Failures that the row names. How many there are is always said."""

FAILING: Final = frozenset(
    {
        FindingKind.BROKEN_PROMISE,
        FindingKind.LOOSENS_WITH_AMOUNT,
        FindingKind.CONTRADICTION,
        FindingKind.BOUND_HIT,
    },
)


def prove(policy: Policy) -> GateVerdict:
    """What the analysis of the policy found. May take seconds for hundreds of rules."""
    found = remarks(policy)
    failing = [one for one in found if one.kind in FAILING]
    counts = Counter(one.kind.value for one in found)
    figures: dict[str, object] = {
        "failing": len(failing),
        "first_failing": [f"{one.kind.value}: {one.about}: {one.message}" for one in failing[:NAMED]],
        "findings": [f"{kind} {count}" for kind, count in sorted(counts.items())],
    }
    return GateVerdict(GATE, passed=not failing, figures=figures)
