"""What the policy answered for one action, with everything needed to explain and to repeat it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from policies.vocabulary import Mode, Reason, Verdict

ACTS_ALONE: Final = frozenset({Mode.AUTO, Mode.EXECUTE_WITH_AUDIT, Mode.POLICY_AUTONOMY, Mode.EXECUTE_WITH_REVIEW})
"""Modes under which what is allowed is done without a person."""


class LimitScope(StrEnum):
    """Whose money a limit counts."""

    CUSTOMER = "customer"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap that the reservation must respect, held by a database constraint.

    `window_s` is the length of the counting window in seconds (an hour, a day, 90 days); `cap_minor` is in the action's
    currency; `cap_count` caps the number of refunds.
    """

    limit_id: str
    scope: LimitScope
    window_s: int
    cap_minor: int | None = None
    cap_count: int | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound and where the case stands to it, for programs; `RuleMatch.margin` says the same in words.

    `side` is `at_most` or `at_least`; `value` and `bound` are in `unit`, for money minor units of `currency`.
    """

    fact: str
    value: int
    side: str
    bound: int
    unit: str
    currency: str | None = None

    @property
    def gap(self) -> int:
        """How far the value is above the bound; negative below it."""
        return self.value - self.bound

    def form(self) -> dict[str, str | int | None]:
        """The threshold as JSON values."""
        return {name: getattr(self, name) for name in (*self.__slots__, "gap")}


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule that had a say: its id, the section it encodes, its effect and the reason in plain language.

    `certain` is false where a fact it asks about is unknown, so that it could not be ruled out; its effect then is
    NEEDS_APPROVAL, whatever the rule would do. `margin` says by how much the nearest threshold was met or missed, and
    `threshold` the same as data. `cause` is the taxonomy's word for a hand-off that this rule leads to, where its
    author named one.
    """

    rule: str
    section: str | None
    effect: Verdict
    reason: str
    certain: bool = True
    margin: str | None = None
    cause: Reason | None = None
    threshold: Threshold | None = None


@dataclass(frozen=True, slots=True)
class RunBudget:
    """What one run may use before it is handed to a person. None is no bound."""

    tool_calls: int | None = None
    model_calls: int | None = None
    tokens: int | None = None
    spend_usd_micros: int | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Verdict, mode and their grounds. Never a boolean.

    `verdict` is what the rules say; `mode` the tier of the matrix cell; `executes` tells what both together mean:
    nothing without a person unless the verdict is allow and the mode acts by itself. `hold_s` is how long money waits.
    `reasons` holds every rule that matched, the one that decided first. `cause` is the deciding rule's, and `four_eyes`
    asks for two people. `tier` is the tier that applied.
    """

    verdict: Verdict
    mode: Mode
    rule: str
    section: str | None
    reasons: tuple[RuleMatch, ...]
    approvers: tuple[str, ...]
    hold_s: int
    policy_id: str
    policy_hash: str
    input_hash: str
    limits: tuple[Limit, ...] = ()
    risk_score: int = 0
    risk_contributions: tuple[tuple[str, int], ...] = field(default=())
    cause: Reason | None = None
    four_eyes: bool = False
    tier: str = ""

    def __bool__(self) -> bool:
        raise TypeError("a decision is not a boolean: look at its verdict and mode")

    @property
    def acts_alone(self) -> Verdict:
        """ALLOW where it may be executed without a person, NEEDS_APPROVAL where a person must say so, else DENY."""
        if self.verdict is Verdict.DENY:
            return Verdict.DENY
        if self.verdict is Verdict.ALLOW and self.mode in ACTS_ALONE:
            return Verdict.ALLOW
        return Verdict.NEEDS_APPROVAL
