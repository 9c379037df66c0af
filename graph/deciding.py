"""One candidate decided under one policy, from what a run has read. Pure: the same evidence gives the same decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from graph.casefile import facts_for
from graph.dossier import Dossier
from graph.models.triage import Triage
from graph.snapshot import Snapshot
from graph.verdicts import Decided
from policies.document import Policy
from policies.evaluate import decide as decide_by_policy
from policies.proposal import Candidate


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a decision rests on. `run` holds the `run.*` facts."""

    snapshot: Snapshot
    triage: Triage
    dossier: Dossier
    run: Mapping[str, int]


def decided_on(
    candidate: Candidate, policy: Policy, evidence: Evidence, *, now: datetime, draft_only: bool = False
) -> Decided:
    """The policy's answer for one candidate.

    Args:
        candidate: what would be done.
        policy: decides.
        evidence: what was read.
        now: business time.
        draft_only: whether something about the run lowers it to a draft, such as a breaker that tripped.
    """
    snapshot = evidence.snapshot
    facts = facts_for(
        candidate,
        evidence.dossier,
        evidence.triage,
        channel=snapshot.channel,
        brand=snapshot.brand,
        run=evidence.run,
        now=now,
        recipients=snapshot.recipients,
    )
    if draft_only:
        facts = facts.with_values(run__draft_only=True)
    return Decided(candidate, decide_by_policy(policy, facts, now=now), facts.by_name)


def logged(one: Decided) -> dict[str, object]:
    """A decision as the log has it: without personal data, with both hashes."""
    decision = one.decision
    return {
        **one.row(),
        "input_hash": decision.input_hash,
        "policy_hash": decision.policy_hash,
        "approvers": list(decision.approvers),
        "risk_score": decision.risk_score,
        "rules": [
            {
                "rule": match.rule,
                "effect": match.effect.value,
                "section": match.section,
                "certain": match.certain,
                **({} if match.threshold is None else {"threshold": match.threshold.form()}),
            }
            for match in decision.reasons
        ],
    }
