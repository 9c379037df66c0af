"""The measures are what the log says: every figure by other code, once folded piecemeal and once anew, and shown so."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from app.db import Database
from app.errors import UsageError
from app.measures.asking import wanted_of
from app.measures.catalogue import LEDGER, MEASURES, definition_lines
from app.measures.days import keep_all_days
from app.measures.keeping import fold_some, rebuild
from app.measures.reading import DIMENSIONS, statement
from app.web.app import create_app
from evals.measures_check.comparison import compare, fill
from evals.measures_check.month import DAYS, START, Month
from graph.audit.catalogue import problems
from tests.app.terminal import Terminal
from tests.app.web.door import TENANT, settings_of
from tests.app.web.people import a_person

DOCS = Path(__file__).parents[3] / "docs"
SOON = START + timedelta(days=DAYS)
PERIOD = {"since": START.date().isoformat(), "until": SOON.date().isoformat()}


async def test_every_figure_is_the_one_that_other_code_computes_from_the_exported_log(database: Database) -> None:
    month = Month(60, 3)
    told = [problem for event in month.events() for problem in problems(event.kind, event.body)]
    assert told == []
    await fill(database.tenant, TENANT, Month(60, 3), print)
    for most in (7, 301, 500, 500):
        async with database.tenant(TENANT) as session:
            await fold_some(session, TENANT, most=most)
        await keep_all_days(database.tenant, TENANT)  # later batches tell of days that are added up by then
    compared = await compare(database.tenant, TENANT, START, DAYS)
    assert compared.differences == ()
    assert compared.figures > 1000
    async with database.tenant(TENANT) as session:
        kept = (await session.execute(text("SELECT count(DISTINCT day), count(*) FROM measure_day"))).one()
    assert kept[0] > DAYS - 12
    assert kept[1] > 8 * kept[0]

    wrong = text("UPDATE measure_run SET approved = approved + 1, tool_ms = tool_ms + 1, reason = 'stale'")
    async with database.tenant(TENANT) as session:
        await session.execute(wrong)
        await session.execute(text("DELETE FROM measure_day"))
    differing = {one.name for one in (await compare(database.tenant, TENANT, START, DAYS)).differences}
    assert differing >= {"automation_rate", "quality", "cost_tools", "cost_per_success", "edit_rate", "causes"}
    folded = await rebuild(database.tenant, TENANT)
    assert folded.is_all
    assert (await compare(database.tenant, TENANT, START, DAYS)).differences == ()


async def test_a_period_is_read_by_its_index_and_not_by_looking_at_every_run(
    database: Database, admin_url: str
) -> None:
    await fill(database.tenant, TENANT, Month(40, 4), print)
    await rebuild(database.tenant, TENANT)
    wanted = wanted_of({**PERIOD, "since": (SOON - timedelta(days=2)).date().isoformat(), "by": "intent"}, SOON)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        columns = admin.execute(
            "SELECT string_agg(column_name, ',') FROM information_schema.columns WHERE table_name = 'measure_run'"
            " AND column_name NOT IN ('run_id', 'started_at')"
        ).fetchone()
        assert columns is not None
        admin.execute(
            f"INSERT INTO measure_run (run_id, started_at, {columns[0]})"
            f" SELECT run_id || '/' || n, started_at - n * interval '1 day', {columns[0]}"
            " FROM measure_run, generate_series(1, 400) AS n".encode()
        )
        admin.execute("ANALYZE measure_run")
    values = {**wanted.values(TENANT), "step_s": wanted.step.total_seconds()}
    async with database.tenant(TENANT) as session:
        plan = "\n".join((await session.execute(text(f"EXPLAIN {statement(wanted)}"), values)).scalars())
        latest = "EXPLAIN SELECT run_id FROM measure_run WHERE tenant_id = 'demo' AND ticket_id = ANY('{1,2}')"
        of_ticket = "\n".join((await session.execute(text(latest))).scalars())
    assert "measure_run_started" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "measure_run_ticket" in of_ticket, of_ticket


async def test_page_file_call_and_prometheus_show_the_same_figures(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await fill(database.tenant, TENANT, Month(60, 5), print)
    await rebuild(database.tenant, TENANT)
    person = await a_person(database.tenant, TENANT)
    settings = settings_of(tmp_path)
    app = create_app(settings, database_url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client,
    ):
        person.sits_at(client)
        form = (await client.get("/api/v1/measures", params={**PERIOD, "by": "segment"})).json()
        assert {*form["whole"]["measures"]} == {one.id for one in MEASURES}
        assert sum(form["ledger"].values()) == form["whole"]["measures"]["coverage"]["over"]
        assert (
            sum(one["runs"] for one in form["slices"])
            == form["whole"]["runs"]
            == sum(one["runs"] for one in form["trend"])
        )
        unpriced = form["whole"]["measures"]["cost_people"]
        assert unpriced["value"] is None
        assert "measures.review_minutes" in unpriced["not_measured_because"]

        page = await client.get(f"/t/{TENANT}/measures", params=PERIOD)
        assert page.status_code == 200
        rate = form["whole"]["measures"]["automation_rate"]
        assert f"{100 * rate['value']:.1f} %" in page.text
        assert f"{rate['part']} of {rate['over']}" in page.text
        assert all(f'id="is-{one.id}"' in page.text for one in MEASURES)
        assert page.text.count("Not measured: ") > 2

        file = await client.get(f"/t/{TENANT}/measures.csv", params={**PERIOD, "by": "segment"})
        rows = {(row["cut"], row["value"], row["measure"]): row for row in csv.DictReader(file.text.splitlines())}
        assert float(rows["all", "", "automation_rate"]["figure"]) == rate["value"]
        assert (
            float(rows["segment", "vip", "coverage"]["figure"])
            == next(one for one in form["slices"] if one["name"] == "vip")["measures"]["coverage"]["value"]
        )

        for wrong in ({"by": "mood"}, {"since": "yesterday"}, {"days": "0"}, {"since": "2020-01-01"}):
            answer = await client.get("/api/v1/measures", params=wrong)
            assert answer.status_code == 422, wrong
            assert next(iter(wrong)) in answer.json()["detail"] or "period" in answer.json()["detail"]
        assert (await client.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})).status_code == 401
        now = (await client.get("/api/v1/measures")).json()["whole"]["measures"]
        families = {one.name: one for one in text_string_to_metric_families((await client.get("/metrics")).text)}
        shown = {one.labels["measure"]: one.value for one in families["countersign_measure"].samples}
        assert shown == {name: one["value"] for name, one in now.items() if one["value"] is not None}
        assert "zendesk/user" not in str(families)
        # The dashboard asks for series that this very answer has, and by labels that they have.
        dashboard = json.loads((DOCS / "grafana" / "countersign.json").read_text("utf-8"))
        asked = [one["expr"] for panel in dashboard["panels"] for one in panel.get("targets", [])]
        labels = {one.name: set(one.labels) for family in families.values() for one in family.samples}
        assert len(asked) > 20
        for expression in asked:
            for name, matchers in re.findall(r"(countersign_\w+)(?:\{([^}]*)\})?", expression):
                assert name in labels, expression
                assert set(re.findall(r"(\w+)=", matchers)) <= labels[name], expression

    with_token = settings.model_copy(
        update={"metrics": settings.metrics.model_copy(update={"token": SecretStr("scrape-me")})}
    )
    app = create_app(with_token, database_url)
    async with app.router.lifespan_context(app):
        for address, token, status in (("127.0.0.1", "", 401), ("192.0.2.1", "scrape-me", 200)):
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                headers = {"authorization": f"Bearer {token}"} if token else {}
                assert (await client.get("/metrics", headers=headers)).status_code == status


def test_the_page_about_measures_and_the_dashboard_speak_of_the_measures_there_are() -> None:
    page = (DOCS / "measures.md").read_text("utf-8")
    assert "\n".join(definition_lines()).strip() in page, "paste what `countersign measures definitions` prints"
    assert all(f"| `{name}` | {means} |" in page for name, means in LEDGER.items())
    dashboard = (DOCS / "grafana" / "countersign.json").read_text("utf-8")
    named = set(re.findall(r'measure=\\"(\w+)', dashboard))
    assert len(named) > 10
    assert named <= {one.id for one in MEASURES}


async def test_old_tickets_become_an_event_that_measures_are_compared_with(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(
        "intent,handle_minutes,resolution_minutes,reopened,rating\n"
        "refund_request,10,60,no,good\nrefund_request,20,120,yes,bad\nduplicate_charge,12.5,600,,good\n"
    )
    done = await terminal.run("measures", "import-baseline", str(path), "--json")
    assert done.error is None, done.error
    assert done.json["rows"][0] == {
        "intent": "*", "tickets": 3, "handle_s": 750, "resolution_s": 7200,
        "reopened": 1, "reopened_known": 2, "rated_good": 2, "rated": 3,
    }  # fmt: skip
    shown = await terminal.run("measures", "show", "--by", "intent")
    assert "before: 66.7 %" in shown.out
    assert "before: 2 h" in shown.out
    assert (await terminal.run("measures", "rebuild")).out == "1 of 1 events are in the measures\n"
    for line, told in (
        ("refunds,1,1,no,good", "line 2: intent cannot be 'refunds'"),
        ("refund_request,soon,1,no,good", "line 2: handle_minutes cannot be 'soon'"),
        ("refund_request,1,1,maybe,good", "line 2: reopened cannot be 'maybe'"),
    ):
        path.write_text(f"intent,handle_minutes,resolution_minutes,reopened,rating\n{line}\n")
        done = await terminal.run("measures", "import-baseline", str(path))
        assert isinstance(done.error, UsageError)
        assert told in str(done.error)
    assert len(DIMENSIONS) == 7
