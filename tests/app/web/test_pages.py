"""The pages show text as text, run no script but their own, and take an answer from whoever is signed in and may."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.identity.roles import Role
from graph.queue import TICKET
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import EVIL, NOW, a_waiting_run

APPROVAL = f"/t/{TENANT}/approvals/apr_1"


@pytest.fixture
async def door(door: Door) -> Door:
    """The door with a lead in front of it."""
    (await a_person(door.database.tenant, TENANT)).sits_at(door.client)
    return door


async def token_of(door: Door) -> str:
    page = (await door.client.get(f"/t/{TENANT}/runs/run_1")).text
    form = page.split('action="/t/demo/approvals/')[1]
    return form.split('name="csrf" value="')[1].split('"')[0]


async def answers(door: Door, token: str, decision: str = "approve", **fields: str) -> httpx.Response:
    return await door.client.post(APPROVAL, data={"csrf": token, "decision": decision, **fields})


async def approval(door: Door) -> dict[str, Any]:
    (row,) = await door.rows("SELECT state, decided_by, reason_code, sealed_reply FROM approval")
    return row


@pytest.mark.parametrize("path", [f"/t/{TENANT}/runs", f"/t/{TENANT}/runs/run_1"])
async def test_what_a_customer_wrote_is_shown_as_text_and_never_as_markup(
    door: Door, tmp_path: Path, path: str
) -> None:
    await a_waiting_run(door, tmp_path, EVIL)
    page = (await door.client.get(path)).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for tag in ("<script", "<img", "<svg"):
        assert tag not in page.lower()
    assert str(7919 * 7919) not in page


async def test_every_page_forbids_scripts_frames_and_caches(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    for path in (f"/t/{TENANT}/runs", f"/t/{TENANT}/runs/run_1", f"/t/{TENANT}/runs/none", "/t/none/runs"):
        headers = (await door.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'nonce-" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


async def test_what_is_not_there_is_not_found_and_its_name_is_escaped(door: Door) -> None:
    answer = await door.client.get(f"/t/{TENANT}/runs/<script>alert(1)")
    assert answer.status_code == 404
    assert "<script" not in answer.text
    assert (await door.client.get("/t/none/runs")).status_code == 404
    assert (await door.client.get("/t/none/runs/run_1")).status_code == 404


async def test_the_first_page_leads_to_the_runs(door: Door) -> None:
    answer = await door.client.get("/")
    assert answer.headers["location"] == f"/t/{TENANT}/runs"


async def test_an_approval_is_stored_and_wakes_the_ticket(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    answer = await answers(door, await token_of(door))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/t/{TENANT}/runs/run_1")
    assert (await approval(door))["state"] == "approved"
    jobs = await door.rows("SELECT entrypoint FROM pgqueuer")
    assert [job["entrypoint"] for job in jobs] == [TICKET]


async def test_the_second_answer_changes_nothing_and_is_told_so(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    token = await token_of(door)
    assert (await answers(door, token)).status_code == 303
    answer = await answers(door, token, "reject", reason_code="other")
    assert answer.status_code == 409
    assert "approved already" in answer.text
    row = await approval(door)
    assert (row["state"], row["reason_code"]) == ("approved", None)


async def test_a_rejection_keeps_its_reason(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    assert (await answers(door, await token_of(door), "reject", reason_code="wrong_amount")).status_code == 303
    row = await approval(door)
    assert (row["state"], row["reason_code"]) == ("rejected", "wrong_amount")


async def test_an_edited_reply_is_sealed_and_an_unchanged_one_is_not(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path, required=2)
    token = await token_of(door)
    assert (await answers(door, token, reply="Please refund me\r\n")).status_code == 303
    assert (await approval(door))["sealed_reply"] is None


async def test_an_edited_reply_cannot_be_read_in_the_database(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    assert (await answers(door, await token_of(door), reply="Dear canary")).status_code == 303
    sealed = (await approval(door))["sealed_reply"]
    assert sealed is not None
    assert b"canary" not in bytes(sealed)


@pytest.mark.parametrize("token", ["", "0" * 64, "\u00e9"])
async def test_an_answer_without_the_pages_token_is_refused(door: Door, tmp_path: Path, token: str) -> None:
    await a_waiting_run(door, tmp_path)
    assert (await answers(door, token)).status_code in {403, 422}
    assert (await approval(door))["state"] == "pending"


async def test_the_token_of_another_session_is_refused(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    other = await a_person(door.database.tenant, TENANT, email="other@shop.example")
    assert (await answers(door, other.form_token)).status_code == 403
    assert (await approval(door))["state"] == "pending"


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:8080", "http://127.0.0.1:9999", "http://localhost:8080"],
)
async def test_a_form_from_another_origin_is_refused(door: Door, tmp_path: Path, origin: str | None) -> None:
    await a_waiting_run(door, tmp_path)
    token = await token_of(door)
    del door.client.headers["origin"]
    if origin is not None:
        door.client.headers["origin"] = origin
    assert (await answers(door, token)).status_code == 403
    assert (await approval(door))["state"] == "pending"


@pytest.mark.parametrize(("email", "zendesk_user_id"), [("ana@shop.example", "11"), ("Ana@Customers.Example", None)])
async def test_the_customer_of_the_ticket_may_not_answer(
    door: Door, tmp_path: Path, email: str, zendesk_user_id: str | None
) -> None:
    await a_waiting_run(door, tmp_path)
    sessions = door.database.tenant
    ana = await a_person(sessions, TENANT, Role.ADMIN, email=email, zendesk_user_id=zendesk_user_id)
    ana.sits_at(door.client)
    answer = await answers(door, await token_of(door))
    assert answer.status_code == 409
    assert "the question concerns them" in answer.text
    assert (await approval(door))["state"] == "pending"


async def test_who_answered_is_their_account_and_never_their_address(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    lead = await a_person(door.database.tenant, TENANT, email="canary@shop.example")
    lead.sits_at(door.client)
    await answers(door, await token_of(door))
    assert (await approval(door))["decided_by"] == f"account:{lead.account.account_id}"
    log = await door.rows("SELECT actor || body::text AS line FROM audit_event")
    assert not [row for row in log if "canary" in row["line"]]


async def test_two_different_people_must_answer_where_two_are_asked_for(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path, required=2)
    assert (await answers(door, await token_of(door))).status_code == 303
    again = await answers(door, await token_of(door))
    assert (again.status_code, (await approval(door))["state"]) == (409, "pending")
    (await a_person(door.database.tenant, TENANT, email="second@shop.example")).sits_at(door.client)
    assert (await answers(door, await token_of(door))).status_code == 303
    assert (await approval(door))["state"] == "approved"


async def test_a_viewer_reads_and_has_no_form(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    viewer = await a_person(door.database.tenant, TENANT, Role.VIEWER, email="viewer@shop.example")
    viewer.sits_at(door.client)
    page = (await door.client.get(f"/t/{TENANT}/runs/run_1")).text
    assert "Your roles do not allow you to answer" in page
    assert "/approvals/" not in page
    assert (await answers(door, viewer.form_token)).status_code == 403
    assert (await approval(door))["state"] == "pending"


@pytest.mark.parametrize("fields", [{"decision": "maybe"}, {"decision": "reject", "reason_code": "because"}])
async def test_an_answer_that_is_none_is_a_bad_request(door: Door, tmp_path: Path, fields: dict[str, str]) -> None:
    await a_waiting_run(door, tmp_path)
    assert (await answers(door, await token_of(door), **fields)).status_code == 400
    assert (await approval(door))["state"] == "pending"


async def test_a_question_that_is_not_there_is_not_found(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path)
    token = await token_of(door)
    path = f"/t/{TENANT}/approvals/apr_2"
    assert (await door.client.post(path, data={"csrf": token, "decision": "approve"})).status_code == 404


async def test_an_expired_question_can_no_longer_be_approved(door: Door, tmp_path: Path) -> None:
    await a_waiting_run(door, tmp_path, expires_at=NOW - timedelta(seconds=1))
    answer = await answers(door, await token_of(door))
    assert answer.status_code == 409
    assert "expired already" in answer.text


async def test_the_page_is_well_while_the_database_is(door: Door) -> None:
    assert (await door.client.get("/healthz")).json() == {"ok": True}
