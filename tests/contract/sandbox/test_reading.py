"""What a scenario file may say, and how a wrong one is told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.sandbox.faults import FaultKind
from connectors.sandbox.world import (
    Setting,
    WorldError,
    read_faults,
    read_json,
    read_setting,
    read_yaml,
    ticket_line_world,
)

SCENARIO = """\
id: duplicate-charge-under-threshold
tags: [refund, golden]
world:
  customers: [{key: ana, name: Ana Ruiz, email: ana@example.com, segment: standard}]
  charges:   [{key: c1, customer: ana, amount: 24.90, currency: usd, days_ago: 3, description: Order 1042},
              {key: c2, customer: ana, amount: 24.90, currency: usd, days_ago: 3, description: Order 1042, order: 1042}]
  orders: []
  subscriptions: []
  disputes: []
  later: [{after_s: 2.5, customer_writes: "Hello?"}, {after_s: 5, human_refunds: {charge: c1, amount: 24.90}}]
  faults: [{at: stripe.refunds.create, kind: timeout_after_effect, times: 1, probability: 0.5}]
reviewer: [{when: waiting, do: approve, as: cs_lead}]
ticket:
  requester: ana
  channel: email
  subject: Charged twice
  comments: [{from: ana, body: "I was charged twice for order 1042, please refund one."}]
policy: shipped
expect:
  outcome: resolved
