"""What Claude's API refuses before any model runs.

Each check names the vendor page it encodes. Promises the vendor's status, error type and order of checks; the sentences
are our own, since the vendor says that they may change (https://platform.claude.com/docs/en/api/errors#error-shapes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.sandbox.claude.answers import Asked

MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
"""https://platform.claude.com/docs/en/api/errors#request-size-limits"""
MAX_CACHE_BREAKPOINTS: Final = 4
"""https://platform.claude.com/docs/en/build-with-claude/prompt-caching#when-to-use-multiple-breakpoints"""
MODELS: Final = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-1")
"""https://platform.claude.com/docs/en/about-claude/models/overview , newest family first."""

_REMOVED: Final = ("temperature", "top_p", "top_k")
"""https://platform.claude.com/docs/en/api/versioning : version 2026-10-21 no longer takes sampling options."""
_EFFORTS: Final = (None, "low", "medium", "high", "xhigh", "max")
"""https://platform.claude.com/docs/en/build-with-claude/effort"""
_UNSUPPORTED: Final = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties", "patternProperties"),
)
"""https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations"""


class Refusal(Exception):
    """An error that the vendor answers with."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Prefix:
    """A part of the prompt that the caller asked to cache: everything up to and including one block."""

    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A request that the vendor accepts: what is asked, all of its text, and the prefixes to cache."""

    asked: Asked
    whole: str
    prefixes: tuple[Prefix, ...]


def parse(raw: bytes) -> Parsed:
    """Read and check a body of `POST /v1/messages`.

    Raises:
        Refusal: the vendor would refuse it.
    """
    if len(raw) > MAX_REQUEST_BYTES:
        raise Refusal(413, "request_too_large", "the request exceeds the maximum allowed number of bytes")
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise invalid("the request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise invalid("the request body is not a JSON object")
    return parse_body(body)


def parse_body(body: Mapping[str, Any]) -> Parsed:
    """Check the parameters of one message, alone or inside a batch.

    Raises:
        Refusal: the vendor would refuse it.
    """
    _check_fields(body)
    _check_messages(body["messages"])
    schema = _schema(body)
    system = _texts(body.get("system", []))
    blocks = [*_blocks(body.get("system", [])), *(b for m in body["messages"] for b in _blocks(m["content"]))]
    _check_citations(body["messages"], schema)
    prefixes = tuple(_prefixes(blocks))
    if len(prefixes) > MAX_CACHE_BREAKPOINTS:
        raise invalid(f"a maximum of {MAX_CACHE_BREAKPOINTS} blocks with cache_control may be provided")
    if body["model"] not in MODELS:
        raise Refusal(404, "not_found_error", f"model: {body['model']}")
    user = "".join(_texts(body["messages"][-1]["content"]))
    asked = Asked(body["model"], tuple(system), user, schema, body["max_tokens"])
    return Parsed(asked, "".join(str(block.get("text", "")) for block in blocks), prefixes)


def invalid(message: str) -> Refusal:
    """A request that the vendor refuses for its shape."""
    return Refusal(400, "invalid_request_error", message)


def _check_fields(body: Mapping[str, Any]) -> None:
    """The fields outside the messages.

    https://platform.claude.com/docs/en/api/messages/create
    """
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise invalid(f"{name}: field required")
    for name in _REMOVED:
        if name in body:
            raise invalid(f"{name}: extra inputs are not permitted")
    if not isinstance(body["model"], str):
        raise invalid("model: input should be a valid string")
    tokens = body["max_tokens"]
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise invalid("max_tokens: input should be greater than or equal to 1")
    if body.get("stream"):
        # The real API streams; this product never asks for it.
        raise invalid("stream: the sandbox does not stream")


def _check_messages(messages: object) -> None:
    """Turns and their content; current models refuse a last turn of the assistant.

    https://platform.claude.com/docs/en/api/messages/create
    """
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in {"user", "assistant"}:
            raise invalid(f"messages.{number}.role: input should be 'user' or 'assistant'")
        if not isinstance(message.get("content"), (str, list)) or not message["content"]:
            raise invalid(f"messages.{number}.content: content must not be empty")
    if messages[-1]["role"] == "assistant":
        raise invalid("this model does not support assistant message prefill: the last message must be from the user")


def _check_citations(messages: list[dict[str, Any]], schema: Mapping[str, Any] | None) -> None:
    for message in messages:
        for block in _blocks(message["content"]):
            citations = block.get("citations")
            if block.get("type") == "text" and citations and message["role"] == "user":
                # https://platform.claude.com/docs/en/api/versioning
                raise invalid("citations: not permitted on a user's text block")
            if schema is not None and isinstance(citations, dict) and citations.get("enabled"):
                # https://platform.claude.com/docs/en/build-with-claude/structured-outputs#feature-compatibility
                raise invalid("output_config.format: citations are incompatible with structured outputs")


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    config = body.get("output_config") or {}
    if config.get("effort") not in _EFFORTS:
        raise invalid(f"output_config.effort: input should be one of {', '.join(filter(None, _EFFORTS))}")
    asked = config.get("format")
    if asked is None:
        return None
    if not isinstance(asked, dict) or asked.get("type") != "json_schema" or not isinstance(asked.get("schema"), dict):
        raise invalid("output_config.format: input should be a json_schema with a schema")
    schema: Mapping[str, Any] = asked["schema"]
    _check_schema(schema, schema, ())
    return schema


def _check_schema(node: Mapping[str, Any], root: Mapping[str, Any], above: tuple[str, ...]) -> None:
    """The part of JSON Schema that the vendor compiles.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
    """
    reference = node.get("$ref")
    if isinstance(reference, str):
        _check_reference(reference, root, above)
        return
    for key in _UNSUPPORTED:
        if key in node:
            raise invalid(f"output_config.format.schema: property '{key}' is not supported")
    if node.get("minItems", 0) not in {0, 1}:
        raise invalid("output_config.format.schema: 'minItems' other than 0 or 1 is not supported")
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        raise invalid("output_config.format.schema: 'additionalProperties' must be explicitly set to false")
    for child in _children(node):
        _check_schema(child, root, above)


def _check_reference(reference: str, root: Mapping[str, Any], above: tuple[str, ...]) -> None:
    if not reference.startswith("#/"):
        raise invalid("output_config.format.schema: external $ref is not supported")
    if reference in above:
        raise invalid("output_config.format.schema: recursive schemas are not supported")
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise invalid(f"output_config.format.schema: {reference} does not exist")
    _check_schema(found, root, (*above, reference))


def _children(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    candidates: list[Any] = [*node.get("properties", {}).values(), node.get("items")]
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        candidates.extend(node.get(key, []))
    return (candidate for candidate in candidates if isinstance(candidate, dict))


def _blocks(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _texts(content: object) -> list[str]:
    return [str(block.get("text", "")) for block in _blocks(content) if block.get("type") == "text"]


def _prefixes(blocks: list[Mapping[str, Any]]) -> Iterator[Prefix]:
    so_far = ""
    for block in blocks:
        so_far += str(block.get("text", ""))
        if block.get("cache_control"):
            yield Prefix(so_far)
