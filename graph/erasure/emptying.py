"""Taking out what was stored: the same rows whether a person is erased or the days of their runs are over.

Artifacts, messages and reviewers' words are emptied and not deleted: events name these rows, and the books need them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

Whose = Literal["subject_id = ANY(:subjects)", "run_id = ANY(:runs)"]
OF_PEOPLE: Final[Whose] = "subject_id = ANY(:subjects)"
OF_RUNS: Final[Whose] = "run_id = ANY(:runs)"

# ruff: noqa: S608 - every part of these statements is one of the constants above


def artifacts(whose: Whose) -> str:
    """What runs stored of their inputs and outputs."""
    return f"UPDATE artifact SET sealed = '' WHERE tenant_id = :tenant AND {whose} AND sealed <> ''"


def messages(whose: Whose) -> str:
    """What was sent to tickets, what stood there before, and what Zendesk answered."""
    return f"""UPDATE effect SET sealed_body = '', before = NULL,
            detail = CASE WHEN kind = 'zendesk_update' THEN NULL ELSE detail END
        WHERE tenant_id = :tenant AND {whose} AND sealed_body <> ''"""


def reviewers_words(whose: Whose) -> str:
    """Comments and replies that people wrote when they decided."""
    return f"""UPDATE approval SET
            sealed_comment = CASE WHEN sealed_comment IS NULL THEN NULL ELSE ''::bytea END,
            sealed_reply = CASE WHEN sealed_reply IS NULL THEN NULL ELSE ''::bytea END
        WHERE tenant_id = :tenant AND {whose} AND (sealed_comment <> '' OR sealed_reply <> '')"""


async def take_out(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> int:
    """Run one of these statements in the session's transaction; of how many rows."""
    counted = text(f"WITH gone AS ({statement} RETURNING 1) SELECT count(*) FROM gone")
    return int((await session.execute(counted, values)).scalar_one())


async def delete_checkpoints(session: AsyncSession, threads: list[str]) -> int:
    """Delete what LangGraph keeps of some threads, in the session's transaction; how many checkpoints."""
    for table in ("checkpoint_blobs", "checkpoint_writes"):
        await session.execute(text(f"DELETE FROM {table} WHERE thread_id = ANY(:threads)"), {"threads": threads})
    return await take_out(session, "DELETE FROM checkpoints WHERE thread_id = ANY(:threads)", {"threads": threads})
