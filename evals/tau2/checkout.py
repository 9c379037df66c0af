"""What a checkout of tau2-bench holds for its retail domain: the store's database, the tasks, and their splits.

Read from `data/tau2/domains/retail` below the folder that the user names: `db.json`, `tasks.json` and, where there is
one, `split_tasks.json`. Only what is used is looked at, so a newer checkout with more fields reads, too.
https://github.com/sierra-research/tau2-bench
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from evals.suites.errors import SuiteError

RETAIL: Final = Path("data/tau2/domains/retail")
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Named(_Read):
    """A person's name."""

    first_name: str
    last_name: str


class Address(_Read):
    """As far as it tells people apart."""

    zip: str = ""


class User(_Read):
    """A customer of the store."""

    user_id: str
    name: Named
    email: str
    address: Address = Address()


class OrderItem(_Read):
    """A line of an order."""

    name: str
    item_id: str
    price: Decimal


class Payment(_Read):
    """A payment or a refund of an order."""

    transaction_type: str
    amount: Decimal
    payment_method_id: str


class StoreOrder(_Read):
    """An order."""

    order_id: str
    user_id: str
    status: str
    items: tuple[OrderItem, ...]
    payment_history: tuple[Payment, ...]


class Store(_Read):
    """The database."""

    users: dict[str, User]
    orders: dict[str, StoreOrder]


class Instructions(_Read):
    """Whom a task's user plays."""

    reason_for_call: Text = ""
    known_info: Text = ""
    unknown_info: Text = ""
    task_instructions: Text = ""


class Scene(_Read):
    """How a task's user is told to behave."""

    instructions: Instructions


class GoldAction(_Read):
    """A call of a tool that a right solution makes."""

    name: str
    arguments: dict[str, Any] = {}


class Criteria(_Read):
    """What a right solution does and says."""

    actions: tuple[GoldAction, ...] | None = None
    communicate_info: tuple[Text, ...] | None = None


class Task(_Read):
    """A task."""

    id: Text
    user_scenario: Scene
    evaluation_criteria: Criteria | None = None

    @property
    def actions(self) -> tuple[GoldAction, ...]:
        """The gold actions."""
        return (self.evaluation_criteria.actions if self.evaluation_criteria else None) or ()


@dataclass(frozen=True, slots=True)
class Checkout:
    """All of it."""

    store: Store
    tasks: tuple[Task, ...]
    splits: Mapping[str, tuple[str, ...]]


def read_checkout(path: Path) -> Checkout:
    """Read the retail domain of a checkout, or of its folder itself.

    Raises:
        SuiteError: it is none; one line that names the file and what to do.
    """
    folder = path / RETAIL if (path / RETAIL).is_dir() else path
    return Checkout(
        store=_read(folder / "db.json", TypeAdapter(Store)),
        tasks=_read(folder / "tasks.json", TypeAdapter(tuple[Task, ...])),
        splits=_read(folder / "split_tasks.json", TypeAdapter(dict[str, tuple[Text, ...]]))
        if (folder / "split_tasks.json").is_file()
        else {},
    )


def tasks_of(checkout: Checkout, split: str | None, most: int | None) -> tuple[Task, ...]:
    """The tasks of a split, or all; the first so many of them.

    Raises:
        SuiteError: there is no such split, or no task in it.
    """
    if split is not None and split not in checkout.splits:
        known = ", ".join(checkout.splits) or "none"
        raise SuiteError((f"no split {split!r}: known are {known}",))
    tasks = [one for one in checkout.tasks if split is None or one.id in checkout.splits[split]]
    if not tasks:
        raise SuiteError(("no tasks: name another split or checkout",))
    return tuple(tasks[:most])


def _read(path: Path, adapter: TypeAdapter[Any]) -> Any:  # noqa: ANN401 - the adapter's type
    try:
        # Prices are decimal literals and are read digit by digit.
        value = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        return adapter.validate_python(value)
    except OSError as error:
        advice = "name a checkout of tau2-bench, or its data/tau2/domains/retail"
        raise SuiteError((f"{path}: cannot be read: {error.strerror}: {advice}",)) from error
    except json.JSONDecodeError as error:
        raise SuiteError((f"{path}:{error.lineno}: not JSON ({error.msg}): check the file out anew",)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SuiteError((f"{path}: {place}: {first['msg'].lower()}: this adapter reads another format",)) from error
