"""One Zendesk account in memory: who and what exists, under one lock, with ids that follow from the seed."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from connectors.sandbox.zendesk.events import TRIGGERED, TYPE_PREFIX, Announcer
from connectors.sandbox.zendesk.records import Group, Macro, Ticket, TicketField, User, Webhook
from connectors.sandbox.zendesk.refusal import not_found

EVENT_TYPES: Final = tuple(
    TYPE_PREFIX + kind
    for kind in (
        "created",
        "comment_added",
        "status_changed",
        "tags_changed",
        "custom_field_changed",
        "agent_assignment_changed",
        "group_assignment_changed",
        "priority_changed",
        "subject_changed",
        "type_changed",
        "external_id_changed",
        "brand_changed",
        "requester_changed",
        "merged",
        "soft_deleted",
        "undeleted",
        "permanently_deleted",
        "marked_as_spam",
    )
)


class Account:
    """The state. `lock` is held by whoever reads or changes it, for as long as one request takes."""

    def __init__(self, *, subdomain: str, now: Callable[[], datetime], announcer: Announcer, seed: int) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.announcer = announcer
        self.site = f"https://{subdomain}.zendesk.com"
        self.users: dict[int, User] = {}
        self.groups: dict[int, Group] = {}
        self.macros: dict[int, Macro] = {}
        self.fields: dict[int, TicketField] = {}
        self.tickets: dict[int, Ticket] = {}
        self.webhooks: dict[str, Webhook] = {}
        self._by_email: dict[str, User] = {}
        self._organizations: dict[str, int] = {}
        self._seed = seed
        self._last_id = 20_000_000_000 + seed % 10_000 * 1_000_000
        self._last_ticket_id = 0

    def fresh_id(self) -> int:
        """The next id of anything but a ticket."""
        self._last_id += 1
        return self._last_id

    def fresh_ticket_id(self) -> int:
        """The next ticket id: tickets are numbered from one."""
        self._last_ticket_id += 1
        return self._last_ticket_id

    def organization_id(self, name: str) -> int:
        """The organisation of that name, made on first mention."""
        return self._organizations.setdefault(name, self.fresh_id())

    def user(self, user_id: int) -> User:
        """A user.

        Raises:
            Refusal: 404.
        """
        try:
            return self.users[user_id]
        except KeyError as error:
            raise not_found() from error

    def user_by_email(self, email: str) -> User | None:
        """The user with this address; addresses compare without regard to case."""
        return self._by_email.get(email.casefold())

    def add_user(  # noqa: PLR0913 - a person's particulars, all by name
        self,
        *,
        name: str,
        email: str | None,
        verified: bool,
        role: str,
        locale: str = "en-US",
        external_id: str | None = None,
        phone: str | None = None,
        organization: str | None = None,
        tags: Iterable[str] = (),
    ) -> User:
        """Make a user."""
        user = User(
            user_id=self.fresh_id(),
            name=name,
            email=email,
            verified=verified,
            role=role,
            locale=locale,
            external_id=external_id,
            phone=phone,
            organization_id=None if organization is None else self.organization_id(organization),
            tags=list(tags),
            created_at=self.now(),
        )
        self.users[user.user_id] = user
        self._by_email.setdefault((email or "").casefold(), user)
        return user

    def add_group(self, name: str) -> Group:
        """Make a group."""
        group = Group(self.fresh_id(), name, self.now())
        self.groups[group.group_id] = group
        return group

    def add_macro(self, title: str, actions: Iterable[tuple[str, str]]) -> Macro:
        """Make a macro."""
        macro = Macro(self.fresh_id(), title, tuple(actions), self.now())
        self.macros[macro.macro_id] = macro
        return macro

    def add_field(self, title: str, kind: str) -> TicketField:
        """Make a custom ticket field."""
        field = TicketField(self.fresh_id(), title, kind)
        self.fields[field.field_id] = field
        return field

    def add_webhook(
        self,
        *,
        name: str,
        endpoint: str,
        subscriptions: Sequence[str],
        status: str = "active",
        secret: str | None = None,
    ) -> Webhook:
        """Make a webhook with the given secret, or with one that follows from the seed."""
        number = self.fresh_id()
        digest = hashlib.sha256(f"sandbox:{self._seed}:{number}".encode()).digest()
        webhook = Webhook(
            webhook_id=f"01SANDBOX{number:017d}",
            name=name,
            endpoint=endpoint,
            status=status,
            subscriptions=tuple(subscriptions),
            secret=secret or base64.b64encode(digest).decode(),
            created_at=self.now(),
        )
        self.webhooks[webhook.webhook_id] = webhook
        return webhook

    def ticket(self, ticket_id: int, *, deleted: bool = False) -> Ticket:
        """A ticket; a soft-deleted one only where asked for.

        Raises:
            Refusal: 404.
        """
        ticket = self.tickets.get(ticket_id)
        if ticket is None or (ticket.deleted and not deleted):
            raise not_found()
        return ticket


def subscribable(subscriptions: Sequence[str]) -> bool:
    """Whether a webhook may have these: events, or the trigger's mark alone; never both, never unknown ones.

    https://developer.zendesk.com/documentation/webhooks/creating-and-monitoring-webhooks/
    """
    return list(subscriptions) == [TRIGGERED] or (
        bool(subscriptions) and all(entry in EVENT_TYPES for entry in subscriptions)
    )
