"""answer: one update of the ticket: the public reply, tags and status. It is asked for here and sent by the settlement.

The reply is written again from what the settlement did, and only to the message it answers: where the customer or an
agent has written meanwhile, the ticket is read anew.
"""

from __future__ import annotations

import asyncio

from connectors.errors import VendorRefused
from connectors.zendesk.update import NewComment, update_body
from connectors.zendesk.wire import CommentView, TicketView
from graph.breakers.trips import Watched
from graph.drafting import Draft
from graph.errors import TicketGone
from graph.nodes.draft import compose
from graph.nodes.settle import effects_of
from graph.nodes.verify import evidence
from graph.outgoing import Outgoing, put_out
from graph.settlement.approvals import edited_reply
from graph.settlement.models import Effect
from graph.snapshot import Snapshot
from graph.step import Step, StepContext, hand_off
from graph.tags import TAG, TAGS
from graph.undoing import values_of
from graph.verdicts import Verdicts
from graph.verifying import verify
from policies.vocabulary import Reason, Tool


async def answer(context: StepContext) -> Step:
    """Outcomes → the reply, asked for."""
    snapshot = await context.load("snapshot", Snapshot)
    ticket = await read_ticket(context)
    elsewhere = await _overtaken(context, snapshot, ticket)
    if elsewhere is not None:
        return elsewhere
    effects = await effects_of(context, context.state.get("unannounced", []))
    edited = await _edited(context)
    if context.state.get("asks", False) and edited is not None:
        draft = Draft((), (await context.load("draft", Draft)).language, edited)
    else:
        draft = await compose(context, effected={one.charge_id: one.vendor_status for one in effects if one.charge_id})
    findings = verify(draft, await evidence(context), edited=edited)
    if findings:
        return hand_off(Reason.VERIFICATION_FAILED, note="; ".join(dict.fromkeys(one.reason for one in findings)))
    return await _put_out(context, snapshot, ticket, draft, edited, effects)


async def _put_out(
    context: StepContext,
    snapshot: Snapshot,
    ticket: TicketView,
    draft: Draft,
    edited: str | None,
    effects: list[Effect],
) -> Step:
    asks = context.state.get("asks", False)
    tags = [TAG, *(TAGS[one.kind] for one in effects if one.kind in TAGS)]
    outgoing = Outgoing(
        step="answer",
        tool=Tool.ZENDESK_REPLY,
        subject_id=snapshot.subject_id,
        # What a person asks the customer is theirs: it is neither under the approval of the actions nor a breaker's.
        approval_id=None if asks else context.state.get("approval_id"),
        watched=None if asks and edited is not None else await _watched(context, snapshot, effects),
        before=values_of(ticket),
        body=lambda effect_id: update_body(
            ticket,
            marker=effect_id,
            comment=NewComment(edited or draft.text, public=True),
            add_tags=tags,
            status="pending" if asks else "solved",
        ),
    )
    body = {
        "says": [one.template.value for one in draft.paragraphs],
        "cites": list(draft.cites),
        "edited": edited is not None,
    }
    return await put_out(context, outgoing, artifacts={"draft": draft}, body=body)


async def _watched(context: StepContext, snapshot: Snapshot, effects: list[Effect]) -> Watched | None:
    """What the reply is part of. No breaker keeps from a customer what was done for them."""
    if effects:
        return None
    decided = (await context.load("verdicts", Verdicts)).decided
    if not decided:
        return Watched(brand=snapshot.brand)
    return Watched(decided[0].candidate.intent.value, snapshot.brand, decided[0].decision.tier)


async def read_ticket(context: StepContext) -> TicketView:
    """The ticket as it stands, for an update that must not overwrite anything.

    Raises:
        TicketGone: it was deleted.
    """
    zendesk, ticket_id = context.tenant.zendesk, int(context.ticket_id)
    try:
        return await context.gate.read(
            Tool.ZENDESK_READ,
            "tickets.show",
            context.ticket_id,
            lambda: zendesk.ticket(ticket_id),
        )
    except VendorRefused as error:
        if error.status in {404, 410}:
            raise TicketGone(f"ticket {context.ticket_id} is gone from Zendesk") from error
        raise


async def _overtaken(context: StepContext, snapshot: Snapshot, ticket: TicketView) -> Step | None:
    """Whether somebody wrote since the ticket was read. A comment always changes the ticket's `updated_at`."""
    if ticket.digest == snapshot.ticket_digest:
        return None
    zendesk, ticket_id = context.tenant.zendesk, int(context.ticket_id)
    comments: tuple[CommentView, ...] = await context.gate.read(
        Tool.ZENDESK_READ,
        "comments.list",
        context.ticket_id,
        lambda: zendesk.comments(ticket_id),
    )
    newer = [one for one in comments if one.public and one.comment_id > snapshot.newest_comment_id]
    bot_user_id = await asyncio.to_thread(lambda: zendesk.bot_user_id)
    others = [one for one in newer if one.author_id != bot_user_id]
    if any(one.author_id == ticket.requester_id for one in others):
        return Step("intake", body={"overtaken_by": "new_message"})
    if others:
        return hand_off(Reason.HUMAN_TOOK_OVER, note="somebody answered the ticket meanwhile")
    return None


async def _edited(context: StepContext) -> str | None:
    """The reply as the reviewer rewrote it."""
    approval_id = context.state.get("approval_id")
    if approval_id is None:
        return None
    async with context.runtime.sessions(context.tenant_id) as session:
        return await edited_reply(session, approval_id, tenant_id=context.tenant_id, vault=context.runtime.vault)
