"""Money journeys, from a signed webhook to Stripe's own books and the answered ticket."""

from __future__ import annotations

from tests.journeys.shop import Shop, charged_twice


async def test_a_duplicate_charge_is_held_then_refunded_once_and_answered(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice())
    assert shop.refunds() == []
    assert (await shop.run(ticket))["wait_for"] == "settlement"
    await shop.passes(minutes=11)
    assert shop.refunds() == [("second", 2490, "usd")]
    assert await shop.outcome(ticket) == ("resolved", None)
    assert shop.ticket(ticket)["status"] == "solved"
    assert {"countersign", "refunded"} <= set(shop.ticket(ticket)["tags"])
    (reply,) = shop.said(ticket, public=True)
    assert "$24.90" in reply
    assert "refund-policy#3.2" in reply
    await shop.balanced()
