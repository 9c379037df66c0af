"""Simulated customers by their script; that a model plays them is tried beside the gateway's other roles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.settings import ModelSettings
from evals.suites.customers import CUSTOMER, DESK, Talk
from evals.suites.errors import SuiteError
from evals.suites.place import Customers, speakers
from evals.suites.scenario import CustomerLine, SimulatedCustomer

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
FIRST = (CUSTOMER, "My parcel never came.")


async def test_a_script_answers_what_was_asked_once_and_only_after_a_reply() -> None:
    lines = (
        CustomerLine(body="Order 1042.", if_said=("order number",), after_s=60),
        CustomerLine(body="Anything else?"),
    )
    talk = Talk(SimulatedCustomer(says=lines, turns=2), None)
    await talk.listen([FIRST], NOW)
    assert talk.next is None
    asked = [FIRST, (DESK, "Could you send us your ORDER NUMBER?")]
    await talk.listen(asked, NOW)
    assert talk.speak(NOW) is None
    assert talk.speak(NOW + timedelta(seconds=60)) == "Order 1042."
    await talk.listen(asked, NOW)
    assert talk.next is None
    more = [*asked, (CUSTOMER, "Order 1042."), (DESK, "Could you send us your order number?")]
    await talk.listen(more, NOW)
    assert talk.speak(NOW + timedelta(hours=1)) == "Anything else?"
    await talk.listen([*more, (DESK, "No.")], NOW)
    assert talk.next is None


def test_a_model_needs_a_key_and_a_word_must_be_known() -> None:
    assert speakers("script", ModelSettings()) is Customers.SCRIPT
    with pytest.raises(SuiteError, match="PROVIDER=claude"):
        speakers("model", ModelSettings())
    with pytest.raises(SuiteError, match="write script or model"):
        speakers("mother", ModelSettings())
