"""What Stripe told about refunds, disputes and warnings, for the settlement to take in. Events come twice and late."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.log import NewEvent, append_all
from graph.gate import Gate
from graph.intake.models import Disposition, InboxEvent
from graph.runtime import Runtime
from graph.settlement.vendor_events import Hearing, on_dispute, on_refund
from policies.vocabulary import Tool

SOURCE = "stripe"
REFUNDS = "refund."
"""How the types of events about refunds begin."""


async def take_in(runtime: Runtime, tenant_id: str, event_id: str) -> None:
    """Work on one stored event; one that is done already is left alone.

    Raises:
        ConnectorError: the refund could not be read; the event stays pending.
    """
    async with runtime.sessions(tenant_id) as session:
        event = await session.get(InboxEvent, (tenant_id, SOURCE, event_id))
    if event is None or event.disposition != Disposition.PENDING.value or event.object_id is None:
        return
    if not event.kind.startswith(REFUNDS):
        await _take_in_warning(runtime, event, event.object_id)
        return
    tenant = runtime.tenant(tenant_id)
    gate = Gate(runtime, tenant, actor="intake")
    refund_id = event.object_id
    refund = await gate.read(Tool.STRIPE_READ, "refunds.show", refund_id, lambda: tenant.stripe.refund(refund_id))
    async with runtime.sessions(tenant_id) as session:
        row = await _accepted(session, event)
        seen = await on_refund(session, refund, Hearing(tenant_id, runtime.now(), runtime.new_id))
        row.reason = seen.value
        await session.flush()
        await append_all(
            session,
            tenant_id,
            [
                NewEvent(
                    event_id=runtime.new_id("evt"),
                    at=runtime.now(),
                    kind="tool.called",
                    actor="intake",
                    body=record.body(),
                )
                for record in gate.records
            ],
        )


async def _take_in_warning(runtime: Runtime, event: InboxEvent, charge_id: str) -> None:
    """A dispute or an early fraud warning: what is held on its charge stops. The run reads the charge anew."""
    now = runtime.now()
    async with runtime.sessions(event.tenant_id) as session:
        row = await _accepted(session, event)
        hearing = Hearing(event.tenant_id, now, runtime.new_id)
        stopped = await on_dispute(session, charge_id, event.occurred_at or now, hearing)
        row.reason = "stopped_held" if stopped else "read_when_needed"


async def _accepted(session: AsyncSession, event: InboxEvent) -> InboxEvent:
    row = await session.get_one(InboxEvent, (event.tenant_id, SOURCE, event.event_id))
    row.disposition = Disposition.ACCEPTED.value
    await session.flush()
    return row
