"""A refund failed after the customer was told of it: the case is a person's again, with a note that says why.

The refund is never made again automatically (https://docs.stripe.com/refunds#failed-refunds): it may need another way
to pay. Found in our own tables, so it does not matter whether a webhook or the reconciler told of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.errors import VendorRefused
from connectors.zendesk.update import NewComment, update_body
from connectors.zendesk.wire import TicketView
from graph.audit.log import NewEvent
from graph.gate import Gate
from graph.runs.models import Run
from graph.runtime import Runtime, Tenant
from graph.settlement.changes import read_effect
from graph.settlement.models import Effect, EffectKind
from graph.settlement.requests import EffectRequest
from graph.settlement.reserve import Means, reserve_all
from graph.subjects import of_customer
from graph.tags import HANDED_OFF_TAG, TAG
from policies.money import Money
from policies.vocabulary import Outcome, Reason, Tool

STEP: Final = "refund_failed"

_FAILED: Final = text(
    """
    SELECT e.effect_id FROM effect e JOIN run r USING (tenant_id, run_id)
     WHERE e.tenant_id = :tenant_id AND e.kind = 'refund' AND e.state = 'reversed'
       AND r.state = 'ended' AND r.reply_sent
       AND NOT EXISTS (
         SELECT 1 FROM effect note
          WHERE note.tenant_id = e.tenant_id AND note.run_id = e.run_id
            AND note.item_key = 'refund_failed/' || e.effect_id
            AND (note.state NOT IN ('released', 'stopped') OR note.reason <> 'conflict'))
     ORDER BY e.settled_at LIMIT 50
    """,
)


async def failed_refunds(session: AsyncSession, tenant_id: str) -> Sequence[str]:
    """Effects whose refund failed after their run had ended, and whose ticket does not say so yet."""
    return (await session.execute(_FAILED, {"tenant_id": tenant_id})).scalars().all()


async def reopen(runtime: Runtime, tenant_id: str, effect_id: str) -> None:
    """Give the case of a failed refund to a person: its run, and a note on its ticket. Asking twice is asking once.

    Raises:
        ConnectorError: the ticket could not be read; nothing was changed.
    """
    tenant = runtime.tenant(tenant_id)
    async with runtime.sessions(tenant_id) as session:
        effect = await read_effect(session, tenant_id, effect_id)
    ticket = await _ticket(runtime, tenant, effect.ticket_id)
    now = runtime.now()
    means = Means(now=now, new_id=runtime.new_id, new_key=runtime.new_key, vault=runtime.vault)
    async with runtime.sessions(tenant_id) as session:
        run = await session.get_one(Run, (tenant_id, effect.run_id), with_for_update=True)
        run.outcome, run.reason, run.updated_at = Outcome.HANDED_OFF.value, Reason.TOOL_ERROR.value, now
        await session.flush()
        event = NewEvent(
            event_id=runtime.new_id("evt"),
            at=now,
            kind="run.reopened",
            actor="settlement",
            run_id=run.run_id,
            ticket_id=run.ticket_id,
            body={"effect_id": effect_id, "outcome": run.outcome, "reason": run.reason, "why": effect.reason},
        )
        requests = [] if ticket is None else [_note(tenant, effect, ticket, run)]
        await reserve_all(session, tenant_id, requests, means, events=[event])


async def _ticket(runtime: Runtime, tenant: Tenant, ticket_id: str) -> TicketView | None:
    """The ticket, or None where it is gone."""
    gate = Gate(runtime, tenant, actor="settlement")
    try:
        return await gate.read(
            Tool.ZENDESK_READ, "tickets.show", ticket_id, lambda: tenant.zendesk.ticket(int(ticket_id))
        )
    except VendorRefused as error:
        if error.status not in {404, 410}:
            raise
        return None


def _note(tenant: Tenant, effect: Effect, ticket: TicketView, run: Run) -> EffectRequest:
    text_ = note_text(effect)
    return EffectRequest(
        tenant_id=effect.tenant_id,
        run_id=effect.run_id,
        ticket_id=effect.ticket_id,
        cycle=effect.cycle,
        kind=EffectKind.ZENDESK_UPDATE,
        tool=Tool.ZENDESK_UPDATE.value,
        actor="settlement",
        body=lambda effect_id: update_body(
            ticket,
            marker=effect_id,
            comment=NewComment(text_, public=False),
            add_tags=[TAG, HANDED_OFF_TAG, "countersign_refund_failed"],
            status="open",
            group_id=tenant.review_group_id,
        ),
        item_key=f"{STEP}/{effect.effect_id}",
        subject_id=run.subject_id or of_customer(ticket.requester_id),
        is_personal=True,
        policy_hash=run.policy_hash,
        credential=tenant.credentials.get("zendesk"),
    )


def note_text(effect: Effect) -> str:
    """What a person has to know about a refund that failed."""
    assert effect.amount_minor is not None
    assert effect.currency is not None
    money = Money(effect.amount_minor, effect.currency)
    return (
        f"The refund of {money} failed at Stripe after it was confirmed ({effect.vendor_object}: {effect.reason}).\n"
        "The customer was told that the money is on its way. It is back in the Stripe balance, and nothing is sent\n"
        "again automatically.\n\n"
        "Suggested next steps:\n- Ask the customer for another way to be paid.\n- Pay it by hand and answer the ticket."
    )
