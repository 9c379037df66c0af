"""What a policy answers a case, without the reasons: the value in each cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.decision import Decision, Limit
from policies.vocabulary import Mode, Verdict

ACTS: Final = frozenset({Mode.EXECUTE_WITH_REVIEW, Mode.EXECUTE_WITH_AUDIT, Mode.AUTO, Mode.POLICY_AUTONOMY})
"""Modes under which something is done without a person."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a decision does: all of it but its reasons."""

    verdict: Verdict
    mode: Mode
    approvers: tuple[str, ...] = ()
    four_eyes: bool = False
    hold_s: int = 0
    limits: tuple[Limit, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether it is done without a person."""
        return self.verdict is Verdict.ALLOW and self.mode in ACTS


def answer_of(decision: Decision) -> Answer:
    """The same part of a decision that was made for one case."""
    return Answer(
        decision.verdict,
        decision.mode,
        decision.approvers,
        decision.four_eyes,
        decision.hold_s,
        decision.limits,
    )
