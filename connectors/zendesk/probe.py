"""What the credential may do, found out without changing anything: for `countersign doctor`.

https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/ (scopes)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from zenpy.lib.api_objects import Ticket

from connectors.errors import ConnectorError
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.export import LAG_S
from connectors.zendesk.transport import NoAnswer, VendorAnswer
from connectors.zendesk.wire import UserView

NO_SUCH_TICKET: Final = 9_223_372_036_854_775_807
"""The largest id there can be: an update of it answers 404 with the scope to write and 403 without."""
_DENIED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404


class Access(StrEnum):
    """What came of one question."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that may be allowed, and the scope it takes."""

    name: str
    scope: str
    access: Access


@dataclass(frozen=True, slots=True)
class Probe:
    """Who we are and what we may. `is_admin` decides whether the export can be used."""

    bot: UserView
    is_admin: bool
    capabilities: tuple[Capability, ...]

    def access(self, name: str) -> Access:
        """What came of the question with this name.

        Raises:
            KeyError: there is no such question.
        """
        return {capability.name: capability.access for capability in self.capabilities}[name]


def probe(adapter: ZendeskAdapter, *, now: datetime) -> Probe:
    """Ask Zendesk what this credential may do. Nothing is changed.

    Raises:
        AccessDenied: the credential is good for nobody, or may not even read users.
        ConnectorError: Zendesk cannot be reached.
    """
    bot = adapter.me()
    zendesk = adapter.raw()
    start = now - timedelta(seconds=LAG_S + 60)
    questions: tuple[tuple[str, str, Callable[[], Any]], ...] = (
        ("users.read", "users:read", lambda: zendesk.users(id=bot.user_id)),
        ("tickets.read", "tickets:read", lambda: zendesk.tickets(cursor_pagination=1)),
        ("tickets.write", "tickets:write", lambda: zendesk.tickets.update(Ticket(id=NO_SUCH_TICKET))),
        (
            "tickets.export",
            "tickets:read, as an admin",
            lambda: zendesk.tickets.incremental(start_time=start),
        ),
        ("audits.read", "read", lambda: zendesk.tickets.audits(ticket=NO_SUCH_TICKET)),
        ("groups.read", "read", zendesk.groups),
        ("macros.read", "macros:read", zendesk.macros),
        ("webhooks.read", "webhooks:read", zendesk.webhooks.list),
    )
    found = tuple(Capability(name, scope, _ask(question)) for name, scope, question in questions)
    return Probe(bot, bot.role == "admin", found)


def _ask(question: Callable[[], Any]) -> Access:
    try:
        question()
    except VendorAnswer as answer:
        if answer.status in _DENIED:
            return Access.DENIED
        # Asked about what does not exist, a 404 is the answer of one who may look.
        return Access.ALLOWED if answer.status == _NOT_FOUND else Access.UNKNOWN
    except (NoAnswer, ConnectorError):
        return Access.UNKNOWN
    return Access.ALLOWED
