"""A hand-made checkout in the shape of tau2-bench's retail domain becomes worlds, tickets and expectations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.commanding import Commanding
from evals.command import app
from evals.suites.files import Filed
from evals.tau2.checkout import RETAIL, read_checkout, tasks_of
from evals.tau2.converting import NotConverted, scenario_of
from policies.parse import parse_policy
from policies.vocabulary import Outcome

USER = {
    "user_id": "ida_berg_1",
    "name": {"first_name": "Ida", "last_name": "Berg"},
    "email": "ida.berg@mailbox.example",
    "address": {"zip": "10115"},
    "payment_methods": {"credit_card_1": {"source": "credit_card", "id": "credit_card_1"}},
    "orders": ["#W1000001", "#W1000002"],
}


def an_order(number: str, status: str, *prices: float) -> dict[str, Any]:
    items = [
        {"name": f"Thing {place}", "product_id": "7", "item_id": f"{number}{place}", "price": price, "options": {}}
        for place, price in enumerate(prices)
    ]
    paid = {"transaction_type": "payment", "amount": sum(prices), "payment_method_id": "credit_card_1"}
    return {
        "order_id": number,
        "user_id": "ida_berg_1",
        "address": {},
        "items": items,
        "fulfillments": [],
        "status": status,
        "payment_history": [paid],
    }


def a_task(number: str, reason: str, *actions: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    told = {"task_instructions": "You are brief.", "domain": "retail", "reason_for_call": reason}
    gold = [
        {"action_id": f"{number}_{place}", "name": name, "arguments": arguments, "info": None}
        for place, (name, arguments) in enumerate(actions)
    ]
    return {
        "id": number,
        "user_scenario": {
            "persona": None,
            "instructions": {**told, "known_info": "You are Ida Berg in zip code 10115.", "unknown_info": None},
        },
        "initial_state": None,
        "evaluation_criteria": {"actions": gold, "communicate_info": [], "nl_assertions": None},
    }


FINDS = ("find_user_id_by_name_zip", {"first_name": "Ida", "last_name": "Berg", "zip": "10115"})
CANCEL = {"order_id": "#W1000001", "reason": "no longer needed"}
RETURN = {"order_id": "#W1000002", "item_ids": ["#W10000020"], "payment_method_id": "credit_card_1"}
TASKS = [
    a_task("0", "You want to cancel your order #W1000001.", FINDS, ("cancel_pending_order", CANCEL)),
    a_task("1", "You want to return Thing 0 of #W1000002.", FINDS, ("return_delivered_order_items", RETURN)),
    a_task("2", "You want another address.", FINDS, ("modify_user_address", {"user_id": "ida_berg_1"})),
    a_task("3", "You want to know when #W1000002 came.", FINDS),
    {**a_task("4", "You are nobody."), "user_scenario": {"instructions": {"reason_for_call": "You are nobody."}}},
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / RETAIL
    folder.mkdir(parents=True)
    orders = [an_order("#W1000001", "pending", 120.10, 30.05), an_order("#W1000002", "delivered", 19.99, 5.00)]
    store = {
        "products": {},
        "users": {"ida_berg_1": USER},
        "orders": {one["order_id"]: one for one in orders},
    }
    (folder / "db.json").write_text(json.dumps(store))
    (folder / "tasks.json").write_text(json.dumps(TASKS))
    (folder / "split_tasks.json").write_text(json.dumps({"train": ["1", "2", "3"], "test": ["0"]}))
    return tmp_path


def test_tasks_become_worlds_tickets_and_expectations(checkout: Path) -> None:
    read = read_checkout(checkout)
    made = [scenario_of(task, read, path=checkout) for task in read.tasks]
    cancels, returns, moves, asks = (one.scenario for one in made[:4] if isinstance(one, Filed))
    assert isinstance(made[4], NotConverted)
    assert all(parse_policy(one.policy_text, name="store") for one in made if isinstance(one, Filed))
    assert [(one.key, str(one.amount)) for one in cancels.world.charges] == [
        ("#W1000001/0", "150.15"),
        ("#W1000002/0", "24.99"),
    ]
    assert [one.fulfilment for one in cancels.world.orders] == ["unfulfilled", "delivered"]
    assert cancels.all_tickets[0].comments[0].body == (
        "I am Ida Berg in zip code 10115.\n\nI want to cancel my order #W1000001."
    )
    assert cancels.expect.any_outcome == (Outcome.RESOLVED,)
    assert [cancels.minor(one) for one in cancels.expect.refunds or ()] == [15_015]
    assert [returns.minor(one) for one in returns.expect.refunds_at_most or ()] == [1_999]
    assert (moves.expect.refunds, asks.expect.refunds) == ((), ())
    assert Outcome.RESOLVED not in moves.expect.any_outcome
    assert cancels.customer is not None
    assert "#W1000001" in cancels.customer.says[0].body
    assert [task.id for task in tasks_of(read, "test", None)] == ["0"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "db.json").unlink(), "db.json: cannot be read"),
        (lambda folder: (folder / "tasks.json").write_text("[{]"), "tasks.json:1: not JSON"),
        (lambda folder: (folder / "tasks.json").write_text("[]"), "no tasks"),
        (lambda folder: (folder / "tasks.json").write_text('[{"id": "0"}]'), "tasks.json: 0.user_scenario"),
    ],
)
def test_what_is_no_checkout_is_one_clear_line(checkout: Path, spoil: Any, words: str) -> None:
    spoil(checkout / RETAIL)
    said = CliRunner().invoke(app, ["tau2", str(checkout)], obj=Commanding())
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.count("\n") == 1
    assert words in said.stderr
