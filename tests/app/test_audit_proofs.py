"""What the log hands out is checked without us: by one file, in an interpreter that sees none of our packages."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

import graph.audit
from app.keys.ring import FIRST_ID
from app.log_keys import load_signer
from app.settings import Settings, load_settings
from graph.audit.log import append
from graph.audit.note import read, split
from graph.runs.artifacts import store
from graph.runs.models import Run
from graph.vault import Vault
from tests.app.terminal import NOW, Terminal, new_id

VERIFIER = Path(graph.audit.__path__[0]) / "verify_bundle.py"
TICKET = "7301"
MASTER_KEY = b"m" * 32


def verified(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the file alone, isolated from the environment and the current folder."""
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify_bundle.py"), *arguments],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
async def worked(terminal: Terminal) -> Terminal:
    """A log with 300 events of others around the nine of one ticket, and one sealed artifact of it."""
    vault = Vault({FIRST_ID: MASTER_KEY}, FIRST_ID)
    for number in range(3):
        await _fill(terminal, 100)
        async with terminal.database.tenant(terminal.tenant) as session:
            body: dict[str, object] = {"number": number}
            if number == 1:
                run = Run(
                    tenant_id=terminal.tenant,
                    run_id="run_t",
                    ticket_id=TICKET,
                    started_at=NOW,
                    updated_at=NOW,
                    subject_id="ana",
                )
                session.add(run)
                await session.flush()
                kept = await store(
                    session, vault, run=run, values={"draft": {"to": "ana@example.com"}}, now=NOW, new_id=new_id
                )
                body["outputs"] = {"draft": kept["draft"].commitment}
            for _ in range(3):
                await append(
                    session,
                    tenant_id=terminal.tenant,
                    at=NOW,
                    kind="node.completed",
                    actor="agent",
                    new_id=new_id,
                    ticket_id=TICKET,
                    run_id="run_t",
                    body=body,
                )
    return terminal


async def _fill(terminal: Terminal, count: int) -> None:
    async with terminal.database.tenant(terminal.tenant) as session:
        for number in range(count):
            await append(
                session,
                tenant_id=terminal.tenant,
                at=NOW,
                kind="run.woken",
                actor="agent",
                new_id=new_id,
                ticket_id=str(number),
                run_id=f"run_{number}",
            )


async def _proved(terminal: Terminal, folder: Path, *more: str) -> tuple[dict[str, Any], str]:
    done = await terminal.run("audit", "prove", TICKET, "--out", str(folder), *more)
    assert done.status == 0, done
    bundle = json.loads((folder / f"ticket-{TICKET}.json").read_text())
    return bundle, (await terminal.run("audit", "keys")).out.strip()


