"""The whole sandbox over HTTP: a scenario is loaded, webhooks fire, later events happen, the end is judged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.claude.client import ClaudeAdapter, StructuredCall
from connectors.claude.wire import Completion
from connectors.errors import ConfigurationError
from connectors.orders.client import OrdersAdapter
from connectors.orders.wire import Category, Fulfilment
from connectors.outcome import Done
from connectors.sandbox.composition import SandboxConfig, create_sandbox, serve_sandbox
from connectors.sandbox.control import SandboxControl
from connectors.sandbox.faults import FaultKind, Faults
from connectors.sandbox.server import serve
from connectors.sandbox.world import Setting, Ticket, WorldError, read_yaml, ticket_line_world
from connectors.sandbox.world.parts import FaultLine
from connectors.stripe.bodies import RefundReason, refund_body
from connectors.stripe.client import StripeAdapter
from connectors.stripe.signing import verify as verify_stripe
from connectors.zendesk.signing import verify as verify_zendesk
from policies.money import Money

STRIPE_SECRET = "whsec_sandbox"
ZENDESK_SECRET = "zendesk-sandbox-secret"
START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

SCENARIO = """\
world:
  customers:
    - {key: ana, name: Ana Ruiz, email: ana@example.com, segment: vip, tags: [vip], linked: true}
    - {key: bob, name: Bob, email: bob@example.com, verified: false, stripe: false}
  charges:
    - {key: c1, customer: ana, amount: 24.90, currency: usd, days_ago: 3, description: Order 1042, order: o1}
    - {key: c2, customer: ana, amount: 24.90, currency: usd, days_ago: 3, order: o1}
    - {key: c3, customer: ana, amount: 1200, currency: jpy, hours_ago: 2, captured: true}
  orders:
    - key: o1
      number: "1042"
      customer: ana
      charge: c1
      promised_days_ago: 1
      carrier: {name: DHL}
      category: physical
      items:
        - {key: feeder, name: Bird feeder, amount: 20.00, delivered_days_ago: 1}
        - {key: seed, name: Seed, amount: 4.90, final_sale: true, fulfilment: shipped, price_now: 3.90}
    - {key: o2, customer: ana, charge: c3, returned: true}
  subscriptions:
    - {key: s1, customer: ana, price: 9.99, period: month, started_days_ago: 70, used: false}
  disputes: [{charge: c3, reason: fraudulent, status: needs_response}]
  early_fraud_warnings: [{charge: c2}]
  refunds: [{charge: c2, amount: 4.90, days_ago: 1}]
  later:
    - {after_s: 60, customer_writes: "Any news?"}
    - {after_s: 120, agent_writes: "I take this one."}
    - {after_s: 180, human_refunds: {charge: c1, amount: 10}}
    - {after_s: 200, human_refunds: {charge: c1, amount: 24.90}}
    - {after_s: 240, dispute: {charge: c1, reason: product_not_received}}
    - {after_s: 300, status: solved}
    - {after_s: 3600, ticket_deleted: true}
    - {after_s: 3700, customer_writes: "Hello?"}
  faults:
    - {at: stripe.refunds.create, kind: "500"}
ticket:
  requester: ana
  subject: Charged twice
  cc: [bob]
  custom_fields: {Order number: "1042"}
  comments:
    - {from: ana, body: "I was charged twice for order 1042."}
    - {from: agent, body: "Looking into it.", public: false}
"""


class Time:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment = START

    def now(self) -> datetime:
        with self._lock:
            return self._moment

    def advance(self, seconds: float) -> datetime:
        with self._lock:
            self._moment += timedelta(seconds=seconds)
            return self._moment


class Consumer:
    """Takes both vendors' webhooks and verifies them with the production code."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.stripe: list[str] = []
        self.zendesk: list[str] = []

    async def take_stripe(self, request: Request) -> Response:
        header = request.headers["stripe-signature"]
        event = verify_stripe(await request.body(), header, secrets=(STRIPE_SECRET,), now=self._time.now())
        self.stripe.append(event.type)
        return Response(status_code=202)

    async def take_zendesk(self, request: Request) -> Response:
        raw = await request.body()
        verify_zendesk(
            raw,
            signature=request.headers["x-zendesk-webhook-signature"],
            timestamp=request.headers["x-zendesk-webhook-signature-timestamp"],
            secrets=(ZENDESK_SECRET,),
            now=self._time.now(),
        )
        self.zendesk.append(raw.decode())
        return Response(status_code=202)


