"""Models outside of this process: in which order, how often, and when not.

For each question the models of its role are tried in order. One that was away is asked once more, after the pause it
asked for if that is short; one that refused, was cut off or answered in another form is not. A model that keeps failing
is passed over for a while (`circuit`). An answer to the same question about the same person is taken from the file.
Every attempt is accounted for, and none is made that the errand does not allow.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from graph.models.asking import asking
from graph.models.circuit import Circuit
from graph.models.claude import Answered, ClaudeModel
from graph.models.errand import Errand
from graph.models.kept import KeptAnswers, key_of
from graph.models.prompts import Prompt, Prompts, UnknownPrompt
from graph.models.question import Question, Unreadable
from graph.models.use import CIRCUIT_OPEN, ModelUnusable, ModelUse, Provider
from policies.vocabulary import ModelRole

RETRIES: Final = 1
"""Of one model; the next one in the order is likelier to help than a third try."""
LOCAL: Final = "local"
"""Stands in an order for the embedded model, which ends it: it is always there."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited.

    Args:
        pause_s: the longest pause before a model is asked again; who asks for more is passed over.
        whole_s: seconds after which no further attempt is begun for one question.
    """

    pause_s: float = 8.0
    whole_s: float = 60.0


@dataclass(slots=True)
class _Trial:
    """One question on its way."""

    errand: Errand
    started: float
    uses: list[ModelUse] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return sum(use.is_call for use in self.uses)


class Outside:
    """Models outside, by role.

    Args:
        claude: the only provider there is outside.
        orders: the models of each role in the order of trying; `local`, or no order, means that nobody is asked.
        prompts: the prompts by name.
        kept: the file of answers, or None to ask each time.
        limits: how long is waited.
        clock: seconds of a monotonic clock.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        claude: ClaudeModel,
        orders: Mapping[ModelRole, Sequence[str]],
        *,
        prompts: Prompts | None = None,
        kept: KeptAnswers | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._claude = claude
        self._orders = orders
        self._prompts = prompts or Prompts()
        self._kept = kept
        self._limits = limits or Limits()
        self._clock = clock
        self._sleep = sleep
        self._circuits: dict[str, Circuit] = defaultdict(lambda: Circuit(clock))

    def order(self, role: ModelRole, errand: Errand) -> tuple[str, ...]:
        """The models that are asked for a role: those that the run's policy names, else the installation's."""
        wish = errand.wishes.get(role.value)
        named = wish.models if wish is not None and wish.models else self._orders.get(role, ())
        models = tuple(named)
        return models[: models.index(LOCAL)] if LOCAL in models else models

    async def ask(self, question: Question[Value], errand: Errand) -> tuple[Value | None, tuple[ModelUse, ...]]:
        """The value, or None where no model gave one; and every attempt."""
        trial = _Trial(errand, self._clock())
        order = self.order(question.role, errand) if errand.calls > 0 else ()
        if not order:
            return None, ()
        wish = errand.wishes.get(question.role.value)
        name = (wish.prompt if wish is not None else None) or question.role.value
        try:
            prompt = self._prompts.named(name)
        except UnknownPrompt:
            return None, (_passed_over(question, order[0], "unknown_prompt", name),)
        for model in order:
            answered = await self._ask_model(question, model, prompt, trial)
            if answered is not None:
                trial.uses.append(answered.use)
                return answered.value, tuple(trial.uses)
        return None, tuple(trial.uses)

    async def ask_in_batch(
        self, questions: Mapping[str, Question[Value]], *, look_every_s: float = 5.0
    ) -> dict[str, Value | ModelUnusable]:
        """Answers to many questions of one role by the first model of its order, at half the price and within a day.

        For evaluation and replay, where nobody waits; nothing is kept on file, and nothing is asked twice.

        Args:
            questions: by an id of letters, digits, `_` and `-`.
            look_every_s: seconds between looks at whether the batch is over.

        Raises:
            ConnectorError: the batch was not taken, or its answers cannot be fetched.
            UnknownPrompt: the role's prompt cannot be read.
            ValueError: there is no question, or the role has no model outside.
        """
        roles = {question.role for question in questions.values()}
        if len(roles) != 1:
            raise ValueError(f"a batch of {len(roles)} roles: give questions of one role")
        (role,) = roles
        order = self.order(role, Errand())
        if not order:
            raise ValueError(f"role {role.value!r} has no model outside: set COUNTERSIGN_MODELS__{role.value.upper()}")
        model, prompt = order[0], self._prompts.named(role.value)
        batch_id = await asyncio.to_thread(self._claude.start_batch, questions, model, prompt)
        while not await asyncio.to_thread(self._claude.is_batch_over, batch_id):
            await self._sleep(look_every_s)
        answers = await asyncio.to_thread(lambda: dict(self._claude.batch_answers(batch_id, questions, model, prompt)))
        return {name: one if isinstance(one, ModelUnusable) else one.value for name, one in answers.items()}

    async def _ask_model(
        self, question: Question[Value], model: str, prompt: Prompt, trial: _Trial
    ) -> Answered[Value] | None:
        key = key_of(question, model, prompt)
        on_file = await self._on_file(question, model, prompt, key, trial.errand)
        if on_file is not None:
            return on_file
        for attempt in range(RETRIES + 1):
            if trial.calls >= trial.errand.calls or self._clock() - trial.started >= self._limits.whole_s:
                return None
            if not self._circuits[model].admits():
                trial.uses.append(_passed_over(question, model, CIRCUIT_OPEN, prompt.name))
                return None
            try:
                with asking("anthropic", model, question.role) as told:
                    answered = await asyncio.to_thread(self._claude.ask, question, model, prompt)
                    told(answered.use)
            except ModelUnusable as error:
                trial.uses.append(error.use)
                if not await self._goes_on(error, model, attempt):
                    return None
                continue
            self._circuits[model].worked()
            await self._put_on_file(question, key, answered.answer, trial.errand)
            return answered
        return None

    async def _goes_on(self, error: ModelUnusable, model: str, attempt: int) -> bool:
        """Whether the same model is asked again; then its pause is over."""
        circuit = self._circuits[model]
        if not error.is_outage:
            circuit.worked()
            return False
        circuit.failed()
        if attempt >= RETRIES or error.again_after_s is None or error.again_after_s > self._limits.pause_s:
            return False
        await self._sleep(error.again_after_s)
        return True

    async def _on_file(
        self, question: Question[Value], model: str, prompt: Prompt, key: str, errand: Errand
    ) -> Answered[Value] | None:
        if self._kept is None or not errand.subject_id:
            return None
        started = self._clock()
        answer = await self._kept.find(errand.tenant_id, errand.subject_id, key)
        if answer is None:
            return None
        try:
            value = question.read(answer)
        except Unreadable:
            return None  # it fitted once; a version with a stricter form asks anew
        use = ModelUse(
            question.role.value,
            Provider.CLAUDE.value,
            model,
            "done",
            round((self._clock() - started) * 1000),
            is_kept=True,
            prompt=prompt.name,
            prompt_hash=prompt.digest,
        )
        return Answered(value, answer, use)

    async def _put_on_file(self, question: Question[Any], key: str, answer: object, errand: Errand) -> None:
        if self._kept is not None and errand.subject_id:
            await self._kept.put(errand.tenant_id, errand.subject_id, key, question.role.value, answer)


def _passed_over(question: Question[Any], model: str, why: str, prompt: str) -> ModelUse:
    return ModelUse(question.role.value, Provider.CLAUDE.value, model, why, 0, prompt=prompt)
