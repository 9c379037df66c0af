"""Claude's Messages API in our words: what one structured call gave, what it cost, and why it may have given nothing.

Promises to read only the fields below and to ignore the rest, since the vendor adds fields and block types at will
(https://platform.claude.com/docs/en/api/versioning). It refuses to take half an answer for one: a refusal, a cut or a
text that is no JSON is `Incomplete`, with its usage, because it was paid for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar, assert_never

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import WireError


class Missing(StrEnum):
    """Why a call that the vendor answered gave no value.

    https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    """

    REFUSAL = "refusal"
    MAX_TOKENS = "max_tokens"
    CONTEXT_WINDOW = "context_window"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens billed for one call. The three kinds of input have three prices and do not overlap.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
    """

    input_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int

    @property
    def total_input_tokens(self) -> int:
        """All that the model read."""
        return self.input_tokens + self.cache_write_tokens + self.cache_read_tokens


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's value. `parsed` is any JSON value: the caller still checks it against its own type."""

    parsed: object
    usage: TokenUsage
    stop_reason: str
    model: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The vendor answered, but there is no value. `detail` is the vendor's category or what was wrong with the text."""

    missing: Missing
    detail: str | None
    usage: TokenUsage
    stop_reason: str
    model: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch has come: whether it is over, and then how many calls succeeded and how many did not."""

    is_over: bool
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What came of one call of a batch: an answer, or the vendor's word for why there is none, which costs nothing.

    https://platform.claude.com/docs/en/build-with-claude/batch-processing#retrieving-batch-results
    """

    custom_id: str
    answer: Completion | Incomplete | None
    failure: str | None = None


class _UsageBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cache_creation_input_tokens: int | None = Field(default=None, ge=0)
    cache_read_input_tokens: int | None = Field(default=None, ge=0)


class _BlockBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    type: str
    text: str = ""


class _StopDetailsBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    category: str | None = None


class _MessageBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    model: str
    content: tuple[_BlockBody, ...]
    stop_reason: str
    stop_details: _StopDetailsBody | None = None
    usage: _UsageBody

    def text(self) -> str:
        """The text blocks joined; thinking and other blocks are no answer."""
        return "".join(block.text for block in self.content if block.type == "text")

    def tokens(self) -> TokenUsage:
        """The usage, absent counts as zero."""
        return TokenUsage(
            input_tokens=self.usage.input_tokens,
            cache_write_tokens=self.usage.cache_creation_input_tokens or 0,
            cache_read_tokens=self.usage.cache_read_input_tokens or 0,
            output_tokens=self.usage.output_tokens,
        )


class _BatchErrorBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    type: str = "error"


class _BatchErrorsBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    error: _BatchErrorBody = _BatchErrorBody()


class _BatchResultBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    type: str
    message: _MessageBody | None = None
    error: _BatchErrorsBody = _BatchErrorsBody()


class _BatchLineBody(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    custom_id: str
    result: _BatchResultBody


_STOPS: Final = {
    "refusal": Missing.REFUSAL,
    "max_tokens": Missing.MAX_TOKENS,
    "model_context_window_exceeded": Missing.CONTEXT_WINDOW,
}


def read_message(raw: bytes, *, request_id: str | None) -> Completion | Incomplete:
    """Read the answer to `POST /v1/messages` with a JSON schema as its format.

    Raises:
        WireError: it is not a message; the message names the field and never its value.
    """
    return _read(_checked(_MessageBody, raw, "claude's answer is not a message"), request_id)


def read_batch_line(raw: bytes) -> BatchAnswer:
    """Read one line of a batch's results.

    Raises:
        WireError: it is no such line; the message names the field and never its value.
    """
    line = _checked(_BatchLineBody, raw, "a line of claude's batch cannot be read")
    result = line.result
    if result.type == "succeeded" and result.message is not None:
        return BatchAnswer(line.custom_id, _read(result.message, None))
    failure = result.error.error.type if result.type == "errored" else result.type
    return BatchAnswer(line.custom_id, None, failure)


Body = TypeVar("Body", bound=BaseModel)


def _checked(type_: type[Body], raw: bytes, complaint: str) -> Body:
    try:
        return type_.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise WireError(f"{complaint}: {place}: {first['msg'].lower()}") from error


def _read(message: _MessageBody, request_id: str | None) -> Completion | Incomplete:
    missing = _STOPS.get(message.stop_reason)
    if missing is not None:
        return _incomplete(message, missing, request_id)
    try:
        parsed: object = json.loads(message.text(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return _incomplete(message, Missing.UNREADABLE, request_id)
    return Completion(
        parsed=parsed,
        usage=message.tokens(),
        stop_reason=message.stop_reason,
        model=message.model,
        request_id=request_id,
    )


def _incomplete(message: _MessageBody, missing: Missing, request_id: str | None) -> Incomplete:
    return Incomplete(
        missing=missing,
        detail=_detail(message, missing),
        usage=message.tokens(),
        stop_reason=message.stop_reason,
        model=message.model,
        request_id=request_id,
    )


def _detail(message: _MessageBody, missing: Missing) -> str | None:
    match missing:
        case Missing.REFUSAL:
            return message.stop_details.category if message.stop_details else None
        case Missing.UNREADABLE:
            return f"{len(message.text())} characters that are no JSON value"
        case Missing.MAX_TOKENS | Missing.CONTEXT_WINDOW:
            return None
        case _:
            assert_never(missing)


def _no_constant(name: str) -> object:
    """JSON has no NaN and no Infinity, although Python's reader takes them."""
    raise ValueError(f"{name} is not JSON")
