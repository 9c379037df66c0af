"""What our own records say about charges: money under way, and what was refused before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class ChargeRecord:
    """What we know of one charge beyond what Stripe says."""

    in_flight: bool = False
    reserved_minor: int = 0
    refusals: int = 0


_IN_FLIGHT = text(
    """
    SELECT charge_id, count(*) AS effects, coalesce(sum(amount_minor), 0)::bigint AS minor
      FROM effect
     WHERE tenant_id = :tenant_id AND charge_id = ANY(:charge_ids) AND run_id <> :run_id
       AND state IN ('held', 'sending', 'unknown', 'human')
     GROUP BY charge_id
    """,
)
_REFUSED = text(
    """
    SELECT asked.charge_id, count(*) AS refusals
      FROM unnest(CAST(:charge_ids AS text[])) AS asked (charge_id)
      JOIN run ON run.tenant_id = :tenant_id AND run.run_id <> :run_id AND run.state = 'ended'
       AND run.actions @> jsonb_build_array(jsonb_build_object('charge', asked.charge_id))
     WHERE run.actions @> jsonb_build_array(jsonb_build_object('charge', asked.charge_id, 'verdict', 'deny'))
        OR EXISTS (SELECT 1 FROM approval
                    WHERE approval.tenant_id = run.tenant_id AND approval.run_id = run.run_id
                      AND approval.state = 'rejected')
     GROUP BY asked.charge_id
    """,
)


async def charge_records(
    session: AsyncSession,
    tenant_id: str,
    charge_ids: Sequence[str],
    *,
    run_id: str,
) -> dict[str, ChargeRecord]:
    """Our records of some charges, leaving out the run that asks.

    Refusals are the runs, whoever asked, in which the policy denied something on the charge or a person rejected it:
    who was refused under one address may ask again under another.
    """
    values = {"tenant_id": tenant_id, "charge_ids": list(charge_ids), "run_id": run_id}
    under_way = {row.charge_id: row for row in await session.execute(_IN_FLIGHT, values)}
    refused = {row.charge_id: row.refusals for row in await session.execute(_REFUSED, values)}
    return {
        charge_id: ChargeRecord(
            in_flight=charge_id in under_way,
            reserved_minor=under_way[charge_id].minor if charge_id in under_way else 0,
            refusals=refused.get(charge_id, 0),
        )
        for charge_id in charge_ids
    }
