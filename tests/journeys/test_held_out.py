"""A held-out ticket is understood and decided, nothing of it leaves, and what people did stands beside the measures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.measures.figures import Measured, Prices
from app.measures.keeping import fold_all
from app.measures.reading import Wanted, read_measures
from graph.rulebook import is_held_out
from graph.runtime import Tenant
from tests.journeys.shop import Shop, charged_twice

pytestmark = pytest.mark.journey


async def test_a_held_out_ticket_is_left_to_people_and_compared(shop: Shop) -> None:
    runtime = shop.runtime

    def holds_out(name: str) -> Tenant:
        return replace(runtime.tenant(name), hold_out_percent=100)

    shop.advancer = replace(shop.advancer, runtime=replace(runtime, tenant=holds_out))
    ticket = await shop.arrives(charged_twice("24.90"))
    before = shop.ticket(ticket)
    assert await shop.outcome(ticket) == ("handed_off", "needs_approval")
    run = await shop.run(ticket)
    assert (run["arm"], run["is_shadow"]) == ("held_out", True)
    # It was decided as it would have been done, and nothing was.
    (decision,) = await shop.rows("SELECT verdict, mode, amount_minor FROM decision WHERE action = 'refund'")
    assert decision == {"verdict": "allow", "mode": "auto", "amount_minor": 2490}
    assert await shop.rows("SELECT effect_id FROM effect") == []
    assert await shop.rows("SELECT approval_id FROM approval") == []
    await shop.passes(minutes=11)
    assert shop.refunds() == []
    assert shop.said(ticket, public=True) == shop.said(ticket, public=False) == []
    assert shop.ticket(ticket) == before

    await shop.passes(minutes=30)
    await shop.agent_writes(ticket, "I sent the money back.", status="solved")
    shop.clock.advance(120)
    for _ in range(2):  # the export may repeat a ticket
        await shop.sweep()
    (told,) = await shop.rows("SELECT body FROM audit_event WHERE kind = 'ticket.solved'")
    await fold_all(shop.database.tenant, shop.tenant)
    now = shop.clock.now()
    wanted = Wanted(now - timedelta(days=1), now, as_of=now)
    async with shop.database.tenant(shop.tenant) as session:
        measures = await read_measures(session, shop.tenant, wanted, Prices())
    assert (measures.held_out.requests, measures.held_out.covered, measures.whole.sums["runs"]) == (1, 1, 0)
    waited = measures.held_out.figures()["time_to_resolution"]
    assert isinstance(waited, Measured)
    assert 41 * 60 - 1 <= waited.value <= 42 * 60, told  # Zendesk tells whole seconds
    await shop.balanced()


def test_so_large_a_share_is_held_out_and_a_ticket_always_or_never() -> None:
    tickets = [str(number) for number in range(10_000)]
    held = {ticket for ticket in tickets if is_held_out("demo", ticket, 5)}
    assert 420 < len(held) < 580
    assert held < {ticket for ticket in tickets if is_held_out("demo", ticket, 20)}
    assert not any(is_held_out("demo", ticket, 0) for ticket in tickets)
    assert {ticket for ticket in tickets if is_held_out("other", ticket, 5)} != held
