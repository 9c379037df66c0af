"""Secrets and personal data that were planted in every input stand in no log, metric, error page and export."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import BaseModel, SecretStr

from app.ambient import new_id
from app.event_lines import event_lines
from app.exporting.feeding import Feeder, feed
from app.exporting.redacting import Redaction
from app.exporting.sinks import sink_of
from app.processes import QUIET
from app.tenants import ExportSettings
from app.worker import Worker
from connectors.sandbox.faults import FaultKind
from graph.settlement.switches import change_switch
from tests.connectors.witness.test_witnesses import witness
from tests.journeys.shop import Shop, charged_twice
from tests.journeys.test_privacy import BODY, CANARIES, CARD, EMAIL, NAME, PHONE

TYPED = "Ottoline Featherstonehaugh"
"""A person whom a colleague names where a sentence is asked for: it stands in the log, and leaves under no profile."""
LABEL = "vip_penguin"
"""A tag, which is the shop's word: the value before a change is kept in clear until the customer is erased."""
LEAST_SECRET = 8
"""Shorter ones would be found in innocent words."""


def secrets_of(value: object) -> Iterator[str]:
    """Every secret of the settings, however deep."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, dict):
        for one in value.values():
            yield from secrets_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from secrets_of(one)


def found(text: str, needles: set[str]) -> set[str]:
    lowered = text.lower()
    return {needle for needle in needles if needle.lower() in lowered}


def rows(admin_url: str) -> Iterator[str]:
    """Every row of every table, bytes as letters."""
    with psycopg.connect(admin_url) as owner:
        for (table,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            for row in owner.execute(SQL("SELECT * FROM {}").format(Identifier(table))):
                values = (bytes(one).decode("latin-1") if isinstance(one, bytes | memoryview) else one for one in row)
                yield " ".join(map(str, values))


async def test_no_canary_in_logs_error_pages_and_exports(
    shop: Shop, database_url: str, admin_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in QUIET:
        caplog.set_level(logging.WARNING, logger=name)  # as every process of ours does
    secrets = {one for one in secrets_of(shop.settings) if len(one) >= LEAST_SECRET}
    needles = secrets | set(CANARIES)
    assert len(secrets) >= 3, "the settings of a shop have secrets of both vendors"
    assert found(repr(shop.settings), secrets) == set()

    # A run that refunds, under faults that make the vendors' answers part of our errors; then one that is handed off.
    person = {"name": NAME, "email": EMAIL, "phone": PHONE}
    shop.goes_wrong("zendesk.tickets.update", FaultKind.UNAVAILABLE, times=2)
    shop.goes_wrong("stripe.refunds.create", FaultKind.TIMEOUT_AFTER_EFFECT)
    twin = {
        "amount": "24.90",
        "order": "1042",
        "description": f"for {NAME}",
        "metadata": {"gift_to": f"{NAME} {EMAIL}"},
    }
    file = {"name": f"{NAME}.txt", "content": b64encode(BODY.encode()).decode()}
    message = {"from": "ana", "body": BODY, "attachments": [file]}
    ticket = await shop.arrives(
        charged_twice(
            customer=person,
            charges=[{"key": "first", **twin, "days_ago": "3.01"}, {"key": "second", **twin, "billing_email": EMAIL}],
            ticket={
                "subject": f"{NAME} was charged twice",
                "comments": [message],
                "tags": [LABEL],
                "custom_fields": {"Gift message": f"{NAME}, {CARD}"},
            },
        )
    )
    for _ in range(4):
        await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    shop.goes_wrong("stripe.customers.*", FaultKind.FORBIDDEN, times=100)
    await shop.customer_writes(ticket, BODY)
    await shop.passes(minutes=2)

    # A worker that is denied what it reads.
    shop.goes_wrong("zendesk.*", FaultKind.FORBIDDEN, times=1000)
    worker = Worker(shop.advancer, shop.database, shop.settings, database_url, asyncio.Event())
    working = asyncio.create_task(worker.run())
    async with asyncio.timeout(60):
        while not any(record.name.startswith("app.") for record in caplog.records):  # noqa: ASYNC110 - another logs
            await asyncio.sleep(0.1)
    worker.stopping.set()
    await working

    # What strangers send to the door.
    run = await shop.run(ticket)
    answers = [
        await shop.web.post("/webhooks/zendesk/demo", content=json.dumps({"words": BODY, "from": EMAIL}).encode()),
        await shop.web.post("/webhooks/stripe/demo", content=BODY.encode(), headers={"stripe-signature": EMAIL}),
        await shop.web.get("/t/demo/runs/nobody", params={"words": BODY}),
        await shop.web.get(f"/t/demo/runs/{run['run_id']}", headers={"cookie": f"session={EMAIL}"}),
        await shop.web.get("/nowhere", params={"words": BODY}),
        await shop.web.get("/api/v1/runs", headers={"authorization": f"Bearer {EMAIL}"}),
        await shop.web.post("/t/demo/sign-in", data={"email": EMAIL, "password": "parrot collection porcelain parrot"}),
    ]
    assert all(one.status_code >= httpx.codes.MULTIPLE_CHOICES for one in answers)
    assert [(one.request.url.path, found(one.text, needles)) for one in answers if found(one.text, needles)] == []

    metrics = await shop.web.get("/metrics")
    assert metrics.status_code == httpx.codes.OK
    assert found(metrics.text, needles | {LABEL}) == set()

    async with shop.database.tenant(shop.tenant) as session:
        await change_switch(
            session,
            tenant_id=shop.tenant,
            tool="stripe.cancel_payment",
            is_off=True,
            reason=f"{TYPED} asked for it",
            actor="cli:ottoline",
            now=shop.clock.now(),
            new_id=new_id,
        )
    theirs = {str(one["id"]) for one in shop.sandbox.doubles.stripe.ledger()} | {*shop.keys.charges.values()}
    theirs.add(f"zendesk/user/{shop.keys.customers['ana'].zendesk_user_id}")
    for profile in (Redaction.PSEUDONYMS, Redaction.MINIMAL):
        sent = await fed(shop, profile)
        assert sent.count("event_code") == len(await shop.rows("SELECT seq FROM audit_event"))
        assert found(sent, needles | theirs | {LABEL, *TYPED.split()}) == set()

    async with shop.database.tenant(shop.tenant) as session:
        exported = "\n".join([line async for line in event_lines(session, shop.tenant)])
    assert exported.count("\n") > 50
    assert found(exported, needles | {LABEL}) == set()
    assert {
        needle for row in await asyncio.to_thread(lambda: list(rows(admin_url))) for needle in found(row, needles)
    } == set()
    # The web process of a test has a log of requests; that of `countersign serve` has none.
    told = [record for record in caplog.records if record.name != "uvicorn.access"]
    leaks = {(record.name, needle) for record in told for needle in found(written(record), needles)}
    assert leaks == set()
    assert told


async def fed(shop: Shop, profile: Redaction) -> str:
    """What a SIEM is given of the whole log under a profile."""
    with witness(lambda _: (200, "")) as (url, posted):
        sink = sink_of(profile.value, ExportSettings(url=url, redaction=profile), shop.clock.now)
        feeder = Feeder(shop.database.tenant, shop.runtime.vault, shop.clock.now, new_id)
        while (done := await feed(feeder, shop.tenant, sink, at_once=True)) is not None and done.sent:
            assert done.problem is None
    return b"".join(body for _, body in posted).decode()


def written(record: logging.LogRecord) -> str:
    """What a handler would write of it, its traceback included."""
    return logging.Formatter("%(name)s %(message)s").format(record)
