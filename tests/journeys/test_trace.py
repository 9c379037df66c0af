"""The trace of a run that went its whole way: a stranger reads from it why something happened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

from app.identity.roles import Role
from app.log_keys import load_signer
from app.trace.steps import READS
from graph.audit.sequence import sequence
from tests.app.api.programs import a_token, bearing
from tests.app.web.people import a_person
from tests.journeys.shop import Shop, charged_twice

ROOT = Path(__file__).parents[2]


async def of_the_api(shop: Shop, run_id: str) -> Any:
    token = await a_token(shop.database.tenant, shop.tenant, now=shop.clock.now())
    return (await shop.web.get(f"/api/v1/runs/{run_id}/trace", headers=bearing(token))).json()


async def test_a_refund_is_reconstructed_from_its_trace(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    await shop.looks_out()
    run = await shop.run(ticket)
    assert run["outcome"] == "resolved"
    async with shop.database.tenant(shop.tenant) as session:
        await sequence(session, shop.tenant, load_signer(shop.settings), at_once=True)
    trace = await of_the_api(shop, run["run_id"])

    nodes = [step["name"] for step in trace["steps"] if step["kind"] == "node"]
    assert nodes[:6] == ["intake", "triage", "gather", "retrieve", "plan", "decide"]
    assert nodes[-1] == "close"
    decide = next(step for step in trace["steps"] if step["name"] == "decide")
    assert {one["kind"] for one in decide["inputs"]} == {"plan", "snapshot", "triage", "dossier", "sections"}
    (decision,) = decide["decisions"]
    assert decision["section"] == "refund-policy#3.2"
    assert decision["facts"]["charge.amount_minor"] == 2490
    gather = next(step for step in trace["steps"] if step["name"] == "gather")
    assert {"stripe.read"} <= {call["body"]["tool"] for call in gather["calls"]}
    assert any("key rk_" in one for one in gather["credentials"])
    triage = next(step for step in trace["steps"] if step["name"] == "triage")
    assert [call["body"]["provider"] for call in triage["calls"]] == ["local"]

    by_where = {one["where"].split()[0]: one for one in trace["changes"]}
    (refunded,) = by_where["Stripe"]["parts"]
    assert (refunded["what"], refunded["before"]) == ("refunded", "0.00 USD")
    assert refunded["after"].startswith("24.90 USD of")
    parts = {part["what"]: (part["before"], part["after"]) for part in by_where["Zendesk"]["parts"]}
    assert parts["status"][1] == "solved"
    assert "24.90" in parts["public reply"][1]
    assert "refunded 24.90 USD" in trace["told"]
    assert trace["proof"]["state"] == "proved"
    assert trace["proof"]["events"] == sum(len(step["calls"]) + len(step["events"]) for step in trace["steps"])


async def test_a_log_that_was_altered_is_not_called_proved(shop: Shop, admin_url: str) -> None:
    ticket = await shop.arrives(charged_twice())
    run = await shop.run(ticket)
    async with shop.database.tenant(shop.tenant) as session:
        await sequence(session, shop.tenant, load_signer(shop.settings), at_once=True)
    await _as_owner(
        admin_url,
        "UPDATE audit_event SET body = replace(body::text, 'duplicate_charge', 'refund_request')::json"
        " WHERE run_id = %s AND body->>'node' = 'triage'",
        run["run_id"],
    )
    trace = await of_the_api(shop, run["run_id"])
    assert trace["proof"]["state"] == "broken"
    assert "is not in the log as the bundle has it" in trace["proof"]["problems"][0]
    viewer = await a_person(
        shop.database.tenant, shop.tenant, Role.VIEWER, email="v@shop.example", now=shop.clock.now()
    )
    viewer.sits_at(shop.web)
    page = (await shop.web.get(f"/t/{shop.tenant}/runs/{run['run_id']}/trace")).text
    assert "Does not hold" in page
    assert "Verified" not in page


async def _as_owner(url: str, sql: str, *values: object) -> None:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(sql.encode(), values)


def test_what_a_step_is_given_is_what_its_node_loads() -> None:
    for node, reads in READS.items():
        source = (ROOT / "graph" / "nodes" / f"{node}.py").read_text()
        loaded = set(re.findall(r'context\.load\(\s*"([a-z]+)"', source))
        assert loaded == set(reads), node
    nodes = {path.stem for path in (ROOT / "graph" / "nodes").glob("*.py")} - {"__init__"}
    assert nodes == set(READS)
