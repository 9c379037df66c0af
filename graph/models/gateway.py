"""The one way to a model: a role goes to the provider that is configured for it, and every call is accounted for.

A model is given redacted text and answers with a value of a finite type. The local model is always there: it needs no
key and no network, and it takes over where Claude does not answer. Nothing here decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from graph.models.local.model import LocalModel
from graph.models.triage import Triage
from graph.models.use import ClaudeUnusable, ModelUse, Provider
from policies.vocabulary import Intent

if TYPE_CHECKING:  # the vendor's SDK takes more than a second to import, which only those who use it should pay
    from graph.models.claude import ClaudeModel

LOCAL_MODEL: Final = "all-MiniLM-L6-v2 with fitted heads"


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message means, and which calls found it out."""

    triage: Triage
    uses: tuple[ModelUse, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of several candidates is meant: an index into them, or nothing where that stays open."""

    index: int | None
    uses: tuple[ModelUse, ...]


class Gateway:
    """Roles to providers. `claude` is None where no key is configured.

    Args:
        local: the embedded model.
        claude: Claude, by role.
        clock: seconds of a monotonic clock, for latencies.
    """

    def __init__(
        self,
        local: LocalModel,
        claude: ClaudeModel | None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._local = local
        self._claude = claude
        self._clock = clock

    async def triage(
        self, subject: str, message: str, history: Sequence[str] = (), *, asks_claude: bool = True
    ) -> Understood:
        """Understand the newest message. Text must be redacted already.

        Claude's answer is checked again and replaced by the local model's where it is no triage. Without `asks_claude`
        the text stays in this process.
        """
        uses: list[ModelUse] = []
        if self._claude is not None and asks_claude:
            try:
                triage, use = await asyncio.to_thread(self._claude.triage, subject, message, tuple(history))
            except ClaudeUnusable as error:
                uses.append(error.use)
            else:
                return Understood(triage, (use,))
        started = self._clock()
        triage = await asyncio.to_thread(self._local.triage, subject, message)
        uses.append(self._local_use("triage", started))
        return Understood(triage, tuple(uses))

    async def choose(self, intent: Intent, message: str, described: Sequence[str]) -> Chosen:
        """Which candidate the customer means. The local model does not guess: it leaves the choice open.

        Args:
            intent: what is asked for.
            message: the redacted newest message.
            described: the candidates in words that code wrote.
        """
        if self._claude is None:
            return Chosen(None, ())
        try:
            index, use = await asyncio.to_thread(self._claude.choose, intent, message, tuple(described))
        except ClaudeUnusable as error:
            return Chosen(None, (error.use,))
        return Chosen(index, (use,))

    def _local_use(self, role: str, started: float) -> ModelUse:
        latency_ms = round((self._clock() - started) * 1000)
        return ModelUse(role, Provider.LOCAL.value, LOCAL_MODEL, "done", latency_ms)
