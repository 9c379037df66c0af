"""The comparison with Stripe: drift in minor units by currency, and status 1 where the books differ."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from starlette.applications import Starlette

from app.errors import UsageError
from connectors.errors import VendorUnavailable
from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.server import serve
from connectors.sandbox.stripe.server import StripeDouble
from tests.app.terminal import Terminal

KEY = "rk_test_sandbox0000000001"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch, faults: Faults) -> Iterator[StripeDouble]:
    deliveries = Deliveries(faults)
    double = StripeDouble(
        now=lambda: datetime.now(UTC),
        faults=faults,
        deliveries=deliveries,
        keys={KEY: frozenset({"*"})},
        webhook_secret="whsec_sandbox",
        webhook_url=None,
        seed=7,
    )
    with serve(Starlette(routes=double.routes())) as server:
        monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO__STRIPE__API_KEY", KEY)
        monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO__STRIPE__BASE_URL", server.url)
        yield double
    deliveries.close()


@pytest.mark.usefixtures("stripe")
async def test_books_that_agree_are_status_0(terminal: Terminal) -> None:
    done = await terminal.run("reconcile", "--json")
    assert done.status == 0, done
    assert done.json["tenants"][0]["drift_minor"] == {}
    assert "the books agree" in (await terminal.run("reconcile", "--hours", "2")).out


@pytest.mark.usefixtures("stripe")
async def test_an_effect_that_stripe_does_not_have_is_drift_in_minor_units(terminal: Terminal) -> None:
    with psycopg.connect(terminal.admin_url) as owner:
        owner.execute("SELECT set_config('countersign.tenant', 'demo', false)")
        owner.execute(
            """
            INSERT INTO effect (tenant_id, effect_id, run_id, ticket_id, cycle, kind, business_key, state, tool,
              charge_id, amount_minor, currency, idempotency_key, actor, created_at, due_at, first_sent_at,
              settled_at, attempts, reissues, resolve_only, fence, vendor_object)
            VALUES ('demo', 'eff_1', 'run_1', '1', 0, 'refund', 'k', 'settled', 'stripe.refund', 'ch_1', 2490, 'usd',
              'key', 'agent', now(), now(), now() - interval '1 minute', now() - interval '1 minute', 1, 0, false, 1,
              're_x')
            """
        )
    done = await terminal.run("reconcile", "--json")
    assert done.status == 1
    (found,) = done.json["tenants"]
    assert (found["drift_minor"], found["missing"], found["unlogged"]) == ({"usd": -2490}, ["eff_1"], ["eff_1"])
    told = await terminal.run("reconcile")
    assert (told.status, "(-2490 minor units)" in told.out) == (1, True)


@pytest.mark.usefixtures("stripe")
async def test_a_stripe_that_does_not_answer_is_an_error_and_not_an_agreement(
    terminal: Terminal, faults: Faults
) -> None:
    faults.add(Fault(at="stripe.refunds.list", kind=FaultKind.UNAVAILABLE, times=20))
    done = await terminal.run("reconcile")
    assert isinstance(done.error, VendorUnavailable)


async def test_without_stripe_there_is_nothing_to_compare(terminal: Terminal) -> None:
    done = await terminal.run("reconcile")
    assert isinstance(done.error, UsageError)
    unknown = await terminal.run("--tenant", "nobody", "reconcile")
    assert "no tenant 'nobody' is configured" in str(unknown.error)
