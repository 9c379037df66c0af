"""Customers who write again when the shop answers: by the script of their scenario, or played by a model.

A customer hears only what the shop says in public, speaks once after each reply, and stops where the script has no line
that fits, where the model has nothing more to say, or after so many turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from evals.suites.scenario import CustomerLine, SimulatedCustomer
from graph.models.errand import Errand
from graph.models.gateway import Gateway
from graph.models.roles.customer import Played

CUSTOMER: Final = "customer"
DESK: Final = "desk"
READS_FOR: Final = timedelta(minutes=30)
"""How long a customer whom a model plays takes to answer."""
Conversation = Sequence[tuple[str, str]]
"""Who wrote, `customer` or `desk`, and what; oldest first."""


@dataclass(slots=True)
class Talk:
    """One simulated customer during one trial.

    Args:
        customer: who they are.
        gateway: where a model plays them; None follows the script.
    """

    customer: SimulatedCustomer
    gateway: Gateway | None
    heard: int = 0
    spoken: int = 0
    next: tuple[datetime, str] | None = None
    cost_usd_micros: int = 0
    _said: set[int] = field(default_factory=set)

    async def listen(self, conversation: Conversation, now: datetime) -> None:
        """Hear what is new, and settle what to say to it, and when."""
        replies = [text for who, text in conversation if who == DESK]
        if len(replies) <= self.heard or self.spoken >= self.customer.turns:
            return
        self.heard = len(replies)
        if self.gateway is not None and self.customer.goal is not None:
            self.next = await self._played(self.gateway, conversation, now)
        else:
            line = self._line(replies[-1])
            self.next = None if line is None else (now + timedelta(seconds=line.after_s), line.body)

    def speak(self, now: datetime) -> str | None:
        """What they say now; None before its time."""
        if self.next is None or now < self.next[0]:
            return None
        text, self.next = self.next[1], None
        self.spoken += 1
        return text

    def _line(self, reply: str) -> CustomerLine | None:
        folded = reply.casefold()
        for number, line in enumerate(self.customer.says):
            fits = not line.if_said or any(words.casefold() in folded for words in line.if_said)
            if number not in self._said and fits:
                self._said.add(number)
                return line
        return None

    async def _played(self, gateway: Gateway, conversation: Conversation, now: datetime) -> tuple[datetime, str] | None:
        played = Played(self.customer.goal or "", self.customer.manner, self.customer.knows)
        utterance, uses = await gateway.play_customer(played, conversation, errand=Errand())
        self.cost_usd_micros += sum(use.cost_usd_micros for use in uses)
        return None if utterance is None or utterance.text is None else (now + READS_FOR, utterance.text)
