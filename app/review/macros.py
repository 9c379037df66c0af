"""Macros of Zendesk that fit a ticket that was handed over, best first: those that share words with what it asks for.

They are read at most every few minutes, for all panels together; where Zendesk does not answer there are none.
https://developer.zendesk.com/api-reference/ticketing/business-rules/macros/
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from app.review.acts import Shop
from app.review.card import Card, Tone
from connectors.errors import ConnectorError
from connectors.zendesk.wire import MacroView

KEPT_FOR: Final = timedelta(minutes=5)
SHOWN: Final = 3
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_COMMENT: Final = frozenset({"comment_value", "comment_value_html"})


@dataclass(frozen=True, slots=True)
class Fitting:
    """A macro, and what it does in words."""

    macro_id: int
    title: str
    does: tuple[str, ...]


@dataclass(slots=True)
class Macros:
    """The macros of each tenant."""

    shops: Mapping[str, Shop]
    now: Callable[[], datetime]
    _known: dict[str, tuple[datetime, tuple[MacroView, ...]]] = field(default_factory=dict)

    async def fitting(self, card: Card) -> tuple[Fitting, ...]:
        """The best few for this card; none unless a person has the ticket now."""
        if card.standing.tone is not Tone.STOPPED:
            return ()
        wanted = _words(" ".join([card.subject or "", *(one.intent for one in card.requests), card.standing.title]))
        scored = [(len(wanted & _words(macro.title)), macro) for macro in await self._of(card.tenant_id)]
        best = sorted((one for one in scored if one[0]), key=lambda one: (-one[0], one[1].title))
        return tuple(Fitting(macro.macro_id, macro.title, _does(macro)) for _, macro in best[:SHOWN])

    async def _of(self, tenant_id: str) -> tuple[MacroView, ...]:
        now, known = self.now(), self._known.get(tenant_id)
        if known is not None and now - known[0] < KEPT_FOR:
            return known[1]
        shop = self.shops.get(tenant_id)
        found: tuple[MacroView, ...] = ()
        if shop is not None and shop.zendesk is not None:
            try:
                found = await asyncio.to_thread(shop.zendesk.macros)
            except ConnectorError:
                found = known[1] if known is not None else ()
        self._known[tenant_id] = (now, found)
        return found


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower().removesuffix("s") for word in _WORD.findall(text))


def _does(macro: MacroView) -> tuple[str, ...]:
    return tuple(
        "writes a reply" if name in _COMMENT else f"{name.replace('_', ' ')} → {value}"[:80]
        for name, value in macro.actions
    )
