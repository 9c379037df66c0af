"""Claude as one that answers questions: asked once, read by the question's own form, accounted for to the token.

A refusal, a cut answer, one that does not fit and a vendor that is away all end as `ModelUnusable`, which says whether
asking again can help. Nothing here tries twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import Completion, Incomplete, TokenUsage
from connectors.errors import ConnectorError, Throttled, VendorUnavailable
from graph.models.prices import cost_usd_micros
from graph.models.prompts import Prompt
from graph.models.question import Question, Unreadable, schema_of
from graph.models.use import ModelUnusable, ModelUse, Provider

SOON_S: Final = 1.0
"""How long to wait before asking again where the vendor does not say."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Answered(Generic[Value]):
    """A value, the JSON it was read from, and what it cost."""

    value: Value
    answer: object
    use: ModelUse


class ClaudeModel:
    """Claude.

    Args:
        adapter: the connection.
        clock: seconds of a monotonic clock, for latencies.
    """

    def __init__(self, adapter: ClaudeAdapter, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._adapter = adapter
        self._clock = clock

    def ask(self, question: Question[Value], model: str, prompt: Prompt) -> Answered[Value]:
        """Ask once.

        Raises:
            ModelUnusable: no answer, or one that is not of the question's form.
        """
        started = self._clock()
        try:
            answer = self._adapter.complete(call_of(question, model, prompt))
        except ConnectorError as error:
            use = self._use(question, model, prompt, type(error).__name__, started)
            raise ModelUnusable(
                str(error), use, again_after_s=_again_after_s(error), is_outage=isinstance(error, VendorUnavailable)
            ) from error
        return _read(question, answer, self._use(question, model, prompt, "done", started, answer))

    def start_batch(self, questions: Mapping[str, Question[Any]], model: str, prompt: Prompt) -> str:
        """Hand in questions of one kind to be answered within a day at half the price; the batch's id.

        Raises:
            ConnectorError: it was not taken.
        """
        return self._adapter.start_batch({name: call_of(one, model, prompt) for name, one in questions.items()})

    def is_batch_over(self, batch_id: str) -> bool:
        """Whether its answers are there.

        Raises:
            ConnectorError: the vendor does not say.
        """
        return self._adapter.batch_state(batch_id).is_over

    def batch_answers(
        self, batch_id: str, questions: Mapping[str, Question[Value]], model: str, prompt: Prompt
    ) -> Iterator[tuple[str, Answered[Value] | ModelUnusable]]:
        """What came of each question of a batch that is over, in any order, at the batch's price.

        Raises:
            ConnectorError: the answers cannot be fetched.
        """
        for one in self._adapter.batch_answers(batch_id):
            question = questions[one.custom_id]
            if one.answer is None:
                use = self._use(question, model, prompt, one.failure or "errored", self._clock())
                yield one.custom_id, ModelUnusable(f"the batch answered {one.failure}", use)
                continue
            use = self._use(question, model, prompt, "done", self._clock(), one.answer, is_batch=True)
            try:
                yield one.custom_id, _read(question, one.answer, use)
            except ModelUnusable as error:
                yield one.custom_id, error

    def _use(
        self,
        question: Question[Any],
        model: str,
        prompt: Prompt,
        outcome: str,
        started: float,
        answer: Completion | Incomplete | None = None,
        *,
        is_batch: bool = False,
    ) -> ModelUse:
        usage = answer.usage if answer is not None else TokenUsage(0, 0, 0, 0)
        return ModelUse(
            role=question.role.value,
            provider=Provider.CLAUDE.value,
            model=answer.model if answer is not None else model,
            outcome=outcome,
            latency_ms=round((self._clock() - started) * 1000),
            input_tokens=usage.total_input_tokens,
            cached_tokens=usage.cache_read_tokens,
            output_tokens=usage.output_tokens,
            cost_usd_micros=cost_usd_micros(model, usage, is_batch=is_batch),
            prompt=prompt.name,
            prompt_hash=prompt.digest,
            request_id=answer.request_id if answer is not None else None,
        )


def call_of(question: Question[Any], model: str, prompt: Prompt) -> StructuredCall:
    """The question as a call. The prompt is the one block that stays the same, and so the cached prefix."""
    return StructuredCall(
        model=model,
        system=(prompt.text,),
        user=question.turn,
        schema=schema_of(question.form),
        max_tokens=question.max_tokens,
        effort=question.effort,
    )


def _read(question: Question[Value], answer: Completion | Incomplete, use: ModelUse) -> Answered[Value]:
    if isinstance(answer, Incomplete):
        raise ModelUnusable(f"no answer ({answer.missing.value})", _as(use, answer.missing.value))
    try:
        return Answered(question.read(answer.parsed), answer.parsed, use)
    except Unreadable as error:
        raise ModelUnusable(f"the answer does not fit: {error}", _as(use, "unreadable")) from error


def _as(use: ModelUse, outcome: str) -> ModelUse:
    return replace(use, outcome=outcome)


def _again_after_s(error: ConnectorError) -> float | None:
    if isinstance(error, Throttled):
        return error.retry_after_s
    return SOON_S if isinstance(error, VendorUnavailable) else None
