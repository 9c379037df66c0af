"""How a ticket changes: all checks first, then one audit for the whole update, then the events.

https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from connectors.sandbox.zendesk import shapes
from connectors.sandbox.zendesk.account import Account
from connectors.sandbox.zendesk.events import Notice, changed, comment_event
from connectors.sandbox.zendesk.records import Attachment, Audit, Comment, Json, JsonValue, Ticket, User, stamp
from connectors.sandbox.zendesk.refusal import bad_request, invalid, update_conflict

STATUSES: Final = ("new", "open", "pending", "hold", "solved", "closed")
MAX_COMMENTS: Final = 5000
MAX_METADATA_BYTES: Final = 1024
ON_BEHALF: Final = 11
STRANGER: Final = 2
_WAITING: Final = frozenset({"pending", "hold", "solved"})
_SCALARS: Final = {
    "subject": ("subject", "subject_changed"),
    "status": ("status", "status_changed"),
    "priority": ("priority", "priority_changed"),
    "type": ("kind", "type_changed"),
    "group_id": ("group_id", "group_assignment_changed"),
    "assignee_id": ("assignee_id", "agent_assignment_changed"),
    "external_id": ("external_id", "external_id_changed"),
    "brand_id": ("brand_id", "brand_changed"),
    "requester_id": ("requester_id", "requester_changed"),
}
PERMITTED: Final = frozenset(_SCALARS) | {
    "tags",
    "custom_fields",
    "comment",
    "metadata",
    "safe_update",
    "updated_stamp",
}
_UPPER: Final = frozenset({"status", "priority", "type"})


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to be added. `public` is `None` where the ticket's own default holds.

    `suspension` and `sender` are as in `Comment`; a mail's sender is the author's address where left out.
    """

    author_id: int
    body: str
    public: bool | None = None
    html_body: str | None = None
    flags: tuple[int, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    suspension: int | None = None
    sender: str | None = None


@dataclass(slots=True)
class _Draft:
    """An update in the making."""

    account: Account
    ticket: Ticket
    actor: User
    channel: str
    audit_id: int
    custom: Json
    events: list[Json] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def note(self, kind: str, **rest: JsonValue) -> None:
        self.events.append({"id": self.account.fresh_id(), "type": kind, **rest})


def tag_list(value: JsonValue) -> list[str]:
    """Tags as the vendor keeps them: lower case, split at blanks and commas, each once, sorted."""
    parts = value if isinstance(value, list) else [value]
    words = (word for part in parts for word in re.split(r"[\s,]+", str(part).lower()))
    return sorted({word for word in words if word})


def create(  # noqa: PLR0913 - a ticket's particulars, all by name
    account: Account,
    *,
    actor: User,
    requester: User,
    subject: str,
    channel: str,
    first: NewComment,
    change: Mapping[str, JsonValue],
    email_cc_ids: Sequence[int] = (),
    followup_source_id: int | None = None,
) -> Ticket:
    """Make a ticket with its first comment.

    Raises:
        Refusal: 422 for a value that a ticket may not take.
    """
    _check_values(change)
    _check_comment(None, first)
    now = account.now()
    ticket = Ticket(
        ticket_id=account.fresh_ticket_id(),
        subject=subject,
        description=first.body,
        requester_id=requester.user_id,
        submitter_id=actor.user_id,
        channel=channel,
        created_at=now,
        updated_at=now,
        changed_at=now,
        organization_id=requester.organization_id,
        first_public=first.public is not False,
        email_cc_ids=list(email_cc_ids),
        followup_source_id=followup_source_id,
    )
    account.tickets[ticket.ticket_id] = ticket
    draft = _draft(account, ticket, actor, channel, change)
    draft.notices.append(Notice("created", {}))
    _add_comment(draft, first)
    for name in ("subject", "requester_id", "status"):
        draft.note("Create", field_name=name, value=str(getattr(ticket, name)))
    _apply(draft, change, told=False)
    _finish(draft)
    return ticket


def update(
    account: Account,
    ticket: Ticket,
    actor: User,
    change: Mapping[str, JsonValue],
    *,
    channel: str = "api",
    comment: NewComment | None = None,
) -> Audit | None:
    """Apply one update.

    Returns:
        The audit; `None` where nothing changed, in which case neither the metadata nor a time is kept.

    Raises:
        Refusal: 409 where `safe_update` finds a newer ticket, 422 for a closed ticket or a value it may not take.
    """
    if ticket.status == "closed":
        raise invalid("status", "Status: closed prevents ticket update")
    if change.get("safe_update") is True and change.get("updated_stamp") != stamp(ticket.updated_at):
        raise update_conflict()
    _check_values(change)
    if comment is not None:
        _check_comment(ticket, comment)
    draft = _draft(account, ticket, actor, channel, change)
    if comment is not None:
        _add_comment(draft, comment)
    _apply(draft, change, told=True)
    return _finish(draft)


def customer_comment(account: Account, ticket: Ticket, comment: NewComment, *, channel: str) -> Comment:
    """A comment by an end user: it reopens a ticket that waits, and a stranger's is private and flagged.

    https://support.zendesk.com/hc/en-us/articles/4408843002650 (unknown users)
    """
    author = account.user(comment.author_id)
    if author.user_id not in {ticket.requester_id, *ticket.email_cc_ids}:
        flags = tuple(sorted({STRANGER, *comment.flags}))
        comment = replace(comment, public=False, flags=flags)
    reopened = ticket.status in _WAITING and comment.public is not False
    update(account, ticket, author, {"status": "open"} if reopened else {}, channel=channel, comment=comment)
    return ticket.comments[-1]


def merge(account: Account, *, source: Ticket, target: Ticket, actor: User) -> None:
    """Close `source` into `target`, with a private note on both.

    https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#merge-tickets-into-target-ticket
    """
    note = NewComment(
        actor.user_id, f"Request #{source.ticket_id} was closed and merged into this request.", public=False
    )
    update(account, target, actor, {}, channel="web", comment=note)
    note = NewComment(actor.user_id, f"This request was closed and merged into #{target.ticket_id}.", public=False)
    tags: list[JsonValue] = [*source.tags, "closed_by_merge"]
    update(account, source, actor, {"status": "closed", "tags": tags}, channel="web", comment=note)
    notice = Notice("merged", {"target_ticket_id": str(target.ticket_id)})
    account.announcer.announce(source, actor.user_id, [notice], account.webhooks.values())


def set_deleted(account: Account, ticket: Ticket, actor: User, *, deleted: bool) -> None:
    """Soft-delete or restore. A deleted ticket is a 404 for everything but the export."""
    ticket.deleted = deleted
    ticket.changed_at = account.now()
    notice = Notice("soft_deleted" if deleted else "undeleted", {})
    account.announcer.announce(ticket, actor.user_id, [notice], account.webhooks.values())


def _draft(account: Account, ticket: Ticket, actor: User, channel: str, change: Mapping[str, JsonValue]) -> _Draft:
    custom = change.get("metadata")
    return _Draft(account, ticket, actor, channel, account.fresh_id(), custom if isinstance(custom, dict) else {})


def _check_values(change: Mapping[str, JsonValue]) -> None:
    status = change.get("status", "open")
    if status not in STATUSES:
        raise invalid("status", f"Status: {status} is not a valid status")
    if "comment" in change and not isinstance(change["comment"], dict):
        raise bad_request("InvalidValue", "comment must be an object")
    fields = change.get("custom_fields", [])
    if not isinstance(fields, list) or not all(isinstance(entry, dict) and "id" in entry for entry in fields):
        raise bad_request("InvalidValue", "custom_fields must be a list of objects with id and value")
    if len(json.dumps(change.get("metadata", {})).encode()) > MAX_METADATA_BYTES:
        raise invalid("metadata", "Metadata: is too large")


def _check_comment(ticket: Ticket | None, comment: NewComment) -> None:
    if not comment.body.strip() and not comment.html_body and not comment.attachments:
        raise invalid("comment", "Description: cannot be blank")
    if ticket is not None and len(ticket.comments) >= MAX_COMMENTS:
        raise invalid("comments", f"Ticket has reached the maximum of {MAX_COMMENTS} comments")


def _add_comment(draft: _Draft, comment: NewComment) -> None:
    ticket, account = draft.ticket, draft.account
    author = account.user(comment.author_id)
    # The default is the visibility that the ticket began with.
    public = ticket.first_public if comment.public is None else comment.public
    flags = comment.flags
    if author.user_id != draft.actor.user_id and ON_BEHALF not in flags:
        flags = (*flags, ON_BEHALF)
    body = comment.body or re.sub(r"<[^>]+>", "", comment.html_body or "")
    record = Comment(
        comment_id=account.fresh_id(),
        audit_id=draft.audit_id,
        author_id=author.user_id,
        body=body,
        html_body=comment.html_body or shapes.html(body),
        public=public,
        channel=draft.channel,
        created_at=account.now(),
        flags=flags,
        attachments=comment.attachments,
        custom=draft.custom,
        suspension=comment.suspension,
        sender=comment.sender or (author.email if draft.channel == "email" else None),
    )
    ticket.comments.append(record)
    draft.note("Comment", author_id=author.user_id, body=body, html_body=record.html_body, public=public)
    draft.notices.append(Notice("comment_added", comment_event(record, author)))


def _apply(draft: _Draft, change: Mapping[str, JsonValue], *, told: bool) -> None:
    """Set what differs; `told` says whether each change is an event of its own, as it is not on creation."""
    for name, (attribute, kind) in _SCALARS.items():
        if name in change:
            _set(draft, name, attribute, change[name], kind if told else None)
    if draft.ticket.status == "new" and draft.ticket.assignee_id is not None:
        _set(draft, "status", "status", "open", "status_changed" if told else None)
    if "tags" in change:
        _set_tags(draft, tag_list(change["tags"]), told=told)
    fields = change.get("custom_fields", [])
    for entry in fields if isinstance(fields, list) else []:
        if isinstance(entry, dict):
            _set_field(draft, int(str(entry["id"])), entry.get("value"), told=told)


def _set(draft: _Draft, name: str, attribute: str, value: JsonValue, kind: str | None) -> None:
    previous = getattr(draft.ticket, attribute)
    if previous == value:
        return
    setattr(draft.ticket, attribute, value)
    draft.note("Change", field_name=name, value=_text(value), previous_value=_text(previous))
    if kind is not None:
        upper = name in _UPPER
        event = changed(_text(value, upper=upper), _text(previous, upper=upper))
        draft.notices.append(Notice(kind, event))


def _set_tags(draft: _Draft, tags: list[str], *, told: bool) -> None:
    previous = draft.ticket.tags
    if tags == previous:
        return
    added: list[JsonValue] = [tag for tag in tags if tag not in previous]
    removed: list[JsonValue] = [tag for tag in previous if tag not in tags]
    draft.ticket.tags = tags
    draft.note("Change", field_name="tags", value=" ".join(tags), previous_value=" ".join(previous))
    if told:
        draft.notices.append(Notice("tags_changed", {"tags_added": added, "tags_removed": removed}))


def _set_field(draft: _Draft, field_id: int, value: JsonValue, *, told: bool) -> None:
    known = draft.account.fields.get(field_id)
    previous = draft.ticket.custom_fields.get(field_id)
    # A field that the account does not have is passed over without an error.
    if known is None or previous == value:
        return
    draft.ticket.custom_fields[field_id] = value
    draft.note("Change", field_name=str(field_id), value=_text(value), previous_value=_text(previous))
    if told:
        event = changed(_text(value), _text(previous))
        event["field"] = {"id": str(field_id), "title": known.title, "type": known.kind}
        draft.notices.append(Notice("custom_field_changed", event))


def _text(value: JsonValue, *, upper: bool = False) -> str | None:
    text = None if value is None else str(value)
    return text.upper() if upper and text is not None else text


def _finish(draft: _Draft) -> Audit | None:
    if not draft.events:
        return None
    account, ticket = draft.account, draft.ticket
    now = account.now()
    ticket.updated_at = ticket.changed_at = now
    audit = Audit(draft.audit_id, draft.actor.user_id, now, draft.custom, draft.channel, draft.events)
    ticket.audits.append(audit)
    account.announcer.announce(ticket, draft.actor.user_id, draft.notices, account.webhooks.values())
    return audit
