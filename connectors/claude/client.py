"""The Claude connector: one structured call, asked once, with its usage; and batches of them at half the price.

Promises no retry (the SDK would sleep for as long as Retry-After asks, in the calling thread), no reading of the
environment's keys and addresses, and every refusal, cut and overload as a typed end. It refuses sampling options, which
the pinned version of the API rejects, and citations, which cannot be asked for together with a format.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

import anthropic
from anthropic.types import OutputConfigParam
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages.batch_create_params import Request

from connectors.claude.wire import BatchAnswer, BatchState, Completion, Incomplete, read_batch_line, read_message
from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    ConnectorError,
    Throttled,
    VendorRefused,
    VendorUnavailable,
    WireError,
)

REAL_URL: Final = "https://api.anthropic.com"
MAX_CACHED_BLOCKS: Final = 4
"""https://platform.claude.com/docs/en/build-with-claude/prompt-caching#when-to-use-multiple-breakpoints"""
MAX_OUTPUT_TOKENS: Final = 21_333
"""Above it the SDK insists on streaming: 3600 s * max_tokens / 128,000 would pass ten minutes."""
MAX_BATCH: Final = 100_000
"""Requests in one batch: https://platform.claude.com/docs/en/build-with-claude/batch-processing#batch-limitations"""
Effort = Literal["low", "medium", "high"]
"""How much the model thinks before it answers: https://platform.claude.com/docs/en/build-with-claude/effort"""
_DEFAULT_RETRY_AFTER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class StructuredCall:
    """One question for a JSON value.

    Args:
        model: the vendor's model id.
        system: up to four blocks that stay the same between calls, most stable first; each ends a cached prefix.
        user: the one user turn.
        schema: JSON schema of the value; objects need `additionalProperties: false`, and ranges, lengths and recursion
            are refused by the vendor. The value that comes back must be checked again all the same.
        max_tokens: bound of the answer, thinking included; at most 21,333.
        effort: how much to think; None leaves the model's own default.

    Raises:
        ValueError: a bound of the above is passed.
    """

    model: str
    system: tuple[str, ...]
    user: str
    schema: Mapping[str, object]
    max_tokens: int
    effort: Effort | None = None

    def __post_init__(self) -> None:
        if len(self.system) > MAX_CACHED_BLOCKS:
            raise ValueError(f"{len(self.system)} system blocks are too many: join them to at most {MAX_CACHED_BLOCKS}")
        if not 1 <= self.max_tokens <= MAX_OUTPUT_TOKENS:
            raise ValueError(f"max_tokens {self.max_tokens} is out of range: ask for 1 to {MAX_OUTPUT_TOKENS}")

    def params(self) -> MessageCreateParamsNonStreaming:
        """The body of `POST /v1/messages`."""
        form: OutputConfigParam = {"format": {"type": "json_schema", "schema": dict(self.schema)}}
        if self.effort is not None:
            form["effort"] = self.effort
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in self.system],
            "messages": [{"role": "user", "content": self.user}],
            "output_config": form,
        }


