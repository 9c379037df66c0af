"""An alert is raised once where a figure passes its bound, told by e-mail, and resolved when the figure is calm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from app.alerts.raising import look
from app.alerts.rules import RULES, Rule
from app.alerts.tending import Alerting, rules_of
from app.ambient import new_id
from app.identity.accounts import Act
from app.identity.roles import Role
from app.listening import free_port
from app.notices.mailing import Mailer
from app.notices.telling import Place, tell
from app.tenants import AlertSettings, NoticeSettings, TenantSettings
from graph.audit.catalogue import problems
from graph.audit.log import append
from graph.breakers.models import Tally, TrippedBreaker
from graph.intake.models import SecurityEvent
from graph.runs.models import Run
from graph.settlement.models import ConnectorState
from tests.app.waiting.test_queue import asks
from tests.app.web.conftest import door
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import NOW

__all__ = ["door"]
API = "/api/v1/alerts"


async def ran(door: Door, prefix: str, count: int, at: datetime, **columns: Any) -> None:
    """Runs of one kind that ended."""
    async with door.database.tenant(TENANT) as session:
        for number in range(count):
            name = f"{prefix}_{number}"
            row = {"state": "ended", "outcome": "resolved", "started_at": at, "updated_at": at, **columns}
            session.add(Run(tenant_id=TENANT, run_id=name, ticket_id=name, **row))


async def looks(door: Door, rule: Rule, at: datetime) -> tuple[int, int]:
    """How many alerts a look raised and resolved."""
    async with door.database.tenant(TENANT) as session:
        found = await look(session, TENANT, rule, Act("alerts", at, new_id))
    return len(found.raised), len(found.resolved)


class Mailbox:
    """Keeps what a real mail server takes; refuses as often as it is told to."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.refusals = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        if self.refusals:
            self.refusals -= 1
            return "451 try later, ops@shop.example"
        self.letters.append(message_from_bytes(envelope.content or b"", policy=default))  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, Mailer]]:
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, Mailer("127.0.0.1", port, "none", "countersign@shop.example", 5)
    finally:
        controller.stop()


async def test_a_spike_is_raised_once_told_by_mail_taken_and_resolved_when_it_is_calm(door: Door) -> None:
    rule = RULES["escalations"]
    await ran(door, "was", 90, NOW - timedelta(days=2))
    await ran(door, "was_handed", 10, NOW - timedelta(days=2), outcome="handed_off")
    await ran(door, "now", 15, NOW - timedelta(minutes=10))
    assert await looks(door, rule, NOW) == (0, 0)  # too few runs
    await ran(door, "now_handed", 15, NOW - timedelta(minutes=10), outcome="handed_off")
    place = Place("mail", "", "email", ("alert.raised", "alert.resolved"), to=("ops@shop.example",))
    with mail_server() as (box, mailer):

        async def tells() -> str | None:
            await door.rows("UPDATE notice_cursor SET try_at = clock_timestamp() RETURNING 1")
            async with httpx.AsyncClient(trust_env=False) as client:
                done = await tell(door.database.tenant, TENANT, place, client, now=NOW, mailer=mailer)
            assert done is not None
            return done.problem

        await tells()
        assert [await looks(door, rule, NOW) for _ in range(3)] == [(1, 0), (0, 0), (0, 0)]
        box.refusals = 1
        assert await tells() == "the mail server did not take it (SMTPDataError)"
        assert await tells() is None
        # A higher bound by the factor: 10 % before makes 20 % no alert, and 50 % one.
        lead = await a_person(door.database.tenant, TENANT, Role.OPS_LEAD)
        (alert,) = (await asks(door, lead, "GET", API)).json()["items"]
        assert (alert["value"], alert["bound"], alert["figures"]["before"], alert["shown"]) == (
            5000,
            3000,
            1000,
            "50.0 %",
        )
        for _ in range(2):
            taken = await asks(door, lead, "PUT", f"{API}/{alert['alert_id']}/taken")
            assert taken.json()["seen_by"] == lead.account.actor
        assert alert["said"] in (await asks(door, lead, "GET", f"/t/{TENANT}/alerts")).text
        calm = NOW + timedelta(hours=2)
        assert await looks(door, rule, NOW + timedelta(minutes=4)) == (0, 0)
        assert [await looks(door, rule, calm) for _ in range(2)] == [(0, 1), (0, 0)]
        assert await tells() is None
    subjects = [str(one["Subject"]) for one in box.letters]
    assert subjects == ["[Countersign demo] alert.raised", "[Countersign demo] alert.resolved"]
    assert "50.0 % within 1 hour, before 10.0 %" in box.letters[0].get_content()
    assert len({one["Message-ID"] for one in box.letters}) == 2
    kinds = [
        row["kind"] for row in await door.rows("SELECT kind FROM audit_event WHERE kind LIKE 'alert.%' ORDER BY seq")
    ]
    assert kinds == ["alert.raised", "alert.taken", "alert.resolved"]


