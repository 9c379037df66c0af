"""What the agent proposed while it only watched, against what people then did with the money of the same charges.

People in shadow mode answer no question; they refund in Stripe's Dashboard or leave it. Their refunds come in by
webhook and by reconciling, so what they did is known without asking them. A proposal to pay agrees where people paid
exactly that; one to refuse agrees where nobody paid until the time was over. What the policy would have asked a person
about is shown and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from policies.vocabulary import ActionKind, Verdict

WAITED: Final = timedelta(days=7)
"""How long people have; after it, that nobody paid is an answer, too."""

_QUERY: Final = text(
    """
    SELECT r.run_id, r.ticket_id, r.started_at, one.action,
           (SELECT coalesce(sum(f.amount_minor), 0) FROM foreign_refund f
             WHERE f.tenant_id = r.tenant_id AND f.charge_id = one.action->>'charge'
               AND f.currency = one.action->>'currency' AND f.status NOT IN ('failed', 'canceled')
               AND f.made_at >= r.started_at AND f.made_at < r.started_at + :waited) AS paid_minor
      FROM run r CROSS JOIN LATERAL jsonb_array_elements(r.actions) AS one(action)
     WHERE r.tenant_id = :tenant AND r.is_shadow AND r.state = 'ended' AND one.action->>'kind' = :refund
       AND one.action->>'charge' IS NOT NULL
       AND (CAST(:since AS timestamptz) IS NULL OR r.started_at >= :since)
     ORDER BY r.started_at, r.run_id
    """
)


class Outcome(StrEnum):
    """How a proposal stands against what people did."""

    SAME = "same"
    DIFFERENT = "different"
    ASKED = "asked"  # the policy would have asked a person, so there is nothing to compare
    OPEN = "open"  # people still have time


@dataclass(frozen=True, slots=True)
class Watched:
    """One proposal, and what people did. Amounts in minor units of `currency`."""

    run_id: str
    ticket_id: str
    intent: str
    verdict: str
    rule: str | None
    currency: str
    proposed_minor: int
    paid_minor: int
    outcome: Outcome


async def watched(
    session: AsyncSession, tenant_id: str, *, now: datetime, since: datetime | None = None
) -> Sequence[Watched]:
    """The proposals of a tenant's shadow runs about refunds, oldest first.

    Args:
        session: of that tenant.
        tenant_id: the tenant.
        now: business time.
        since: leave out runs that began before.
    """
    told = {"tenant": tenant_id, "since": since, "waited": WAITED, "refund": ActionKind.REFUND.value}
    rows = (await session.execute(_QUERY, told)).mappings()
    return [
        _watched(
            row["run_id"],
            row["ticket_id"],
            row["action"],
            int(row["paid_minor"]),
            is_over=now >= row["started_at"] + WAITED,
        )
        for row in rows
    ]


def _watched(run_id: str, ticket_id: str, action: Mapping[str, Any], paid_minor: int, *, is_over: bool) -> Watched:
    proposed = int(action["amount_minor"] or 0) if action["verdict"] == Verdict.ALLOW.value else 0
    if action["verdict"] == Verdict.NEEDS_APPROVAL.value:
        outcome = Outcome.ASKED
    elif paid_minor == proposed and (proposed or is_over):
        outcome = Outcome.SAME
    elif is_over or paid_minor > proposed:
        outcome = Outcome.DIFFERENT
    else:
        outcome = Outcome.OPEN
    return Watched(
        run_id=run_id,
        ticket_id=ticket_id,
        intent=str(action["intent"]),
        verdict=str(action["verdict"]),
        rule=action.get("rule"),
        currency=str(action["currency"]),
        proposed_minor=proposed,
        paid_minor=paid_minor,
        outcome=outcome,
    )
