"""How a model call is accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CIRCUIT_OPEN: Final = "circuit_open"
"""Outcome of a model that was not asked, because it failed again and again just before."""


class Provider(StrEnum):
    """Who answers."""

    LOCAL = "local"
    CLAUDE = "claude"


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One call, accounted for. `cost_usd_micros` is millionths of a dollar from the dated list of prices.

    `is_kept` says that the answer was on file from the same question, so that nothing left and nothing was paid.
    """

    role: str
    provider: str
    model: str
    outcome: str
    latency_ms: int
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int = 0
    is_kept: bool = False
    prompt: str | None = None
    prompt_hash: str | None = None
    request_id: str | None = None

    @property
    def is_call(self) -> bool:
        """Whether a model was asked: an answer from the file and a model that was passed over are no calls."""
        return not self.is_kept and self.outcome != CIRCUIT_OPEN

    def body(self) -> dict[str, object]:
        """The use as the public part of an event."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


class ModelUnusable(Exception):
    """A model gave no answer that can be used. `use` accounts for the attempt.

    `again_after_s` is how long to wait before asking the same model again, None where that cannot help; `is_outage`
    says that the model was not there at all.
    """

    def __init__(
        self, detail: str, use: ModelUse, *, again_after_s: float | None = None, is_outage: bool = False
    ) -> None:
        super().__init__(detail)
        self.use = use
        self.again_after_s = again_after_s
        self.is_outage = is_outage
