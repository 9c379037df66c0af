"""Who of the Zendesk app may see which ticket: asked of Zendesk for each person and ticket, remembered for minutes.

A signed request of the app proves the installation and the person. Which ticket it stands in is said by the page, so
it is checked here against the agent's own restriction. In doubt, and while Zendesk cannot be asked, nothing is shown.
https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from app.identity.sessions import Visitor
from app.web.access import Refused
from connectors.errors import ConnectorError
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.wire import TicketView, UserView

KEPT_FOR: Final = timedelta(minutes=5)
"""Two calls in so long for each open panel: two hundred of them stay far below Zendesk's limit of calls a minute."""
MOST: Final = 10_000
"""Answers that are remembered; beyond it all are asked again."""

Key = tuple[str, str, str]


@dataclass(slots=True)
class TicketSight:
    """What Zendesk said about who may see what, by tenant, user and ticket."""

    adapters: Mapping[str, ZendeskAdapter]
    now: Callable[[], datetime]
    _seen: dict[Key, tuple[datetime, bool]] = field(default_factory=dict)

    async def demand(self, visitor: Visitor, ticket_id: str) -> None:
        """Let the person see the ticket.

        Raises:
            Refused: Zendesk does not show it to them, or does not answer.
        """
        key = (visitor.tenant_id, visitor.zendesk_user_id or "", ticket_id)
        known, now = self._seen.get(key), self.now()
        if known is None or not now - known[0] < KEPT_FOR:
            try:
                may_see = await asyncio.to_thread(self._ask, *key)
            except ConnectorError as error:
                text = "Zendesk does not answer, so it is not known whether you may see this ticket. Try again soon."
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Not now", text) from error
            if len(self._seen) >= MOST:
                self._seen.clear()
            known = self._seen[key] = (now, may_see)
        if not known[1]:
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", "Zendesk does not show you this ticket.")

    def _ask(self, tenant_id: str, user_id: str, ticket_id: str) -> bool:
        adapter = self.adapters.get(tenant_id)
        if adapter is None or not user_id.isdecimal() or not ticket_id.isdecimal():
            return False
        user, ticket = adapter.user(int(user_id)), adapter.ticket(int(ticket_id))
        needs_groups = user.is_staff and user.ticket_restriction == "groups"
        groups = {group.group_id for group in adapter.groups_of(user.user_id)} if needs_groups else set()
        return may_see(user, ticket, groups)


def may_see(user: UserView, ticket: TicketView, groups: set[int]) -> bool:
    """Whether an agent's restriction lets them see a ticket; a restriction that is not known lets them see none."""
    if not user.is_staff or user.is_suspended:
        return False
    match user.ticket_restriction:
        case None:
            return True
        case "assigned":
            return ticket.assignee_id == user.user_id
        case "groups":
            return ticket.assignee_id == user.user_id or ticket.group_id in groups
        case "organization":
            return user.organization_id is not None and ticket.organization_id == user.organization_id
        case _:
            return False
