"""A made-up history in the tables that a real one is read from: runs, decisions, and what people said to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import insert

from app.db import Database
from graph.decisions.invented import invented_history
from graph.decisions.models import RecordedDecision
from graph.runs.models import Run, RunState
from graph.settlement.models import Approval, ApprovalState
from policies.document import Policy
from policies.facts import CATALOGUE

PIECE: Final = 2_000
_ANSWERED: Final = frozenset({"approved", "edited", "rejected"})


async def keep_history(database: Database, tenant: str, policy: Policy, *, count: int, until: datetime) -> pl.DataFrame:
    """Keep so many decisions, and the answers to those that people were asked about; the history as it was made up."""
    history = invented_history(policy, count=count, seed=3, until=until)
    await keep_decisions(database, tenant, history)
    return history


async def keep_decisions(database: Database, tenant: str, history: pl.DataFrame) -> None:
    """Keep the decisions of a history, and people's answers."""
    for some in _pieces(history):
        async with database.tenant(tenant) as session:
            await session.execute(insert(RecordedDecision), [_decision(tenant, number, row) for number, row in some])
            answers = [_answer(tenant, number, row) for number, row in some if row["review"] in _ANSWERED]
            if answers:
                await session.execute(insert(Approval), answers)


async def keep_runs(database: Database, tenant: str, history: pl.DataFrame) -> None:
    """Keep the run of each decision of a history, ended as its decision says."""
    for some in _pieces(history):
        async with database.tenant(tenant) as session:
            await session.execute(insert(Run), [_run(tenant, number, row) for number, row in some])


def _pieces(history: pl.DataFrame) -> Iterator[Sequence[tuple[int, dict[str, Any]]]]:
    for first in range(0, len(history), PIECE):
        yield list(enumerate(history.slice(first, PIECE).iter_rows(named=True), first))


def _run(tenant: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    handed_off = row["verdict"] == "deny" or row["review"] in {"rejected", "stopped"}
    return Run(
        tenant_id=tenant,
        run_id=f"past_{number}",
        ticket_id=row["ticket"],
        state=RunState.ENDED.value,
        outcome="handed_off" if handed_off else "resolved",
        reason="policy_denied" if handed_off else None,
        intents=[row["request.intent"] or "other"],
        actions=[
            {
                "kind": row["action.kind"],
                "intent": row["request.intent"] or "other",
                "verdict": row["verdict"],
                "mode": row["mode"],
                "rule": row["rule"] or "none",
                "section": row["section"],
                "amount_minor": row.get("action.amount_minor"),
                "currency": row.get("action.currency"),
            }
        ],
        policy_hash=row["policy"],
        tool_calls=5,
        model_calls=1,
        input_tokens=600,
        output_tokens=60,
        worked_ms=900,
        started_at=row["at"],
        updated_at=row["at"],
        ended_at=row["at"] + timedelta(minutes=10),
    ).model_dump()


def _decision(tenant: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: value for name, value in row.items() if name in CATALOGUE and value is not None}
    return {
        "tenant_id": tenant,
        "run_id": f"past_{number}",
        "cycle": 0,
        "place": 0,
        "ticket_id": row["ticket"],
        "decided_at": row["at"],
        "policy_hash": row["policy"] or "",
        "input_hash": hashlib.sha256(str(number).encode()).hexdigest(),
        "intent": row["request.intent"] or "other",
        "action": row["action.kind"],
        "amount_minor": row.get("action.amount_minor"),
        "currency": row.get("action.currency"),
        "verdict": row["verdict"],
        "mode": row["mode"],
        "rule": row["rule"] or "none",
        "section": row["section"],
        "approvers": [],
        "risk_score": 0,
        "facts": facts,
    }


def _answer(tenant: str, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    is_yes = row["review"] != "rejected"
    return {
        "tenant_id": tenant,
        "approval_id": f"past_{number}",
        "run_id": f"past_{number}",
        "ticket_id": row["ticket"],
        "cycle": 0,
        "state": (ApprovalState.APPROVED if is_yes else ApprovalState.REJECTED).value,
        "action_digest": "",
        "policy_hash": row["policy"] or "",
        "evidence_digest": "",
        "approvers": ["cs_lead"],
        "required": 1,
        "approved_by": ["somebody"] if is_yes else [],
        "requested_at": row["at"],
        "expires_at": row["at"] + timedelta(days=3),
        "decided_at": row["at"] + timedelta(hours=1),
        "decided_by": "somebody",
        "reason_code": row["review_reason"],
        "sealed_reply": b"words" if row["review"] == "edited" else None,
    }
