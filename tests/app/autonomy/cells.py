"""A shop whose decisions people answered, as the database holds it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.ambient import new_id
from app.identity.accounts import Act
from graph.decisions.models import ReviewCheck
from graph.decisions.record import record
from graph.rulebook import publish
from graph.runs.models import Run
from graph.settlement.models import Approval
from graph.verdicts import Decided
from policies.evaluate import decide
from policies.facts import Facts
from policies.money import Money
from policies.proposal import Candidate
from policies.vocabulary import ActionKind, Intent
from tests.app.web.door import TENANT, Door
from tests.app.web.waiting import NOW
from tests.policies.shipped import base_facts
from tests.policies.writing import parsed

POLICY = """
policy: earned
segments: [standard, vip]
autonomy:
  tiers:
    auto: {mode: auto, at_most: {usd: 50}, hold: 600s}
    generous: {mode: auto, at_most: {usd: 500}}
    act: {mode: auto}
    approve: {mode: approve}
  matrix:
    - {action: [refund, reply], tier: approve}
    - {intent: item_not_received, action: refund, tier: auto}
limits:
  tenant: [{id: day, window: 1d, amount: {usd: 2000}}]
rules:
  - {id: pays, effect: allow, reason: Refunds are paid., when: {action.kind: refund}}
  - {id: says, effect: allow, reason: Replies are sent., when: {action.kind: reply}}
"""
ACT = Act("test", NOW, new_id)


async def published(door: Door, text: str = POLICY) -> str:
    async with door.database.tenant(TENANT) as session:
        return await publish(session, TENANT, text, author="settings", now=NOW - timedelta(days=50))


async def decided(
    door: Door,
    numbers: Iterable[int],
    *,
    intent: Intent = Intent.DUPLICATE_CHARGE,
    kind: ActionKind = ActionKind.REFUND,
    said: str | None = None,
    blind: str | None = None,
    at: datetime = NOW - timedelta(days=3),
    text: str = POLICY,
    **changes: Any,
) -> None:
    """Runs were decided; `said` is the state of the question each asked, `blind` a judgement afterwards."""
    facts = Facts(
        base_facts(
            request__intent=intent.value,
            action__kind=kind.value,
            action__amount_minor=changes.pop("amount", 2000) if kind is ActionKind.REFUND else None,
            requester__segment="standard",
            **changes,
        )
    )
    money = Money(int(str(facts["action.amount_minor"])), "usd") if kind is ActionKind.REFUND else None
    decision = decide(parsed(text), facts, now=at)
    async with door.database.tenant(TENANT) as session:
        for number in numbers:
            candidate = Candidate(kind, intent, charge_id=f"ch_{number}" if money else None, amount=money)
            await _kept(session, number, Decided(candidate, decision, facts.by_name), said=said, blind=blind, at=at)


async def _kept(
    session: AsyncSession, number: int, one: Decided, *, said: str | None, blind: str | None, at: datetime
) -> None:
    run_id, ticket_id, intent = f"run_{number}", str(number), one.candidate.intent
    session.add(
        Run(
            tenant_id=TENANT,
            run_id=run_id,
            ticket_id=ticket_id,
            state="ended",
            outcome="resolved",
            intents=[intent.value],
            started_at=at,
            updated_at=at,
            ended_at=at,
        )
    )
    await session.flush()
    await record(session, [one], tenant_id=TENANT, run_id=run_id, ticket_id=ticket_id, cycle=1, now=at)
    if said is not None:
        session.add(
            Approval(
                tenant_id=TENANT,
                approval_id=f"apr_{number}",
                run_id=run_id,
                ticket_id=ticket_id,
                cycle=1,
                state=said,
                action_digest="a",
                policy_hash="p",
                evidence_digest="e",
                approved_by=["account:lead"] if said == "used" else [],
                requested_at=at,
                expires_at=at + timedelta(hours=1),
                decided_at=at,
                decided_by="account:lead",
            )
        )
    if blind is not None:
        session.add(
            ReviewCheck(
                tenant_id=TENANT,
                check_id=f"chk_{number}",
                kind="blind",
                run_id=run_id,
                ticket_id=ticket_id,
                made_at=at,
                expires_at=at + timedelta(days=7),
                answer=blind,
                answered_at=at,
                answered_by="account:lead",
            )
        )
