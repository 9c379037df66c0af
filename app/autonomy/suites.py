"""What a report of the suites said of each intent and segment, kept: nothing moves up beyond it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.autonomy.models import EarnedRung
from app.identity.accounts import Act
from graph.audit.log import append
from policies.vocabulary import Mode


@dataclass(frozen=True, slots=True)
class Carried:
    """The highest mode that the evidence of a report carries. `segment` is empty for all of them together."""

    intent: str
    segment: str
    mode: Mode
    trials: int
    figures: Mapping[str, object]


async def record(session: AsyncSession, tenant_id: str, carried: Sequence[Carried], *, commit: str, act: Act) -> None:
    """Keep what a report says, instead of what an earlier one said of the same, in the session's transaction."""
    for one in carried:
        row = {
            "mode": one.mode.value,
            "trials": one.trials,
            "figures": {**one.figures, "commit": commit},
            "recorded_at": act.now,
            "recorded_by": act.actor,
        }
        statement = insert(EarnedRung).values(tenant_id=tenant_id, intent=one.intent, segment=one.segment, **row)
        keys = ["tenant_id", "intent", "segment"]
        await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=row))
    body = {"groups": len(carried), "commit": commit}
    await append(
        session,
        tenant_id=tenant_id,
        at=act.now,
        kind="autonomy.recorded",
        actor=act.actor,
        new_id=act.new_id,
        body=body,
    )
