"""intake: read the ticket anew, redact what the customer wrote, and see whether it is ours to work on."""

from __future__ import annotations

import asyncio
from functools import partial

from connectors.errors import VendorRefused
from connectors.zendesk.wire import CommentView, TicketView, UserView
from graph.errors import TicketGone
from graph.redaction.profile import KnownProfile
from graph.redaction.redact import Redacted, RedactionError, redact
from graph.snapshot import Attachment, Snapshot
from graph.state import RunState
from graph.step import Step, StepContext, end, hand_off
from graph.subjects import of_customer
from graph.withholding import readable_entries, reads
from policies.vocabulary import Outcome, Reason, Tool

MAX_HISTORY = 10
MAX_CHARACTERS = 100_000
"""What is read of one message; what follows is counted in the log and left in Zendesk."""
GONE = frozenset({404, 410})


async def intake(context: StepContext) -> Step:  # noqa: PLR0911 - one return for each reason why it is not ours
    """Ticket → snapshot, or the reason why there is nothing to do."""
    ticket = await _ticket(context)
    zendesk = context.tenant.zendesk
    reference = str(ticket.ticket_id)
    comments = await context.gate.read(
        Tool.ZENDESK_READ,
        "comments.list",
        reference,
        lambda: zendesk.comments(ticket.ticket_id),
    )
    requester = await context.gate.read(
        Tool.ZENDESK_READ,
        "users.show",
        str(ticket.requester_id),
        lambda: zendesk.user(ticket.requester_id),
    )
    public = [comment for comment in comments if comment.public]
    theirs = [comment for comment in public if comment.author_id == ticket.requester_id]
    if not theirs:
        return end(Outcome.IGNORED, Reason.NOT_A_REQUEST, note="nobody but staff has written")
    if ticket.is_closed or ticket.is_deleted:
        return end(Outcome.IGNORED, Reason.STALE, note=f"the ticket is {ticket.status}")
    brands = context.tenant.brand_ids
    if brands and ticket.brand_id not in brands:
        return end(Outcome.IGNORED, Reason.OUT_OF_SCOPE, note=f"brand {ticket.brand_id} is not one of ours to answer")
    if requester.is_suspended:
        return end(Outcome.IGNORED, Reason.SUSPECTED_ABUSE, note="the requester is suspended in Zendesk")
    if await _is_erased(context, ticket):
        note = "the requester was erased: nothing of theirs is stored, and people answer what they write"
        return end(Outcome.IGNORED, Reason.OUT_OF_SCOPE, note=note)
    newest = theirs[-1]
    is_verified = await _is_verified(context, requester, newest)
    if await _was_answered(context, public, newest):
        if context.state.get("cycle", 0):
            return hand_off(Reason.HUMAN_TOOK_OVER, note="somebody answered the ticket meanwhile")
        # A colleague is at it already: another answer, or a note that nobody asked for, would be in their way.
        return end(Outcome.IGNORED, Reason.HUMAN_TOOK_OVER, note="a colleague has answered it already")
    if ticket.status == "solved" and context.state.get("cycle", 0):
        # Nothing of ours solves a ticket and reads it again, and a message of the customer's would have reopened it.
        return hand_off(Reason.HUMAN_TOOK_OVER, note="somebody solved the ticket meanwhile")
    if not newest.body.strip() and not ticket.subject.strip():
        return end(Outcome.IGNORED, Reason.NOT_A_REQUEST, note="the message is empty")
    latest = max(comment.comment_id for comment in comments)
    return _snapshot(context, ticket, requester, public, newest, is_verified=is_verified, latest=latest)


async def _is_verified(context: StepContext, requester: UserView, newest: CommentView) -> bool:
    """Whether the address is verified that the message came from. Zendesk's `verified` is about any of the user's."""
    sender = newest.from_address
    if not requester.is_verified or sender is None or sender.casefold() == (requester.email or "").casefold():
        return requester.is_verified
    identities = await context.gate.read(
        Tool.ZENDESK_READ,
        "users.identities",
        str(requester.user_id),
        lambda: context.tenant.zendesk.identities(requester.user_id),
    )
    return any(one.is_verified and one.value.casefold() == sender.casefold() for one in identities)


async def _is_erased(context: StepContext, ticket: TicketView) -> bool:
    async with context.runtime.sessions(context.tenant_id) as session:
        return await context.runtime.vault.is_erased(
            session, tenant_id=context.tenant_id, subject_id=of_customer(ticket.requester_id)
        )


