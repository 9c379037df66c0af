"""What the double remembers: users, groups, macros, tickets with their comments and audits, webhooks.

Plain records, changed only by `tickets.py` and `account.py` under the account's lock. Nothing here knows HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

JsonValue: TypeAlias = "bool | int | str | float | list[JsonValue] | dict[str, JsonValue] | None"
Json: TypeAlias = dict[str, JsonValue]

STAFF_ROLES: Final = frozenset({"admin", "agent"})


def stamp(moment: datetime) -> str:
    """The vendor's spelling of a time: UTC, whole seconds, `Z`. Two writes within one second look the same."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a comment. `size` is in bytes; one without `content` can be listed and not be fetched."""

    file_name: str
    content_type: str
    size: int
    content: bytes = b""


@dataclass(slots=True)
class User:
    """A person. `verified` is about `email`, the only address kept; `shared` says that another account has them."""

    user_id: int
    name: str
    email: str | None
    verified: bool
    role: str
    locale: str
    external_id: str | None
    phone: str | None
    organization_id: int | None
    tags: list[str]
    created_at: datetime
    suspended: bool = False
    shared: bool = False
    time_zone: str = "Europe/Dublin"
    ticket_restriction: str | None = None
    group_ids: list[int] = field(default_factory=list)

    @property
    def is_staff(self) -> bool:
        """Whether the person is an agent or an admin."""
        return self.role in STAFF_ROLES


@dataclass(frozen=True, slots=True)
class Group:
    """A team of agents."""

    group_id: int
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Macro:
    """A prepared set of ticket actions."""

    macro_id: int
    title: str
    actions: tuple[tuple[str, str], ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TicketField:
    """A custom field of tickets."""

    field_id: int
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class UserSegment:
    """Who may see an article: staff or signed-in users, with all of the tags."""

    segment_id: int
    name: str
    user_type: str
    tags: tuple[str, ...]
    created_at: datetime

    def holds(self, user: User) -> bool:
        """Whether the user belongs to it."""
        return (user.is_staff or self.user_type != "staff") and set(self.tags) <= set(user.tags)


@dataclass(slots=True)
class Translation:
    """An article in one locale."""

    translation_id: int
    locale: str
    title: str
    body: str
    draft: bool
    updated_at: datetime


@dataclass(slots=True)
class Article:
    """A Help Center article. `changed_at` orders the export."""

    article_id: int
    source_locale: str
    segment_ids: tuple[int, ...]
    label_names: tuple[str, ...]
    created_at: datetime
    changed_at: datetime
    translations: dict[str, Translation] = field(default_factory=dict)


@dataclass(slots=True)
class Comment:
    """One comment. `flags` are the vendor's numbers for what is doubtful about it.

    `suspension` is the cause for which it was suspended before somebody let it through, `sender` the address that a
    mail came from.
    """

    comment_id: int
    audit_id: int
    author_id: int
    body: str
    html_body: str
    public: bool
    channel: str
    created_at: datetime
    flags: tuple[int, ...]
    attachments: tuple[Attachment, ...]
    custom: Json
    suspension: int | None = None
    sender: str | None = None


@dataclass(slots=True)
class Audit:
    """One update of a ticket and the metadata given with it."""

    audit_id: int
    author_id: int
    created_at: datetime
    custom: Json
    channel: str
    events: list[Json]


@dataclass(slots=True)
class Ticket:
    """A ticket's present state and its history. `changed_at` orders the export; `deleted` is the soft deletion."""

    ticket_id: int
    subject: str
    description: str
    requester_id: int
    submitter_id: int
    channel: str
    created_at: datetime
    updated_at: datetime
    changed_at: datetime
    status: str = "new"
    priority: str | None = None
    kind: str | None = None
    group_id: int | None = None
    assignee_id: int | None = None
    brand_id: int | None = None
    organization_id: int | None = None
    external_id: str | None = None
    followup_source_id: int | None = None
    first_public: bool = True
    deleted: bool = False
    rating: str | None = None
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[int, JsonValue] = field(default_factory=dict)
    email_cc_ids: list[int] = field(default_factory=list)
    follower_ids: list[int] = field(default_factory=list)
    followup_ids: list[int] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)


@dataclass(slots=True)
class Webhook:
    """Where events go. `subscriptions` are event types, or `conditional_ticket_events` for one behind a trigger."""

    webhook_id: str
    name: str
    endpoint: str
    status: str
    subscriptions: tuple[str, ...]
    secret: str
    created_at: datetime
