"""A slice of what `python -m evals.disk` measures: rows are repeated whole, and what runs stored is emptied."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from app.db import Database
from evals.disk import work
from graph.audit.log import append
from graph.rulebook import publish
from graph.runs.artifacts import store
from graph.runs.models import Run
from graph.vault import Vault
from policies.shelf import STARTER, from_library
from tests.app.terminal import new_id

NOW = datetime(2026, 11, 1, tzinfo=UTC)


async def test_runs_are_repeated_with_all_they_have_and_then_emptied(
    database: Database, database_url: str, admin_url: str, tenant: str
) -> None:
    async with database.tenant(tenant) as session:
        policy_hash = await publish(session, tenant, str(from_library(STARTER)), author="ops", now=NOW)
        for number in range(4):
            run = Run(
                tenant_id=tenant,
                run_id=f"run_{number}",
                ticket_id=str(number),
                subject_id="ana",
                state="ended" if number else "waiting",
                policy_hash=policy_hash,
                started_at=NOW,
                updated_at=NOW,
                ended_at=NOW if number else None,
            )
            session.add(run)
            await session.flush()
            vault = Vault({"k": b"m" * 32}, "k")
            await store(session, vault, run=run, values={"draft": {"to": "x" * 400}}, now=NOW, new_id=new_id)
            await append(session, tenant_id=tenant, at=NOW, kind="run.ended", actor="agent", new_id=new_id)
    found = await work(database_url, admin_url, tenant, 40)
    assert (found["played_runs"], found["runs"], found["emptied_runs"]) == (4, 44, 30)
    with psycopg.connect(admin_url) as owner:
        for table, count in (("run", 44), ("artifact", 44), ("audit_event", 44 + 10)):
            assert owner.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
        left = owner.execute("SELECT count(*) FROM artifact WHERE sealed <> ''").fetchone()
    assert left == (4 + 10,)  # the tenant that was played is left as it is, and of each other the run that waits
