"""A tenant's key is revoked amid its runs: nothing leaves, nothing is lost, and all goes on when it is given out."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from graph.settlement.send import WITHHELD
from tests.app.web.people import signed_in
from tests.connectors.kms_double import Kms, kms
from tests.journeys.shop import Shop, a_setting, charged_twice


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    """The tenant's own key, asked for at each use."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with kms() as double:
        own = {"key_id": "alias/demo", "endpoint_url": double.url, "region": "us-east-1", "keep_s": 0}
        monkeypatch.setenv("COUNTERSIGN_TENANTS__DEMO__KMS", json.dumps(own))
        yield double


async def test_a_revoked_key_stops_every_run_where_it_is_until_it_comes_back(key: Kms, shop: Shop) -> None:
    first = await shop.arrives(charged_twice())
    (held,) = await shop.rows("SELECT state, sealed_body FROM effect")
    assert held == {"state": "held", "sealed_body": None}  # not even what needs no key to be read may leave

    key.is_enabled = False
    second = await shop.arrives(a_setting("Where is my order?"))
    for _ in range(4):
        await shop.passes(minutes=15)
        await shop.looks_out()
    assert shop.refunds() == []
    assert [shop.said(ticket, public=public) for ticket in (first, second) for public in (True, False)] == [[]] * 4
    assert await shop.rows("SELECT state, detail, attempts FROM effect") == [
        {"state": "held", "detail": WITHHELD, "attempts": 0}
    ]
    assert [(await shop.run(ticket))["wait_for"] for ticket in (first, second)] == ["settlement", "key"]
    told = await shop.rows("SELECT ticket_id, body ->> 'error' AS error FROM audit_event WHERE kind = 'run.held_up'")
    assert told == [{"ticket_id": second, "error": "MasterKeyWithheld"}]  # once, however often it was asked for
    (await signed_in(shop.database.tenant, shop.reviewer, shop.clock.now())).sits_at(shop.web)
    page = await shop.web.get(f"/t/{shop.tenant}/runs/{(await shop.run(first))['run_id']}")
    assert (page.status_code, "is withheld" in page.text) == (503, True)

    key.is_enabled = True
    for _ in range(4):
        await shop.passes(minutes=11)
    assert [refund[1:] for refund in shop.refunds()] == [(2490, "usd")]
    assert await shop.outcome(first) == ("resolved", None)
    assert (await shop.run(second))["wait_for"] != "key"
    assert len(shop.said(first, public=True)) == 1
    await shop.balanced()
