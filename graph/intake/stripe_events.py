"""What Stripe told about refunds: read the refund anew, let the settlement take it in. Events come twice and late."""

from __future__ import annotations

from graph.audit.log import NewEvent, append_all
from graph.gate import Gate
from graph.intake.models import Disposition, InboxEvent
from graph.runtime import Runtime
from graph.settlement.vendor_events import Hearing, on_refund
from policies.decision import RunBudget
from policies.vocabulary import Tool

SOURCE = "stripe"


async def take_in(runtime: Runtime, tenant_id: str, event_id: str) -> None:
    """Work on one stored event; one that is done already is left alone.

    Raises:
        ConnectorError: the refund could not be read; the event stays pending.
    """
    async with runtime.sessions(tenant_id) as session:
        event = await session.get(InboxEvent, (tenant_id, SOURCE, event_id))
    if event is None or event.disposition != Disposition.PENDING.value or event.object_id is None:
        return
    tenant = runtime.tenant(tenant_id)
    gate = Gate(runtime, tenant, actor="intake", budget=RunBudget())
    refund_id = event.object_id
    refund = await gate.read(Tool.STRIPE_READ, "refunds.show", refund_id, lambda: tenant.stripe.refund(refund_id))
    hearing = Hearing(tenant_id, runtime.now(), runtime.new_id)
    async with runtime.sessions(tenant_id) as session:
        row = await session.get_one(InboxEvent, (tenant_id, SOURCE, event_id))
        row.disposition = Disposition.ACCEPTED.value
        await session.flush()
        seen = await on_refund(session, refund, hearing)
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
