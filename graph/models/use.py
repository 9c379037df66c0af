"""How a model call is accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Provider(StrEnum):
    """Who answers."""

    LOCAL = "local"
    CLAUDE = "claude"


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One call, accounted for. `cost_usd_micros` is millionths of a dollar from the dated list of prices."""

    role: str
    provider: str
    model: str
    outcome: str
    latency_ms: int
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    prompt_hash: str | None = None
    request_id: str | None = None

    def body(self) -> dict[str, object]:
        """The use as the public part of an event."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


class ClaudeUnusable(Exception):
    """Claude gave no answer that can be used. `use` accounts for the attempt."""

    def __init__(self, detail: str, use: ModelUse) -> None:
        super().__init__(detail)
        self.use = use
