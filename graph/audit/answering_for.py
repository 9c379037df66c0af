"""Who answers for each change outside: read back from the log alone, effect by effect, and what is missing if anything.

An effect is answered for where the log says who reserved it, with which credential, under which policy version, decided
in the run that the policy was named for, and when; and, where an approval let it pass, which people said yes to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_EFFECTS: Final = text(
    """
    SELECT r.seq, r.actor, r.at, r.run_id, r.ticket_id, r.body,
           (SELECT s.body ->> 'policy_hash' FROM audit_event AS s
             WHERE s.tenant_id = r.tenant_id AND s.run_id = r.run_id AND s.kind = 'run.started'
             ORDER BY s.seq LIMIT 1) AS run_policy,
           (SELECT l.kind FROM audit_event AS l
             WHERE l.tenant_id = r.tenant_id AND l.run_id = r.run_id AND l.kind LIKE 'effect.%'
               AND l.body ->> 'effect_id' = r.body ->> 'effect_id' ORDER BY l.seq DESC LIMIT 1) AS last_kind
      FROM audit_event AS r
     WHERE r.tenant_id = :tenant AND r.kind = 'effect.reserved' ORDER BY r.seq
    """
)
_STRAYS: Final = text(
    """
    SELECT DISTINCT body ->> 'effect_id' AS effect_id FROM audit_event
     WHERE tenant_id = :tenant AND kind IN ('effect.sending', 'effect.settled')
       AND body ->> 'effect_id' NOT IN (
         SELECT body ->> 'effect_id' FROM audit_event WHERE tenant_id = :tenant AND kind = 'effect.reserved')
    """
)
_YES: Final = text(
    """
    SELECT body ->> 'approval_id' AS approval_id, array_agg(DISTINCT actor) AS people FROM audit_event
     WHERE tenant_id = :tenant AND kind = 'approval.approved' GROUP BY 1
    """
)


@dataclass(frozen=True, slots=True)
class Answered:
    """One effect, and who answers for it. `missing` names what the log does not say; `stands` is its last event."""

    effect_id: str
    effect: str
    ticket_id: str | None
    actor: str
    credential: str
    policy_hash: str
    at: datetime | None
    people: Sequence[str]
    stands: str
    missing: tuple[str, ...]


async def answered_for(session: AsyncSession, tenant_id: str) -> list[Answered]:
    """Every effect of a tenant's log, in the order of their reservation; in the session's transaction."""
    values = {"tenant": tenant_id}
    yes = {row.approval_id: tuple(row.people) for row in await session.execute(_YES, values)}
    found = [_answered(row, yes) for row in await session.execute(_EFFECTS, values)]
    strays = (await session.execute(_STRAYS, values)).scalars()
    return found + [Answered(one, "?", None, "", "", "", None, (), "sent", ("its reservation",)) for one in strays]


def _answered(row: Any, yes: dict[str, tuple[str, ...]]) -> Answered:  # noqa: ANN401 - a row of the query above
    body = row.body
    credential, policy_hash = str(body.get("credential") or ""), str(body.get("policy_hash") or "")
    approval_id = body.get("approval_id")
    people = yes.get(str(approval_id), ())
    lacks = {
        "an identity": not row.actor,
        "a credential": credential in {"", "none"},
        "a policy version": not policy_hash,
        "the policy of its run": row.run_policy is None,
        "a policy version that is its run's": row.run_policy is not None and row.run_policy != policy_hash,
        "who approved it": approval_id is not None and not people,
    }
    return Answered(
        effect_id=str(body["effect_id"]),
        effect=str(body["effect"]),
        ticket_id=row.ticket_id,
        actor=row.actor,
        credential=credential,
        policy_hash=policy_hash,
        at=row.at,
        people=people,
        stands=row.last_kind.removeprefix("effect."),
        missing=tuple(what for what, is_missing in lacks.items() if is_missing),
    )
