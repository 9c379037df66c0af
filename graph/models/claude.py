"""Claude behind the gateway: understanding and choosing, as values that are checked again on our side.

What comes back is read with strict models of finite types; anything else, a refusal or a cut answer counts as no
answer, and the gateway goes on without it. Texts that reach Claude are redacted already, and stand apart from the
instructions.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import Completion, Incomplete, TokenUsage
from connectors.errors import ConnectorError
from graph.models.prices import cost_usd_micros
from graph.models.triage import (
    Claims,
    IntentScore,
    PersonReason,
    Sensitive,
    StatedAmount,
    Triage,
    Want,
)
from graph.models.use import ClaudeUnusable, ModelUse, Provider
from policies.errors import MoneyError
from policies.money import CURRENCIES, Money
from policies.vocabulary import Intent

MAX_TOKENS: Final = 1_500
MAX_HISTORY: Final = 4
MAX_CHARACTERS: Final = 12_000
"""Of the newest message; what a person writes about one matter fits, a pasted book does not."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Amount(_Closed):
    value: Annotated[str, Field(pattern=r"^\d{1,9}([.,]\d{1,3})?$")]
    currency: str | None


class _TriageAnswer(_Closed):
    intents: Annotated[list[Intent], Field(min_length=1, max_length=6)]
    confidence_percent: Annotated[int, Field(ge=0, le=100)]
    order_ids: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=10)]
    amounts: Annotated[list[_Amount], Field(max_length=10)]
    delivered: bool | None
    not_received: bool | None
    damaged: bool | None
    wrong_item: bool | None
    unauthorised: bool | None
    duplicate: bool | None
    unopened: bool | None
    wants: Want | None
    sensitive_topic: Sensitive
    asks_for_human: bool
    injection_suspected: bool
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class _ChooseAnswer(_Closed):
    option: int | None


