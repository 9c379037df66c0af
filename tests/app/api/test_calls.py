"""A program calls with a token: what it gets, in which pages, and how it is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.api.record import RunRecord
from app.identity import accounts, service_tokens
from app.identity.accounts import Act
from app.identity.roles import Role
from app.identity.service_tokens import Scope
from graph.runs.models import Run
from tests.app.api.programs import a_token, bearing
from tests.app.web.conftest import door
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import NOW, a_waiting_run

__all__ = ["door"]


async def test_the_record_of_a_run_has_the_plain_shape_and_its_closed_words(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    token = await a_token(door.database.tenant, TENANT)
    answer = await door.client.get("/api/v1/runs/run_1", headers=bearing(token))
    assert answer.status_code == 200, answer.text
    record = answer.json()
    assert set(record) >= {"run_id", "user_id", "task_type", "model", "policy", "steps", "cost_usd", "outcome"}
    assert (record["run_id"], record["task_type"], record["outcome"]) == ("run_1", "refund_request", "draft_created")
    assert record["policy"]["requires_review"] is True
    assert [step["tool"] for step in record["steps"] if step["status"] == "blocked_review"] == [
        "stripe.create_refund",
        "zendesk.reply",
    ]
    assert RunRecord.model_validate(record).model_dump(mode="json") == record


def test_a_record_as_other_programs_write_it_is_one_of_ours() -> None:
    others = {
        "run_id": "r-7",
        "user_id": "u-1",
        "task_type": "address_change",
        "model": "some-model",
        "policy": {"max_refund_usd": 10, "requires_review": False, "region": "eu"},
        "steps": [
            {"type": "retrieve", "sources": 2, "latency_ms": 90},
            {"type": "tool_call", "tool": "crm.read", "status": "ok", "latency_ms": 12, "attempt": 1},
            {"type": "tool_call", "tool": "crm.write", "status": "blocked_review"},
        ],
        "cost_usd": 0.02,
        "outcome": "draft_created",
    }
    ours = {"countersign"}
    required = set(RunRecord.model_json_schema()["required"]) - ours
    assert required == set(others)
    for name in ("policy", "steps"):
        field = RunRecord.model_fields[name]
        assert field.is_required()
    with pytest.raises(ValueError, match="countersign"):
        RunRecord.model_validate(others)


async def test_pages_of_the_list_hold_each_run_once_while_new_ones_arrive(door: Door) -> None:
    async def begin(number: int, minutes: int) -> None:
        async with door.database.tenant(TENANT) as session:
            started = NOW + timedelta(minutes=minutes)
            row = Run(tenant_id=TENANT, run_id=f"run_{number}", ticket_id=str(number), started_at=started)
            row.updated_at = started
            session.add(row)

    for number in range(7):
        await begin(number, number // 2)  # some began in the same moment
    headers = bearing(await a_token(door.database.tenant, TENANT))
    seen: list[str] = []
    after = ""
    while True:
        answer = await door.client.get("/api/v1/runs", params={"limit": 3, "after": after}, headers=headers)
        page = answer.json()
        seen += [run["run_id"] for run in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
        await begin(100 + len(seen), 60)
    assert sorted(seen) == [f"run_{number}" for number in range(7)]
    for wrong in ("x", "bm90IGpzb24=", "WzEsMl0=", "W10="):
        answer = await door.client.get("/api/v1/runs", params={"after": wrong}, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_a_token_counts_until_it_is_over_revoked_or_its_account_disabled(door: Door) -> None:
    sessions, path = door.database.tenant, "/api/v1/runs"
    long_ago = datetime.now(UTC) - timedelta(days=40)
    good = await a_token(sessions, TENANT)
    over = await a_token(sessions, TENANT, now=long_ago)
    other = await a_token(sessions, "other")

    async def status(token: str) -> int:
        return (await door.client.get(path, headers=bearing(token))).status_code

    assert await status(good) == 200
    for wrong in (over, other, other.replace("other", TENANT), good + "x", "cst.demo.", "nothing", ""):
        assert await status(wrong) == 401, wrong
    answer = await door.client.get(path, headers=bearing(over))
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    async with sessions(TENANT) as session:
        account = await accounts.named(session, TENANT, "robot@shop.example")
        row = next(one for one in await service_tokens.tokens_of(session, account) if one.seen_at is not None)
        assert await service_tokens.revoke(session, account, row.token_id, Act("test", NOW, lambda p: f"{p}_1"))
    assert await status(good) == 401
    fresh = await a_token(sessions, TENANT)
    assert await status(fresh) == 200
    async with sessions(TENANT) as session:
        account = await accounts.named(session, TENANT, "robot@shop.example")
        await accounts.disable(session, account, Act("test", NOW, lambda p: f"{p}_2"))
    assert await status(fresh) == 401
    stored = json.dumps(await door.rows("SELECT token_digest, name FROM service_token"))
    assert good.rpartition(".")[2] not in stored


async def test_a_scope_narrows_and_never_widens_what_the_roles_allow(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    sessions, stop = door.database.tenant, "/api/v1/runs/run_1/stop"

    async def stops(*roles: Role, scopes: tuple[Scope, ...], email: str) -> int:
        token = await a_token(sessions, TENANT, *roles, scopes=scopes, email=email)
        answer = await door.client.post(stop, headers=bearing(token), json={"reason": "a drill"})
        return answer.status_code

    assert await stops(scopes=tuple(Scope), email="plain@shop.example") == 403
    assert await stops(Role.CS_LEAD, scopes=(Scope.READ,), email="reads@shop.example") == 403
    # It may, and nothing is held.
    assert await stops(Role.CS_LEAD, scopes=(Scope.REVIEW,), email="acts@shop.example") == 409


async def test_a_page_calls_in_its_session_and_changes_nothing_without_its_own_token(door: Door) -> None:
    lead = await a_person(door.database.tenant, TENANT)
    lead.sits_at(door.client)
    assert (await door.client.get("/api/v1/runs")).status_code == 200
    for headers, status in (
        ({}, 403),
        ({"x-csrf-token": "made up"}, 403),
        ({"x-csrf-token": lead.form_token, "origin": "http://evil.example"}, 403),
        ({"x-csrf-token": lead.form_token}, 404),
    ):
        answer = await door.client.post("/api/v1/runs/none/stop", json={"reason": "drill"}, headers=headers)
        assert answer.status_code == status, headers


async def test_what_looks_like_no_id_is_refused_before_the_database_sees_it(door: Door) -> None:
    headers = bearing(await a_token(door.database.tenant, TENANT))
    for path in ("/api/v1/runs/%00", "/api/v1/runs/a%20b", "/api/v1/runs?ticket_id=%00", "/api/v1/runs?limit=0"):
        assert (await door.client.get(path, headers=headers)).status_code == 422, path
    assert (await door.client.get("/api/v1/nothing", headers=headers)).status_code == 404
