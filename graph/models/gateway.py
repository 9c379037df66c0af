"""The one way to a model: a role goes to the models that are configured for it, and every call is accounted for.

A model is given redacted text and answers with a value of a finite type, or with words that hold no figure of its own.
The local model is always there: it needs no key and no network, and it takes over where no other one answers. Nothing
here decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from graph.models.asking import asking
from graph.models.drafts import Brief, WrittenDraft
from graph.models.errand import AT_HOME, Errand
from graph.models.local.model import LocalModel
from graph.models.roles.customer import Played, Utterance, customer_question
from graph.models.roles.draft import draft_question
from graph.models.roles.grade import Grade, grade_question
from graph.models.roles.plan import plan_question
from graph.models.roles.safety import safety_question
from graph.models.roles.summary import summary_question
from graph.models.roles.triage import triage_question
from graph.models.triage import Triage
from graph.models.use import ModelUse, Provider
from policies.proposal import Choice
from policies.vocabulary import Intent, ModelRole

if TYPE_CHECKING:  # the vendor's SDK takes more than a second to import, which only those who use it should pay
    from graph.models.outside import Outside

LOCAL_MODEL: Final = "all-MiniLM-L6-v2 with fitted heads"
LOOK_EVERY_S: Final = 5.0

Message = tuple[str, str, tuple[str, ...]]
"""Subject, newest message and what was said before, redacted."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What a message means, and which calls found it out."""

    triage: Triage
    uses: tuple[ModelUse, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of several candidates is meant; its candidate is None where that stays open."""

    choice: Choice
    uses: tuple[ModelUse, ...]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A reply in a model's words, or None where templates write it."""

    draft: WrittenDraft | None
    uses: tuple[ModelUse, ...]


@dataclass(frozen=True, slots=True)
class Summarised:
    """A ticket in a few sentences, or None where nobody wrote them."""

    summary: str | None
    uses: tuple[ModelUse, ...]


class Gateway:
    """Roles to models.

    Args:
        local: the embedded model.
        outside: other models by role; None where no key is configured.
        clock: seconds of a monotonic clock, for latencies.
    """

    def __init__(
        self,
        local: LocalModel,
        outside: Outside | None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._local = local
        self._outside = outside
        self._clock = clock

    def asks(self, role: ModelRole, errand: Errand) -> bool:
        """Whether any model outside would be asked for the role."""
        return self._outside is not None and errand.calls > 0 and bool(self._outside.order(role, errand))

    async def triage(
        self, subject: str, message: str, history: Sequence[str] = (), *, errand: Errand = AT_HOME
    ) -> Understood:
        """Understand the newest message. Text must be redacted already.

        An answer from outside is checked again and replaced by the local model's where it is no triage.
        """
        triage: Triage | None = None
        uses: tuple[ModelUse, ...] = ()
        if self._outside is not None:
            triage, uses = await self._outside.ask(triage_question(subject, message, tuple(history)), errand)
        if triage is None:
            started = self._clock()
            with asking("local", LOCAL_MODEL, ModelRole.TRIAGE) as told:
                triage = await asyncio.to_thread(self._local.triage, subject, message)
                use = self._local_use(ModelRole.TRIAGE, started)
                told(use)
            uses = (*uses, use)
        if self._outside is not None and self.asks(ModelRole.SAFETY, errand):
            left = _less(errand, uses)
            opinion, asked = await self._outside.ask(safety_question(subject, message), left)
            triage, uses = opinion.on(triage) if opinion is not None else triage, (*uses, *asked)
        return Understood(triage, uses)

    async def triage_in_batch(
        self, messages: Mapping[str, Message], *, look_every_s: float = LOOK_EVERY_S
    ) -> dict[str, Triage]:
        """What many messages mean, asked in one batch at half the price: for evaluation and replay, where nobody waits.

        Args:
            messages: redacted, by an id of letters, digits, `_` and `-`.
            look_every_s: seconds between looks at whether the batch is over.

        Returns:
            A triage for every id: the local model's where the batch had none that could be used.

        Raises:
            ConnectorError: the batch was not taken, or its answers cannot be fetched.
            UnknownPrompt: the role's prompt cannot be read.
            ValueError: the role has no model outside.
        """
        if self._outside is None:
            raise ValueError("no model outside is configured: use the provider claude")
        if not messages:
            return {}
        questions = {name: triage_question(*message) for name, message in messages.items()}
        answers = await self._outside.ask_in_batch(questions, look_every_s=look_every_s)
        found: dict[str, Triage] = {}
        for name, (subject, message, _) in messages.items():
            answer = answers.get(name)
            if isinstance(answer, Triage):
                found[name] = answer
            else:
                found[name] = await asyncio.to_thread(self._local.triage, subject, message)
        return found

    async def choose(
        self, intent: Intent, message: str, described: Sequence[str], *, errand: Errand = AT_HOME
    ) -> Chosen:
        """Which candidate the customer means. The local model does not guess: it leaves the choice open.

        Args:
            intent: what is asked for.
            message: the redacted newest message.
            described: the candidates in words that code wrote.
            errand: what the question may use.
        """
        if self._outside is None:
            return Chosen(Choice(intent), ())
        choice, uses = await self._outside.ask(plan_question(intent, message, described), errand)
        return Chosen(choice or Choice(intent), uses)

    async def draft(self, brief: Brief, message: str, *, errand: Errand = AT_HOME) -> Drafted:
        """A reply that says what the brief says, with its slots open. `message` is redacted; it sets the tone."""
        if self._outside is None:
            return Drafted(None, ())
        return Drafted(*await self._outside.ask(draft_question(brief, message), errand))

    async def summarise(self, subject: str, messages: Sequence[str], *, errand: Errand = AT_HOME) -> Summarised:
        """What a colleague should know of the conversation, oldest message first; all texts redacted."""
        if self._outside is None:
            return Summarised(None, ())
        return Summarised(*await self._outside.ask(summary_question(subject, tuple(messages)), errand))

    async def play_customer(
        self, played: Played, conversation: Sequence[tuple[str, str]], *, errand: Errand
    ) -> tuple[Utterance | None, tuple[ModelUse, ...]]:
        """What a simulated customer writes next; None where no model said it. For evaluations."""
        if self._outside is None:
            return None, ()
        return await self._outside.ask(customer_question(played, conversation), errand)

    async def grade(self, message: str, reply: str, *, errand: Errand) -> tuple[Grade | None, tuple[ModelUse, ...]]:
        """How a reply to a message reads; None where no model said it. For evaluations."""
        if self._outside is None:
            return None, ()
        return await self._outside.ask(grade_question(message, reply), errand)

    def _local_use(self, role: ModelRole, started: float) -> ModelUse:
        latency_ms = round((self._clock() - started) * 1000)
        return ModelUse(role.value, Provider.LOCAL.value, LOCAL_MODEL, "done", latency_ms)


def _less(errand: Errand, uses: Sequence[ModelUse]) -> Errand:
    """The errand without the calls that were made."""
    return replace(errand, calls=errand.calls - sum(use.is_call for use in uses))
