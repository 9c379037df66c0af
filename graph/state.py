"""What a run carries from node to node: ids of sealed artifacts and typed decisions, never ticket text.

LangGraph copies every value into its checkpoint in clear, so personal data stays in our own sealed tables and is loaded
by id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from graph.spending import Spending
from policies.document import Policy
from policies.vocabulary import Reason


class RunState(TypedDict, total=False):
    """The checkpointed state. Artifact ids name rows of `artifact`; decisions are dumped `graph.plan` values."""

    tenant_id: str
    run_id: str
    ticket_id: str
    cycle: int
    route: str
    snapshot: str
    triage: str
    dossier: str
    files: str
    sections: str
    plan: str
    verdicts: str
    draft: str
    words: str | None
    policy_hash: str
    approval_id: str | None
    effects: list[str]
    unannounced: list[str]
    reply_effect: str | None
    asks: bool
    plain: bool
    questions_asked: int
    outcome: str
    reason: str | None
    note: str | None
    follow_up: bool


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a worker brings to one advance of a run. Not checkpointed.

    `token` is the fencing token of the ticket's lease; `give_up` makes every node but the last ones hand off; with
    `is_held_out` nothing of the run leaves, because people have its ticket alone. `recent`
    holds the artifacts that this advance stored or read, by id: they never change, so no node reads one twice.
    """

    token: int
    policy: Policy
    give_up: Reason | None = None
    recent: dict[str, object] = field(default_factory=dict)
    spending: Spending = field(default_factory=Spending)
    is_held_out: bool = False
