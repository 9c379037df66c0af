"""What was decided about each candidate action of a run, and what that means for the run as a whole. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graph.settlement.approvals import ADMIN
from policies.decision import Decision
from policies.document import Approvals
from policies.facts import FactValue
from policies.proposal import Candidate
from policies.tools import ToolAnswer
from policies.vocabulary import ActionKind, Intent, Mode, Reason, Verdict

EXECUTABLE: Final = frozenset({ActionKind.REFUND, ActionKind.CANCEL_SUBSCRIPTION, ActionKind.CANCEL_PAYMENT})
"""What Countersign does itself. Labels, replacements and credits are prefilled proposals for a person."""
_DRAFT_ONLY: Final = frozenset({Mode.SHADOW, Mode.SUGGEST, Mode.DRAFT})


@dataclass(frozen=True, slots=True)
class Decided:
    """One candidate, its decision, and the facts that it rests on."""

    candidate: Candidate
    decision: Decision
    facts: Mapping[str, FactValue] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """The decision as the run's record and the demo's JSON show it."""
        amount = self.candidate.amount
        return {
            "kind": self.candidate.kind.value,
            "intent": self.candidate.intent.value,
            "verdict": self.decision.verdict.value,
            "section": self.decision.section,
            "rule": self.decision.rule,
            "mode": self.decision.mode.value,
            "tier": self.decision.tier,
            "why": self.decision.reasons[0].reason if self.decision.reasons else None,
            "charge": self.candidate.charge_id,
            "item": self.candidate.item_key,
            "amount_minor": amount.minor if amount is not None else None,
            "currency": amount.currency if amount is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Verdicts:
    """All decisions of one cycle, in the order of the plan, and the facts about the run that they were made on."""

    decided: tuple[Decided, ...]
    run: Mapping[str, int] = field(default_factory=dict)

    @property
    def executable(self) -> tuple[Decided, ...]:
        """The actions that would change something outside."""
        return tuple(one for one in self.decided if one.candidate.kind in EXECUTABLE)

    def of_kind(self, kind: ActionKind) -> tuple[Decided, ...]:
        """The decisions about actions of one kind."""
        return tuple(one for one in self.decided if one.candidate.kind is kind)

    def of(self, intent: Intent) -> tuple[Decided, ...]:
        """The decisions about one request."""
        return tuple(one for one in self.decided if one.candidate.intent is intent)


@dataclass(frozen=True, slots=True)
class Course:
    """Where the run goes: `draft` and then out, `review`, or a person. `reason` says why it is not automatic."""

    goto: str
    reason: Reason | None = None
    rule: str | None = None


def course(verdicts: Verdicts, reply: ToolAnswer | None = None) -> Course:
    """What all decisions together mean. The most restrictive one leads: nobody gets part of an answer by accident.

    `reply` is what the policy's lists of tools say about the public reply that tells the customer.
    """
    denied = [one for one in verdicts.decided if one.decision.verdict is Verdict.DENY]
    if denied:
        return Course("hand_off", cause_of(denied[0].decision) or Reason.POLICY_DENIED, denied[0].decision.rule)
    drafted = [one for one in verdicts.decided if one.decision.mode in _DRAFT_ONLY]
    if drafted:
        return Course("hand_off", cause_of(drafted[0].decision) or Reason.NEEDS_APPROVAL, drafted[0].decision.rule)
    if reply is not None and reply.verdict is Verdict.DENY:
        return Course("hand_off", Reason.POLICY_DENIED, reply.entry)
    waiting = [one for one in verdicts.decided if one.decision.acts_alone is not Verdict.ALLOW]
    if waiting:
        return Course("review", cause_of(waiting[0].decision) or Reason.NEEDS_APPROVAL, waiting[0].decision.rule)
    if reply is not None and reply.verdict is Verdict.NEEDS_APPROVAL:
        return Course("review", Reason.NEEDS_APPROVAL, reply.entry)
    return Course("act")


def cause_of(decision: Decision) -> Reason | None:
    """The taxonomy's reason that the deciding rule names, where it names one."""
    return decision.cause


def approvers_of(verdicts: Verdicts, approvals: Approvals) -> tuple[str, ...]:
    """The roles of which one must say yes: each may approve every action that needs a person, by name or by seniority.

    Where no role may approve all of them, an admin must. Empty means that no role is asked for.
    """
    asked = [one.decision.approvers for one in verdicts.decided if one.decision.acts_alone is not Verdict.ALLOW]
    demanding = [roles for roles in asked if roles]
    known = dict.fromkeys((*approvals.roles, *(role for roles in demanding for role in roles)))
    able = tuple(role for role in known if all(approvals.may_approve(role, roles) for roles in demanding))
    return (able or (ADMIN,)) if demanding else ()
