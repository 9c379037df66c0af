from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import pytest
from starlette.applications import Starlette

from connectors.claude.client import ClaudeAdapter
from connectors.sandbox.claude.double import ClaudeDouble
from connectors.sandbox.faults import Faults
from connectors.sandbox.server import RunningServer, serve

KEY = "sk-ant-sandbox"
MODEL = "claude-haiku-5-5"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "intents": {"type": "array", "items": {"type": "string", "enum": ["refund_request", "other"]}, "minItems": 1},
        "order_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "confidence": {"type": "number"},
        "urgent": {"type": "boolean"},
        "claim": {"$ref": "#/$defs/claim"},
    },
    "required": ["intents", "order_id", "confidence", "urgent", "claim"],
    "additionalProperties": False,
    "$defs": {
        "claim": {
            "type": "object",
            "properties": {"kind": {"const": "none"}, "days": {"type": ["integer", "null"]}},
            "required": ["kind", "days"],
            "additionalProperties": False,
        }
    },
}


class Time:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def double(time: Time, faults: Faults) -> ClaudeDouble:
    return ClaudeDouble(now=time.now, faults=faults, keys=frozenset({KEY}), seed=7)


@pytest.fixture
def server(double: ClaudeDouble) -> Iterator[RunningServer]:
    with serve(Starlette(routes=double.routes())) as server:
        yield server


@pytest.fixture
def adapter(server: RunningServer) -> Iterator[ClaudeAdapter]:
    with ClaudeAdapter(KEY, base_url=server.url, timeout_s=5.0) as adapter:
        yield adapter


@pytest.fixture
def sdk(server: RunningServer) -> Iterator[anthropic.Anthropic]:
    """The SDK itself, for requests that the adapter refuses to make."""
    with anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0) as client:
        yield client
