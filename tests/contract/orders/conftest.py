from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette

from connectors.orders.client import OrdersAdapter
from connectors.sandbox.faults import Faults
from connectors.sandbox.orders import OrdersDouble
from connectors.sandbox.server import RunningServer, serve

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TOKEN = "orders-token"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def double(faults: Faults) -> OrdersDouble:
    double = OrdersDouble(now=lambda: NOW, faults=faults, token=TOKEN, seed=7)
    for number in range(1, 4):
        double.add_order(
            order_id=f"#104{number}",
            customer_refs=("cus_ana", "ana@example.com"),
            charge_ids=(f"ch_{number}",),
            currency="usd",
            placed_at=NOW - timedelta(days=10 - number),
            promised_by=NOW + timedelta(days=1),
            carrier={"name": "DHL", "tracking_url": "https://track.example/1"},
            items=[
                {
                    "id": "feeder",
                    "name": "Copper bird feeder",
                    "amount_minor": 2490,
                    "quantity": 1,
                    "category": "physical",
                    "final_sale": False,
                    "fulfilment": "unfulfilled",
                    "price_now_minor": 1990,
                },
                {"id": "unknown"},
            ],
            subscription_periods=[
                {
                    "subscription_id": "sub_1",
                    "period_start": NOW - timedelta(days=3),
                    "period_end": NOW + timedelta(days=27),
                    "used_since_renewal": False,
                }
            ],
        )
    return double


@pytest.fixture
def server(double: OrdersDouble) -> Iterator[RunningServer]:
    with serve(Starlette(routes=double.routes())) as server:
        yield server


@pytest.fixture
def adapter(server: RunningServer) -> Iterator[OrdersAdapter]:
    with OrdersAdapter(server.url, TOKEN, timeout_s=2.0) as adapter:
        yield adapter
