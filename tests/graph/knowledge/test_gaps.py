"""Hand-offs that no section answers, put together by what they ask; a section that is written closes its gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from graph.decisions.models import RecordedDecision
from graph.knowledge.gaps import Gap, gaps
from graph.knowledge.use import used_sections
from graph.runs.artifacts import store
from graph.runs.models import Run, RunState
from graph.snapshot import Snapshot
from graph.vault import Vault
from kb.documents import ParsedDocument, ParsedSection
from kb.ingest import ingest
from tests.kb.words import WordEmbedding

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
NUMBERS = count()


@pytest.fixture
def vault() -> Vault:
    return Vault({"k1": b"m" * 32}, "k1")


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(NUMBERS)}"


def a_snapshot(ticket_id: str, words: str) -> Snapshot:
    return Snapshot(
        ticket_id=ticket_id,
        subject="",
        status="open",
        channel="email",
        brand=None,
        requester_id="11",
        requester_name="Ana",
        requester_email=None,
        requester_verified=True,
        requester_tags=(),
        is_carbon_copied=False,
        flags=(),
        newest_comment_id=70,
        newest=words,
        history=(),
        attachments=(),
        tags=(),
        custom_fields={},
        ticket_digest="5f0c",
        read_at=NOW,
    )


async def hand_off(
    session: AsyncSession, vault: Vault, ticket_id: str, words: str, *, reason: str = "out_of_scope", minor: int = 0
) -> None:
    run = Run(
        tenant_id="demo",
        run_id=new_id("run"),
        ticket_id=ticket_id,
        state=RunState.ENDED.value,
        outcome="handed_off",
        reason=reason,
        intents=["other"],
        subject_id="zendesk/user/11",
        started_at=NOW,
        updated_at=NOW,
        ended_at=NOW - timedelta(days=1),
    )
    session.add(run)
    await session.flush()
    snapshot = a_snapshot(ticket_id, words)
    await store(session, vault, run=run, values={"snapshot": snapshot}, now=NOW, new_id=new_id)
    if minor:
        decision = RecordedDecision(
            tenant_id="demo",
            run_id=run.run_id,
            cycle=1,
            place=0,
            ticket_id=ticket_id,
            decided_at=NOW,
            policy_hash="p",
            input_hash="i",
            intent="refund_request",
            action="refund",
            amount_minor=minor,
            currency="usd",
            verdict="needs_approval",
            mode="draft",
            rule="r",
            section="lamps",
        )
        session.add(decision)


async def find(database: Database, vault: Vault) -> list[Gap]:
    async with database.tenant("demo") as session:
        return await gaps(session, tenant_id="demo", vault=vault, embed=WordEmbedding(), since=SINCE, now=NOW)


async def write(database: Database, document_id: str, words: str) -> None:
    section = ParsedSection(document_id, (), words)
    document = ParsedDocument(document_id=document_id, title="", language="en", sections=(section,))
    async with database.tenant("demo") as session:
        await ingest(
            session, tenant_id="demo", source=document_id, documents=[document], embed=WordEmbedding(), now=NOW
        )


async def test_gaps_are_grouped_ranked_and_closed_by_a_section(database: Database, vault: Vault) -> None:
    await write(database, "lamps", "A broken lamp is replaced.")
    async with database.tenant("demo") as session:
        await hand_off(session, vault, "1", "Do you engrave names on the wooden chair?")
        await hand_off(session, vault, "2", "Can you engrave a name on my wooden chair?", minor=500)
        await hand_off(session, vault, "3", "What is the warranty of the garden pump?", minor=9_900)
        await hand_off(session, vault, "4", "A broken lamp is replaced?")
        await hand_off(session, vault, "5", "Please engrave the chair, the wooden chair", reason="kill_switch")
    chair, pump = await find(database, vault)
    assert (chair.tickets, dict(chair.money_minor)) == (("1", "2"), {"usd": 500})
    assert (pump.tickets, dict(pump.money_minor)) == (("3",), {"usd": 9_900})
    assert {"chair", "engrave"} <= set(chair.outline.heading.lower().split())
    assert "Do you engrave names on the wooden chair?" in chair.outline.questions
    assert chair.outline.nearest is not None
    assert chair.outline.nearest.section_id == "lamps"
    await write(
        database, "engraving", "You can engrave a name on my wooden chair: we engrave names on the wooden chair."
    )
    assert [gap.tickets for gap in await find(database, vault)] == [("3",)]


async def test_a_section_that_a_decision_named_is_used(database: Database, vault: Vault) -> None:
    async with database.tenant("demo") as session:
        await hand_off(session, vault, "1", "A lamp", minor=100)
        assert await used_sections(session, "demo", since=SINCE) == {"lamps"}
        assert await used_sections(session, "demo", since=NOW + timedelta(days=1)) == frozenset()
