"""Checks change nothing, reminders come once, and messages to elsewhere are a view and no more."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from app.ambient import new_id
from app.identity.accounts import Act
from app.notices.telling import Place, tell
from app.waiting import checks
from app.waiting.reminding import remind
from app.waiting.rules import QueueRules
from connectors.sandbox.receiver import Receiver
from connectors.sandbox.server import serve
from graph.decisions.models import CheckKind, RecordedDecision
from graph.decisions.past import read_past
from graph.runs.models import Run
from tests.app.waiting.questions import a_question, an_action
from tests.app.waiting.test_queue import API, asks, listed
from tests.app.web.conftest import door
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import NOW

__all__ = ["door"]
RULES = QueueRules(blind_percent=100, planted_percent=100)
ACT = Act("queue", NOW, new_id)
SECRET = b"a secret of the tests, 32 bytes."


async def ended(door: Door, number: int, *, minutes_ago: int = 5) -> None:
    at = NOW - timedelta(minutes=minutes_ago)
    row = Run(
        tenant_id=TENANT,
        run_id=f"run_{number}",
        ticket_id=str(number),
        state="ended",
        outcome="resolved",
        intents=["duplicate_charge"],
        actions=[an_action(verdict="allow", mode="auto", tier="auto")],
        started_at=at,
        updated_at=at,
        ended_at=at,
    )
    async with door.database.tenant(TENANT) as session:
        session.add(row)


async def draw(door: Door, rules: QueueRules = RULES) -> list[str]:
    async with door.database.tenant(TENANT) as session:
        return await checks.draw(session, TENANT, rules, ACT)


async def standing(door: Door) -> list[dict[str, Any]]:
    """All that an answer could change, but for what checks are made of."""
    tables = ("run", "approval", "effect", "pgqueuer")
    parts = [f"SELECT '{table}' AS what, to_jsonb({table}) AS row FROM {table}" for table in tables]
    return await door.rows(f"{' UNION ALL '.join(parts)} ORDER BY 1, 2")


async def test_an_automatic_run_is_judged_blind_and_counts_as_agreement_and_nothing_else(door: Door) -> None:
    for number in (1, 2, 3):
        await ended(door, number)
    made = await draw(door)
    assert len(made) == 3
    assert await draw(door) == []
    lead = await a_person(door.database.tenant, TENANT)
    assert sorted(await listed(door, lead, kind="blind")) == sorted(made)
    before = await standing(door)
    page = (await asks(door, lead, "GET", f"/t/{TENANT}/queue")).text
    assert "What would you have done?" in page
    assert "resolved" not in page
    for number, check_id in enumerate(made):
        said = {"decision": "reject", "reason_code": "wrong_amount"} if number == 0 else {"decision": "approve"}
        answer = await asks(door, lead, "PUT", f"{API}/{check_id}/decision", json=said)
        assert answer.status_code == 200, answer.text
    again = await asks(door, lead, "PUT", f"{API}/{made[0]}/decision", json={"decision": "approve"})
    assert again.status_code == 409
    assert await standing(door) == before
    (cell,) = (await asks(door, lead, "GET", f"{API}/evidence")).json()["cells"]
    assert cell == {"intent": "duplicate_charge", "action": "refund", "tier": "auto", "judged": 3, "agreed": 2}


async def test_a_planted_check_looks_like_any_question_until_it_is_answered(door: Door, tmp_path: Path) -> None:
    await a_question(door, tmp_path, 1)
    await a_question(door, tmp_path, 2)
    ends = {
        "approval": "state = 'rejected', decided_at = :now",
        "run": "state = 'ended', outcome = 'handed_off', ended_at = :now",
    }
    for table, change in ends.items():
        await door.rows(f"UPDATE {table} SET {change} WHERE run_id = 'run_1' RETURNING 1", now=NOW)
    (check_id,) = await draw(door, replace(RULES, blind_percent=0))
    lead = await a_person(door.database.tenant, TENANT)
    items = {item["item_id"]: item for item in (await asks(door, lead, "GET", API)).json()["items"]}
    planted, real = items[check_id], items["apr_2"]
    assert check_id.startswith("apr_")
    assert {name for name in real if type(planted[name]) is not type(real[name])} <= {"alike"}
    assert (planted["kind"], planted["approvers"], planted["may_answer"]) == ("question", ["cs_lead"], True)
    before = await standing(door)
    yes = {"decision": "approve", "action_digest": planted["digest"]}
    answer = await asks(door, lead, "PUT", f"{API}/{check_id}/decision", json=yes)
    assert "This was a check" in answer.json()["said"]
    assert await standing(door) == before
    evidence = (await asks(door, lead, "GET", f"{API}/evidence")).json()
    assert evidence["attention"] == [{"actor": lead.account.actor, "asked": 1, "caught": 0}]


async def test_nothing_is_drawn_unless_a_share_is_set_and_the_share_is_about_what_was_set(door: Door) -> None:
    await ended(door, 1)
    assert await draw(door, QueueRules()) == []
    for percent in (1, 10, 50):
        drawn = sum(checks.is_drawn(CheckKind.BLIND, f"run_{n}", percent) for n in range(4000))
        assert abs(drawn / 40 - percent) < 2.5


async def test_a_question_is_reminded_of_once_while_its_time_runs_out(door: Door, tmp_path: Path) -> None:
    await a_question(door, tmp_path, 1, expires_in=timedelta(hours=1))
    await a_question(door, tmp_path, 2, expires_in=timedelta(hours=3))
    for expected in (["apr_1"], []):
        async with door.database.tenant(TENANT) as session:
            assert await remind(session, TENANT, before=timedelta(hours=2), act=ACT) == expected
    assert await door.rows("SELECT count(*) AS n FROM audit_event WHERE kind = 'approval.reminded'") == [{"n": 1}]


@pytest.mark.parametrize("form", ["webhook", "slack"])
async def test_a_lost_or_doubled_message_changes_nothing_and_each_event_arrives(
    door: Door, tmp_path: Path, form: str
) -> None:
    receiver = Receiver(secret=SECRET, failures=[500, 429], hides_success=1)
    with serve(Starlette(routes=receiver.routes())) as running:
        url = f"{running.url}/hook" if form == "webhook" else f"{running.url}/services/T/B/X"
        place = Place("ops", url, form, ("approval.requested",), SECRET, "https://cs.example")
        async with httpx.AsyncClient(trust_env=False) as client:

            async def look() -> Any:
                await door.rows("UPDATE notice_cursor SET try_at = clock_timestamp() RETURNING 1")
                return await tell(door.database.tenant, TENANT, place, client, now=NOW)

            await look()  # a place that is new hears of what happens from now on
            await a_question(door, tmp_path, 1)
            await a_question(door, tmp_path, 2)
            before = await standing(door)
            assert [(await look()).problem for _ in range(3)] == [
                "it answered 500",
                "it answered 429",
                "it answered 504",
            ]
            assert await tell(door.database.tenant, TENANT, place, client, now=NOW) is None  # its pause is not over
            assert (await look()).sent == 2
            assert (await look()).sent == 0
            assert await standing(door) == before
    ids = [one.message_id for one in receiver.received]
    assert len(ids) == 3  # the first arrived twice, under one id
    assert len(set(ids)) == 2
    assert receiver.forged == 0
    told = str([one.form for one in receiver.received])
    assert "Ana Ruiz" not in told
    assert "https://cs.example/t/demo/runs/run_1" in told


async def test_a_receiver_with_another_secret_refuses_and_a_dead_one_is_left_alone(door: Door, tmp_path: Path) -> None:
    receiver = Receiver(secret=base64.b64decode("b" * 32))
    with serve(Starlette(routes=receiver.routes())) as running:
        place = Place("ops", f"{running.url}/hook", "webhook", ("approval.requested",), SECRET)
        async with httpx.AsyncClient(trust_env=False) as client:
            await tell(door.database.tenant, TENANT, place, client, now=NOW)
            await a_question(door, tmp_path, 1)
            done = await tell(door.database.tenant, TENANT, place, client, now=NOW)
            assert done is not None
            assert done.problem == "it answered 401"
            dead = replace(place, name="dead", url="http://127.0.0.1:9/hook")
            await tell(door.database.tenant, TENANT, dead, client, now=NOW)
            await a_question(door, tmp_path, 2)
            done = await tell(door.database.tenant, TENANT, dead, client, now=NOW)
            assert done is not None
            assert done.problem == "it did not answer (ConnectError)"
            assert dead.url not in done.problem
    rows = await door.rows("SELECT place, attempts, problem FROM notice_cursor ORDER BY place")
    assert [(row["place"], row["attempts"]) for row in rows] == [("dead", 1), ("ops", 1)]


async def test_a_blind_judgement_stands_in_the_history_as_what_a_person_said(door: Door) -> None:
    for number in (1, 2):
        await ended(door, number)
        row = RecordedDecision(
            tenant_id=TENANT,
            run_id=f"run_{number}",
            ticket_id=str(number),
            cycle=1,
            place=0,
            decided_at=NOW - timedelta(minutes=5),
            policy_hash="0" * 64,
            input_hash="1" * 64,
            intent="duplicate_charge",
            action="refund",
            verdict="allow",
            mode="auto",
            rule="duplicate",
            facts={"action.kind": "refund", "action.amount_minor": 2490, "action.currency": "usd"},
        )
        async with door.database.tenant(TENANT) as session:
            session.add(row)
    checked = await draw(door)
    lead = await a_person(door.database.tenant, TENANT)
    no = {"decision": "reject", "reason_code": "wrong_policy"}
    assert (await asks(door, lead, "PUT", f"{API}/{checked[1]}/decision", json=no)).status_code == 200
    async with door.database.tenant(TENANT) as session:
        past = await read_past(session, TENANT)
    said = sorted(past.select("ticket", "review", "review_reason").rows())
    assert said == [("1", None, None), ("2", "rejected", "wrong_policy")]