async def _was_answered(context: StepContext, public: list[CommentView], newest: CommentView) -> bool:
    """Whether somebody else wrote to the customer after their newest message.

    Before anything was read it takes a colleague to make the ticket theirs; afterwards anybody who writes makes what
    was read stale. What triggers of Zendesk write is of user -1, who is nobody.
    """
    later = {one.author_id for one in public if one.comment_id > newest.comment_id} - {newest.author_id}
    if not later:
        return False
    others = later - {await asyncio.to_thread(lambda: context.tenant.zendesk.bot_user_id)}
    if context.state.get("cycle", 0):
        return bool(others)
    for user_id in sorted(one for one in others if one > 0):
        show = partial(context.tenant.zendesk.user, user_id)
        if (await context.gate.read(Tool.ZENDESK_READ, "users.show", str(user_id), show)).is_staff:
            return True
    return False


async def _ticket(context: StepContext) -> TicketView:
    ticket_id = int(context.ticket_id)
    zendesk = context.tenant.zendesk
    try:
        ticket = await context.gate.read(
            Tool.ZENDESK_READ,
            "tickets.show",
            context.ticket_id,
            lambda: zendesk.ticket(ticket_id),
        )
    except VendorRefused as error:
        if error.status in GONE:
            raise TicketGone(f"ticket {context.ticket_id} is gone from Zendesk") from error
        raise
    if ticket.is_deleted:
        raise TicketGone(f"ticket {context.ticket_id} was deleted in Zendesk")
    return ticket


def _snapshot(
    context: StepContext,
    ticket: TicketView,
    requester: UserView,
    public: list[CommentView],
    newest: CommentView,
    *,
    is_verified: bool,
    latest: int,
) -> Step:
    privacy = context.policy.privacy
    known = KnownProfile(
        names=(requester.name,),
        emails=(requester.email,) if requester.email else (),
        phones=(requester.phone,) if requester.phone and reads(privacy, "requester.phone") else (),
    )
    try:
        subject = redact(ticket.subject, known)
        message = redact(newest.body[:MAX_CHARACTERS], known)
        readable = public if reads(privacy, "ticket.history") else []
        earlier = [comment for comment in readable if comment.comment_id < newest.comment_id]
        history = [redact(comment.body[:MAX_CHARACTERS], known) for comment in earlier[-MAX_HISTORY:]]
    except RedactionError as error:
        # Without a safe text no model and no log may see the ticket; a person can read it in Zendesk.
        return hand_off(Reason.TOOL_ERROR, note=str(error))
    snapshot = Snapshot(
        ticket_id=context.ticket_id,
        subject=subject.text,
        status=ticket.status,
        channel=ticket.channel,
        brand=str(ticket.brand_id) if ticket.brand_id is not None else None,
        requester_id=str(ticket.requester_id),
        requester_name=requester.name,
        requester_email=requester.email,
        requester_verified=is_verified,
        requester_tags=requester.tags if reads(privacy, "requester.tags") else (),
        is_carbon_copied=ticket.has_copies,
        flags=newest.flags,
        newest_comment_id=newest.comment_id,
        newest=message.text,
        history=tuple(one.text for one in history),
        attachments=tuple(
            Attachment(one.file_name, one.content_type, one.size, one.content_url) for one in newest.attachments
        )
        if reads(privacy, "ticket.attachments")
        else (),
        tags=ticket.tags if reads(privacy, "ticket.tags") else (),
        custom_fields=readable_entries(
            {str(one.field_id): str(one.value) for one in ticket.custom_fields if one.value is not None},
            privacy,
            "ticket.custom_fields",
        ),
        ticket_digest=ticket.digest,
        read_at=context.now,
        is_trusted=newest.is_trusted,
        suspension_cause=newest.suspension_cause,
        is_shared_user=requester.is_shared,
        is_staff=requester.is_staff,
        latest_comment_id=latest,
    )
    body = {
        "channel": ticket.channel,
        "status": ticket.status,
        "comment_id": newest.comment_id,
        "characters": len(newest.body),
        "redacted": _counts(subject, message, *history),
    }
    cycle = context.state.get("cycle", 0) + 1
    run = {"last_comment_id": newest.comment_id, "subject_id": snapshot.subject_id, "cycle": cycle}
    supported = ticket.channel in context.tenant.channels and not ticket.is_from_messaging
    return Step(
        goto="triage" if supported else "hand_off",
        update=RunState(
            cycle=cycle,
            reason=None if supported else Reason.UNSUPPORTED_CHANNEL.value,
            note=None,
            asks=False,
            plain=False,
            effects=[],
            approval_id=None,
            reply_effect=None,
        ),
        artifacts={"snapshot": snapshot},
        body=body,
        run=run,
    )


def _counts(*texts: Redacted) -> dict[str, int]:
    counts: dict[str, int] = {}
    for text in texts:
        for event in text.events:
            counts[event.data_class.value] = counts.get(event.data_class.value, 0) + 1
    return counts