class World:
    """A running sandbox with its consumer."""

    def __init__(self, url: str, control: SandboxControl, consumer: Consumer, time: Time) -> None:
        self.url = url
        self.control = control
        self.consumer = consumer
        self.time = time


def a_config(consumer_url: str | None) -> SandboxConfig:
    return SandboxConfig(
        stripe_keys={"rk_test_sandbox": frozenset({"*"})},
        stripe_webhook_secret=STRIPE_SECRET,
        zendesk_subdomain="shop",
        zendesk_oauth_clients={"countersign": ("client-secret", "bot@shop.example")},
        zendesk_webhook_secret=ZENDESK_SECRET,
        orders_token="orders-token",
        claude_keys=frozenset({"sk-ant-sandbox"}),
        stripe_webhook_url=consumer_url and f"{consumer_url}/stripe",
        zendesk_webhook_url=consumer_url and f"{consumer_url}/zendesk",
        seed=7,
    )


@pytest.fixture
def world() -> Iterator[World]:
    time = Time()
    consumer = Consumer(time)
    routes = [
        Route("/stripe", consumer.take_stripe, methods=["POST"]),
        Route("/zendesk", consumer.take_zendesk, methods=["POST"]),
    ]
    with (
        serve(Starlette(routes=routes)) as listening,
        serve(create_sandbox(a_config(listening.url), time, Faults())) as server,
        SandboxControl(server.url) as control,
    ):
        yield World(server.url, control, consumer, time)


def scenario() -> Setting:
    return read_yaml(SCENARIO, Setting, name="scenario.yaml")


def test_a_scenario_is_loaded_into_all_doubles(world: World) -> None:
    loaded = world.control.load(scenario())
    ana = loaded.keys.customers["ana"]
    assert ana.stripe_customer_id is not None
    with closing(StripeAdapter("rk_test_sandbox", base_url=world.url, timeout_s=5.0)) as stripe:
        customer = stripe.find_customers(email=None, zendesk_user_id=str(ana.zendesk_user_id))[0]
        assert (customer.customer_id, customer.metadata["segment"]) == (ana.stripe_customer_id, "vip")
        charges = stripe.charges_of(ana.stripe_customer_id, since=START - timedelta(days=30))
        assert [charge.charge_id for charge in charges] == [loaded.keys.charges[key] for key in ("c3", "c2", "c1")]
        assert stripe.charge(loaded.keys.charges["c1"]).amount == Money(2490, "usd")
        assert stripe.disputes_of(loaded.keys.charges["c3"])
        assert stripe.early_fraud_warnings_of(loaded.keys.charges["c2"])
        assert [entry.subscription_id for entry in stripe.subscriptions_of(ana.stripe_customer_id)] == [
            loaded.keys.subscriptions["s1"]
        ]


def test_the_orders_of_a_scenario_are_told_by_the_orders_service(world: World) -> None:
    loaded = world.control.load(scenario())
    ana = loaded.keys.customers["ana"]
    assert ana.stripe_customer_id is not None
    with OrdersAdapter(world.url, "orders-token", timeout_s=5.0) as orders:
        order = orders.order("1042")
        found = {entry.id: entry for entry in orders.orders_of(ana.stripe_customer_id).orders}
        assert set(found) == {"1042", "o2", "s1"}
    assert order.charge_ids == (loaded.keys.charges["c1"],)
    assert order.promised_by == START - timedelta(days=1)
    assert order.items is not None
    feeder, seed = order.items
    assert (feeder.amount, feeder.fulfilment, feeder.category) == (
        Money(2000, "usd"),
        Fulfilment.DELIVERED,
        Category.PHYSICAL,
    )
    assert feeder.delivered_at == START - timedelta(days=1)
    assert feeder.final_sale is None
    assert (seed.final_sale, seed.fulfilment, seed.price_now) == (True, Fulfilment.SHIPPED, Money(390, "usd"))
    returned = found["o2"].items
    assert returned is not None
    assert (returned[0].amount, returned[0].return_received_at) == (Money(1200, "jpy"), START)
    periods = found["s1"].subscription_periods
    assert periods is not None
    assert (periods[0].subscription_id, periods[0].used_since_renewal) == (loaded.keys.subscriptions["s1"], False)
    assert periods[0].period_start == START - timedelta(days=10)


