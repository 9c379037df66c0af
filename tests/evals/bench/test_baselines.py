"""The bare programs do what they are compared for: every node is checkpointed, every accepted request is stored."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import psycopg
import pytest

from connectors.sandbox.server import serve
from evals.bench.bare_graph import bare_graph
from evals.bench.bare_web import create
from evals.bench.load import as_fast_as_possible, at_a_pace, request_bytes


@pytest.fixture
def bare_url(database_name: str, admin_url: str) -> str:
    """An empty schema in the test's database, since ours has checkpoint tables of its own."""
    with psycopg.connect(admin_url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA bare")
        owner.execute(f'ALTER DATABASE "{database_name}" SET search_path TO bare')
    return admin_url


async def test_the_bare_graph_writes_a_checkpoint_for_every_node(bare_url: str) -> None:
    async with bare_graph(bare_url, 5) as run:
        assert await run("one") > 0
        await run("two")
    with psycopg.connect(bare_url) as owner:
        rows = owner.execute("SELECT thread_id, count(*) FROM checkpoints GROUP BY 1 ORDER BY 1").fetchall()
    # One before the first node, and one after the input.
    assert rows == [("one", 7), ("two", 7)]


def test_the_bare_route_has_stored_what_it_accepted(bare_url: str) -> None:
    with serve(create(bare_url)) as server:
        port = urlsplit(server.url).port or 0
        requests = [request_bytes("/", port, {"X-Number": str(number)}, b"{}") for number in range(40)]
        assert asyncio.run(as_fast_as_possible(port, requests)) > 0
        latencies = asyncio.run(at_a_pace(port, requests[:10], 100.0))
    assert len(latencies) == 10
    with psycopg.connect(bare_url) as owner:
        assert owner.execute("SELECT count(*) FROM event").fetchone() == (50,)


def test_a_refusal_stops_the_measurement(bare_url: str) -> None:
    with serve(create(bare_url)) as server:
        port = urlsplit(server.url).port or 0
        with pytest.raises(ExceptionGroup) as refused:
            asyncio.run(as_fast_as_possible(port, [request_bytes("/elsewhere", port, {}, b"{}")]))
    assert "did not accept" in str(refused.value.exceptions[0])
