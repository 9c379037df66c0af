"""The vendor's rate limits, counted on the sandbox's clock, and the headers that announce them.

Windows are fixed: a counter starts with its first request and is forgotten when the window ends. The defaults are those
of the largest plan with the high-volume add-on, so that a demonstration is not throttled; a test sets what it needs.
https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from connectors.sandbox.zendesk.refusal import too_many_requests

MINUTE: Final = timedelta(minutes=1)
TEN_MINUTES: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is allowed: by an account in a minute, and in updates of one ticket by one user in ten minutes.

    `export_page` is how many tickets a page of the export holds where the request does not say.
    """

    requests_per_minute: int = 2500
    ticket_updates_per_minute: int = 300
    updates_per_ticket: int = 30
    exports_per_minute: int = 30
    ticket_lists_per_minute: int = 100
    export_page: int = 1000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one window. `resets_s` is in seconds, at least one."""

    total: int
    remaining: int
    resets_s: int

    def spelled(self) -> str:
        """The value of the vendor's `zendesk-ratelimit-*` headers."""
        return f"total={self.total}; remaining={self.remaining}; resets={self.resets_s}"


@dataclass(slots=True)
class _Window:
    ends_at: datetime
    used: int


class Meter:
    """Counts requests. Not locked: the account's lock is held."""

    def __init__(self, limits: Limits, now: Callable[[], datetime]) -> None:
        self.limits = limits
        self._now = now
        self._windows: dict[Hashable, _Window] = {}

    def account(self) -> dict[str, str]:
        """Count one request of the account.

        Returns:
            The headers every answer carries, in all three spellings that were recorded.

        Raises:
            Refusal: 429.
        """
        allowance = self._take("account", self.limits.requests_per_minute, MINUTE, "API requests per minute")
        total, remaining, resets = str(allowance.total), str(allowance.remaining), str(allowance.resets_s)
        return {
            "X-Rate-Limit": total,
            "X-Rate-Limit-Remaining": remaining,
            "ratelimit-limit": total,
            "ratelimit-remaining": remaining,
            "ratelimit-reset": resets,
            "rate-limit": total,
            "rate-limit-remaining": remaining,
            "rate-limit-reset": resets,
        }

    def ticket_update(self, ticket_id: int, user_id: int) -> dict[str, str]:
        """Count one update of a ticket by a user, for the account and for the pair.

        Raises:
            Refusal: 429.
        """
        account = self._take("updates", self.limits.ticket_updates_per_minute, MINUTE, "ticket updates per minute")
        key = ("update", ticket_id, user_id)
        ticket = self._take(key, self.limits.updates_per_ticket, TEN_MINUTES, "updates of this ticket")
        return {
            "zendesk-ratelimit-tickets-update": account.spelled(),
            "zendesk-ratelimit-per-ticket-updates": ticket.spelled(),
        }

    def export(self) -> dict[str, str]:
        """Count one incremental export.

        Raises:
            Refusal: 429.
        """
        allowance = self._take("export", self.limits.exports_per_minute, MINUTE, "incremental exports per minute")
        return {"zendesk-ratelimit-incremental-exports": allowance.spelled()}

    def ticket_list(self) -> dict[str, str]:
        """Count one listing of tickets.

        Raises:
            Refusal: 429.
        """
        allowance = self._take("list", self.limits.ticket_lists_per_minute, MINUTE, "ticket lists per minute")
        return {"zendesk-ratelimit-tickets-index": allowance.spelled()}

    def _take(self, key: Hashable, total: int, length: timedelta, what: str) -> Allowance:
        now = self._now()
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = self._windows[key] = _Window(now + length, 0)
        resets_s = max(1, ceil((window.ends_at - now).total_seconds()))
        if window.used >= total:
            raise too_many_requests(resets_s, what)
        window.used += 1
        return Allowance(total, total - window.used, resets_s)
