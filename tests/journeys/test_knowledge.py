"""Whose knowledge a ticket is answered from: what the requester may read at the Help Center, and nothing for agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.db import Database
from connectors.sandbox.faults import FaultKind
from graph.knowledge.refresh import Librarian, refresh
from tests.journeys.shop import Mind, Shop, a_setting, opened

QUESTION = "How long does the return period for a lamp last?"
BODY = "<p>The return period for a lamp lasts {days} days.</p>"


@pytest.fixture
async def shop(
    mind: Mind, database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path))
    async with opened(mind, database, database_url, tmp_path, help_center=True) as ready:
        yield ready


async def asked(shop: Shop, who: str, *, tags: tuple[str, ...] = (), **changes: object) -> tuple[set[str], list[str]]:
    """The documents that a customer's question found, and what was said in public."""
    customer = {"email": f"{who}@customers.example", "tags": tags, **changes}
    ticket_id = await shop.arrives(a_setting(QUESTION, subject="Lamp", customer=customer))
    (found,) = await shop.rows(
        """SELECT body -> 'sections' AS sections FROM audit_event
            WHERE kind = 'node.completed' AND ticket_id = :t AND body ->> 'node' = 'retrieve'""",
        t=ticket_id,
    )
    return {one["section"].split("#")[0] for one in found["sections"]}, shop.said(ticket_id, public=True)


async def test_a_segment_opens_what_its_members_may_read_and_nothing_that_is_for_staff(shop: Shop) -> None:
    zendesk, runtime = shop.sandbox.doubles.zendesk, shop.runtime
    vip = zendesk.add_user_segment("VIP", tags=["vip"])
    article = zendesk.add_article("Lamps", BODY.format(days=90), segments=[vip])
    zendesk.add_article(
        "Lamps, for agents", BODY.format(days=365), segments=[zendesk.add_user_segment("S", user_type="staff")]
    )
    zendesk.add_macro("Lamp", [("comment_value", "The return period for a lamp lasts 365 days.")])
    tenant = runtime.tenant(shop.tenant)
    await refresh(
        Librarian(runtime.sessions, shop.tenant, tenant.zendesk, runtime.embed, runtime.now, runtime.new_id),
        is_whole=True,
    )
    document = f"help-center/{article}/en-us"
    assert await asked(shop, "plain") == (set(), [])
    found, said = await asked(shop, "friend", tags=("vip",))
    assert found == {document}
    assert "90 days" in said[0]
    assert "365" not in said[0]
    # Who cannot be shown to be the member, and a list that Zendesk does not give, open nothing and stop nothing.
    assert (await asked(shop, "spoofed", tags=("vip",), verified=False))[0] == set()
    shop.goes_wrong("zendesk.user_segments.list", FaultKind.FORBIDDEN)
    assert (await asked(shop, "unlucky", tags=("vip",)))[0] == set()
    assert await shop.rows("SELECT * FROM connector_state WHERE is_draft_only") == []