class ClaudeAdapter:
    """Asks Claude. Safe to share between threads.

    Args:
        api_key: sent as a bearer token, as the SDK has done since 2.0.
        base_url: another address than the vendor's, such as the sandbox; proxies of the environment are then not used.
        timeout_s: how long to wait for a connection and for each piece of the answer, in seconds.

    Raises:
        ConfigurationError: the key is empty.
    """

    def __init__(self, api_key: str, *, base_url: str | None = None, timeout_s: float) -> None:
        if not api_key.strip():
            raise ConfigurationError("the claude key is empty: set an API key, or choose the local provider")
        # The address is always given, since the SDK would otherwise take it from the environment.
        self._client = anthropic.Anthropic(
            api_key=api_key,
            base_url=base_url or REAL_URL,
            timeout=timeout_s,
            max_retries=0,
            http_client=anthropic.DefaultHttpxClient(trust_env=base_url is None, timeout=timeout_s),
        )

    def complete(self, call: StructuredCall) -> Completion | Incomplete:
        """Ask once for a JSON value.

        Raises:
            Throttled: 429; carries the time to wait.
            VendorUnavailable: no answer came, 5xx, or overloaded (529).
            AccessDenied: the key is wrong or may not use this model.
            VendorRefused: the request itself is refused (400, 404, 413).
            WireError: the answer is not a message.
        """
        try:
            raw = self._client.messages.with_raw_response.create(**call.params())
        except anthropic.APIError as error:
            raise _problem(error) from error
        return read_message(raw.read(), request_id=raw.headers.get("request-id"))

    def start_batch(self, calls: Mapping[str, StructuredCall]) -> str:
        """Hand in calls to be answered within a day, at half the price; the batch's id.

        Args:
            calls: by an id of the caller's (1 to 64 letters, digits, `_` and `-`), under which the answer comes.

        Raises:
            ValueError: no call, or more than 100,000.
            ConnectorError: as `complete`.
        """
        if not 1 <= len(calls) <= MAX_BATCH:
            raise ValueError(f"a batch of {len(calls)} calls: give 1 to {MAX_BATCH}")
        requests = [Request(custom_id=name, params=call.params()) for name, call in calls.items()]
        try:
            return self._client.messages.batches.create(requests=requests).id
        except anthropic.APIError as error:
            raise _problem(error) from error

    def batch_state(self, batch_id: str) -> BatchState:
        """How far a batch has come. Its counts stay zero until all of it has ended.

        Raises:
            ConnectorError: as `complete`.
        """
        try:
            batch = self._client.messages.batches.retrieve(batch_id)
        except anthropic.APIError as error:
            raise _problem(error) from error
        counts = batch.request_counts
        return BatchState(
            is_over=batch.processing_status == "ended",
            succeeded=counts.succeeded,
            failed=counts.errored + counts.expired + counts.canceled,
        )

    def batch_answers(self, batch_id: str) -> Iterator[BatchAnswer]:
        """The answers of a batch that is over, in any order.

        Raises:
            ConnectorError: as `complete`; `VendorRefused` where it is not over or is forgotten.
        """
        try:
            with self._client.messages.batches.with_streaming_response.results(batch_id) as response:
                for line in response.iter_lines():
                    if line.strip():
                        yield read_batch_line(line.encode())
        except anthropic.APIError as error:
            raise _problem(error) from error
        except anthropic.AnthropicError as error:  # the SDK's own word for a batch that has no results yet
            raise VendorRefused(f"batch {batch_id} of claude is not over: ask again later", status=404) from error

    def cancel_batch(self, batch_id: str) -> None:
        """Let a batch end early; what was answered until then stays.

        Raises:
            ConnectorError: as `complete`.
        """
        try:
            self._client.messages.batches.cancel(batch_id)
        except anthropic.APIError as error:
            raise _problem(error) from error

    def probe(self) -> tuple[str, ...]:
        """The ids of models that the key may use, newest first; costs nothing.

        Raises:
            ConnectorError: as `complete`.
        """
        try:
            page = self._client.models.list(limit=100)
        except anthropic.APIError as error:
            raise _problem(error) from error
        return tuple(model.id for model in page.data)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ClaudeAdapter({str(self._client.base_url)!r})"


def _problem(error: anthropic.APIError) -> ConnectorError:
    """What the SDK's error means for the caller.

    https://platform.claude.com/docs/en/api/errors
    """
    if isinstance(error, anthropic.APITimeoutError):
        return VendorUnavailable("claude did not answer in time")
    if isinstance(error, anthropic.APIConnectionError):
        cause = type(error.__cause__).__name__
        return VendorUnavailable(f"the connection to claude broke ({cause})")
    if isinstance(error, anthropic.APIStatusError):
        return _status_problem(error)
    return WireError(f"claude's answer cannot be read ({type(error).__name__})")


def _status_problem(error: anthropic.APIStatusError) -> ConnectorError:
    status, code, request = error.status_code, error.type, error.request_id
    about = f"claude answered {status} {code} (request {request})"
    if isinstance(error, anthropic.RateLimitError):
        return Throttled(about, retry_after_s=_retry_after_s(error))
    if isinstance(error, anthropic.InternalServerError | anthropic.RequestTimeoutError):
        return VendorUnavailable(about)
    if isinstance(error, anthropic.AuthenticationError | anthropic.PermissionDeniedError):
        return AccessDenied(f"{about}: check the key and its workspace", status=status, code=code)
    # The vendor's sentence says what is wrong with our request; it does not repeat the prompt.
    return VendorRefused(f"{about}: {error.api_message}", status=status, code=code)


def _retry_after_s(error: anthropic.APIStatusError) -> float:
    """https://platform.claude.com/docs/en/api/rate-limits#response-headers gives whole seconds."""
    asked = error.response.headers.get("retry-after", "")
    return float(asked) if asked.isdigit() else _DEFAULT_RETRY_AFTER_S
