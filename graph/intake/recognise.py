"""What a stored event means for its ticket, as far as it tells itself. Pure; where it does not, the ticket is read.

Our own updates raise the same events as anybody's, so they are recognised by their actor: otherwise every reply would
start a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connectors.zendesk.events import EventKind
from graph.intake.models import InboxEvent


class Meaning(StrEnum):
    """What an event asks for."""

    CUSTOMER_MESSAGE = "customer_message"  # somebody may have written: read the ticket
    STAFF_MESSAGE = "staff_message"  # an agent wrote: a run that waits may have to step back
    TICKET_CHANGED = "ticket_changed"  # somebody else changed it: what waits rests on an older version
    TICKET_GONE = "ticket_gone"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The meaning, with the reason that is recorded where there is nothing to do."""

    meaning: Meaning
    reason: str | None = None


_GONE = frozenset({EventKind.SOFT_DELETED, EventKind.PERMANENTLY_DELETED, EventKind.MARKED_AS_SPAM, EventKind.MERGED})
_CHANGES = frozenset(
    kind.value
    for kind in (
        EventKind.STATUS_CHANGED,
        EventKind.TAGS_CHANGED,
        EventKind.CUSTOM_FIELD_CHANGED,
        EventKind.ASSIGNEE_CHANGED,
        EventKind.GROUP_CHANGED,
        EventKind.REQUESTER_CHANGED,
    )
)
SWEPT = "swept"
TAKEN_OVER = "taken_over"
"""A person said in the panel that the ticket is theirs from now on."""


def recognise(  # noqa: PLR0911 - one return for each meaning
    event: InboxEvent, *, bot_user_id: int, last_comment_id: int
) -> Recognised:
    """What a Zendesk or sweeper event means.

    Args:
        event: as stored.
        bot_user_id: the user that our own updates are made by.
        last_comment_id: newest message of the customer that a run of this ticket has taken in; 0 where none has.
    """
    if event.kind == SWEPT:
        return Recognised(Meaning.CUSTOMER_MESSAGE)
    if event.kind == TAKEN_OVER:
        return Recognised(Meaning.STAFF_MESSAGE, "taken_over")
    # Before the loop guard: no update of ours deletes a ticket, but a rule of the shop may do so under our account.
    if event.kind in {kind.value for kind in _GONE}:
        return Recognised(Meaning.TICKET_GONE)
    details = event.details
    if details.get("actor_id") == bot_user_id or details.get("author_id") == bot_user_id:
        return Recognised(Meaning.NOTHING, "own_update")
    if event.kind == EventKind.CREATED.value:
        if last_comment_id:
            return Recognised(Meaning.NOTHING, "already_seen")
        return Recognised(Meaning.CUSTOMER_MESSAGE)
    if event.kind in {EventKind.COMMENT_ADDED.value, EventKind.TRIGGERED.value}:
        return _comment(event, last_comment_id)
    if event.kind in _CHANGES:
        return Recognised(Meaning.TICKET_CHANGED, "no_new_message")
    return Recognised(Meaning.NOTHING, "no_new_message")


def _comment(event: InboxEvent, last_comment_id: int) -> Recognised:
    details = event.details
    comment_id = details.get("comment_id")
    if details.get("is_public") is False:
        return Recognised(Meaning.NOTHING, "private_comment")
    if details.get("is_staff") is True:
        return Recognised(Meaning.STAFF_MESSAGE, "agent_comment")
    if isinstance(comment_id, int) and comment_id <= last_comment_id:
        return Recognised(Meaning.NOTHING, "already_seen")
    return Recognised(Meaning.CUSTOMER_MESSAGE)