def test_the_ticket_arrives_with_a_signed_webhook_and_its_state_can_be_read(world: World) -> None:
    loaded = world.control.load(scenario())
    world.control.deliveries(drain=True)
    assert any("zen:event-type:ticket.created" in body for body in world.consumer.zendesk)
    state = world.control.ticket(loaded.keys.tickets[0])
    assert state.ticket["requester_id"] == loaded.keys.customers["ana"].zendesk_user_id
    assert state.ticket["email_cc_ids"] == [loaded.keys.customers["bob"].zendesk_user_id]
    assert [(comment["author_role"], comment["public"]) for comment in state.comments] == [
        ("end-user", True),
        ("agent", False),
    ]
    assert [field["value"] for field in state.ticket["custom_fields"]] == ["1042"]
    assert {entry.status for entry in world.control.deliveries()} == {202}


def test_later_events_happen_once_and_in_order_as_the_clock_passes(world: World) -> None:
    loaded = world.control.load(scenario())
    ticket = loaded.keys.tickets[0]
    assert world.control.events_waiting() == 8
    world.control.advance(59)
    assert len(world.control.ticket(ticket).comments) == 2
    world.control.advance(1)
    assert world.control.ticket(ticket).comments[-1]["plain_body"] == "Any news?"
    world.control.advance(121)
    assert world.control.ticket(ticket).comments[-1]["author_role"] == "agent"
    by_hand = [entry for entry in world.control.ledger() if entry["charge"] == loaded.keys.charges["c1"]]
    assert [entry["amount_minor"] for entry in by_hand] == [1000]
    world.control.advance(200)
    assert world.control.ticket(ticket).status == "solved"
    world.control.advance(10_000)
    assert world.control.ticket(ticket).status == "deleted"
    assert world.control.events_waiting() == 0


def test_events_that_cannot_happen_any_more_are_told_and_stop_nothing(world: World) -> None:
    world.control.load(scenario())
    answer = httpx.post(f"{world.url}/sandbox/clock", json={"advance_s": 10_000}, trust_env=False).json()
    assert [entry.split(":")[0] for entry in answer["failed"]] == ['{"after_s"'] * 2
    assert "it has 1490 left" in answer["failed"][0]


def test_later_events_also_happen_when_nobody_asks(world: World) -> None:
    loaded = world.control.load(scenario())
    world.time.advance(61)
    for _ in range(200):
        if len(world.control.ticket(loaded.keys.tickets[0]).comments) == 3:
            break
        threading.Event().wait(0.02)
    assert world.control.events_waiting() == 7


def test_a_fault_of_the_scenario_strikes_and_the_ledger_tells_the_truth(world: World) -> None:
    loaded = world.control.load(scenario())
    body = refund_body(loaded.keys.charges["c1"], Money(2490, "usd"), reason=RefundReason.DUPLICATE, intent_id="int_1")
    with closing(StripeAdapter("rk_test_sandbox", base_url=world.url, timeout_s=5.0)) as stripe:
        assert not isinstance(stripe.create_refund(body, idempotency_key="k1"), Done)
        assert world.control.struck() == (("stripe.refunds.create", "500"),)
        assert isinstance(stripe.create_refund(body, idempotency_key="k2"), Done)
    entries = world.control.ledger()
    assert [entry["amount_minor"] for entry in entries] == [490, 2490]
    assert entries[1]["metadata"]["intent_id"] == "int_1"
    world.control.deliveries(drain=True)
    assert "refund.created" in world.consumer.stripe


def test_claude_is_there_and_can_be_scripted(world: World) -> None:
    world.control.script_claude([{"value": {"intents": ["other"]}}])
    with ClaudeAdapter("sk-ant-sandbox", base_url=world.url, timeout_s=5.0) as claude:
        nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
        answer = claude.complete(StructuredCall("claude-haiku-5-5", ("x",), "y", nothing, max_tokens=50))
    assert isinstance(answer, Completion)
    assert answer.parsed == {"intents": ["other"]}


