"""Whoever is genuine is stored once before they are answered; whoever is not leaves a trace and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from app.db import Database
from app.web.webhooks import MAX_BODY_BYTES
from tests.app.web.door import Door, standing, stripe_event, stripe_headers, ticket_event, zendesk_headers

INBOX = "SELECT * FROM inbox_event ORDER BY event_id"


async def test_a_signed_event_is_stored_without_what_the_customer_wrote(door: Door) -> None:
    answer = await door.zendesk(ticket_event())
    assert answer.status_code == 202
    assert answer.json() == {"received": "stored", "event_id": "evt-1"}
    (row,) = await door.rows(INBOX)
    assert (row["source"], row["kind"], row["ticket_id"], row["disposition"]) == (
        "zendesk",
        "comment_added",
        "7",
        "pending",
    )
    assert "canary" not in json.dumps(row, default=str).lower()


async def test_a_repeated_delivery_is_counted_and_stored_once(door: Door) -> None:
    assert (await door.zendesk(ticket_event())).json()["received"] == "stored"
    assert (await door.zendesk(ticket_event())).json()["received"] == "duplicate"
    (row,) = await door.rows(INBOX)
    assert row["deliveries"] == 2


async def test_deliveries_at_the_same_moment_are_one_row(door: Door) -> None:
    answers = await asyncio.gather(*(door.zendesk(ticket_event()) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert sorted(answer.json()["received"] for answer in answers) == ["duplicate"] * 5 + ["stored"]
    (row,) = await door.rows(INBOX)
    assert row["deliveries"] == 6


async def test_a_stored_event_has_a_job(door: Door) -> None:
    await door.zendesk(ticket_event())
    jobs = await door.rows("SELECT entrypoint, convert_from(payload, 'UTF8') AS payload FROM pgqueuer")
    assert [(job["entrypoint"], job["payload"]) for job in jobs] == [("ticket", '["demo", "7"]')]


@pytest.mark.parametrize("vendor", ["zendesk", "stripe"])
async def test_a_wrong_signature_is_refused_and_a_flood_of_them_stays_one_row(door: Door, vendor: str) -> None:
    for number in range(8):
        raw = ticket_event(f"evt-{number}") if vendor == "zendesk" else stripe_event(f"evt_{number}")
        sign = zendesk_headers if vendor == "zendesk" else stripe_headers
        answer = await door.knock(vendor, "demo", raw, sign(raw, secret="another"))
        assert answer.status_code == 401
    assert await door.rows(INBOX) == []
    rows = await door.rows(
        "SELECT kind, source_address, sum(count) AS n, count(*) AS rows FROM security_event GROUP BY 1, 2"
    )
    assert [(row["kind"], row["source_address"], row["n"]) for row in rows] == [(f"{vendor}_signature", "127.0.0.1", 8)]
    events = await door.rows("SELECT kind, body FROM audit_event")
    assert len(events) == rows[0]["rows"] <= 2  # one a minute, should one pass meanwhile
    assert events[0]["kind"] == "security.bad_signature"


@pytest.mark.parametrize("headers", [{}, {"x-zendesk-webhook-signature": "x"}])
async def test_a_missing_header_is_refused(door: Door, headers: dict[str, str]) -> None:
    assert (await door.knock("zendesk", "demo", ticket_event(), headers)).status_code == 401
    assert (await door.knock("stripe", "demo", stripe_event(), {})).status_code == 401


@pytest.mark.parametrize("late_s", [900, -900])
async def test_a_stale_or_future_timestamp_is_refused(door: Door, late_s: float) -> None:
    assert (await door.zendesk(ticket_event(), late_s=late_s)).status_code == 401
    assert (await door.stripe(stripe_event(), late_s=late_s)).status_code == 401
    assert await door.rows(INBOX) == []


async def test_a_body_altered_by_one_byte_is_refused(door: Door) -> None:
    raw = ticket_event()
    assert (await door.knock("zendesk", "demo", raw + b" ", zendesk_headers(raw))).status_code == 401


async def test_an_unknown_tenant_is_not_found_and_leaves_nothing(door: Door) -> None:
    assert (await door.zendesk(ticket_event(), tenant="nobody")).status_code == 404
    assert (await door.zendesk(ticket_event(), tenant="%2e%2e")).status_code == 404
    assert await door.rows("SELECT 1 FROM security_event") == []


async def test_a_body_of_a_megabyte_is_accepted_and_one_beyond_the_limit_is_not(door: Door) -> None:
    assert (await door.zendesk(ticket_event(padding="x" * 1_048_576))).status_code == 202
    raw = b"x" * (MAX_BODY_BYTES + 1)
    answer = await door.zendesk(raw)
    assert answer.status_code == 413
    assert len(await door.rows(INBOX)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        ticket_event(subject="zen:ticket:seven"),
        ticket_event(time="yesterday"),
        ticket_event(type="zen:event-type:ticket.\u0000"),
        ticket_event(event_id="evt-\u0000"),
        ticket_event(event_id="evt-\ud800"),
    ],
    ids=lambda raw: repr(raw[-24:]),
)
async def test_what_is_genuine_and_unreadable_is_parked_and_acknowledged(door: Door, raw: bytes) -> None:
    assert (await door.zendesk(raw)).status_code == 202
    assert (await door.zendesk(raw)).status_code == 202
    (row,) = await door.rows(INBOX)
    assert (row["disposition"], row["deliveries"]) == ("parked", 2)
    assert (row["details"]["bytes"]) == len(raw)


async def test_an_event_about_something_else_is_stored_with_its_reason(door: Door) -> None:
    raw = ticket_event(subject="zen:user:9", type="zen:event-type:user.created")
    assert (await door.zendesk(raw)).status_code == 202
    (row,) = await door.rows(INBOX)
    assert (row["disposition"], row["reason"]) == ("ignored", "not_about_a_ticket")


async def test_a_signed_event_of_stripe_is_stored_once(door: Door) -> None:
    raw = stripe_event()
    assert (await door.stripe(raw)).json()["received"] == "stored"
    assert (await door.stripe(raw)).json()["received"] == "duplicate"
    (row,) = await door.rows(INBOX)
    assert (row["source"], row["event_id"], row["disposition"], row["deliveries"]) == ("stripe", "evt_1", "ignored", 2)


async def test_a_refund_event_of_stripe_that_cannot_be_read_is_parked(door: Door) -> None:
    raw = stripe_event(kind="refund.updated", subject={"id": "re_1", "object": "refund", "amount": "much"})
    assert (await door.stripe(raw)).status_code == 202
    (row,) = await door.rows(INBOX)
    assert (row["disposition"], row["reason"]) == ("parked", "unreadable")


@pytest.mark.parametrize("raw", [b"plainly no JSON", b"[1, 2]", b'{"object": "v2.core.event", "id": "evt_1"}'])
async def test_a_signed_body_of_stripe_that_is_no_event_is_parked_and_shown(door: Door, raw: bytes) -> None:
    assert (await door.stripe(raw)).status_code == 202
    (row,) = await door.rows(INBOX)
    assert (row["source"], row["disposition"], row["reason"]) == ("stripe", "parked", "unreadable")
    assert "signed stripe body" in row["details"]["error"]
    assert [one["kind"] for one in await door.rows("SELECT kind FROM audit_event")] == ["event.parked"]
    assert (await door.stripe(raw, secret="whsec_another")).status_code == 401


async def test_a_database_that_is_away_is_no_acknowledgement(database: Database, tmp_path: Path) -> None:
    away = "postgresql://countersign_app@127.0.0.1:1/nothing"
    async with standing(database, away, tmp_path) as door:
        for answer in (await door.zendesk(ticket_event()), await door.stripe(stripe_event())):
            assert answer.status_code == 503
            assert 0 < int(answer.headers["retry-after"]) < 60
            assert "127.0.0.1:1" not in answer.text
        forged = await door.zendesk(ticket_event(), secret="another")
        assert forged.status_code in {401, 503}
        assert (await door.client.get("/healthz")).status_code == 503


async def test_the_other_methods_are_not_offered(door: Door) -> None:
    assert (await door.client.get("/webhooks/zendesk/demo")).status_code == 405
