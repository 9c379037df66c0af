"""What an answer does to a case, and which of two answers is the looser one.

Two answers with the same effect differ for nobody: a denied case has no mode that matters, and who may approve matters
only where the agent would act on the approval.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.analysis.answer import Answer
from policies.decision import Limit
from policies.document import Approvals
from policies.tables import RANK
from policies.vocabulary import Mode, Verdict


class Direction(StrEnum):
    """What a change does to what the agent may do."""

    NEITHER = "neither"
    TIGHTENS = "tightens"
    LOOSENS = "loosens"
    BOTH = "both"

    @property
    def loosens(self) -> bool:
        """Whether something is allowed that was not."""
        return self in {Direction.LOOSENS, Direction.BOTH}

    @property
    def tightens(self) -> bool:
        """Whether something is no longer allowed."""
        return self in {Direction.TIGHTENS, Direction.BOTH}

    def with_(self, other: Direction) -> Direction:
        """Both together."""
        return direction(loosens=self.loosens or other.loosens, tightens=self.tightens or other.tightens)


def direction(*, loosens: bool, tightens: bool) -> Direction:
    """The word for the two halves."""
    if loosens:
        return Direction.BOTH if tightens else Direction.LOOSENS
    return Direction.TIGHTENS if tightens else Direction.NEITHER


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to a case. `mode` is None where it is denied, and never beyond `approve` where a person is asked.

    Approvers, four eyes, hold and limits are there only where they have a say.
    """

    mode: Mode | None
    approvers: tuple[str, ...] = ()
    four_eyes: bool = False
    hold_s: int = 0
    limits: tuple[Limit, ...] = ()

    @property
    def acts(self) -> bool:
        """Whether it is done without a person."""
        return self.mode is not None and RANK[self.mode] > RANK[Mode.APPROVE]

    @property
    def step(self) -> int:
        """How far the agent may go, from 0 for nothing at all."""
        return 0 if self.mode is None else 1 + RANK[self.mode]


DENIED: Final = Effect(None)


def effect_of(answer: Hashable) -> Effect:
    """The effect of an answer."""
    assert isinstance(answer, Answer)
    if answer.verdict is Verdict.DENY:
        return DENIED
    if answer.acts:
        return Effect(answer.mode, hold_s=answer.hold_s, limits=answer.limits)
    mode = answer.mode if RANK[answer.mode] < RANK[Mode.APPROVE] else Mode.APPROVE
    if mode is not Mode.APPROVE:
        return Effect(mode)
    return Effect(mode, approvers=answer.approvers, four_eyes=answer.four_eyes, limits=answer.limits)


MayApprove = Callable[[tuple[str, ...]], frozenset[str]]


def may_approve(approvals: Approvals, group: tuple[str, ...]) -> frozenset[str]:
    """Everybody whose yes counts where this group is asked."""
    return frozenset(role for role in approvals.roles if approvals.may_approve(role, group))


def compared(before: Effect, after: Effect, old: Approvals, new: Approvals) -> Direction:
    """Which way one case goes."""
    found = ordered(before.step, after.step)
    if before.acts and after.acts:
        found = found.with_(ordered(after.hold_s, before.hold_s)).with_(_limits(before.limits, after.limits))
    elif before.mode is Mode.APPROVE and after.mode is Mode.APPROVE:
        people = contained(may_approve(old, before.approvers), may_approve(new, after.approvers))
        pairs = ordered(-before.four_eyes, -after.four_eyes)
        found = found.with_(people).with_(pairs).with_(_limits(before.limits, after.limits))
    return found


def ordered(before: float, after: float) -> Direction:
    """More is looser."""
    return direction(loosens=after > before, tightens=after < before)


def contained(before: frozenset[str], after: frozenset[str]) -> Direction:
    """What is there in addition is looser."""
    return direction(loosens=bool(after - before), tightens=bool(before - after))


def _limits(before: tuple[Limit, ...], after: tuple[Limit, ...]) -> Direction:
    """Looser where an old limit is no longer kept by a new one, tighter where a new one was not kept before."""
    return direction(
        loosens=not all(any(_keeps(new, old) for new in after) for old in before),
        tightens=not all(any(_keeps(old, new) for old in before) for new in after),
    )


def _keeps(strict: Limit, other: Limit) -> bool:
    """Whether whoever respects the first respects the second: it counts at least as long, and allows no more."""
    return (
        strict.scope is other.scope
        and strict.window_s >= other.window_s
        and _at_most(strict.cap_minor, other.cap_minor)
        and _at_most(strict.cap_count, other.cap_count)
    )


def _at_most(one: int | None, other: int | None) -> bool:
    return other is None or (one is not None and one <= other)
