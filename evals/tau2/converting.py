"""A task of the store as a scenario: its database as a world, its caller as a ticket, its gold actions as expectations.

The world holds the one customer that a task is about, and all their orders and payments. What the store's agent does by
a tool and Countersign does by money is expected as money: a cancelled pending order is paid back in full, to the
payments it was paid with. A return is paid back at most with the prices of its items. What Countersign leaves to
people, exchanges and changes of orders and addresses, must end with a person, and move no money. The store writes no
dates, so its payments are ten days old.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from evals.suites.files import Filed
from evals.suites.scenario import Scenario
from evals.tau2.checkout import Checkout, GoldAction, StoreOrder, Task, User

POLICY: Final = Path(__file__).with_name("store.yaml")
CANCELS: Final = "cancel_pending_order"
RETURNS: Final = "return_delivered_order_items"
TRANSFERS: Final = "transfer_to_human_agents"
BY_PEOPLE: Final = frozenset(
    {
        "exchange_delivered_order_items",
        "modify_pending_order_address",
        "modify_pending_order_items",
        "modify_pending_order_payment",
        "modify_user_address",
        TRANSFERS,
    }
)
"""What people do in Countersign."""
PAID_DAYS_AGO: Final = 10
DELIVERED_DAYS_AGO: Final = 4
_UNFULFILLED: Final = ("pending",)
_GIVEN_BACK: Final = "cancelled"
_ORDER: Final = re.compile(r"#W\d+")
_FIRST_PERSON: Final = (
    (r"\byou are\b", "I am"),
    (r"\byou're\b", "I am"),
    (r"\byou were\b", "I was"),
    (r"\byou've\b", "I have"),
    (r"\byourself\b", "myself"),
    (r"\byours\b", "mine"),
    (r"\byour\b", "my"),
    (r"\byou\b", "I"),
)
"""Tasks tell their user who they are; a ticket says it of oneself."""


@dataclass(frozen=True, slots=True)
class NotConverted:
    """A task that cannot be played, and why."""

    task_id: str
    why: str


def scenario_of(task: Task, checkout: Checkout, *, path: Path) -> Filed | NotConverted:
    """The task as a scenario, decided by the store's policy."""
    user = _user(task, checkout)
    if user is None:
        return NotConverted(task.id, "no gold action and no text names one customer of the store")
    orders = [one for one in checkout.store.orders.values() if one.user_id == user.user_id]
    form = {
        "id": f"tau2-{task.id}",
        "why": "A task of tau2-bench's retail domain.",
        "tags": _tags(task),
        "world": _world(user, orders),
        "ticket": {"requester": "caller", "subject": "", "comments": [{"from": "caller", "body": _message(task)}]},
        "customer": _customer(task),
        "knowledge": "none",
        "expect": _expected(task, checkout),
    }
    try:
        scenario = Scenario.model_validate(form)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return NotConverted(task.id, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
    return Filed(scenario, path, POLICY.read_text(encoding="utf-8"))


def _user(task: Task, checkout: Checkout) -> User | None:
    """The one customer that the gold actions, or else the text, are about."""
    users, found = checkout.store.users, set()
    for action in task.actions:
        told = action.arguments
        order = checkout.store.orders.get(str(told.get("order_id")))
        found |= {str(told["user_id"])} & set(users) if "user_id" in told else set()
        found |= {order.user_id} if order is not None else set()
        found |= {one.user_id for one in users.values() if _is_found_by(one, action)}
    if not found:
        known = task.user_scenario.instructions.known_info
        found = {
            one.user_id
            for one in users.values()
            if one.email in known or f"{one.name.first_name} {one.name.last_name}" in known
        }
    return users[found.pop()] if len(found) == 1 else None


def _is_found_by(user: User, action: GoldAction) -> bool:
    told = action.arguments
    if action.name == "find_user_id_by_email":
        return str(told.get("email", "")).casefold() == user.email.casefold()
    if action.name == "find_user_id_by_name_zip":
        names = (told.get("first_name"), told.get("last_name"), told.get("zip"))
        return names == (user.name.first_name, user.name.last_name, user.address.zip)
    return False


def _tags(task: Task) -> list[str]:
    writes = [one.name for one in task.actions if one.name in BY_PEOPLE | {CANCELS, RETURNS}]
    kind = "mixed" if len(set(writes)) > 1 else writes[0] if writes else "asks"
    return ["tau2", f"difficulty:{kind}", "tier:auto" if set(writes) == {CANCELS} else "tier:hand_off"]


def _world(user: User, orders: list[StoreOrder]) -> dict[str, Any]:
    charges, refunds, made = [], [], []
    for order in orders:
        keys = []
        for number, payment in enumerate(one for one in order.payment_history if one.transaction_type == "payment"):
            key = f"{order.order_id}/{number}"
            keys.append(key)
            charges.append(
                {
                    "key": key,
                    "customer": "caller",
                    "amount": str(payment.amount),
                    "currency": "usd",
                    "days_ago": PAID_DAYS_AGO,
                    "description": f"Order {order.order_id}",
                    "order": order.order_id,
                }
            )
        if order.status == _GIVEN_BACK:
            paid = {one["key"]: one["amount"] for one in charges if one["key"] in keys}
            refunds += [
                {"charge": key, "amount": amount, "days_ago": PAID_DAYS_AGO - 1} for key, amount in paid.items()
            ]
        made.append(_order(order, keys))
    name = f"{user.name.first_name} {user.name.last_name}"
    customer = {"key": "caller", "name": name, "email": user.email}
    return {"customers": [customer], "charges": charges, "orders": made, "refunds": refunds}


def _order(order: StoreOrder, charges: list[str]) -> dict[str, Any]:
    is_open = order.status.startswith(_UNFULFILLED)
    given_back = order.status == _GIVEN_BACK
    counted: Counter[str] = Counter()
    items = []
    for item in order.items:
        counted[item.item_id] += 1
        key = item.item_id if counted[item.item_id] == 1 else f"{item.item_id}/{counted[item.item_id]}"
        items.append({"key": key, "name": item.name, "amount": str(item.price), "category": "physical"})
    arrived = {"delivered_days_ago": DELIVERED_DAYS_AGO, "shipped_days_ago": PAID_DAYS_AGO - 2}
    return {
        "key": order.order_id,
        "number": order.order_id,
        "customer": "caller",
        "charges": charges,
        "currency": "usd",
        "items": items,
        "placed_days_ago": PAID_DAYS_AGO,
        "fulfilment": "unfulfilled" if is_open else "cancelled" if given_back else _fulfilment(order.status),
        **(arrived if not is_open and not given_back and order.status != "processed" else {}),
    }


def _fulfilment(status: str) -> str:
    return "shipped" if status == "processed" else "delivered"


def _message(task: Task) -> str:
    """The first message, by the person whom the task describes."""
    told = task.user_scenario.instructions
    return (
        "\n\n".join(filter(None, (in_first_person(told.known_info), in_first_person(told.reason_for_call)))) or "Hello."
    )


def in_first_person(text: str) -> str:
    """What a task says of `you`, said of oneself.

    >>> in_first_person("You are Ada. You want your money back.")
    'I am Ada. I want my money back.'
    """
    for pattern, words in _FIRST_PERSON:
        text = re.sub(pattern, words, text, flags=re.IGNORECASE)
    return re.sub(r"(^|[.!?]\s+)(my|mine|myself)\b", lambda m: m[1] + m[2].capitalize(), text)


def _customer(task: Task) -> dict[str, Any]:
    """By the script, they say the order numbers when asked, and yes; a model is told all that the task tells."""
    told = task.user_scenario.instructions
    numbers = list(dict.fromkeys(_ORDER.findall(told.reason_for_call + told.known_info)))
    says = (
        [{"if_said": ["order number", "which"], "body": f"It is about order {', and order '.join(numbers)}."}]
        if numbers
        else []
    )
    return {
        "goal": told.reason_for_call or "an answer",
        "knows": [one for one in (told.known_info, told.unknown_info, told.task_instructions) if one],
        "says": [*says, {"if_said": ["confirm", "would you like", "shall we"], "body": "Yes, please go ahead."}],
        "turns": 10,
    }


def _expected(task: Task, checkout: Checkout) -> dict[str, Any]:
    names = {one.name for one in task.actions}
    due = [refund for one in task.actions if one.name == CANCELS for refund in _payments(one, checkout)]
    at_most = [refund for one in task.actions if one.name == RETURNS for refund in _returned(one, checkout)]
    by_people = ["handed_off", "waiting_for_review", "waiting_for_customer"]
    if names & BY_PEOPLE:
        return (
            {"outcome": by_people, "refunds_at_most": [*due, *at_most]}
            if due or at_most
            else {"outcome": by_people, "refunds": []}
        )
    if at_most:
        return {"outcome": [*by_people, "resolved"], "refunds_at_most": [*due, *at_most]}
    said = list((task.evaluation_criteria.communicate_info if task.evaluation_criteria else None) or ())
    outcome = "resolved" if due else [*by_people, "resolved"]
    return {"outcome": outcome, "refunds": due, **({"reply": {"mentions": said}} if said and due else {})}


def _payments(action: GoldAction, checkout: Checkout) -> list[dict[str, str]]:
    """The whole of each payment of a cancelled order."""
    order = checkout.store.orders.get(str(action.arguments.get("order_id")))
    payments = [one for one in (order.payment_history if order else ()) if one.transaction_type == "payment"]
    return [
        {"charge": f"{action.arguments['order_id']}/{number}", "amount": str(one.amount)}
        for number, one in enumerate(payments)
    ]


def _returned(action: GoldAction, checkout: Checkout) -> list[dict[str, str]]:
    """The prices of what is sent back, on the first payment of its order."""
    order = checkout.store.orders.get(str(action.arguments.get("order_id")))
    if order is None:
        return []
    prices = {one.item_id: one.price for one in order.items}
    total = sum((prices.get(str(one), Decimal(0)) for one in action.arguments.get("item_ids", ())), Decimal(0))
    paid = next((one.amount for one in order.payment_history if one.transaction_type == "payment"), Decimal(0))
    return [{"charge": f"{order.order_id}/0", "amount": str(min(total, paid))}] if total and paid else []
