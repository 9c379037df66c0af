"""What can be told about a policy version: what gates and people said, what it would change now, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, or_, select
from sqlmodel import col

from graph.audit.catalogue import KINDS
from graph.audit.log import spelled
from graph.audit.models import AuditEvent
from graph.lifecycle.desk import Compared, Desk
from graph.lifecycle.requirements import Lacking, Standing, lacking, standing

TOLD: Final = tuple(kind for kind in KINDS if kind.startswith("policy."))
"""Kinds of events that are about versions. Named one by one, so that the log's index on kinds serves."""
_NAMED_AS: Final = ("policy_hash", "before", "taken_back")


@dataclass(frozen=True, slots=True)
class Story:
    """One version's story. `lacking` is what it still needs to decide instead of what decides now."""

    compared: Compared
    has: Standing
    lacking: tuple[Lacking, ...]
    events: tuple[AuditEvent, ...]

    def form(self) -> dict[str, object]:
        """The story for a program."""
        return {
            "compared_with": self.compared.base_hash,
            **self.compared.change.body(),
            "gates": dict(self.has.gates),
            "approved_by": list(self.has.approvers),
            "lacking": [{"what": one.what, "do": one.words} for one in self.lacking],
            "history": [
                {"seq": one.seq, "at": spelled(one.at), "kind": one.kind, "actor": one.actor, "body": one.body}
                for one in self.events
            ],
        }

    def lines(self) -> list[str]:
        """The story for a person."""
        change = self.compared.change
        lines = [f"against what decides now: {change.direction}", *(f"  {region}" for region in change.regions)]
        lines += [f"gate {gate}: {'passed' if passed else 'did not pass'}" for gate, passed in self.has.gates.items()]
        lines += [f"approved by {approver}" for approver in self.has.approvers]
        lines += [f"still needs {one.words}" for one in self.lacking]
        return [*lines, *(_event_line(event) for event in self.events)]


async def story_of(desk: Desk, compared: Compared) -> Story:
    """The story. History is read from the log, which nobody can rewrite unseen."""
    version = compared.version
    async with desk.sessions() as session:
        has = await standing(session, desk.tenant_id, version.policy_hash, compared.base_hash)
        events = tuple((await session.execute(history_of(desk.tenant_id, version.policy_hash))).scalars())
    return Story(compared, has, lacking(version, compared.change, has), events)


def history_of(tenant_id: str, policy_hash: str) -> Select[AuditEvent]:
    """The events that name a version, in their order."""
    named = or_(*(col(AuditEvent.body)[key].as_string() == policy_hash for key in _NAMED_AS))
    return (
        select(AuditEvent)
        .where(col(AuditEvent.tenant_id) == tenant_id, col(AuditEvent.kind).in_(TOLD), named)
        .order_by(col(AuditEvent.seq))
    )


def _event_line(event: AuditEvent) -> str:
    why = event.body.get("why") or ""
    return f"{event.at:%Y-%m-%d %H:%M:%S UTC}  {event.kind:22} {event.actor}{f': {why}' if why else ''}"
