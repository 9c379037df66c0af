"""Asking for a password again before much money is approved, wherever the yes comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from app.identity.pace import TooMany
from app.identity.sessions import Visitor
from app.identity.sign_in import SignIn, Wrong
from app.web.access import Refused
from app.web.entry import address_of

CONFIRMED_FOR: Final = timedelta(minutes=15)
"""How long the proof of who somebody is counts for what asks for it."""


@dataclass(frozen=True, slots=True)
class Confirming:
    """The rule: `above` holds each tenant's minor units by currency, beyond which who approves proves who they are."""

    sign_in: SignIn
    above: Mapping[str, Mapping[str, int]]
    now: Callable[[], datetime]

    def is_needed(self, visitor: Visitor, actions: Iterable[Mapping[str, object]]) -> bool:
        """Whether a yes to these actions of a run asks for the password: it is much, and they came in a while ago."""
        above = self.above.get(visitor.tenant_id, {})
        amounts = [(str(action.get("currency")), action.get("amount_minor")) for action in actions]
        is_much = bool(above) and any(isinstance(one, int) and one > above.get(unit, 0) for unit, one in amounts)
        return is_much and not visitor.confirmed_within(CONFIRMED_FOR, self.now())

    async def demand(self, request: Request, visitor: Visitor, password: str) -> None:
        """Check the password that came with the yes.

        Raises:
            Refused: it is not theirs, or there were too many tries.
        """
        match await self.sign_in.confirm(visitor, password, address=address_of(request)):
            case TooMany():
                text = "Too many tries. Wait a quarter of an hour; nothing was changed."
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Not yet", text)
            case Wrong():
                text = (
                    "This needs your password again, and that was not it; nothing was changed. Go back and type it. "
                    "Whoever comes in by single sign-on signs out and in again instead."
                )
                raise Refused(HTTPStatus.FORBIDDEN, "Not confirmed", text)
            case Visitor():
                return
