"""The heavy questions of the ops lead's pages are answered by an index, and not by looking at everything there was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, text

from app.corrections.groups import GROUPS
from app.db import Database
from app.policy_story import history_of
from app.web.reading import newest_runs
from evals.bench.kept_history import keep_decisions, keep_runs
from graph.decisions.invented import invented_history
from policies.parse import parse_policy
from policies.shelf import shipped_text
from tests.app.web.door import TENANT

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
COPIES = 60


@pytest.fixture
async def crowded(database: Database, admin_url: str) -> Database:
    """Some hundred runs with their decisions, many times over, and a log of what nobody asks for."""
    history = invented_history(parse_policy(shipped_text(), name="shipped"), count=300, seed=5, until=NOW)
    await keep_decisions(database, TENANT, history)
    await keep_runs(database, TENANT, history)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for table, key in (("run", "run_id"), ("approval", "approval_id")):
            names = admin.execute(
                "SELECT string_agg(column_name, ',') FROM information_schema.columns"
                " WHERE table_name = %s AND column_name NOT IN (%s, 'run_id')",
                (table, key),
            ).fetchone()
            assert names is not None
            own = "" if key == "run_id" else f"{key}, "
            made = "" if key == "run_id" else f"{key} || '/' || n, "
            admin.execute(
                f"INSERT INTO {table} (run_id, {own}{names[0]}) SELECT run_id || '/' || n, {made}{names[0]}"
                f" FROM {table}, generate_series(1, {COPIES}) AS n".encode()
            )
        admin.execute(
            "INSERT INTO audit_event (tenant_id, seq, event_id, at, kind, actor, body, commitments, leaf_hash)"
            " SELECT %s, n, 'evt_' || n, now(), 'node.completed', 'agent', '{}', '{}', ''"
            " FROM generate_series(1, 20000) AS n",
            (TENANT,),
        )
        admin.execute("VACUUM ANALYZE")
    return database


async def plan_of(database: Database, query: Select[Any] | str, values: dict[str, object]) -> str:
    async with database.tenant(TENANT) as session:
        if not isinstance(query, str):
            dialect = (await session.connection()).dialect
            written = query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
            query = str(written).replace(":", "\\:").replace("%%", "%")
        return "\n".join((await session.execute(text(f"EXPLAIN {query}"), values)).scalars())


async def test_lists_and_histories_are_read_by_their_indexes(crowded: Database) -> None:
    waiting, others = newest_runs(TENANT)
    _, rare = newest_runs(TENANT, outcome="waiting_for_customer")
    week = {"tenant": TENANT, "since": NOW - timedelta(days=2), "most": 8}
    for name, query, values, index in (
        ("those that wait", waiting, {}, "run_one_active"),
        ("the others", others, {}, "run_newest"),
        ("those of a rare outcome", rare, {}, "run_outcome"),
        ("the history of a version", history_of(TENANT, "f00"), {}, "audit_event_kind"),
        ("corrections", GROUPS, week, "approval_decided"),
    ):
        plan = await plan_of(crowded, query, values)
        assert index in plan, f"{name}\n{plan}"
        assert "Seq Scan on audit_event" not in plan, f"{name}\n{plan}"
        assert "Seq Scan on approval" not in plan, f"{name}\n{plan}"
        assert "Seq Scan on run" not in plan, f"{name}\n{plan}"
