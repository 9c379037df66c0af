"""What is asked of a person and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from graph.settlement.models import ApprovalState


class Answer(StrEnum):
    """What a person says."""

    APPROVE = "approve"
    REJECT = "reject"
    ASK = "ask"  # neither: the customer is asked something first, in the reviewer's words


@dataclass(frozen=True, slots=True)
class Binding:
    """What an answer holds for, and nothing else: the exact actions, the policy version and the evidence."""

    action: str
    policy: str
    evidence: str

    def differs_from(self, other: Binding) -> tuple[str, ...]:
        """The names of the parts that are not the same."""
        parts = {"action": self.action, "policy": self.policy, "evidence": self.evidence}
        others = {"action": other.action, "policy": other.policy, "evidence": other.evidence}
        return tuple(name for name, part in parts.items() if part != others[name])


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked.

    Args:
        approval_id: choose it so that asking again after a crash gives the same one (run, cycle, attempt).
        approvers: roles of which the person must have one; empty is any.
        required: how many different people must say yes.
    """

    approval_id: str
    run_id: str
    ticket_id: str
    cycle: int
    bound_to: Binding
    expires_at: datetime
    approvers: tuple[str, ...] = ()
    required: int = 1


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who answers: a person's id and roles, never an address."""

    actor: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The person's words: a comment for colleagues, and the reply to the customer where it was edited.

    `remarks` are checks that only the agent must pass and the edit does not, each with why, without words of the text.
    """

    comment: str | None = None
    edited_reply: str | None = None
    remarks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer counts; `state` is approved, rejected or asked."""

    state: ApprovalState


@dataclass(frozen=True, slots=True)
class AwaitsAnother:
    """The answer counts, and `missing` more people must say yes."""

    missing: int


@dataclass(frozen=True, slots=True)
class NotPending:
    """Somebody or something was faster; `state` says how it stands. Nothing was changed."""

    state: ApprovalState


@dataclass(frozen=True, slots=True)
class Forbidden:
    """This person may not answer this question. Nothing was changed."""

    why: str


DecideAnswer = Decided | AwaitsAnother | NotPending | Forbidden


@dataclass(frozen=True, slots=True)
class Used:
    """The approval holds for exactly this; it cannot be used again."""

    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """What was approved is not what is to be done; `what` names the difference. A person must be asked anew."""

    what: tuple[str, ...]


ConsumeAnswer = Used | Stale | NotPending
