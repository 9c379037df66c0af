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
    DECLARE past NO SCROLL CURSOR FOR
    WITH last AS (
      SELECT *, max(cycle) OVER (PARTITION BY run_id) AS last_cycle FROM decision
       WHERE tenant_id = :tenant AND (CAST(:since AS timestamptz) IS NULL OR decided_at >= :since)
    ),
    asked AS (
      SELECT DISTINCT ON (run_id, cycle) run_id, cycle, state, approved_by, required, sealed_reply, reason_code
        FROM approval WHERE tenant_id = :tenant
       ORDER BY run_id, cycle, requested_at DESC, approval_id DESC
    ),
    refund AS (
      SELECT run_id, state, amount_minor, settled_at, effect_id,
             encode(sha256(convert_to(charge_id || '|' || item_key, 'UTF8')), 'hex') AS target
        FROM effect WHERE tenant_id = :tenant AND kind = 'refund' AND run_id IN (SELECT run_id FROM last)
         AND (state = 'settled' OR (state = 'stopped' AND reason = 'human_took_over'))
    ),
    settled AS (
      SELECT DISTINCT ON (run_id, target) run_id, target, amount_minor FROM refund
       WHERE state = 'settled' ORDER BY run_id, target, settled_at DESC, effect_id DESC
    ),
    stopped AS (SELECT DISTINCT run_id, target FROM refund WHERE state = 'stopped')
    SELECT json_build_object(
        'ticket', d.ticket_id,
        'at', to_char(d.decided_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'policy', d.policy_hash, 'verdict', d.verdict, 'mode', d.mode, 'rule', d.rule, 'section', d.section,
        'review', CASE
          WHEN stopped.run_id IS NOT NULL THEN 'stopped'
          WHEN blind.answer IS NOT NULL THEN CASE blind.answer WHEN 'approve' THEN 'approved' ELSE 'rejected' END
          WHEN d.verdict = 'deny' OR asked.state IS NULL THEN NULL
          WHEN asked.state = 'rejected' THEN 'rejected'
          WHEN jsonb_array_length(asked.approved_by) < asked.required THEN NULL
          WHEN asked.sealed_reply IS NOT NULL THEN 'edited'
          ELSE 'approved' END,
        'review_reason', coalesce(asked.reason_code, blind.reason_code),
        'refunded_minor', settled.amount_minor,
        'facts', d.facts)::text
      FROM last AS d
      LEFT JOIN asked ON asked.run_id = d.run_id AND asked.cycle = d.cycle
      LEFT JOIN settled ON settled.run_id = d.run_id AND settled.target = d.target AND d.action = 'refund'
      LEFT JOIN stopped ON stopped.run_id = d.run_id AND stopped.target = d.target AND d.action = 'refund'
      LEFT JOIN review_check AS blind ON blind.tenant_id = :tenant AND blind.run_id = d.run_id
        AND blind.kind = 'blind' AND blind.answer IS NOT NULL
     WHERE d.cycle = d.last_cycle
     ORDER BY d.decided_at, d.run_id, d.place
    """,
)
_NEXT: Final = text(f"FETCH FORWARD {_PIECE} FROM past")
_END: Final = text("CLOSE past")


async def read_past(session: AsyncSession, tenant_id: str, *, since: datetime | None = None) -> pl.DataFrame:
    """The tenant's history, oldest first.

    Args:
        session: of that tenant.
        tenant_id: the tenant.
        since: leave out what was decided before.
    """
    # A cursor by name ends with its transaction; the driver's own would be left open where the reading is cancelled.
    await session.execute(_QUERY, {"tenant": tenant_id, "since": since})
    pieces: list[pl.DataFrame] = []
    while lines := list((await session.execute(_NEXT)).scalars()):
        pieces.append(await asyncio.to_thread(_read, lines))
    await session.execute(_END)
    # Facts that no row of a piece knows are not in it.
    return pl.concat(pieces, how="diagonal") if pieces else empty_history()


def _read(lines: list[str]) -> pl.DataFrame:
    return read_history((line.encode() for line in lines), name="decision")
