"""The log can be checked and handed out from the command line."""

from __future__ import annotations

import hashlib
import json

import psycopg

from graph.audit.canonical import canonical_json
from tests.app.terminal import Terminal


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
