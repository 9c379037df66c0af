"""Runs that wait for a person, as the bench `panel` reads them: real parts, made in bulk.

The parts are those of a charge made twice, decided by the shipped policy and drafted by templates. They are sealed for
as many tickets as are looked at; the other runs have their rows and events only, which is what they cost a reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.ambient import new_id
from connectors.stripe.wire import CardView, ChargeView, CustomerView
from connectors.stripe.words import RiskLevel
from graph.audit.log import NewEvent, append_all
from graph.casefile import facts_for
from graph.dossier import ChargeHistory, Dossier, Identity
from graph.drafting import draft_of, paragraphs
from graph.models.triage import Claim, Claims, Evidence, IntentScore, Triage
from graph.planning import plan
from graph.rulebook import load_policy
from graph.runs.artifacts import store
from graph.runs.models import Run
from graph.sections import Sections
from graph.settlement.approvals import request
from graph.settlement.questions import Binding, Question
from graph.snapshot import Snapshot
from graph.subjects import of_customer
from graph.vault import Vault
from graph.verdicts import Decided, Verdicts
from policies.document import Policy
from policies.evaluate import decide
from policies.money import Money
from policies.vocabulary import Intent

NOW: Final = datetime(2026, 11, 21, 9, tzinfo=UTC)
MESSAGE: Final = "I was charged twice for order 1042. Please refund the duplicate charge."
NODES: Final = ("intake", "triage", "gather", "retrieve", "plan", "decide", "draft", "verify")
EVENTS_OF_A_RUN: Final = 24


def _snapshot(ticket_id: str) -> Snapshot:
    return Snapshot(
        ticket_id=ticket_id,
        subject="Charged twice",
        status="open",
        channel="email",
        brand=None,
        requester_id=ticket_id,
        requester_name="Ana Ruiz",
        requester_email=f"ana.{ticket_id}@customers.example",
        requester_verified=True,
        requester_tags=(),
        is_carbon_copied=False,
        flags=(),
        newest_comment_id=1,
        newest=MESSAGE,
        history=(),
        attachments=(),
        tags=(),
        custom_fields={},
        ticket_digest="5f0c",
        read_at=NOW,
    )


def _charge(charge_id: str, minutes: int) -> ChargeView:
    amount = Money(9000, "usd")
    return ChargeView(
        charge_id=charge_id,
        customer_id="cus_bench",
        payment_intent_id=None,
        amount=amount,
        captured_amount=amount,
        refunded=Money(0, "usd"),
        created_at=NOW - timedelta(days=3, minutes=minutes),
        is_paid=True,
        is_captured=True,
        is_disputed=False,
        risk_level=RiskLevel.NORMAL,
        payment_method="card",
        card=CardView("fp_1", "4242", "visa", "credit", "US"),
        billing_email=None,
        description="Order 1042",
        metadata={},
    )


def _parts(policy: Policy, ticket_id: str) -> Mapping[str, object]:
    """What the nodes store for one ticket, made by the functions that the nodes call."""
    snapshot = _snapshot(ticket_id)
    first, second = _charge(f"ch_first_{ticket_id}", 15), _charge(f"ch_second_{ticket_id}", 0)
    dossier = Dossier(
        read_at=NOW,
        identity=Identity.VERIFIED,
        segment="standard",
        customer=CustomerView("cus_bench", snapshot.requester_email, "Ana Ruiz", NOW - timedelta(days=400), {}),
        charges=(first, second),
        history={one.charge_id: ChargeHistory((), (), ()) for one in (first, second)},
        orders=(),
        subscriptions=(),
        refunds_90d=0,
    )
    triage = Triage(
        intents=(IntentScore(Intent.DUPLICATE_CHARGE, 97),),
        claims=Claims(order_ids=("1042",), duplicate=True),
        evidence=(Evidence(6, 19, Claim.DUPLICATE), Evidence(30, 34, Claim.ORDER_ID)),
        language="en",
    )
    drawn, sections = plan(triage, dossier, MESSAGE, now=NOW), Sections(())
    decided = []
    for candidate in drawn.items[0].candidates:
        facts = facts_for(candidate, dossier, triage, channel="email", brand=None, run={}, now=NOW, recipients=1)
        decided.append(Decided(candidate, decide(policy, facts, now=NOW), facts.by_name))
    verdicts = Verdicts(tuple(decided))
    said = paragraphs(drawn, verdicts, dossier, sections, {})
    draft = draft_of(said, language="en", name="Ana Ruiz", shop="Larkspur Goods")
    return {
        "snapshot": snapshot,
        "triage": triage,
        "dossier": dossier,
        "sections": sections,
        "plan": drawn,
        "verdicts": verdicts,
        "draft": draft,
    }


def _run(ticket: int, tenant_id: str, policy_hash: str) -> Run:
    return Run(
        tenant_id=tenant_id,
        run_id=f"run_{ticket:032x}",
        ticket_id=str(ticket),
        state="waiting",
        wait_for="review",
        outcome="waiting_for_review",
        reason="needs_approval",
        intents=[Intent.DUPLICATE_CHARGE.value],
        waits_on=[f"apr_{ticket:032x}"],
        subject_id=of_customer(ticket),
        policy_hash=policy_hash,
        started_at=NOW + timedelta(seconds=ticket),
        updated_at=NOW,
    )


async def fill(session: AsyncSession, tenant_id: str, policy_hash: str, first: int, count: int) -> None:
    """So many runs with their events, in the session's transaction."""
    runs = [_run(ticket, tenant_id, policy_hash) for ticket in range(first, first + count)]
    await session.execute(insert(Run), [run.model_dump() for run in runs])
    await append_all(session, tenant_id, [_event(run, place) for run in runs for place in range(EVENTS_OF_A_RUN)])


def _event(run: Run, place: int) -> NewEvent:
    node = NODES[place * len(NODES) // EVENTS_OF_A_RUN]
    body = {"node": node, "cycle": 1, "goto": "next", "latency_ms": 7, "outputs": {}, "worker": "bench/1"}
    body["policy_hash"] = run.policy_hash or ""
    return NewEvent(new_id("evt"), NOW, "node.completed", "agent", run.run_id, run.ticket_id, body)


async def furnish(session: AsyncSession, vault: Vault, tenant_id: str, policy_hash: str, ticket: int) -> None:
    """The sealed parts of one run, and its question, in the session's transaction."""
    policy = await load_policy(session, tenant_id, policy_hash)
    run = await session.get_one(Run, (tenant_id, f"run_{ticket:032x}"))
    await store(session, vault, run=run, values=_parts(policy, str(ticket)), now=NOW, new_id=new_id)
    question = Question(
        approval_id=run.waits_on[0],
        run_id=run.run_id,
        ticket_id=run.ticket_id,
        cycle=1,
        bound_to=Binding("a", policy_hash, "e"),
        expires_at=NOW + timedelta(days=3650),
        approvers=("cs_lead",),
    )
    await request(session, question, tenant_id=tenant_id, actor="agent", now=NOW, new_id=new_id)
