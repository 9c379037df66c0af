"""Recorded decisions as a history: each with what a person said to it and what was refunded.

A run that read its ticket again decided again: only its last cycle counts. A person's answer is that of the question
which the cycle asked; whoever takes over a ticket while a refund is held has stopped it. Of an automatic run it is what
somebody said afterwards who was not shown what became of it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from policies.whatif.history import empty_history
from policies.whatif.reading import read_history

_PIECE: Final = 5_000
"""Rows that are taken from the database at once, so that others are served between them."""

_QUERY: Final = text(
    """
    WITH last AS (
      SELECT *, max(cycle) OVER (PARTITION BY run_id) AS last_cycle FROM decision
       WHERE tenant_id = :tenant AND (CAST(:since AS timestamptz) IS NULL OR decided_at >= :since)
    )
    SELECT json_build_object(
        'ticket', d.ticket_id,
        'at', to_char(d.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'policy', d.policy_hash, 'verdict', d.verdict, 'mode', d.mode, 'rule', d.rule, 'section', d.section,
        'review', CASE
          WHEN stopped.effect_id IS NOT NULL THEN 'stopped'
          WHEN blind.answer IS NOT NULL THEN CASE blind.answer WHEN 'approve' THEN 'approved' ELSE 'rejected' END
          WHEN d.verdict = 'deny' OR approval.state IS NULL THEN NULL
          WHEN approval.state = 'rejected' THEN 'rejected'
          WHEN jsonb_array_length(approval.approved_by) < approval.required THEN NULL
          WHEN approval.sealed_reply IS NOT NULL THEN 'edited'
          ELSE 'approved' END,
        'review_reason', coalesce(approval.reason_code, blind.reason_code),
        'refunded_minor', refund.amount_minor,
        'facts', d.facts)::text
      FROM last AS d
      LEFT JOIN LATERAL (
        SELECT state, approved_by, required, sealed_reply, reason_code FROM approval
         WHERE tenant_id = d.tenant_id AND run_id = d.run_id AND cycle = d.cycle
         ORDER BY requested_at DESC, approval_id DESC LIMIT 1) AS approval ON true
      LEFT JOIN LATERAL (
        SELECT amount_minor FROM effect
         WHERE tenant_id = d.tenant_id AND run_id = d.run_id AND kind = 'refund' AND state = 'settled'
           AND d.action = 'refund'
           AND d.target = encode(sha256(convert_to(charge_id || '|' || item_key, 'UTF8')), 'hex')
         ORDER BY settled_at DESC, effect_id DESC LIMIT 1) AS refund ON true
      LEFT JOIN LATERAL (
        SELECT effect_id FROM effect
         WHERE tenant_id = d.tenant_id AND run_id = d.run_id AND kind = 'refund' AND state = 'stopped'
           AND reason = 'human_took_over'
           AND d.action = 'refund'
           AND d.target = encode(sha256(convert_to(charge_id || '|' || item_key, 'UTF8')), 'hex')
         LIMIT 1) AS stopped ON true
      LEFT JOIN review_check AS blind ON blind.tenant_id = d.tenant_id AND blind.run_id = d.run_id
        AND blind.kind = 'blind' AND blind.answer IS NOT NULL
     WHERE d.cycle = d.last_cycle
     ORDER BY d.decided_at, d.run_id, d.place
    """,
)


async def read_past(session: AsyncSession, tenant_id: str, *, since: datetime | None = None) -> pl.DataFrame:
    """The tenant's history, oldest first.

    Args:
        session: of that tenant.
        tenant_id: the tenant.
        since: leave out what was decided before.
    """
    rows = await session.stream_scalars(_QUERY, {"tenant": tenant_id, "since": since})
    pieces = [await asyncio.to_thread(_read, list(lines)) async for lines in rows.partitions(_PIECE)]
    # Facts that no row of a piece knows are not in it.
    return pl.concat(pieces, how="diagonal") if pieces else empty_history()


def _read(lines: list[str]) -> pl.DataFrame:
    return read_history((line.encode() for line in lines), name="decision")
