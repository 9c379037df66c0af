"""Changes are told with their gates and the way back, other models are noticed once, and a week makes a digest."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.db import Database
from app.identity.accounts import Act
from app.notices.changes import note_models
from app.notices.digest import WEEK, gather
from app.notices.digesting import Digesting
from app.notices.messages import body_of, mail_of
from app.settings import ModelSettings
from graph.audit.catalogue import problems
from graph.audit.models import AuditEvent
from graph.lifecycle.publishing import Done
from graph.runs.models import Run
from tests.app.terminal import Terminal
from tests.graph.lifecycle.versions import Office, policy_text


async def told(office: Office, kind: str) -> list[AuditEvent]:
    async with office.database.tenant(office.tenant) as session:
        query = select(AuditEvent).where(AuditEvent.kind == kind).order_by(AuditEvent.seq)  # type: ignore[arg-type]
        found = list((await session.execute(query)).scalars())
        session.expunge_all()
        return found


async def test_a_change_is_told_with_its_gates_and_its_way_back_and_a_week_is_put_together(
    database: Database, tenant: str
) -> None:
    office = Office(database, tenant)
    low = await office.wishes(policy_text(20))
    high = await office.wishes(policy_text(50), approver="bob", gated=True, is_full=True)
    assert isinstance(low, Done)
    assert isinstance(high, Done)
    first, second = await told(office, "policy.published")
    assert "way back" not in body_of(first, "webhook", None).decode()
    subject, text = mail_of(second, "https://cs.example")
    assert subject == f"[Countersign {tenant}] policy.published"
    assert f"{high.policy_hash[:12]}, loosens, gate analysis passed, gate cases passed, way back: " in text
    assert f"countersign policy rollback {low.policy_hash[:12]}" in text
    assert "an exercise" not in text  # what people wrote stays here

    claude = ModelSettings(provider="claude", api_key="sk-ant-x")
    for models, changes in ((ModelSettings(), True), (ModelSettings(), False), (claude, True), (claude, False)):
        async with database.tenant(tenant) as session:
            assert await note_models(session, tenant, models, Act("settings", office.moment, office.new_id)) is changes
    (event,) = (await told(office, "models.changed"))[1:]
    assert event.body["before"] == {"provider": "local", "models": {}, "prompts": {}}

    digesting = Digesting(database.tenant, [tenant], lambda: office.moment, office.new_id, asyncio.Event())
    costs = (("old", 9, 1_000_000), ("new", 1, 2_000_000))
    async with database.tenant(tenant) as session:
        for name, days, cost in costs:
            at = office.moment - timedelta(days=days)
            row: dict[str, Any] = {
                "state": "ended",
                "outcome": "resolved",
                "cost_usd_micros": cost,
                "started_at": at,
                "updated_at": at,
            }
            session.add(Run(tenant_id=tenant, run_id=name, ticket_id=name, **row))
    assert [await digesting.look(tenant), await digesting.look(tenant)] == [True, False]
    (digest,) = await told(office, "digest.made")
    said = str(digest.body["said"])
    assert "- models cost 2.00 USD, the week before 1.00 USD: look at it" in said
    assert "- gates passed: 2\n" in said
    assert said.endswith("- policies published: 2")
    assert said in mail_of(digest, None)[1].replace("The figures of a week were put together: ", "")
    office.passes(days=30)
    assert await digesting.look(tenant) is False  # nothing happened
    async with database.tenant(tenant) as session:
        assert (await gather(session, tenant, office.moment, WEEK)).is_empty
        events = (await session.execute(select(AuditEvent))).scalars()
        assert [one for event in events for one in problems(event.kind, event.body)] == []


async def test_the_commands_show_what_there_is_and_refuse_what_is_not(terminal: Terminal) -> None:
    assert (await terminal.run("digest", "--json")).json["runs"] == {}
    assert (await terminal.run("alerts", "check")).out == "nothing was ever beyond its bound\n"
    assert (await terminal.run("autonomy", "propose", "--json")).json == {"cells": [], "moves": []}
    assert (await terminal.run("corrections", "list")).out == "nobody corrected anything\n"
    for arguments, said in (
        (("autonomy", "accept", "mov_none"), "no proposal 'mov_none'"),
        (("corrections", "export", "x.yaml"), "there is no candidate"),
    ):
        done = await terminal.run(*arguments)
        assert done.status != 0
        assert said in str(done.error)
