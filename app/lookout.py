"""The look-out: what is due or was left behind, found in our own tables and enqueued again.

Effects whose hold is over or whose end is unknown; runs whose wait is over; events nobody took up; runs that a dead
worker left; policy versions whose time has come or is over. And, less often, the sweep of Zendesk's export and the
comparison with Stripe.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from app.pace import is_time
from connectors.errors import AccessDenied, ConnectorError
from graph.breakers.watch import look
from graph.intake.sweep import sweep
from graph.lifecycle.canary import watch_canary
from graph.lifecycle.desk import CLOCKWORK, Desk
from graph.lifecycle.publishing import Act
from graph.models.kept import forget as forget_answers
from graph.queue import enqueue_effects, enqueue_stripe, enqueue_tickets
from graph.rulebook import deciding, load_policy
from graph.runs.reopen import failed_refunds, reopen
from graph.runtime import Runtime
from graph.settlement.due import due_effects
from graph.settlement.reconcile import reconcile
from graph.vault import MasterKeyWithheld, SubjectErased

log = logging.getLogger(__name__)

SWEEP_EVERY: Final = timedelta(seconds=60)
REOPEN_EVERY: Final = timedelta(seconds=30)
RECONCILE_EVERY: Final = timedelta(minutes=5)
FORGET_EVERY: Final = timedelta(hours=1)
RECONCILE_OVERLAP: Final = timedelta(hours=26)
LIMIT: Final = 200

_TICKETS: Final = text(
    """
    SELECT ticket_id FROM run
     WHERE tenant_id = :tenant_id AND state = 'waiting' AND wait_until <= :now
    UNION
    SELECT run.ticket_id FROM run
      LEFT JOIN ticket_lease USING (tenant_id, ticket_id)
     WHERE run.tenant_id = :tenant_id AND run.state = 'running'
       AND coalesce(ticket_lease.expires_at, '-infinity') < clock_timestamp()
    UNION
    SELECT run.ticket_id FROM run
      JOIN approval ON approval.tenant_id = run.tenant_id AND approval.approval_id = run.waits_on ->> 0
     WHERE run.tenant_id = :tenant_id AND run.state = 'waiting' AND run.wait_for = 'review'
       AND approval.state <> 'pending'
    UNION
    SELECT run.ticket_id FROM run
     WHERE run.tenant_id = :tenant_id AND run.state = 'waiting' AND run.wait_for = 'settlement'
       AND NOT EXISTS (
         SELECT 1 FROM effect
          WHERE effect.tenant_id = run.tenant_id AND effect.run_id = run.run_id
            AND effect.state IN ('held', 'sending', 'unknown'))
    UNION
    SELECT ticket_id FROM inbox_event
     WHERE tenant_id = :tenant_id AND disposition = 'pending' AND ticket_id IS NOT NULL AND received_at <= :overdue
       AND (look_again_at IS NULL OR look_again_at <= :now)
    LIMIT 200
    """,
)
_STRIPE_EVENTS: Final = text(
    """
    SELECT event_id FROM inbox_event
     WHERE tenant_id = :tenant_id AND disposition = 'pending' AND source = 'stripe' AND received_at <= :overdue
       AND (look_again_at IS NULL OR look_again_at <= :now)
     LIMIT 200
    """,
)
OVERDUE: Final = timedelta(seconds=5)
"""An event that no job took up for so long: its job was lost, or its worker."""


async def look_out(runtime: Runtime, tenant_id: str) -> None:
    """One look. Cheap where there is nothing to do."""
    now = runtime.now()
    values = {"tenant_id": tenant_id, "now": now, "overdue": now - OVERDUE}
    async with runtime.sessions(tenant_id) as session:
        effects = await due_effects(session, tenant_id, now=now, limit=LIMIT)
        await enqueue_effects(session, tenant_id, effects)
        tickets = list((await session.execute(_TICKETS, values)).scalars())
        await enqueue_tickets(session, tenant_id, tickets, once=True)
        events = list((await session.execute(_STRIPE_EVENTS, values)).scalars())
        await enqueue_stripe(session, tenant_id, events)
        sweeps = await is_time(session, tenant_id, "sweep", now, SWEEP_EVERY)
        reopens = (
            await failed_refunds(session, tenant_id)
            if await is_time(session, tenant_id, "reopen", now, REOPEN_EVERY)
            else ()
        )
        reconciles = await is_time(session, tenant_id, "reconcile", now, RECONCILE_EVERY)
        if await is_time(session, tenant_id, "forget_answers", now, FORGET_EVERY):
            await forget_answers(session, tenant_id, now=now)
    await _watch(runtime, tenant_id, now)
    if sweeps:
        await _sweep(runtime, tenant_id)
    for effect_id in reopens:
        await _reopen(runtime, tenant_id, effect_id)
    if reconciles:
        await _reconcile(runtime, tenant_id, now)
    await _keep_time(runtime, tenant_id, now)


async def _watch(runtime: Runtime, tenant_id: str, now: datetime) -> None:
    """Breakers trip and cool down, and what is held in vain is stopped."""
    async with runtime.sessions(tenant_id) as session:
        policy_hash = (await deciding(session, tenant_id)).published
        breakers = () if policy_hash is None else (await load_policy(session, tenant_id, policy_hash)).breakers
    seen = await look(runtime.sessions, tenant_id, breakers, now=now, new_id=runtime.new_id)
    for name in seen.tripped:
        log.error("breaker %s tripped: what it covers waits for people", name)
    for name in seen.cooled:
        log.info("breaker %s is reset, because it has cooled down", name)


async def _keep_time(runtime: Runtime, tenant_id: str, now: datetime) -> None:
    worse = await watch_canary(lambda: runtime.sessions(tenant_id), tenant_id, now=now, new_id=runtime.new_id)
    if worse is not None:
        log.error("the canary of %s is taken back: it had more %s than the other arm", tenant_id, worse)
    desk = Desk(lambda: runtime.sessions(tenant_id), tenant_id)
    for entry in await desk.keep_time(Act(CLOCKWORK, now, "its time has come", runtime.new_id)):
        log.info("policy change %s is %s%s", entry.schedule_id, entry.state, f": {entry.note}" if entry.note else "")


async def _sweep(runtime: Runtime, tenant_id: str) -> None:
    try:
        found = await sweep(runtime, tenant_id)
    except AccessDenied as error:
        log.warning("tickets whose webhook was lost cannot be found: %s", error)
    except ConnectorError as error:
        log.info("the sweep comes back later: %s", error)
    else:
        if found:
            log.info("found %d tickets whose webhook was lost", found)


async def _reopen(runtime: Runtime, tenant_id: str, effect_id: str) -> None:
    try:
        await reopen(runtime, tenant_id, effect_id)
    except (ConnectorError, SubjectErased, MasterKeyWithheld) as error:
        log.warning("the failed refund %s cannot be noted on its ticket: %s", effect_id, error)


async def _reconcile(runtime: Runtime, tenant_id: str, now: datetime) -> None:
    stripe = runtime.tenant(tenant_id).stripe
    try:
        drift = await reconcile(
            runtime.sessions,
            tenant_id,
            refunds_since=stripe.refunds_since,
            since=now - RECONCILE_OVERLAP,
            now=runtime.now,
            new_id=runtime.new_id,
        )
    except ConnectorError as error:
        log.info("the comparison with Stripe comes back later: %s", error)
        return
    if not drift.is_clean:
        log.error("our books and Stripe's differ: %s", drift)