"""


def a_world(**parts: object) -> str:
    world: dict[str, object] = {
        "customers": [{"key": "ana", "name": "Ana", "email": "ana@example.com"}],
        "charges": [{"key": "c1", "customer": "ana", "amount": "24.90", "currency": "usd"}],
    }
    return json.dumps({"world": world | parts})


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(WorldError) as caught:
        read_yaml(text, Setting, name="s.yaml")
    return caught.value.problems


def test_the_documented_scenario_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    setting = read_setting(path)
    assert setting.world.charges[1].order == "1042"
    assert setting.world.later[0].after_s == 2.5
    assert setting.world.faults[0].fault().probability == 0.5
    assert (setting.reviewer[0].do, setting.reviewer[0].who) == ("approve", "cs_lead")
    assert setting.all_tickets[0].comments[0].who == "ana"


@pytest.mark.parametrize(
    ("literal", "minor"), [("24.90", 2490), ("24", 2400), ("0.07", 7), ('"24.90"', 2490), ("9007199254740993.01", None)]
)
def test_amounts_are_read_by_their_digits(literal: str, minor: int | None) -> None:
    text = a_world().replace('"24.90"', literal)
    if minor is None:
        assert "out of range" in problems(text)[0] or "beyond" in problems(text)[0]
        return
    world = read_yaml(text, Setting, name="s.yaml").world
    assert world.money("c1", world.charges[0].amount).minor == minor


def test_json_amounts_are_read_by_their_digits() -> None:
    world = read_json(a_world().replace('"24.90"', "0.07"), Setting, name="body").world
    assert world.charges[0].amount == Decimal("0.07")


def test_a_float_is_refused_since_its_digits_are_lost() -> None:
    with pytest.raises(ValueError, match="not an exact amount"):
        Setting.model_validate(
            {
                "world": {
                    "customers": [{"key": "ana", "name": "Ana", "email": "a@b.c"}],
                    "charges": [{"key": "c1", "customer": "ana", "amount": 24.9, "currency": "usd"}],
                }
            }
        )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("segment: standard", "sement: standard", "s.yaml:4: world.customers.0.sement: unknown key"),
        ("order: 1042}]", "order: [1]}]", "s.yaml:6: world.charges.1.order"),
        ("currency: usd, days_ago: 3, description: Order 1042},", "currency: doge},", "unknown currency 'doge'"),
        ("key: c1, customer: ana,", "key: c1,", "s.yaml:5: world.charges.0.customer: field required"),
        ("key: c2, customer: ana", "key: c2, customer: bob", "s.yaml:6: world.charges.1.customer: unknown customer"),
        ("key: c2", "key: c1", "s.yaml:5: world.charges.0.key: key 'c1' is used more than once"),
        ("amount: 24.90, currency", "amount: 24.905, currency", "s.yaml:5: world.charges.0.amount: amount '24.905'"),
        ("amount: 24.90, currency", "amount: -1, currency", "is not positive"),
        ("amount: 24.90, currency", "amount: twelve, currency", "world.charges.0.amount: 'twelve' is not a decimal"),
        ("days_ago: 3, desc", "days_ago: 3, hours_ago: 2, desc", "more than one age"),
        ("requester: ana", "requester: bob", "s.yaml:14: ticket.requester: unknown customer 'bob'"),
        ("{from: ana", "{from: bob", "s.yaml:17: ticket.comments.0.from: unknown author 'bob'"),
        ("human_refunds: {charge: c1", "human_refunds: {charge: c9", "later.1.human_refunds.charge: unknown charge"),
        ('customer_writes: "Hello?"', "", "s.yaml:10: world.later.0: not exactly one event"),
        ("kind: timeout_after_effect", "kind: earthquake", "s.yaml:11: world.faults.0.kind"),
        ("do: approve", "do: dance", "s.yaml:12: reviewer.0.do"),
        ("subject: Charged twice", "subject: Twice\n  subject: Again", "s.yaml:17: ticket.subject: the key stands"),
        ("disputes: []", "disputes: [", "not YAML"),
        ("  orders: []", "\torders: []", "s.yaml:7: not YAML"),
        ("orders: []", "orders: &loop [*loop]", "nested too deep"),
    ],
)  # fmt: skip
def test_a_wrong_scenario_is_told_with_line_and_key(old: str, new: str, expected: str) -> None:
    text = SCENARIO.replace("policy: shipped\nexpect:\n  outcome: resolved\n", "")
    text = text.replace("id: duplicate-charge-under-threshold\ntags: [refund, golden]\n", "# one\n# two\n")
    assert old in text
    found = problems(text.replace(old, new, 1))
    assert any(expected in problem for problem in found), found


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        a_world(colour="red", charges=[{"key": "c1", "customer": "ana", "amount": True, "currency": "usd"}])
    )
    assert len(found) == 2


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"refunds": [{"charge": "c1", "amount": "24.91"}]}, "has less than that left"),
        ({"refunds": [{"charge": "c1", "amount": "20"}, {"charge": "c1", "amount": "5"}]}, "refunds.1.amount"),
        ({"disputes": [{"charge": "c9", "reason": "fraudulent", "status": "needs_response"}]}, "unknown charge 'c9'"),
        ({"later": [{"after_s": 1, "customer_writes": "hi"}]}, "there is no ticket 0"),
        ({"customers": [{"key": "ana", "name": "A", "email": "a@b.c", "stripe": False}]}, "is not in Stripe"),
        ({"customers": [{"key": "ana", "name": "A", "email": "a@b.c", "cc": ["bob"]}]}, "world.customers.0.cc.0"),
        ({"charges": [{"key": "c", "customer": "ana", "amount": 1, "currency": "usd", "card": 7}]}, "unknown test"),
        ({"orders": [{"key": "o", "customer": "ana", "charge": "c1", "items": [{"key": "i", "amount": "1.005"}]}]}, ""),
        ({"charges": [{"key": "c", "customer": "ana", "amount": "10.5", "currency": "jpy"}]}, "0 decimals"),
    ],
)  # fmt: skip
def test_a_world_that_cannot_be_is_refused_before_it_is_loaded(parts: dict[str, object], expected: str) -> None:
    found = problems(a_world(**parts))
    assert any(expected in problem for problem in found), found


def test_words_that_yaml_would_turn_into_something_else_stay_what_they_are() -> None:
    text = "world: {customers: [{key: no, name: 0042, email: 1:30, phone: 2026-11-21, segment: 1e3}]}"
    customer = read_yaml(text, Setting, name="s.yaml").world.customers[0]
    assert (customer.key, customer.name, customer.email, customer.phone, customer.segment) == (
        "no",
        "0042",
        "1:30",
        "2026-11-21",
        "1e3",
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00"])
def test_a_file_that_is_no_scenario_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(WorldError, match=r"s\.yaml"):
        read_setting(path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="FileNotFoundError"):
        read_setting(tmp_path / "none.yaml")


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        '- {at: "stripe.*", kind: "429", times: 3, retry_after_s: 2}\n- {at: zendesk.webhook, kind: webhook_dropped}\n'
    )
    first, second = read_faults(path)
    assert (first.kind, first.times, first.retry_after_s) == (FaultKind.TOO_MANY_REQUESTS, 3, 2)
    assert second.kind is FaultKind.WEBHOOK_DROPPED


def test_a_line_without_a_requester_has_a_verified_one_without_charges() -> None:
    setting = ticket_line_world('{"id": "dev-001", "subject": "hi", "body": "where?", "source": "x"}')
    customer = setting.world.customers[0]
    assert (customer.verified, customer.email, setting.world.charges) == (True, "dev-001@example.com", ())
    assert setting.all_tickets[0].comments[0].body == "where?"


@pytest.mark.parametrize(("subject", "comment"), [("Refund please", "Refund please"), (" ", "(no text)")])
def test_a_line_without_a_body_still_is_a_ticket(subject: str, comment: str) -> None:
    setting = ticket_line_world(json.dumps({"id": "t", "subject": subject, "body": " \n"}))
    assert setting.all_tickets[0].comments[0].body == comment


def test_a_line_with_charges_keeps_its_digits_and_its_order() -> None:
    line = json.dumps(
        {
            "id": "t-1",
            "subject": None,
            "body": "Return #W1",
            "requester": {"name": "Omar", "email": "omar@example.com", "zip": "19031"},
            "charges": [
                {
                    "order_id": "#W1",
                    "amount": 0.07,
                    "currency": "usd",
                    "order_status": "delivered",
                    "items": [{"name": "Kettle", "item_id": "962", "amount": 0.07}],
                },
                {"description": "Order 5", "amount": 12, "currency": "JPY", "metadata": {"order_id": "5"}},
            ],
        }
    )
    world = ticket_line_world(line).world
    assert [str(charge.amount) for charge in world.charges] == ["0.07", "12"]
    assert world.charges[1].currency == "jpy"
    assert (world.orders[0].order_id, world.orders[0].fulfilment) == ("#W1", "delivered")
    assert world.orders[0].delivered_days_ago is None


def test_amounts_of_a_line_can_be_scaled_down() -> None:
    line = '{"id": "t", "body": "b", "charges": [{"amount": 982.03, "currency": "usd"}]}'
    assert str(ticket_line_world(line, scale_amounts=10).world.charges[0].amount) == "98.20"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "t.jsonl:1: not JSON"),
        ('{"subject": "x"}', "t.jsonl:1: id"),
        ('{"id": 1, "body": "b", "charges": [{"amount": "much"}]}', "charges.0.amount"),
        ('{"id": 1, "body": "b", "charges": [{"amount": 1, "currency": "doge"}]}', "unknown currency"),
    ],
)
def test_a_line_that_is_no_ticket_is_a_clear_error(line: str, expected: str) -> None:
    with pytest.raises(WorldError, match=expected):
        ticket_line_world(line, name="t.jsonl:1")


@pytest.mark.parametrize("name", ["tickets.jsonl", "tau_retail.jsonl"])
def test_lines_of_the_development_data_can_be_loaded(name: str) -> None:
    path = Path(__file__).parents[4] / "shared" / "data" / "dev" / name
    if not path.exists():
        pytest.skip("the development data lies beside the repository, and is not here")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(ticket_line_world(line, name=f"{name}:{n}").ticket for n, line in enumerate(lines, 1))
