"""A run is told as a story: what was understood, the facts that decided, what was done, and how it ended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.ambient import vault_of
from app.errors import UsageError
from app.settings import load_settings
from connectors.stripe.wire import ChargeView, CustomerView
from connectors.stripe.words import RiskLevel
from graph.casefile import facts_for
from graph.dossier import ChargeHistory, Dossier, Identity
from graph.models.triage import Claims, IntentScore, Triage
from graph.rulebook import load_policy, publish
from graph.runs import artifacts
from graph.runs.models import Run, RunState
from graph.settlement.models import Effect
from graph.snapshot import Snapshot
from graph.verdicts import Decided, Verdicts
from policies.evaluate import decide
from policies.money import Money
from policies.proposal import Candidate
from policies.shelf import shipped_text
from policies.vocabulary import ActionKind, Intent
from tests.app.terminal import NOW, Terminal, new_id

SNAPSHOT = Snapshot(
    ticket_id="77",
    subject="Charged twice",
    status="open",
    channel="email",
    brand=None,
    requester_id="5",
    requester_name="Ana Ruiz",
    requester_email="ana@example.com",
    requester_verified=True,
    requester_tags=(),
    is_carbon_copied=False,
    flags=(),
    newest_comment_id=9,
    newest="Two charges of $24.90.\nPlease refund one. \x1b[2J",
    history=(),
    attachments=(),
    tags=(),
    custom_fields={},
    ticket_digest="5f0c",
    read_at=NOW,
)
TRIAGE = Triage(intents=(IntentScore(Intent.DUPLICATE_CHARGE, 97),), claims=Claims(duplicate=True, order_ids=("1042",)))


def charge(charge_id: str, days_ago: float) -> ChargeView:
    return ChargeView(
        charge_id=charge_id,
        customer_id="cus_1",
        payment_intent_id=f"pi_{charge_id}",
        amount=Money(2490, "usd"),
        captured_amount=Money(2490, "usd"),
        refunded=Money(0, "usd"),
        created_at=NOW - timedelta(days=days_ago),
        is_paid=True,
        is_captured=True,
        is_disputed=False,
        risk_level=RiskLevel.NORMAL,
        payment_method="card",
        card=None,
        billing_email=None,
        description="Order 1042",
        metadata={},
    )


SPOTLESS = ChargeHistory(disputes=(), warnings=(), refunds=())
DOSSIER = Dossier(
    read_at=NOW,
    identity=Identity.VERIFIED,
    segment="standard",
    customer=CustomerView("cus_1", "ana@example.com", "Ana Ruiz", NOW - timedelta(days=300), {}),
    charges=(charge("ch_1", 3.01), charge("ch_2", 3)),
    history={"ch_1": SPOTLESS, "ch_2": SPOTLESS},
    orders=(),
    subscriptions=(),
    refunds_90d=0,
)
CANDIDATE = Candidate(ActionKind.REFUND, Intent.DUPLICATE_CHARGE, charge_id="ch_2", amount=Money(2490, "usd"))


async def told(terminal: Terminal, *, dossier: Dossier = DOSSIER, run_id: str = "run_1") -> Run:
    """A run that has ended, as its nodes would have written it."""
    vault = vault_of(load_settings())
    async with terminal.database.tenant(terminal.tenant) as session:
        policy_hash = await publish(session, terminal.tenant, shipped_text(), author="test", now=NOW)
        policy = await load_policy(session, terminal.tenant, policy_hash)
        values = {
            "run.questions_asked": 1,
            "run.tool_errors": 0,
            "run.retries": 0,
            "run.missing_documents": 1,
        }
        facts = facts_for(CANDIDATE, DOSSIER, TRIAGE, channel="email", brand=None, run=values, now=NOW)
        verdicts = Verdicts((Decided(CANDIDATE, decide(policy, facts, now=NOW)),), values)
        run = Run(
            tenant_id=terminal.tenant,
            run_id=run_id,
            ticket_id="77",
            state=RunState.ENDED.value,
            outcome="resolved",
            intents=["duplicate_charge"],
            actions=[one.row() for one in verdicts.decided],
            subject_id=SNAPSHOT.subject_id,
            policy_hash=policy_hash,
            started_at=NOW,
            updated_at=NOW,
            ended_at=NOW,
        )
        session.add(run)
        await session.flush()
        kinds = {"snapshot": SNAPSHOT, "triage": TRIAGE, "dossier": dossier, "verdicts": verdicts}
        await artifacts.store(session, vault, run=run, values=kinds, now=NOW, new_id=new_id)
        session.add(
            Effect(
                tenant_id=terminal.tenant,
                effect_id="eff_1",
                run_id=run_id,
                ticket_id="77",
                cycle=1,
                kind="refund",
                business_key="k",
                state="settled",
                tool="stripe.refund",
                charge_id="ch_2",
                amount_minor=2490,
                currency="usd",
                idempotency_key="key",
                actor="agent",
                created_at=NOW,
                due_at=NOW,
                first_sent_at=NOW,
                settled_at=NOW,
                vendor_object="re_1",
            )
        )
    await terminal.log("node.completed", node="decide", goto="draft", latency_ms=12)
    return run


async def test_the_story_names_the_facts_the_rule_the_section_and_the_effect(terminal: Terminal) -> None:
    await told(terminal)
    done = await terminal.run("runs", "show", "run_1")
    for words in (
        "Ticket 77: resolved",
        "duplicate charge (97 %)",
        "says: duplicate, order 1042",
        "rule duplicate-charge, section refund-policy#3.2",
        "fact: charge.is_later_twin is true",
        "refund of 24.90 USD: done and confirmed as re_1",
        "decide -> draft",
    ):
        assert words in done.out
    assert "\x1b" not in done.out


async def test_a_ticket_names_its_newest_run(terminal: Terminal) -> None:
    await told(terminal)
    done = await terminal.run("runs", "show", "77", "--json")
    assert done.json["run_id"] == "run_1"
    (decision,) = done.json["decisions"]
    assert decision["facts"]["charge.is_later_twin"] is True
    assert decision["rules"][0]["rule"] == decision["rule"]
    assert done.json["steps"][0]["node"] == "decide"


async def test_facts_that_did_not_decide_are_not_shown(terminal: Terminal) -> None:
    other = replace(DOSSIER, charges=(charge("ch_2", 3),))
    await told(terminal, dossier=other)
    done = await terminal.run("runs", "show", "run_1", "--json")
    assert done.json["decisions"][0]["facts"] is None
    assert "the facts cannot be shown" in (await terminal.run("runs", "show", "run_1")).out


async def test_an_erased_person_is_left_out_and_the_rest_is_told(terminal: Terminal) -> None:
    run = await told(terminal)
    async with terminal.database.tenant(terminal.tenant) as session:
        assert run.subject_id is not None
        await vault_of(load_settings()).erase(session, tenant_id="demo", subject_id=run.subject_id, now=NOW)
    done = await terminal.run("runs", "show", "run_1")
    assert "The person was erased" in done.out
    assert "Two charges" not in done.out
    assert "allow by rule duplicate-charge" in done.out


async def test_runs_are_listed_by_outcome(terminal: Terminal) -> None:
    await told(terminal)
    listed = await terminal.run("runs", "list", "--outcome", "resolved", "--json")
    assert [run["run_id"] for run in listed.json["runs"]] == ["run_1"]
    none = await terminal.run("runs", "list", "--outcome", "handed_off")
    assert none.out == "no runs of demo here\n"
    assert "duplicate charge" in (await terminal.run("runs", "list")).out


async def test_the_events_of_one_run_are_exported(terminal: Terminal) -> None:
    await told(terminal)
    done = await terminal.run("runs", "export", "77")
    (line,) = [json.loads(line) for line in done.out.splitlines()]
    assert (line["kind"], line["run_id"]) == ("node.completed", "run_1")


async def test_a_person_stops_what_is_held_and_nothing_else(terminal: Terminal) -> None:
    await told(terminal)
    late = await terminal.run("runs", "stop", "77", "--reason", "the parcel came after all")
    assert (late.status, "nothing of run run_1 is held" in late.out) == (1, True)
    async with terminal.database.tenant(terminal.tenant) as session:
        effect = await session.get_one(Effect, (terminal.tenant, "eff_1"))
        effect.state, effect.first_sent_at, effect.settled_at = "held", None, None
    assert "can be stopped until it is sent at 2026-11-21" in (await terminal.run("runs", "show", "77")).out
    done = await terminal.run("runs", "stop", "77", "--reason", "the parcel came after all", "--json")
    assert (done.status, done.json) == (0, {"run_id": "run_1", "stopped": ["eff_1"]})
    async with terminal.database.tenant(terminal.tenant) as session:
        effect = await session.get_one(Effect, (terminal.tenant, "eff_1"))
        assert (effect.state, effect.detail) == ("stopped", "the parcel came after all")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("runs", "show", "nowhere"), "no run and no ticket 'nowhere' of demo"),
        (("runs", "export", "nowhere"), "no run and no ticket 'nowhere' of demo"),
        (("runs", "list", "--outcome", "resolvd"), "unknown outcome 'resolvd'; did you mean 'resolved'?"),
    ],
)
async def test_what_is_not_there_is_one_clear_line(
    terminal: Terminal, arguments: tuple[str, ...], complaint: str
) -> None:
    done = await terminal.run(*arguments)
    assert isinstance(done.error, UsageError)
    assert complaint in str(done.error)