def test_people_can_act_through_the_control_api(world: World) -> None:
    control, loaded = world.control, world.control.load(scenario())
    ticket = loaded.keys.tickets[0]
    control.customer_writes(ticket, "And another thing")
    control.agent_writes(ticket, "Noted", public=False, status="pending")
    assert control.ticket(ticket).status == "pending"
    control.set_status(ticket, "solved")
    assert control.ticket(ticket).status == "solved"
    control.delete_ticket(ticket)
    assert control.ticket(ticket).status == "deleted"
    assert control.refund_by_hand(loaded.keys.charges["c1"], 5).startswith("re_")
    second = Ticket.model_validate({"requester": "ana", "comments": [{"from": "ana", "body": "Again"}]})
    assert control.new_ticket(loaded.name, second) != ticket
    assert len(control.tickets()) == 2


def test_faults_can_be_armed_and_disarmed(world: World) -> None:
    world.control.arm([FaultLine(at="orders.*", kind=FaultKind.UNAVAILABLE, times=9)])
    headers = {"authorization": "Bearer orders-token"}
    assert httpx.get(f"{world.url}/orders/v1/orders/1", headers=headers, trust_env=False).status_code == 503
    world.control.disarm()
    assert httpx.get(f"{world.url}/orders/v1/orders/1", headers=headers, trust_env=False).status_code == 404


def test_the_same_person_in_a_second_world_is_another_person(world: World) -> None:
    first = world.control.load(scenario()).keys
    second = world.control.load(scenario()).keys
    assert (first.customers["ana"].email, second.customers["ana"].email) == ("ana@example.com", "ana+2@example.com")
    reference = second.customers["ana"].stripe_customer_id
    assert reference is not None
    with OrdersAdapter(world.url, "orders-token", timeout_s=5.0) as orders:
        for keys in (first, second):
            mine = orders.orders_of(keys.customers["ana"].email).orders
            assert {entry.charge_ids for entry in mine if entry.id == "1042"} == {(keys.charges["c1"],)}


def test_two_customers_of_one_world_may_share_an_address(world: World) -> None:
    setting = Setting.model_validate(
        {
            "world": {
                "customers": [
                    {"key": "one", "name": "A", "email": "a@example.com"},
                    {"key": "two", "name": "A", "email": "A@example.com"},
                ]
            }
        }
    )
    one, two = world.control.load(setting).keys.customers.values()
    assert one.zendesk_user_id == two.zendesk_user_id
    assert one.stripe_customer_id != two.stripe_customer_id


def test_lines_by_others_can_be_loaded_one_after_another(world: World) -> None:
    for number in range(3):
        keys = world.control.load(ticket_line_world(f'{{"id": "dev-{number}", "subject": "s", "body": "b"}}')).keys
        assert keys.tickets == (number + 1,)


def test_the_same_seed_and_scenario_give_the_same_ids() -> None:
    def keys() -> object:
        time = Time()
        with serve(create_sandbox(a_config(None), time, Faults())) as server, SandboxControl(server.url) as control:
            return control.load(scenario()).keys

    assert keys() == keys()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/world", b"{", 400),
        ("/world", b'{"world": {"colours": []}}', 400),
        ("/tickets", b'{"world": "w9", "ticket": {"requester": "a", "comments": [{"from": "a", "body": "b"}]}}', 404),
        ("/clock", b'{"advance_s": -1}', 400),
        ("/tickets/77/customer-writes", b'{"body": "x"}', 404),
        ("/tickets/77/status", b'{"status": "open"}', 404),
        ("/refunds", b'{"charge": "ch_none", "amount_minor": 1}', 400),
        ("/faults", b'{"faults": [{"at": "x", "kind": "flood"}]}', 400),
    ],
)
def test_a_wrong_request_to_the_control_api_is_told_so(world: World, path: str, body: bytes, status: int) -> None:
    answer = httpx.post(f"{world.url}/sandbox{path}", content=body, trust_env=False)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_client_raises_what_the_sandbox_refuses(world: World) -> None:
    with pytest.raises(WorldError, match="there is no 77"):
        world.control.ticket(77)


def test_health_is_told(world: World) -> None:
    assert world.control.healthy()
    assert not SandboxControl("http://127.0.0.1:9").healthy()


def test_serving_on_a_port_in_use_is_a_clear_error(world: World) -> None:
    port = int(world.url.rsplit(":", 1)[1])
    with pytest.raises(ConfigurationError, match="choose another port"):
        serve_sandbox(a_config(None), port=port, clock=Time(), faults=Faults())
