"""A run that waits for a person, with words of its customer and a pending question, as the database holds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.ambient import new_id, vault_of
from graph.audit.log import append
from graph.drafting import Draft
from graph.runs.artifacts import store
from graph.runs.models import Run
from graph.settlement.approvals import request
from graph.settlement.questions import Binding, Question
from graph.snapshot import Snapshot
from tests.app.web.door import TENANT, Door, settings_of

NOW = datetime.now(UTC)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)>{{7919*7919}}{% raw %}"
"""What a hostile customer writes, in a subject, a message, a tag or a name."""


def a_snapshot(words: str) -> Snapshot:
    return Snapshot(
        ticket_id="7",
        subject=words,
        status="open",
        channel="email",
        brand=None,
        requester_id="11",
        requester_name=words,
        requester_email="ana@customers.example",
        requester_verified=True,
        requester_tags=(),
        is_carbon_copied=False,
        flags=(),
        newest_comment_id=70,
        newest=words,
        history=(words,),
        attachments=(),
        tags=(words,),
        custom_fields={},
        ticket_digest="5f0c",
        read_at=NOW,
    )


async def a_waiting_run(door: Door, folder: Path, words: str = "Please refund me", **question: Any) -> None:
    """A run with words of its customer, and a pending question."""
    vault = vault_of(settings_of(folder))
    run = Run(
        tenant_id=TENANT,
        run_id="run_1",
        ticket_id="7",
        state="waiting",
        wait_for="review",
        outcome="waiting_for_review",
        reason="needs_approval",
        intents=["refund_request", words],
        actions=[
            {
                "kind": "refund",
                "verdict": "needs_approval",
                "section": words,
                "rule": words,
                "mode": "approve",
                "charge": "ch_1",
                "amount_minor": 9000,
                "currency": "usd",
            },
        ],
        subject_id="zendesk/user/11",
        policy_hash="0" * 64,
        started_at=NOW,
        updated_at=NOW,
    )
    async with door.database.tenant(TENANT) as session:
        session.add(run)
        await session.flush()
        parts: Mapping[str, object] = {"snapshot": a_snapshot(words), "draft": Draft((), "en", words)}
        await store(session, vault, run=run, values=parts, now=NOW, new_id=new_id)
        asked = {"approvers": ("cs_lead",), "required": 1, "expires_at": NOW + timedelta(hours=1), **question}
        bound = Binding("a", "p", "e")
        await request(
            session,
            Question(approval_id="apr_1", run_id="run_1", ticket_id="7", cycle=1, bound_to=bound, **asked),
            tenant_id=TENANT,
            actor="agent",
            now=NOW,
            new_id=new_id,
        )
        await append(
            session,
            tenant_id=TENANT,
            at=NOW,
            kind="node.completed",
            actor="agent",
            new_id=new_id,
            run_id="run_1",
            ticket_id="7",
            body={"node": words, "goto": words, "latency_ms": 3},
        )