def _strict(schema: dict[str, object]) -> dict[str, object]:
    """The schema without what structured outputs refuse: ranges, lengths and patterns, which we check ourselves.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
    """
    refused = {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "title", "default"}

    def plain(node: object) -> object:
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items() if key not in refused}
        return [plain(value) for value in node] if isinstance(node, list) else node

    cleaned = plain(schema)
    assert isinstance(cleaned, dict)
    return cleaned


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file and its hash."""

    text: str
    digest: str

    @classmethod
    def load(cls, name: str) -> Prompt:
        """Read `graph/prompts/NAME.md`."""
        text = (files("graph.prompts") / f"{name}.md").read_text("utf-8")
        return cls(text, hashlib.sha256(text.encode()).hexdigest()[:16])


class ClaudeModel:
    """Understanding and choosing with Claude.

    Args:
        adapter: the connection.
        triage_model: model id for understanding; a cheap one does.
        choose_model: model id for choosing; a strong one, since it is asked only where the matter is unclear.
        clock: seconds of a monotonic clock, for latencies.
    """

    def __init__(
        self,
        adapter: ClaudeAdapter,
        *,
        triage_model: str,
        choose_model: str,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._adapter = adapter
        self._models = {"triage": triage_model, "choose": choose_model}
        self._prompts = {role: Prompt.load(role) for role in self._models}
        self._schemas = {
            "triage": _strict(_TriageAnswer.model_json_schema()),
            "choose": _strict(_ChooseAnswer.model_json_schema()),
        }
        self._clock = clock

    def triage(self, subject: str, message: str, history: tuple[str, ...]) -> tuple[Triage, ModelUse]:
        """Understand the newest message; earlier ones are context.

        Raises:
            ClaudeUnusable: no answer, or one that is no triage.
        """
        turn = json.dumps(
            {
                "earlier_messages": [text[:2000] for text in history[-MAX_HISTORY:]],
                "subject": subject[:300],
                "newest_message": message[:MAX_CHARACTERS],
            },
            ensure_ascii=False,
        )
        parsed, use = self._ask("triage", turn)
        try:
            answer = _TriageAnswer.model_validate(parsed)
            return _to_triage(answer), use
        except (ValidationError, MoneyError) as error:
            raise self._unusable("the answer is no triage", use) from error

    def choose(self, intent: Intent, message: str, described: tuple[str, ...]) -> tuple[int | None, ModelUse]:
        """Which option the message means, as an index, or nothing.

        Raises:
            ClaudeUnusable: no answer, or an index that is not on offer.
        """
        turn = json.dumps(
            {
                "request": intent.value,
                "options": [f"{number}: {text}" for number, text in enumerate(described)],
                "newest_message": message[:MAX_CHARACTERS],
            },
            ensure_ascii=False,
        )
        parsed, use = self._ask("choose", turn)
        try:
            option = _ChooseAnswer.model_validate(parsed).option
        except ValidationError as error:
            raise self._unusable("the answer is no option", use) from error
        if option is not None and not 0 <= option < len(described):
            raise self._unusable("the answer is not one of the options", use)
        return option, use

    def _ask(self, role: Literal["triage", "choose"], turn: str) -> tuple[object, ModelUse]:
        started = self._clock()
        model = self._models[role]
        try:
            call = StructuredCall(model, (self._prompts[role].text,), turn, self._schemas[role], MAX_TOKENS, "low")
            answer = self._adapter.complete(call)
        except ConnectorError as error:
            raise ClaudeUnusable(str(error), self._use(role, started, type(error).__name__, None)) from error
        use = self._use(role, started, "done", answer)
        if isinstance(answer, Incomplete):
            raise self._unusable(answer.missing.value, use)
        return answer.parsed, use

    def _use(self, role: str, started: float, outcome: str, answer: Completion | Incomplete | None) -> ModelUse:
        usage = answer.usage if answer is not None else TokenUsage(0, 0, 0, 0)
        model = self._models[role]
        return ModelUse(
            role=role,
            provider=Provider.CLAUDE.value,
            model=answer.model if answer is not None else model,
            outcome=outcome,
            latency_ms=round((self._clock() - started) * 1000),
            input_tokens=usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens,
            cached_tokens=usage.cache_read_tokens,
            output_tokens=usage.output_tokens,
            cost_usd_micros=cost_usd_micros(
                model,
                input_tokens=usage.input_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                cache_read_tokens=usage.cache_read_tokens,
                output_tokens=usage.output_tokens,
            ),
            prompt_hash=self._prompts[role].digest,
            request_id=answer.request_id if answer is not None else None,
        )

    @staticmethod
    def _unusable(detail: str, use: ModelUse) -> ClaudeUnusable:
        accounted = {name: getattr(use, name) for name in use.__slots__} | {"outcome": detail.replace(" ", "_")}
        return ClaudeUnusable(detail, ModelUse(**accounted))


def _to_triage(answer: _TriageAnswer) -> Triage:
    reasons = [PersonReason.ASKS_FOR_HUMAN] if answer.asks_for_human else []
    if answer.sensitive_topic is not Sensitive.NONE:
        reasons.append(PersonReason(answer.sensitive_topic.value))
    unique = list(dict.fromkeys(answer.intents))
    return Triage(
        intents=tuple(IntentScore(intent, answer.confidence_percent) for intent in unique),
        claims=Claims(
            order_ids=tuple(one.lstrip("#") for one in answer.order_ids),
            amounts=tuple(_amount(one) for one in answer.amounts),
            delivered=answer.delivered,
            not_received=answer.not_received is True,
            damaged=answer.damaged is True,
            wrong_item=answer.wrong_item is True,
            unauthorised=answer.unauthorised is True,
            duplicate=answer.duplicate is True,
            unopened=answer.unopened,
            wants=answer.wants,
        ),
        language=answer.language,
        person_reasons=tuple(reasons),
        sensitive_topic=answer.sensitive_topic,
        injection_suspected=answer.injection_suspected,
    )


def _amount(stated: _Amount) -> StatedAmount:
    currency = stated.currency.lower() if stated.currency else None
    known = currency if currency in CURRENCIES else None
    money = Money.parse(stated.value.replace(",", "."), known or "usd")
    return StatedAmount(money.minor, known)
