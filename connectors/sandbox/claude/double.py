"""The double of Claude's Messages API over HTTP: headers, usage, prompt cache, errors, structured answers, batches.

Promises the vendor's semantics where a page is named and deterministic ids, token counts and answers. Tokens are
estimated as a quarter of the characters; the real tokenizer counts differently. It refuses to stream.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.claude.answers import Answer, Responder, smallest_value
from connectors.sandbox.claude.batches import Batch, Batches
from connectors.sandbox.claude.requests import MODELS, Parsed, Refusal, parse, parse_body
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.faulty import strike

CACHE_LIFE: Final = timedelta(minutes=5)
"""https://platform.claude.com/docs/en/build-with-claude/prompt-caching : the default lifetime, renewed by each use."""
MIN_CACHED_TOKENS: Final = {
    "claude-opus-5-5": 1024,
    "claude-sonnet-5-5": 1024,
    "claude-haiku-5-5": 4096,
    "claude-fable-5-1": 1024,
}
"""Below it a breakpoint silently does nothing. The vendor's page lists no figure for these models yet, so each has the
largest one of its family before: https://platform.claude.com/docs/en/build-with-claude/prompt-caching#cache-limitations
"""
_CHARACTERS_PER_TOKEN: Final = 4

_FAULTS: Final = {
    FaultKind.TOO_MANY_REQUESTS: Refusal(429, "rate_limit_error", "this request would exceed your rate limit"),
    FaultKind.SERVER_ERROR: Refusal(500, "api_error", "internal server error"),
    FaultKind.UNAVAILABLE: Refusal(529, "overloaded_error", "overloaded"),
    FaultKind.FORBIDDEN: Refusal(403, "permission_error", "your API key may not use the specified resource"),
}
"""https://platform.claude.com/docs/en/api/errors ; this vendor's way to be unavailable is 529."""


