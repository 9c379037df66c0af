"""What a caller sees on the wire for each kind of fault, through a real server and a real client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.errors import ConfigurationError
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.faulty import strike
from connectors.sandbox.server import serve


class Counter:
    """A double of one operation: it counts its effects."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.effects = 0

    async def add(self, request: Request) -> Response:
        async def handle() -> Response:
            await request.body()
            self.effects += 1
            return JSONResponse({"effects": self.effects, "padding": "x" * 500})

        def error(fault: Fault) -> Response:
            return JSONResponse({"error": fault.kind.value}, status_code=int(fault.kind.value))

        return await strike(self.faults.next("counter.add"), request, handle, error)


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def client(counter: Counter) -> Iterator[httpx.Client]:
    with (
        serve(Starlette(routes=[Route("/add", counter.add, methods=["POST"])])) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=5.0) as client,
    ):
        yield client


def arm(counter: Counter, kind: FaultKind, **more: float) -> None:
    counter.faults.add(Fault(at="counter.*", kind=kind, delay_s=more.get("delay_s", 0.05)))


def test_without_a_fault_the_answer_is_the_true_one(client: httpx.Client, counter: Counter) -> None:
    assert client.post("/add", content=b"1").json()["effects"] == 1
    assert counter.effects == 1


@pytest.mark.parametrize("kind", ["429", "500", "503", "403"])
def test_an_answered_fault_has_no_effect_and_gives_the_vendors_error(
    client: httpx.Client, counter: Counter, kind: str
) -> None:
    arm(counter, FaultKind(kind))
    response = client.post("/add", content=b"1")
    assert (response.status_code, response.json(), counter.effects) == (int(kind), {"error": kind}, 0)


@pytest.mark.parametrize(
    ("kind", "effects"),
    [
        (FaultKind.RESET_BEFORE_EFFECT, 0),
        (FaultKind.RESET_AFTER_EFFECT, 1),
        (FaultKind.TIMEOUT_BEFORE_EFFECT, 0),
        (FaultKind.TIMEOUT_AFTER_EFFECT, 1),
        (FaultKind.TRUNCATED_BODY, 1),
    ],
)
def test_a_broken_connection_leaves_the_effect_that_its_kind_names(
    client: httpx.Client, counter: Counter, kind: FaultKind, effects: int
) -> None:
    arm(counter, kind)
    with pytest.raises(httpx.TransportError):
        client.post("/add", content=b"1")
    assert counter.effects == effects


def test_a_reset_is_seen_as_a_reset_and_not_as_an_orderly_end(client: httpx.Client, counter: Counter) -> None:
    arm(counter, FaultKind.RESET_AFTER_EFFECT)
    with pytest.raises(httpx.ReadError):
        client.post("/add", content=b"1")


def test_a_truncated_body_announces_its_whole_length_and_sends_half(client: httpx.Client, counter: Counter) -> None:
    arm(counter, FaultKind.TRUNCATED_BODY)
    with client.stream("POST", "/add", content=b"1") as response:
        announced = int(response.headers["content-length"])
        chunks = response.iter_raw()
        assert len(next(chunks)) == announced // 2
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)


def test_a_caller_who_hangs_up_early_does_not_keep_the_server_waiting(client: httpx.Client, counter: Counter) -> None:
    arm(counter, FaultKind.TIMEOUT_AFTER_EFFECT, delay_s=60.0)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/add", content=b"1", timeout=0.1)
    assert client.post("/add", content=b"1").json()["effects"] == 2


def test_the_server_stops_at_once_while_a_fault_keeps_a_caller_waiting(counter: Counter) -> None:
    arm(counter, FaultKind.TIMEOUT_BEFORE_EFFECT, delay_s=60.0)
    seen: list[type[Exception]] = []

    def call(url: str) -> None:
        try:
            httpx.post(url, content=b"1", trust_env=False, timeout=30.0)
        except httpx.HTTPError as error:
            seen.append(type(error))

    with serve(Starlette(routes=[Route("/add", counter.add, methods=["POST"])])) as server:
        caller = threading.Thread(target=call, args=(f"{server.url}/add",))
        caller.start()
        while not counter.faults.struck:
            time.sleep(0.005)
        began = time.monotonic()
    caller.join()
    assert time.monotonic() - began < 5
    assert len(seen) <= 1
    assert counter.effects == 0


def test_a_fault_of_a_delivery_is_refused_for_a_request(counter: Counter) -> None:
    async def handle() -> Response:
        return Response()

    async def run() -> None:
        request = Request({"type": "http", "extensions": {}})
        await strike(Fault(at="*", kind=FaultKind.WEBHOOK_DROPPED), request, handle, lambda _: Response())

    coroutine = run()
    with pytest.raises(ValueError, match="ask with webhook=True"):
        coroutine.send(None)
    assert counter.effects == 0


def test_a_port_in_use_is_a_clear_error() -> None:
    app = Starlette()
    with serve(app) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(ConfigurationError, match=f"port {port} .*choose another port"):
            serve(app, port=port).start()
