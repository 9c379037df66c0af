"""A run's budgets: each is reached exactly, and what was used before goes on counting."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from graph.errors import BudgetExhausted
from graph.models.use import ModelUse
from graph.runs.models import Run
from graph.spending import COUNTED, Spending
from policies.decision import RunBudget

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def a_use(tokens: int = 0, micros: int = 0) -> ModelUse:
    return ModelUse("triage", "claude", "m", "done", 5, input_tokens=tokens, output_tokens=0, cost_usd_micros=micros)


def test_as_many_tool_calls_as_the_budget_says_are_made() -> None:
    spending = Spending(RunBudget(tool_calls=2))
    spending.admit_tool_call()
    spending.admit_tool_call()
    with pytest.raises(BudgetExhausted, match="the run used 2 of 2 tool calls"):
        spending.admit_tool_call()
    assert spending.used["tool_calls"] == 2


def test_as_many_model_calls_as_the_budget_says_are_made() -> None:
    spending = Spending(RunBudget(model_calls=2))
    assert spending.model_calls_left() == 2
    spending.admit_model_call()
    spending.note([a_use(), replace(a_use(), is_kept=True)])
    assert spending.model_calls_left() == 1
    spending.note([a_use()])
    assert spending.model_calls_left() == 0
    with pytest.raises(BudgetExhausted, match="2 of 2 model calls"):
        spending.admit_model_call()


@pytest.mark.parametrize(
    ("budget", "used", "what"),
    [
        (RunBudget(tokens=100), {"input_tokens": 60, "output_tokens": 40}, "100 of 100 tokens"),
        (RunBudget(spend_usd_micros=250), {"cost_usd_micros": 250}, "250 of 250 millionths of a dollar"),
        (RunBudget(seconds=3), {"worked_ms": 3000}, "3 of 3 seconds"),
    ],
)
def test_tokens_money_and_time_stop_every_kind_of_call(budget: RunBudget, used: dict[str, int], what: str) -> None:
    spending = Spending(budget, Counter(used))
    with pytest.raises(BudgetExhausted, match=what):
        spending.admit_tool_call()
    with pytest.raises(BudgetExhausted, match=what):
        spending.admit_model_call()
    assert spending.model_calls_left() == 0
    (name, count), *_ = used.items()
    spending = Spending(budget, Counter({**used, name: count - 1}))
    spending.admit_tool_call()
    spending.admit_model_call()


def test_a_run_goes_on_counting_where_its_row_stands() -> None:
    run = Run(tenant_id="t", run_id="r", ticket_id="1", started_at=NOW, updated_at=NOW, tool_calls=3, worked_ms=9)
    spending = Spending.of(run, RunBudget())
    spending.admit_tool_call()
    spending.note([a_use(tokens=7, micros=2)])
    assert spending.columns == {
        **dict.fromkeys(COUNTED, 0),
        "tool_calls": 4,
        "worked_ms": 9,
        "model_calls": 1,
        "input_tokens": 7,
        "cost_usd_micros": 2,
    }
