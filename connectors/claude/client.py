"""The Claude connector: one structured call, asked once, with its usage.

Promises no retry (the SDK would sleep for as long as Retry-After asks, in the calling thread), no reading of the
environment's keys and addresses, and every refusal, cut and overload as a typed end. It refuses sampling options, which
the pinned version of the API rejects, and citations, which cannot be asked for together with a format.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

import anthropic
from anthropic.types import TextBlockParam

from connectors.claude.wire import Completion, Incomplete, read_message
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
_DEFAULT_RETRY_AFTER_S: Final = 5.0


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

    def complete(
        self,
        *,
        model: str,
        system: tuple[str, ...],
        user: str,
        schema: Mapping[str, object],
        max_tokens: int,
    ) -> Completion | Incomplete:
        """Ask once for a JSON value.

        Args:
            model: the vendor's model id.
            system: up to four blocks that stay the same between calls, most stable first; each ends a cached prefix.
            user: the one user turn.
            schema: JSON schema of the value; objects need `additionalProperties: false`, and ranges, lengths and
                recursion are refused by the vendor. The value that comes back must be checked again all the same.
            max_tokens: bound of the answer, thinking included; at most 21,333.

        Raises:
            Throttled: 429; carries the time to wait.
            VendorUnavailable: no answer came, 5xx, or overloaded (529).
            AccessDenied: the key is wrong or may not use this model.
            VendorRefused: the request itself is refused (400, 404, 413).
            WireError: the answer is not a message.
        """
        if len(system) > MAX_CACHED_BLOCKS:
            raise ValueError(f"{len(system)} system blocks are too many: join them to at most {MAX_CACHED_BLOCKS}")
        if not 1 <= max_tokens <= MAX_OUTPUT_TOKENS:
            raise ValueError(f"max_tokens {max_tokens} is out of range: ask for 1 to {MAX_OUTPUT_TOKENS}")
        blocks: list[TextBlockParam] = [
            {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in system
        ]
        try:
            raw = self._client.messages.with_raw_response.create(
                model=model,
                max_tokens=max_tokens,
                system=blocks,
                messages=[{"role": "user", "content": user}],
                output_config={"format": {"type": "json_schema", "schema": dict(schema)}},
            )
        except anthropic.APIError as error:
            raise _problem(error) from error
        return read_message(raw.read(), request_id=raw.headers.get("request-id"))

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
