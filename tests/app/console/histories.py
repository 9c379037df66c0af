"""A made-up history in the tables that a real one is read from: decisions, and what people said to them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import insert

from app.db import Database
from graph.decisions.invented import invented_history
from graph.decisions.models import RecordedDecision
from graph.settlement.models import Approval, ApprovalState
from policies.document import Policy
from policies.facts import CATALOGUE

PIECE = 2_000


async def keep_history(database: Database, tenant: str, policy: Policy, *, count: int, until: datetime) -> pl.DataFrame:
    """Keep so many decisions, and the answers to those that people were asked about; the history as it was made up."""
    history = invented_history(policy, count=count, seed=3, until=until)
    rows = [_decision(tenant, number, row) for number, row in enumerate(history.iter_rows(named=True))]
    answers = [
        _answer(tenant, number, row)
        for number, row in enumerate(history.iter_rows(named=True))
        if row["review"] in {"approved", "edited", "rejected"}
    ]
    async with database.tenant(tenant) as session:
        for first in range(0, len(rows), PIECE):
            await session.execute(insert(RecordedDecision), rows[first : first + PIECE])
        for first in range(0, len(answers), PIECE):
            await session.execute(insert(Approval), answers[first : first + PIECE])
    return history


def _decision(tenant: str, number: int, row: dict[str, Any]) -> dict[str, Any]:
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


def _answer(tenant: str, number: int, row: dict[str, Any]) -> dict[str, Any]:
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
