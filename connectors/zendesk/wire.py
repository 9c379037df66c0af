"""What we read of Zendesk's answers, as frozen values. Only the fields somebody uses; unknown ones are left alone.

Each `read_*` takes the vendor's JSON object and raises `WireError` where a field cannot be what it should be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.zendesk import fields
from connectors.zendesk.fields import Fields

AUTHOR_FLAGS: Final = frozenset({0, 2, 3, 11})
"""Comment flags that put the author in doubt: unsure, not part of the conversation, not signed in, on behalf of.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#comment-flags
"""
MAIL_FLAGS: Final = frozenset({14, 20, 21, 22})
"""Comment flags that put the mail in doubt: maybe not sent by the user, an agent's Reply-To, a Reply-To that is not the
From, an address that the user has not confirmed. Documented beside the others.
"""
STAFF_ROLES: Final = frozenset({"agent", "admin"})
RATINGS: Final = frozenset({"good", "bad"})
"""https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/"""


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field's value; what type it has, only the shop knows."""

    field_id: int
    value: object


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket (https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#json-format).

    `status` is one of new, open, pending, hold, solved, closed and, from the export only, deleted. `channel` is
    `via.channel`. `updated_stamp` is `updated_at` as Zendesk spelled it, to be sent back with `safe_update`.
    `rating` is `good` or `bad` once the customer has rated how they were served; what they wrote with it is not read.
    """

    ticket_id: int
    subject: str
    description: str
    status: str
    priority: str | None
    requester_id: int
    submitter_id: int
    channel: str
    tags: tuple[str, ...]
    custom_fields: tuple[CustomField, ...]
    group_id: int | None
    assignee_id: int | None
    brand_id: int | None
    organization_id: int | None
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    updated_stamp: str
    email_cc_ids: tuple[int, ...]
    collaborator_ids: tuple[int, ...]
    follower_ids: tuple[int, ...]
    is_from_messaging: bool
    rating: str | None = None

    @property
    def digest(self) -> str:
        """Of everything above. `updated_at` has whole seconds, so that a change within one of them shows here only.

        https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#json-format
        """
        return hashlib.sha256(repr(self).encode()).hexdigest()[:24]

    @property
    def is_closed(self) -> bool:
        """Whether it can never be changed again."""
        return self.status == "closed"

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted; only the export shows such tickets."""
        return self.status == "deleted"

    @property
    def has_copies(self) -> bool:
        """Whether anybody else is carbon-copied and would read a public comment."""
        return bool(set(self.email_cc_ids) | set(self.collaborator_ids) - set(self.follower_ids))

    def custom_field(self, field_id: int) -> object:
        """The value of a custom field; `None` where it is empty or not on this ticket."""
        return next((field.value for field in self.custom_fields if field.field_id == field_id), None)


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file on a comment (https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/).

    `size` is in bytes; `content_url` is where `ZendeskAdapter.attachment` fetches it. `is_inline` marks what stands in
    the text, as the logo under a mail does.
    """

    file_name: str
    content_type: str
    size: int
    content_url: str = ""
    is_inline: bool = False


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment (https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#json-format).

    `body` is the plain text, `flags` are Zendesk's doubts, `custom` is the metadata of the update that made it.
    `is_trusted` and `suspension_cause` (`suspension_type_id`: it was suspended, and recovered by an agent) stand in the
    metadata beside the flags. `from_address` is the sender of a mail.
    """

    comment_id: int
    author_id: int
    body: str
    html_body: str
    public: bool
    created_at: datetime
    channel: str
    attachments: tuple[AttachmentView, ...]
    flags: tuple[int, ...]
    custom: Mapping[str, object]
    audit_id: int | None
    is_trusted: bool = True
    suspension_cause: int | None = None
    from_address: str | None = None


@dataclass(frozen=True, slots=True)
class UserView:
    """A user (https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format).

    `is_verified` is Zendesk's `verified`: *any* of the user's identities is. For one address ask for the identities.
    `is_shared` says that the user is another Zendesk account's, so that nothing here verified them.
    `ticket_restriction` says which tickets an agent may see: organization, groups, assigned or requested; none is all.
    """

    user_id: int
    name: str
    email: str | None
    is_verified: bool
    role: str
    locale: str | None
    time_zone: str | None
    phone: str | None
    external_id: str | None
    organization_id: int | None
    tags: tuple[str, ...]
    is_suspended: bool
    is_shared: bool = False
    ticket_restriction: str | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the user is an agent or an admin."""
        return self.role in STAFF_ROLES


@dataclass(frozen=True, slots=True)
class IdentityView:
    """A way to reach a user (https://developer.zendesk.com/api-reference/ticketing/users/user_identities/).

    `kind` is `email` and others; `value` is the address.
    """

    kind: str
    value: str
    is_verified: bool
    is_primary: bool


@dataclass(frozen=True, slots=True)
class AuditView:
    """One update of a ticket (https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/).

    `custom` is the metadata given with the update; `comment_id` the comment it made, if any.
    """

    audit_id: int
    author_id: int
    created_at: datetime
    custom: Mapping[str, object]
    comment_id: int | None


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group of agents."""

    group_id: int
    name: str


@dataclass(frozen=True, slots=True)
class MacroView:
    """A macro; `actions` are (field, value) as text."""

    macro_id: int
    title: str
    actions: tuple[tuple[str, str], ...]


def read_ticket(value: object) -> TicketView:
    """A ticket.

    Raises:
        WireError: it cannot be read.
    """
    ticket = fields.mapping(value, "ticket")
    return TicketView(
        ticket_id=fields.integer(ticket, "id"),
        subject=fields.text(ticket, "subject"),
        description=fields.text(ticket, "description"),
        status=fields.text(ticket, "status"),
        priority=fields.maybe_text(ticket, "priority"),
        requester_id=fields.integer(ticket, "requester_id"),
        submitter_id=fields.integer(ticket, "submitter_id"),
        channel=_channel(ticket),
        tags=fields.texts(ticket, "tags"),
        custom_fields=tuple(_custom_field(entry) for entry in fields.items(ticket, "custom_fields")),
        group_id=fields.maybe_integer(ticket, "group_id"),
        assignee_id=fields.maybe_integer(ticket, "assignee_id"),
        brand_id=fields.maybe_integer(ticket, "brand_id"),
        organization_id=fields.maybe_integer(ticket, "organization_id"),
        external_id=fields.maybe_text(ticket, "external_id"),
        created_at=fields.moment(ticket, "created_at"),
        updated_at=fields.moment(ticket, "updated_at"),
        updated_stamp=fields.text(ticket, "updated_at"),
        email_cc_ids=fields.integers(ticket, "email_cc_ids"),
        collaborator_ids=fields.integers(ticket, "collaborator_ids"),
        follower_ids=fields.integers(ticket, "follower_ids"),
        is_from_messaging=fields.flag(ticket, "from_messaging_channel", default=False),
        rating=_rating(ticket),
    )


def read_comment(value: object) -> CommentView:
    """A comment.

    Raises:
        WireError: it cannot be read.
    """
    comment = fields.mapping(value, "comment")
    metadata = fields.part(comment, "metadata")
    return CommentView(
        comment_id=fields.integer(comment, "id"),
        author_id=fields.integer(comment, "author_id"),
        body=fields.text(comment, "plain_body") or fields.text(comment, "body"),
        html_body=fields.text(comment, "html_body"),
        public=fields.flag(comment, "public"),
        created_at=fields.moment(comment, "created_at"),
        channel=_channel(comment),
        attachments=tuple(_attachment(entry) for entry in fields.items(comment, "attachments")),
        flags=fields.integers(metadata, "flags"),
        custom=fields.part(metadata, "custom"),
        audit_id=fields.maybe_integer(comment, "audit_id"),
        is_trusted=fields.flag(metadata, "trusted", default=True),
        suspension_cause=fields.maybe_integer(metadata, "suspension_type_id"),
        from_address=_sender(comment),
    )


def read_user(value: object) -> UserView:
    """A user.

    Raises:
        WireError: it cannot be read.
    """
    user = fields.mapping(value, "user")
    return UserView(
        user_id=fields.integer(user, "id"),
        name=fields.text(user, "name"),
        email=fields.maybe_text(user, "email"),
        is_verified=fields.flag(user, "verified", default=False),
        role=fields.text(user, "role"),
        locale=fields.maybe_text(user, "locale"),
        time_zone=fields.maybe_text(user, "iana_time_zone") or fields.maybe_text(user, "time_zone"),
        phone=fields.maybe_text(user, "phone"),
        external_id=fields.maybe_text(user, "external_id"),
        organization_id=fields.maybe_integer(user, "organization_id"),
        tags=fields.texts(user, "tags"),
        is_suspended=fields.flag(user, "suspended", default=False),
        is_shared=fields.flag(user, "shared", default=False),
        ticket_restriction=fields.maybe_text(user, "ticket_restriction"),
    )


def read_identity(value: object) -> IdentityView:
    """A user's identity.

    Raises:
        WireError: it cannot be read.
    """
    identity = fields.mapping(value, "identity")
    return IdentityView(
        kind=fields.text(identity, "type"),
        value=fields.text(identity, "value"),
        is_verified=fields.flag(identity, "verified", default=False),
        is_primary=fields.flag(identity, "primary", default=False),
    )


def read_audit(value: object) -> AuditView:
    """An audit.

    Raises:
        WireError: it cannot be read.
    """
    audit = fields.mapping(value, "audit")
    metadata = fields.part(audit, "metadata")
    events = (fields.mapping(entry, "event") for entry in fields.items(audit, "events"))
    comment_ids = (fields.maybe_integer(event, "id") for event in events if event.get("type") == "Comment")
    return AuditView(
        audit_id=fields.integer(audit, "id"),
        author_id=fields.integer(audit, "author_id"),
        created_at=fields.moment(audit, "created_at"),
        custom=fields.part(metadata, "custom"),
        comment_id=next(comment_ids, None),
    )


def read_group(value: object) -> GroupView:
    """A group.

    Raises:
        WireError: it cannot be read.
    """
    group = fields.mapping(value, "group")
    return GroupView(fields.integer(group, "id"), fields.text(group, "name"))


def read_macro(value: object) -> MacroView:
    """A macro.

    Raises:
        WireError: it cannot be read.
    """
    macro = fields.mapping(value, "macro")
    actions = (fields.mapping(entry, "action") for entry in fields.items(macro, "actions"))
    return MacroView(
        fields.integer(macro, "id"),
        fields.text(macro, "title"),
        tuple((fields.text(action, "field"), str(action.get("value"))) for action in actions),
    )


def _rating(ticket: Fields) -> str | None:
    """The score where there is one; `offered` and `unoffered` say that nobody has rated yet."""
    score = fields.maybe_text(fields.part(ticket, "satisfaction_rating"), "score")
    return score if score in RATINGS else None


def _channel(record: Fields) -> str:
    return fields.text(fields.part(record, "via"), "channel")


def _sender(record: Fields) -> str | None:
    source = fields.part(fields.part(record, "via"), "source")
    # zenpy cannot have an attribute called `from`.
    return fields.maybe_text(fields.part(source, "from_" if "from_" in source else "from"), "address")


def _custom_field(value: object) -> CustomField:
    entry = fields.mapping(value, "custom field")
    return CustomField(fields.integer(entry, "id"), entry.get("value"))


def _attachment(value: object) -> AttachmentView:
    entry = fields.mapping(value, "attachment")
    size = fields.maybe_integer(entry, "size")
    return AttachmentView(
        fields.text(entry, "file_name"),
        fields.text(entry, "content_type"),
        size or 0,
        fields.text(entry, "content_url"),
        fields.flag(entry, "inline", default=False),
    )
