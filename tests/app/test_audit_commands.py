"""The log can be checked and handed out from the command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import psycopg
import pytest

from graph.audit.canonical import canonical_json
from tests.app.terminal import Terminal
from tests.connectors.export.servers import syslog


async def test_a_log_that_holds_is_status_0(terminal: Terminal) -> None:
    await terminal.log("run.started", number=1)
    await terminal.log("run.ended", number=2)
    done = await terminal.run("audit", "verify", "--json")
    assert (done.status, done.json["ok"], done.json["events"], done.json["broken"]) == (0, True, 2, [])


async def test_an_altered_and_a_missing_event_are_named_and_status_1(terminal: Terminal) -> None:
    for number in range(4):
        await terminal.log("run.started", number=number)
    with psycopg.connect(terminal.admin_url) as owner:
        owner.execute("""UPDATE audit_event SET body = '{"number": 7}' WHERE seq = 1""")
        owner.execute("DELETE FROM audit_event WHERE seq = 3")
    done = await terminal.run("audit", "verify", "--json")
    assert done.status == 1
    assert done.json["broken"] == [{"seq": 1, "why": "altered"}, {"seq": 3, "why": "missing"}]
    told = await terminal.run("audit", "verify")
    assert (told.status, "event 1: altered" in told.out) == (1, True)


async def test_an_exported_line_gives_its_own_hash(terminal: Terminal) -> None:
    await terminal.log("run.started", words="Ünïcode", number=3)
    await terminal.log("run.ended")
    done = await terminal.run("audit", "export")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["seq"] for line in lines] == [0, 1, 2]
    assert (lines[2]["kind"], lines[2]["body"]) == ("log.exported", {"what": "log"})  # who takes it is in it, too
    for line in lines:
        leaf_hash = line.pop("leaf_hash")
        assert hashlib.sha256(b"\x00" + canonical_json(line)).hexdigest() == leaf_hash


async def test_a_log_longer_than_one_batch_is_exported_whole(terminal: Terminal) -> None:
    with psycopg.connect(terminal.admin_url) as owner:
        owner.execute("SELECT set_config('countersign.tenant', 'demo', false)")
        owner.execute(
            """
            INSERT INTO audit_event (tenant_id, seq, event_id, at, kind, actor, body, commitments, leaf_hash)
            SELECT 'demo', n, 'evt_' || n, now(), 'k', 'a', '{}', '{}', 'x' FROM generate_series(0, 2100) AS n
            """
        )
        owner.execute("INSERT INTO audit_head (tenant_id, size) VALUES ('demo', 2101)")
    done = await terminal.run("audit", "export")
    assert [json.loads(line)["seq"] for line in done.out.splitlines()] == list(range(2102))


async def test_an_export_to_a_file_goes_on_where_another_broke_off(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    for number in range(3):
        await terminal.log("run.started", number=number)
    export = ("audit", "export", "--out", str(file))
    assert "4 events added" in (await terminal.run(*export)).out
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])  # cut short in the middle of the last event
    await terminal.log("run.ended")
    await terminal.run(*export)
    assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == list(range(6))
    assert file.read_bytes().startswith(whole)
    for foreign in ("something else\n", "something else"):
        file.write_text(foreign)
        refused = await terminal.run(*export)
        assert "does not end with an event" in str(refused.error)
        assert file.read_text() == foreign


async def test_a_ticket_and_a_period_are_exported_alone(terminal: Terminal) -> None:
    await terminal.log("run.started")  # at nine in the morning, of no ticket
    for options, kinds in (
        (("--ticket", "3"), []),
        (("--until", "2026-11-21T09:00:01+00:00"), ["run.started"]),
        (("--until", "2026-11-21T09:00:00+00:00"), []),
        (("--since", "2026-11-21T09:00:00+00:00", "--until", "2026-11-21T09:00:01+00:00"), ["run.started"]),
    ):
        done = await terminal.run("audit", "export", *options)
        assert [json.loads(line)["kind"] for line in done.out.splitlines()] == kinds, options
    assert "has no zone" in str((await terminal.run("audit", "export", "--since", "2026-11-21T09:00:00")).error)


async def test_sinks_are_fed_by_a_command_that_says_how_far_each_is(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has no sink" in str((await terminal.run("audit", "feed")).error)
    await terminal.log("run.ended")
    with syslog() as server:
        exports = {"siem": {"syslog": f"tcp://127.0.0.1:{server.port}"}, "away": {"url": "http://127.0.0.1:9"}}
        monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO__EXPORTS", json.dumps(exports))
        done = await terminal.run("audit", "feed", "--json")
        away, siem = done.json["sinks"]
        assert (done.status, away["has"], away["problem"]) == (1, 0, "the collector does not answer (ConnectError)")
        assert (siem["name"], siem["has"], siem["problem"], len(server.messages)) == ("siem", 3, None, 3)
        looked = await terminal.run("audit", "feed", "--look")
        assert (looked.status, "siem has 3 of 3 events, since" in looked.out) == (1, True)
        status = await terminal.run("audit", "status")
        assert status.status == 1
        assert "export away has 0 of 3 events; what it lacks begins 2026-11-21 09:00:00 UTC: the coll" in status.out
        assert [one["has"] for one in (await terminal.run("audit", "status", "--json")).json["exports"]] == [0, 3]
        checks = (await terminal.run("doctor", "--json")).json["checks"]
        found = [(one["state"], one["found"][:17]) for one in checks if one["subject"] == "demo exports"]
        assert found == [("wrong", "away has 0 of 3 e"), ("ok", "siem has 3 of 3 e")]
