from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette

from app.db import Database
from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Faults
from connectors.sandbox.server import serve
from connectors.sandbox.stripe.server import StripeDouble
from connectors.sandbox.zendesk.double import ZendeskDouble
from connectors.stripe.client import StripeAdapter
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.credentials import ApiToken
from graph.vault import Vault
from tests.graph.settlement.desk import KEY, Desk, Time


@pytest.fixture
def desk(database: Database, tenant: str) -> Iterator[Desk]:
    time, faults = Time(), Faults()
    deliveries = Deliveries(faults)
    stripe = StripeDouble(
        now=time.now,
        faults=faults,
        deliveries=deliveries,
        keys={KEY: frozenset({"*"})},
        webhook_secret="whsec_sandbox",
        webhook_url=None,
        seed=7,
    )
    tickets = ZendeskDouble(
        now=time.now,
        faults=faults,
        deliveries=deliveries,
        account="demo",
        oauth_clients={"countersign": ("secret", "bot@example.com")},
        api_tokens=("token",),
        webhook_secret="zendesk-secret",
        webhook_url=None,
        seed=7,
    )
    app = Starlette(routes=[*stripe.routes(), *tickets.routes()])
    with serve(app) as server:
        adapter = StripeAdapter(KEY, base_url=server.url, timeout_s=1.0)
        zendesk = ZendeskAdapter(
            subdomain="demo",
            base_url=server.url,
            auth=ApiToken("bot@example.com", "token"),
            timeout_s=1.0,
            now=time.now,
        )
        yield Desk(database, tenant, stripe, adapter, faults, time, Vault({"k1": b"m" * 32}, "k1"), tickets, zendesk)
        zendesk.close()
        adapter.close()
        deliveries.close()