async def test_a_bundle_leads_to_a_checkpoint_that_was_published(
    worked: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await _proved(worked, tmp_path)  # no worker runs, so nobody else publishes it
    (published,) = _folder().glob("*.checkpoints")
    status, told = verified(tmp_path, f"ticket-{TICKET}.json", "--key", key, "--checkpoints", str(published))
    assert (status, "checked 9 events" in told) == (0, True), told
    monkeypatch.setenv("COUNTERSIGN_AUDIT__SINKS", json.dumps({"away": {"url": "http://127.0.0.1:9"}}))
    done = await worked.run("audit", "prove", TICKET, "--out", str(tmp_path))
    assert (done.status, "its checkpoint is not published to away yet: " in done.out) == (0, True)


async def test_a_bundle_is_checked_by_one_file_alone(worked: Terminal, tmp_path: Path) -> None:
    bundle, key = await _proved(worked, tmp_path)
    assert [event["leaf"]["seq"] for event in bundle["events"]] == [100, 101, 102, 203, 204, 205, 306, 307, 308]
    status, told = verified(tmp_path, f"ticket-{TICKET}.json", "--key", key)
    assert (status, "checked 9 events" in told) == (0, True), told
    assert max(len(json.dumps(event["proof"])) for event in bundle["events"]) < 1000


async def test_any_value_changed_in_a_bundle_is_named(worked: Terminal, tmp_path: Path) -> None:
    bundle, key = await _proved(worked, tmp_path)
    path = tmp_path / "changed.json"

    def refused(change: dict[str, Any]) -> str:
        path.write_text(json.dumps(change))
        status, told = verified(tmp_path, "changed.json", "--key", key)
        assert status == 1, told
        return told

    for name, value in (
        ("actor", "nobody"),
        ("at", "2026-11-21T09:00:00.000001Z"),
        ("body", {"number": 9}),
        ("seq", 4),
    ):
        change = json.loads(json.dumps(bundle))
        change["events"][3]["leaf"][name] = value
        assert "is not in the log as the bundle has it" in refused(change)
    change = json.loads(json.dumps(bundle))
    change["events"][0]["proof"].pop()
    assert "event 100 (node.completed): its proof is too short" in refused(change)
    assert "not signed by a key" in refused({**bundle, "checkpoint": bundle["checkpoint"].replace("\n31", "\n32", 1)})
    assert "not the events of ticket '9'" in refused({**bundle, "ticket_id": "9"})


async def test_a_bundle_signed_by_somebody_else_is_refused(worked: Terminal, tmp_path: Path) -> None:
    bundle, key = await _proved(worked, tmp_path)
    other = load_signer(Settings(data_dir=tmp_path / "elsewhere"))
    forged = other.key.sign(read(bundle["checkpoint"]))
    (tmp_path / "forged.json").write_text(json.dumps({**bundle, "checkpoint": forged}))
    status, told = verified(tmp_path, "forged.json", "--key", key)
    assert (status, "not signed by a key" in told) == (1, True)


async def test_what_was_sealed_comes_along_where_it_is_asked_for(
    worked: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, key = await _proved(worked, tmp_path)
    assert bundle["opened"] == []
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", base64.b64encode(MASTER_KEY).decode())
    bundle, key = await _proved(worked, tmp_path, "--open")
    assert [(one["what"], one["value"]) for one in bundle["opened"]] == [("draft", '{"to":"ana@example.com"}')]
    status, told = verified(tmp_path, f"ticket-{TICKET}.json", "--key", key)
    assert (status, "1 opened values" in told) == (0, True)
    bundle["opened"][0]["value"] = '{"to":"bob@example.com"}'
    (tmp_path / "changed.json").write_text(json.dumps(bundle))
    assert "the opened 'draft' is not what an event commits to" in verified(tmp_path, "changed.json", "--key", key)[1]


async def test_the_page_tells_every_event_and_loads_nothing(worked: Terminal, tmp_path: Path) -> None:
    await _proved(worked, tmp_path)
    page = (tmp_path / f"ticket-{TICKET}.html").read_text()
    assert page.count("<strong>node.completed</strong>") == 9
    for word in ("<script", "src=", "http://", "https://"):
        assert word not in page


async def test_a_whole_log_is_checked_from_its_export(worked: Terminal, tmp_path: Path) -> None:
    assert (await worked.run("audit", "checkpoint")).status == 0
    _, key = await _proved(worked, tmp_path)
    export = (await worked.run("audit", "export")).out
    await worked.run("audit", "checkpoint")
    (published,) = _folder().glob("*.checkpoints")

    def checked(lines: str) -> tuple[int, str]:
        (tmp_path / "log.jsonl").write_text(lines)
        return verified(tmp_path, "log.jsonl", "--key", key, "--checkpoints", str(published))

    assert checked(export) == (0, "checked 311 events, 0 of them behind the newest of 3 checkpoints\n")
    lines = export.splitlines(keepends=True)
    assert "event 5 (run.woken) was altered" in checked(export.replace('"seq": 5,', '"seq": 5, "x": 1,'))[1]
    assert "event 7 is missing" in checked("".join(lines[:7] + lines[8:]))[1]
    assert "the log was cut: 311 events were signed, 310 are left" in checked("".join(lines[:-1]))[1]


def _folder() -> Path:
    return load_settings().data_dir / "checkpoints"


async def test_a_ticket_without_events_is_an_error_that_says_where_to_look(worked: Terminal, tmp_path: Path) -> None:
    done = await worked.run("audit", "prove", "1234567", "--out", str(tmp_path))
    assert "no event of ticket '1234567'" in str(done.error)


async def test_who_took_evidence_is_in_the_log(worked: Terminal, tmp_path: Path) -> None:
    await _proved(worked, tmp_path)
    with psycopg.connect(worked.admin_url) as owner:
        rows = owner.execute("SELECT actor, body FROM audit_event WHERE kind = 'log.exported'").fetchall()
    assert [(actor.split(":")[0], body["what"], body["ticket_id"]) for actor, body in rows] == [
        ("cli", "evidence", TICKET)
    ]


async def test_a_cut_log_does_not_verify_against_the_folder(worked: Terminal) -> None:
    assert (await worked.run("audit", "checkpoint")).status == 0
    with psycopg.connect(worked.admin_url) as owner:
        for table in ("audit_checkpoint", "audit_tree", "audit_block", "audit_publication"):
            owner.execute(f"DELETE FROM {table}")
        owner.execute("DELETE FROM audit_event WHERE seq >= 300")
        owner.execute("UPDATE audit_head SET size = 300")
    done = await worked.run("audit", "verify", "--json")
    assert (done.status, done.json["broken"]) == (1, [])
    assert [(one["why"], one["size"], one["after"]) for one in done.json["mismatches"]] == [("cut", 309, 300)]
    again = await worked.run("audit", "checkpoint")
    assert (again.status, "the log was cut" in again.out) == (1, True)
    told = await worked.run("audit", "status")
    assert (told.status, "attempt 1 failed" in told.out) == (1, True)


async def test_a_retired_key_still_verifies_what_it_signed(worked: Terminal) -> None:
    await worked.run("audit", "checkpoint")
    before = (await worked.run("audit", "keys")).out.split()
    rotated = (await worked.run("audit", "rotate")).out.split()
    assert (len(before), rotated[1:]) == (1, before)
    await worked.run("audit", "checkpoint")
    notes = split(next(_folder().glob("*")).read_text())
    assert len(notes) == 2
    done = await worked.run("audit", "verify", "--json")
    assert (done.json["ok"], done.json["checkpoints"], done.json["published"]) == (True, 4, 2)


def test_the_verifier_is_short_and_needs_one_package() -> None:
    source = VERIFIER.read_text()
    assert len(source.splitlines()) <= 260
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}
