"""Questions of many runs, as the database holds them, and people who answer them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.ambient import new_id, vault_of
from graph.drafting import Draft
from graph.runs.artifacts import store
from graph.runs.models import Run
from graph.settlement.approvals import action_digest, request
from graph.settlement.questions import Binding, Question
from tests.app.web.door import TENANT, Door, settings_of
from tests.app.web.waiting import NOW, a_snapshot


def an_action(**changes: Any) -> dict[str, Any]:
    """A refund of 24.90 USD that somebody must say yes to."""
    return {
        "kind": "refund",
        "intent": "duplicate_charge",
        "verdict": "needs_approval",
        "section": "refund-policy#3.2",
        "rule": "duplicate",
        "mode": "approve",
        "tier": "approve",
        "charge": "ch_1",
        "item": "whole",
        "amount_minor": 2490,
        "currency": "usd",
        **changes,
    }


async def a_question(
    door: Door,
    folder: Path,
    number: int,
    *,
    asked_at: datetime = NOW,
    approvers: tuple[str, ...] = ("cs_lead",),
    required: int = 1,
    expires_in: timedelta = timedelta(hours=72),
    customer: str = "Ana Ruiz",
    **action: Any,
) -> str:
    """Run `run_N` of ticket N asks question `apr_N`; the digest of its actions."""
    actions = [an_action(charge=f"ch_{number}", **action)]
    run = Run(
        tenant_id=TENANT,
        run_id=f"run_{number}",
        ticket_id=str(number),
        state="waiting",
        wait_for="review",
        waits_on=[f"apr_{number}"],
        outcome="waiting_for_review",
        reason="needs_approval",
        intents=[str(actions[0]["intent"])],
        actions=actions,
        subject_id=f"zendesk/user/{number}",
        policy_hash="0" * 64,
        started_at=asked_at,
        updated_at=asked_at,
    )
    digest = action_digest(TENANT, actions)
    async with door.database.tenant(TENANT) as session:
        session.add(run)
        await session.flush()
        vault = vault_of(settings_of(folder))
        parts: dict[str, object] = {"snapshot": a_snapshot(customer), "draft": Draft((), "en", "Hello")}
        await store(session, vault, run=run, values=parts, now=asked_at, new_id=new_id)
        question = Question(
            approval_id=f"apr_{number}",
            run_id=run.run_id,
            ticket_id=run.ticket_id,
            cycle=1,
            bound_to=Binding(digest, "0" * 64, "e"),
            approvers=approvers,
            required=required,
            expires_at=asked_at + expires_in,
        )
        await request(session, question, tenant_id=TENANT, actor="agent", now=asked_at, new_id=new_id)
    return digest
