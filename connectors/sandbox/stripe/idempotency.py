"""The store of idempotency keys. https://docs.stripe.com/api/idempotent_requests .

What is kept: status and body of the first execution, a 500 too. What is not: a request that failed validation, that
came while another with its key was in flight, or that a rate limiter turned away before
(https://docs.stripe.com/error-low-level#idempotency). Keys belong to an account, and go after 24 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.sandbox.stripe.forms import Form
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.problems import StripeProblem

KEPT_FOR: Final = timedelta(hours=24)
MAX_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Stored:
    """A first answer, to be repeated."""

    status: int
    body: Thing
    request_id: str


@dataclass(slots=True)
class _Entry:
    path: str
    form: Form
    first_seen: datetime
    answer: Stored | None = None


Scope = tuple[str, str]
"""Account and key."""


class IdempotencyStore:
    """Keys of all accounts."""

    def __init__(self) -> None:
        self._entries: dict[Scope, _Entry] = {}

    def begin(self, scope: Scope, path: str, form: Form, now: datetime) -> Stored | None:
        """Claim a key for a request, or give the answer to repeat.

        Raises:
            StripeProblem: 400 where the key was used for something else, 409 where its first request is in flight.
        """
        self._prune(now)
        key = scope[1]
        if len(key) > MAX_KEY:
            raise StripeProblem(400, f"Idempotency keys can have up to {MAX_KEY} characters.", kind="idempotency_error")
        entry = self._entries.get(scope)
        if entry is None:
            self._entries[scope] = _Entry(path, form, now)
            return None
        if entry.path != path:
            raise StripeProblem(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' vs '{entry.path}'). Try using a key other than '{key}' if you meant to execute a different "
                "request.",
                kind="idempotency_error",
            )
        if entry.form != form:
            raise StripeProblem(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        if entry.answer is None:
            raise StripeProblem(
                409,
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                code="idempotency_key_in_use",
                kind="idempotency_error",
            )
        return entry.answer

    def finish(self, scope: Scope, answer: Stored) -> None:
        """Keep the answer of a request whose execution had begun."""
        self._entries[scope].answer = answer

    def release(self, scope: Scope) -> None:
        """Forget a request that was never executed."""
        entry = self._entries.get(scope)
        if entry is not None and entry.answer is None:
            del self._entries[scope]

    def prune_all(self) -> None:
        """Forget every finished key, as Stripe may once they are 24 hours old."""
        self._entries = {scope: entry for scope, entry in self._entries.items() if entry.answer is None}

    def _prune(self, now: datetime) -> None:
        old = [
            scope
            for scope, entry in self._entries.items()
            if entry.answer is not None and now - entry.first_seen >= KEPT_FOR
        ]
        for scope in old:
            del self._entries[scope]
