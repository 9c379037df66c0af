"""How webhooks travel: order, duplicates, losses and each vendor's own retry rule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.deliveries import Deliveries, Delivery
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import serve


class Consumer:
    """Receives webhooks and answers with the statuses it was told to, then 202."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.signatures: list[str] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.url = ""

    async def take(self, request: Request) -> Response:
        self.received.append((await request.body()).decode())
        self.signatures.append(request.headers["x-signature"])
        status, headers = self.answers.pop(0) if self.answers else (202, {})
        return Response(status_code=status, headers=headers)


def sign(body: bytes) -> Mapping[str, str]:
    return {"x-signature": hashlib.sha256(body).hexdigest()}


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    consumer = Consumer()
    with serve(Starlette(routes=[Route("/hook", consumer.take, methods=["POST"])])) as server:
        consumer.url = f"{server.url}/hook"
        yield consumer


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def deliveries(faults: Faults) -> Iterator[Deliveries]:
    deliveries = Deliveries(faults, timeout_s=5.0)
    yield deliveries
    deliveries.close()


async def test_deliveries_keep_their_order_and_are_signed(consumer: Consumer, deliveries: Deliveries) -> None:
    bodies = [str(number) for number in range(50)]
    for body in bodies:
        deliveries.send("zendesk.webhook", consumer.url, body.encode(), sign)
    await deliveries.drain()
    assert consumer.received == bodies
    assert consumer.signatures == [hashlib.sha256(body.encode()).hexdigest() for body in bodies]
    assert set(deliveries.log) == {Delivery("zendesk.webhook", consumer.url, 202, 1)}


async def test_a_duplicated_webhook_arrives_twice(consumer: Consumer, deliveries: Deliveries, faults: Faults) -> None:
    faults.add(Fault(at="zendesk.webhook", kind=FaultKind.WEBHOOK_DUPLICATED))
    deliveries.send("zendesk.webhook", consumer.url, b"a", sign)
    deliveries.send("zendesk.webhook", consumer.url, b"b", sign)
    await deliveries.drain()
    assert consumer.received == ["a", "a", "b"]
    assert [entry.attempts for entry in deliveries.log] == [1, 1, 1]


async def test_a_dropped_webhook_never_arrives_and_is_in_the_log(
    consumer: Consumer, deliveries: Deliveries, faults: Faults
) -> None:
    faults.add(Fault(at="*.webhook", kind=FaultKind.WEBHOOK_DROPPED))
    deliveries.send("stripe.webhook", consumer.url, b"a", sign)
    await deliveries.drain()
    assert consumer.received == []
    assert deliveries.log == [Delivery("stripe.webhook", consumer.url, None, 0)]


async def test_a_webhook_out_of_order_arrives_after_the_next_one(
    consumer: Consumer, deliveries: Deliveries, faults: Faults
) -> None:
    faults.add(Fault(at="stripe.webhook", kind=FaultKind.WEBHOOK_OUT_OF_ORDER))
    for body in (b"a", b"b", b"c"):
        deliveries.send("stripe.webhook", consumer.url, body, sign)
    await deliveries.drain()
    assert consumer.received == ["b", "a", "c"]


async def test_a_held_webhook_arrives_although_no_other_follows(
    consumer: Consumer, deliveries: Deliveries, faults: Faults
) -> None:
    faults.add(Fault(at="stripe.webhook", kind=FaultKind.WEBHOOK_OUT_OF_ORDER))
    deliveries.send("stripe.webhook", consumer.url, b"a", sign)
    await deliveries.drain()
    assert consumer.received == ["a"]


async def test_stripe_tries_again_after_a_500(consumer: Consumer, deliveries: Deliveries) -> None:
    """https://docs.stripe.com/webhooks#retries"""
    consumer.answers = [(500, {}), (500, {})]
    deliveries.send("stripe.webhook", consumer.url, b"a", sign)
    await deliveries.drain()
    assert deliveries.log == [Delivery("stripe.webhook", consumer.url, 202, 3)]


async def test_zendesk_does_not_try_again_after_a_500(consumer: Consumer, deliveries: Deliveries) -> None:
    """https://developer.zendesk.com/documentation/webhooks/#webhook-retries"""
    consumer.answers = [(500, {})]
    deliveries.send("zendesk.webhook", consumer.url, b"a", sign)
    await deliveries.drain()
    assert deliveries.log == [Delivery("zendesk.webhook", consumer.url, 500, 1)]


async def test_zendesk_tries_a_conflict_three_more_times(consumer: Consumer, deliveries: Deliveries) -> None:
    """https://developer.zendesk.com/documentation/webhooks/#webhook-retries"""
    consumer.answers = [(409, {})] * 9
    deliveries.send("zendesk.webhook", consumer.url, b"a", sign)
    await deliveries.drain()
    assert deliveries.log == [Delivery("zendesk.webhook", consumer.url, 409, 4)]


@pytest.mark.parametrize(
    ("headers", "attempts", "status"), [({"retry-after": "0"}, 2, 202), ({"retry-after": "60"}, 1, 503), ({}, 1, 503)]
)
async def test_zendesk_tries_a_503_again_only_where_it_is_asked_to_soon(
    consumer: Consumer, deliveries: Deliveries, headers: dict[str, str], attempts: int, status: int
) -> None:
    """https://developer.zendesk.com/documentation/webhooks/#webhook-retries"""
    consumer.answers = [(503, headers)]
    deliveries.send("zendesk.webhook", consumer.url, b"a", sign)
    await deliveries.drain()
    assert deliveries.log == [Delivery("zendesk.webhook", consumer.url, status, attempts)]


async def test_a_retry_does_not_hold_up_the_deliveries_behind_it(consumer: Consumer, deliveries: Deliveries) -> None:
    consumer.answers = [(500, {})]
    deliveries.send("stripe.webhook", consumer.url, b"a", sign)
    deliveries.send("stripe.webhook", consumer.url, b"b", sign)
    await deliveries.drain()
    assert consumer.received == ["a", "b", "a"]


async def test_a_consumer_that_is_down_is_in_the_log_without_a_status(deliveries: Deliveries) -> None:
    with serve(Starlette()) as server:
        gone = server.url
    deliveries.send("zendesk.webhook", gone, b"a", sign)
    await deliveries.drain()
    assert deliveries.log == [Delivery("zendesk.webhook", gone, None, 1)]


async def test_closing_gives_up_what_is_queued(deliveries: Deliveries, consumer: Consumer, faults: Faults) -> None:
    faults.add(Fault(at="stripe.webhook", kind=FaultKind.WEBHOOK_OUT_OF_ORDER))
    deliveries.send("stripe.webhook", consumer.url, b"a", sign)
    deliveries.close()
    await deliveries.drain()
    assert deliveries.log == [Delivery("stripe.webhook", consumer.url, None, 0)]
