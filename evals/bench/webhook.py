"""Row `webhook`: a signed Zendesk event accepted by `countersign serve`, against a bare route with one insert.

Both servers are processes of their own, reached over HTTP on loopback, on one PostgreSQL with fsync on; both have
committed when they answer. Every request is a new event, so that nothing is answered from what is known already.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from app.settings import machine_clock
from connectors.sandbox.zendesk.events import EVENT_VERSION, TYPE_PREFIX, signature
from connectors.zendesk.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from evals.bench.load import as_fast_as_possible, at_a_pace, request_bytes
from evals.bench.place import TENANT, Place, free_port, is_listening, opened_place, process
from evals.bench.rows import Row, Sample, percentile

GOAL: Final = 0.7
P99_GOAL_MS: Final = 20.0
PACE: Final = 200
WARM_UP: Final = 200
TICKETS: Final = 500
"""Tickets that the events are about: a busy afternoon, not one ticket's row."""


def webhook(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Requests a second, and the slow ones at a steady pace."""
    rounds, requests, seconds = (2, 400, 2) if is_quick else (7, 1500, 5)
    with opened_place() as place:
        bare_port = free_port()
        folder = place.settings.data_dir
        with (
            process(
                "-m",
                "evals.bench.bare_web",
                place.bare_url,
                str(bare_port),
                config=None,
                log=folder / "bare.log",
                answers=lambda: is_listening(bare_port),
            ),
            process(
                "-m",
                "app.main",
                "serve",
                config=place.config_path,
                log=folder / "web.log",
                answers=lambda: is_listening(place.web_port),
            ),
        ):
            return asyncio.run(_measure(place, bare_port, rounds, requests, PACE * seconds, say))


async def _measure(
    place: Place, bare_port: int, rounds: int, requests: int, paced: int, say: Callable[[str], None]
) -> list[Row]:
    made = count()

    def ours(many: int) -> list[bytes]:
        return [signed(place, next(made)) for _ in range(many)]

    def bare(many: int) -> list[bytes]:
        return [_bare(place, bare_port, next(made)) for _ in range(many)]

    await as_fast_as_possible(bare_port, bare(WARM_UP))
    await as_fast_as_possible(place.web_port, ours(WARM_UP))
    our_rates, bare_rates, our_p99, bare_p99 = [], [], [], []
    for number in range(rounds):
        bare_rates.append(await as_fast_as_possible(bare_port, bare(requests)))
        our_rates.append(await as_fast_as_possible(place.web_port, ours(requests)))
        bare_p99.append(1000 * percentile(await at_a_pace(bare_port, bare(paced), PACE), 0.99))
        our_p99.append(1000 * percentile(await at_a_pace(place.web_port, ours(paced), PACE), 0.99))
        say(f"webhook round {number + 1} of {rounds}: {our_rates[-1]:.0f}/s against {bare_rates[-1]:.0f}/s")
    return [
        Row("webhook", Sample.of(our_rates), "requests/s", Sample.of(bare_rates), GOAL),
        Row(f"webhook p99 at {PACE}/s", Sample.of(our_p99), "ms", Sample.of(bare_p99), P99_GOAL_MS, is_limit=True),
    ]


def signed(place: Place, number: int, ticket_id: str | None = None) -> bytes:
    """A comment on a ticket as Zendesk would send it, an event of its own for each number."""
    zendesk = place.settings.tenants[TENANT].zendesk
    assert zendesk is not None
    body, now = _event(number, ticket_id or str(1 + number % TICKETS)), machine_clock()
    timestamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    secret = zendesk.webhook_secrets[0].get_secret_value()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        SIGNATURE_HEADER: signature(secret, timestamp, body),
        TIMESTAMP_HEADER: timestamp,
    }
    return request_bytes(f"/webhooks/zendesk/{TENANT}", place.web_port, headers, body)


def event_id(number: int) -> str:
    """The id of the event of a number."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"bench/{number}"))


def _bare(place: Place, port: int, number: int) -> bytes:
    """The same request, byte for byte but for its address."""
    return signed(place, number).replace(
        f"/webhooks/zendesk/{TENANT} HTTP/1.1\r\nHost: 127.0.0.1:{place.web_port}".encode(),
        f"/ HTTP/1.1\r\nHost: 127.0.0.1:{port}".encode(),
        1,
    )


def _event(number: int, ticket_id: str) -> bytes:
    """A comment on a ticket: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/ ."""
    moment = (datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    words = "I was charged twice for order 1042, please refund the second charge. " * 5
    return json.dumps(
        {
            "account_id": 1,
            "detail": {
                "actor_id": "7",
                "brand_id": "3",
                "created_at": moment,
                "description": words,
                "id": ticket_id,
                "requester_id": "7",
                "status": "OPEN",
                "subject": "Charged twice",
                "tags": ["billing"],
                "updated_at": moment,
                "via": {"channel": "mail"},
            },
            "event": {
                "comment": {
                    "id": 1000 + number,
                    "body": words,
                    "is_public": True,
                    "author": {"id": 7, "is_staff": False, "name": "Ana"},
                },
                "meta": {"sequence": {"id": f"s{number}", "position": 1, "total": 1}},
            },
            "id": event_id(number),
            "subject": f"zen:ticket:{ticket_id}",
            "time": moment,
            "type": f"{TYPE_PREFIX}comment_added",
            "zendesk_event_version": EVENT_VERSION,
        },
    ).encode()