class ClaudeDouble:
    """Claude, scripted.

    Args:
        now: the sandbox's time; the prompt cache ages by it.
        faults: asked at `claude.messages.create`, `claude.models.list` and `claude.batches.*`.
        keys: the API keys to accept.
        responder: what the model says when no script is left.
        seed: begins the ids, so that they repeat.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        faults: Faults,
        keys: frozenset[str],
        responder: Responder = smallest_value,
        seed: int = 0,
    ) -> None:
        self._now = now
        self._faults = faults
        self._keys = keys
        self._responder = responder
        self._seed = seed
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._script: deque[Answer] = deque()
        self._cache: dict[tuple[str, str], datetime] = {}
        self._batches = Batches(lambda params: self._message(parse_body(params)))
        self.asked: list[Parsed] = []

    def script(self, answers: Iterable[Answer]) -> None:
        """Queue answers that come before the responder's, in order."""
        with self._lock:
            self._script.extend(answers)

    def routes(self) -> list[BaseRoute]:
        """The vendor's paths."""
        return [
            Route("/v1/messages", self._messages, methods=["POST"]),
            Route("/v1/messages/batches", self._create_batch, methods=["POST"]),
            Route("/v1/messages/batches/{batch_id}", self._batch, methods=["GET"]),
            Route("/v1/messages/batches/{batch_id}/cancel", self._cancel_batch, methods=["POST"]),
            Route("/v1/messages/batches/{batch_id}/results", self._batch_results, methods=["GET"]),
            Route("/v1/models", self._models, methods=["GET"]),
        ]

    async def _messages(self, request: Request) -> Response:
        raw = await request.body()

        async def handle() -> Response:
            self._authorise(request)
            return self._answer(parse(raw))

        return await self._serve("claude.messages.create", request, handle)

    async def _create_batch(self, request: Request) -> Response:
        raw = await request.body()

        async def handle() -> Response:
            self._authorise(request)
            batch = self._batches.create(raw, self._id("msgbatch"), self._now())
            return self._shown(batch, request)

        return await self._serve("claude.batches.create", request, handle)

    async def _batch(self, request: Request) -> Response:
        async def handle() -> Response:
            self._authorise(request)
            return self._shown(self._batches.look(request.path_params["batch_id"], self._now()), request)

        return await self._serve("claude.batches.retrieve", request, handle)

    async def _cancel_batch(self, request: Request) -> Response:
        async def handle() -> Response:
            self._authorise(request)
            return self._shown(self._batches.cancel(request.path_params["batch_id"], self._now()), request)

        return await self._serve("claude.batches.cancel", request, handle)

    async def _batch_results(self, request: Request) -> Response:
        async def handle() -> Response:
            self._authorise(request)
            batch = self._batches.look(request.path_params["batch_id"], self._now())
            if batch.ended_at is None:
                raise Refusal(404, "not_found_error", f"message batch {batch.batch_id} has no results yet")
            lines = "".join(f"{json.dumps(line)}\n" for line in batch.lines)
            return Response(lines, media_type="application/binary", headers={"request-id": self._id("req")})

        return await self._serve("claude.batches.results", request, handle)

    def _shown(self, batch: Batch, request: Request) -> Response:
        return JSONResponse(batch.body(str(request.base_url)), headers={"request-id": self._id("req")})

    async def _models(self, request: Request) -> Response:
        async def handle() -> Response:
            self._authorise(request)
            models = [
                {"type": "model", "id": model, "display_name": model, "created_at": "2026-10-01T00:00:00Z"}
                for model in MODELS
            ]
            body = {"data": models, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
            return JSONResponse(body, headers={"request-id": self._id("req")})

        return await self._serve("claude.models.list", request, handle)

    async def _serve(self, place: str, request: Request, handle: Callable[[], Any]) -> Response:
        async def guarded() -> Response:
            try:
                response = await handle()
            except Refusal as refusal:
                return self._problem(refusal)
            assert isinstance(response, Response)
            return response

        return await strike(self._faults.next(place), request, guarded, self._fault)

    def _authorise(self, request: Request) -> None:
        """https://platform.claude.com/docs/en/api/overview#authentication ; SDKs since 2.0 send a bearer token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        if given not in self._keys:
            raise Refusal(401, "authentication_error", "invalid API key")
        if not request.headers.get("anthropic-version"):
            raise Refusal(400, "invalid_request_error", "anthropic-version: header is required")

    def _answer(self, parsed: Parsed) -> Response:
        body = self._message(parsed)
        return JSONResponse(body, headers={"request-id": self._id("req"), **_limits(body["usage"])})

    def _message(self, parsed: Parsed) -> dict[str, Any]:
        with self._lock:
            self.asked.append(parsed)
            answer = self._script.popleft() if self._script else self._responder(parsed.asked)
            usage = self._input_usage(parsed)
        text, stop_reason = _said(answer, parsed.asked.max_tokens)
        usage["output_tokens"] = max(1, _tokens(text))
        refused = answer.refused
        return {
            "id": self._id("msg"),
            "type": "message",
            "role": "assistant",
            "model": parsed.asked.model,
            "content": [] if refused is not None else [{"type": "text", "text": text}],
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "stop_details": None if refused is None else {"type": "refusal", "category": refused, "explanation": None},
            "usage": usage,
        }

    def _input_usage(self, parsed: Parsed) -> dict[str, Any]:
        """What was read from the cache, what was written to it, and the rest.

        https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance
        """
        now, model = self._now(), parsed.asked.model
        fit = [prefix.text for prefix in parsed.prefixes if _tokens(prefix.text) >= MIN_CACHED_TOKENS[model]]
        warm = [text for text in fit if self._cache.get((model, text), now) > now]
        read = max(map(_tokens, warm), default=0)
        written = max(map(_tokens, fit), default=0) - read
        for text in fit:
            self._cache[model, text] = now + CACHE_LIFE
        return {
            "input_tokens": _tokens(parsed.whole) - read - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        }

    def _fault(self, fault: Fault) -> Response:
        response = self._problem(_FAULTS[fault.kind])
        if fault.kind is FaultKind.TOO_MANY_REQUESTS:
            response.headers["retry-after"] = str(fault.retry_after_s)
        return response

    def _problem(self, refusal: Refusal) -> Response:
        """The vendor's error body.

        https://platform.claude.com/docs/en/api/errors#error-shapes
        """
        request_id = self._id("req")
        body = {
            "type": "error",
            "error": {"type": refusal.kind, "message": refusal.message},
            "request_id": request_id,
        }
        return JSONResponse(body, status_code=refusal.status, headers={"request-id": request_id})

    def _id(self, kind: str) -> str:
        return f"{kind}_sandbox{self._seed:04d}{next(self._numbers):08d}"


def _said(answer: Answer, max_tokens: int) -> tuple[str, str]:
    """The text and why it ends; a text that is too long is cut.

    https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    """
    if answer.refused is not None:
        return "", "refusal"
    text = answer.value if isinstance(answer.value, str) else json.dumps(answer.value)
    if _tokens(text) > max_tokens:
        return text[: max_tokens * _CHARACTERS_PER_TOKEN], "max_tokens"
    return text, answer.stop_reason


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _limits(usage: dict[str, Any]) -> dict[str, str]:
    """https://platform.claude.com/docs/en/api/rate-limits#response-headers ; the sandbox itself has no limit."""
    limit = 1_000_000
    return {
        "anthropic-ratelimit-requests-limit": str(limit),
        "anthropic-ratelimit-requests-remaining": str(limit - 1),
        "anthropic-ratelimit-input-tokens-limit": str(limit),
        "anthropic-ratelimit-input-tokens-remaining": str(limit - int(usage["input_tokens"])),
    }