async def test_every_rule_is_calm_on_an_empty_shop_and_is_raised_by_what_it_is_about(door: Door) -> None:
    changes = {"spend": AlertSettings(at_least=1_000_000)}
    alerting = Alerting(door.database.tenant, {TENANT: rules_of(changes)}, lambda: NOW, new_id, asyncio.Event())
    assert [one.raised for one in await alerting.look(TENANT)] == [()] * len(RULES)
    assert await alerting.look(TENANT) == []  # each rule has its pace
    minute = NOW.replace(second=0, microsecond=0)
    bad = {"retries": 3, "tool_calls": 40, "worked_ms": 90_000, "input_tokens": 900, "cost_usd_micros": 50_000}
    await ran(door, "week", 60, NOW - timedelta(days=9), input_tokens=300)
    await ran(door, "bad", 60, NOW - timedelta(minutes=5), **bad, outcome="handed_off")
    async with door.database.tenant(TENANT) as session:
        for measure, subject in (("tool_errors", "stripe.refund"), ("model_errors", ""), ("injections", "")):
            session.add(
                Tally(tenant_id=TENANT, measure=measure, subject=subject, brand="", minute=minute, total=40, bad=20)
            )
        session.add(
            TrippedBreaker(
                tenant_id=TENANT,
                breaker_id="b",
                is_tripped=True,
                measure="money",
                cause="much",
                tripped_at=NOW,
                changed_by="x",
            )
        )
        session.add(
            ConnectorState(tenant_id=TENANT, connector="stripe", is_draft_only=True, reason="403", changed_at=NOW)
        )
        session.add(SecurityEvent(tenant_id=TENANT, minute=minute, kind="zendesk", source_address="10.0.0.1", count=30))
        trigger = {
            "measure": "errors",
            "canary": {"runs": 20, "errors": 9},
            "stable": {"runs": 90, "errors": 1},
            "one_in": 5000,
        }
        for kind, actor, body in (
            ("refund.orphan", "reconcile", {}),
            ("policy.rolled_back", "canary", {"taken_back": "f" * 64, "canary": True, "trigger": trigger}),
            ("autonomy.demoted", "autonomy", {"intent": "complaint", "segment": "", "action": "reply", "reason": "no"}),
        ):
            await append(session, tenant_id=TENANT, at=NOW, kind=kind, actor=actor, new_id=new_id, body=body)
        await session.flush()
    for name, rule in rules_of(changes).items():
        if name != "overrides":  # people's answers: tests/app/waiting
            assert await looks(door, rule, NOW) == (1, 0), name
    lead = await a_person(door.database.tenant, TENANT, Role.VIEWER)
    page = (await asks(door, lead, "GET", f"/t/{TENANT}/alerts")).text
    assert "more errors: 9 of 20 runs of the canary, 1 of 90 beside it; by chance once in 5,000" in page
    assert "I look at it" not in page
    told = await door.rows("SELECT kind, body FROM audit_event WHERE kind LIKE 'alert.%' ORDER BY seq")
    assert [one for event in told for one in problems(event["kind"], event["body"])] == []
    async with door.database.tenant(TENANT) as session:
        (await session.get_one(ConnectorState, (TENANT, "stripe"))).is_draft_only = False
    assert await looks(door, RULES["draft_only"], NOW + timedelta(minutes=6)) == (0, 1)
    off = rules_of({"safety": AlertSettings(off=True)})["safety"]
    assert await looks(door, off, NOW + timedelta(minutes=6)) == (0, 1)
    rows = await door.rows("SELECT count(*) AS n FROM alert WHERE state = 'open'")
    assert rows == [{"n": len(RULES) - 3}]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"alerts": {"retrys": {"at_least": 1}}}, "did you mean 'retries'"),
        ({"notices": {"ops": {"form": "email", "url": "https://x.example"}}}, "needs `to` for form `email`"),
        ({"notices": {"ops": {"form": "email", "to": ["Ops <ops@x.example>"]}}}, "plain e-mail addresses"),
        ({"notices": {"ops": {"to": ["ops@x.example"]}}}, "needs `to` for form `email`"),
    ],
    ids=["rule", "both", "name", "neither"],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TenantSettings.model_validate(settings)
    assert NoticeSettings.model_validate({"form": "email", "to": ["ops@x.example"]}).url is None
