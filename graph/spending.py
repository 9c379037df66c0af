"""What a run has used up, against the budgets of its policy. Every call counts when it is made, a repeated one too.

Counts live through one advance of the run and are written with each step and with each hold-up by an outage, so that a
run that is tried again goes on counting. Of time, only that of nodes counts, not the days that a run waits for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from graph.errors import BudgetExhausted
from graph.models.use import ModelUse
from graph.runs.models import Run
from policies.decision import RunBudget

COUNTED: Final = (
    "tool_calls",
    "tool_errors",
    "retries",
    "model_calls",
    "input_tokens",
    "output_tokens",
    "cost_usd_micros",
    "worked_ms",
)
"""Columns of the run that count what it used."""
MANY: Final = 1_000_000


@dataclass(slots=True)
class Spending:
    """The budgets of one run and what it used of them. `used` counts by the columns' names."""

    budget: RunBudget = field(default_factory=RunBudget)
    used: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, run: Run, budget: RunBudget) -> Spending:
        """What the run's row says that it used."""
        return cls(budget, Counter({name: getattr(run, name) for name in COUNTED}))

    def admit_tool_call(self) -> None:
        """Let the run make one more call outside, and count it.

        Raises:
            BudgetExhausted: a budget is used up.
        """
        self._check("tool calls", self.used["tool_calls"], self.budget.tool_calls)
        self._check_the_rest()
        self.used["tool_calls"] += 1

    def admit_model_call(self) -> None:
        """Let the run ask a model once more. What the call used is counted by `note` when it is over.

        Raises:
            BudgetExhausted: a budget is used up.
        """
        self._check("model calls", self.used["model_calls"], self.budget.model_calls)
        self._check_the_rest()

    def model_calls_left(self) -> int:
        """How many more calls of models are within the budgets; as many as anybody makes where nothing bounds them."""
        try:
            self._check_the_rest()
        except BudgetExhausted:
            return 0
        return MANY if self.budget.model_calls is None else max(0, self.budget.model_calls - self.used["model_calls"])

    def note(self, uses: Sequence[ModelUse]) -> None:
        """Count calls of models that were made. An answer from the file is no call, and costs nothing."""
        self.used["model_calls"] += sum(use.is_call for use in uses)
        self.used["input_tokens"] += sum(use.input_tokens for use in uses)
        self.used["output_tokens"] += sum(use.output_tokens for use in uses)
        self.used["cost_usd_micros"] += sum(use.cost_usd_micros for use in uses)

    @property
    def columns(self) -> Mapping[str, int]:
        """The counts as columns of the run."""
        return {name: self.used[name] for name in COUNTED}

    def _check_the_rest(self) -> None:
        tokens = self.used["input_tokens"] + self.used["output_tokens"]
        self._check("tokens", tokens, self.budget.tokens)
        self._check("millionths of a dollar", self.used["cost_usd_micros"], self.budget.spend_usd_micros)
        self._check("seconds", self.used["worked_ms"] // 1000, self.budget.seconds)

    @staticmethod
    def _check(what: str, used: int, limit: int | None) -> None:
        if limit is not None and used >= limit:
            raise BudgetExhausted(what, used, limit)
