"""Recorded runs decided again: byte for byte as they were, or with another threshold, as the what-if has it."""

from __future__ import annotations

from sqlalchemy import text

from app.ambient import vault_of
from graph.decisions.past import read_past
from graph.replay.running import Different, Forked, Identical, forks, newest_runs, replays
from graph.rulebook import stored
from graph.runs.models import Run
from policies.parse import parse_policy
from policies.shelf import SHIPPED, from_library
from policies.whatif.comparing import whatif
from policies.whatif.history import prepared
from tests.journeys.shop import Shop, a_setting, charged_twice

STRICTER = "at_most: {usd: 30,"


async def _runs(shop: Shop) -> list[Run]:
    async with shop.database.tenant(shop.tenant) as session:
        return list(await newest_runs(session, shop.tenant, since=None, limit=100))


async def test_runs_replay_identically_and_touch_nothing_outside(shop: Shop) -> None:
    await shop.arrives(charged_twice())
    await shop.passes(minutes=11)
    vase = charged_twice(
        "80.00", body="I was charged twice for order 1042, $80.00. Please refund the duplicate charge."
    )
    await shop.arrives(vase)
    await shop.arrives(a_setting("What is your return policy? How many days do I have to send something back?"))
    runs, vault = await _runs(shop), vault_of(shop.settings)
    await _leave(shop)
    found = [one async for one in replays(shop.database.tenant, vault, runs)]
    assert found
    assert all(isinstance(one, Identical) and one.cycles for one in found), found
    # Decided under another version than the log says, a run does not come out as the log has it.
    async with shop.database.tenant(shop.tenant) as session:
        other, _ = await stored(session, shop.tenant, _stricter(), author="test", now=shop.clock.now())
        await session.execute(text("UPDATE run SET policy_hash = :hash"), {"hash": other.policy_hash})
    again = [one async for one in replays(shop.database.tenant, vault, await _runs(shop))]
    assert all(isinstance(one, Different) for one in again), again


async def test_a_fork_with_another_threshold_flips_exactly_what_the_whatif_flips(shop: Shop) -> None:
    for amount in ("24.90", "31.00", "49.90", "30.00"):
        body = f"I was charged twice for order 1042, ${amount}. Please refund the duplicate charge."
        await shop.arrives(charged_twice(amount, body=body))
    policy = parse_policy(_stricter(), name="stricter")
    runs, vault = await _runs(shop), vault_of(shop.settings)
    forked = [one async for one in forks(shop.database.tenant, vault, runs, policy=policy, gateway=None)]
    flips = [flip for one in forked if isinstance(one, Forked) for flip in one.flips]
    async with shop.database.tenant(shop.tenant) as session:
        past = prepared(await read_past(session, shop.tenant))
    expected = whatif(policy, past, current=None, compared_with=None).flips(100)
    assert len(flips) == 2
    assert {(flip.ticket_id, flip.pays_alone_before_minor) for flip in flips} == {
        (one.ticket, one.amount_minor) for one in expected
    }
    assert sum(flip.pays_alone_before_minor for flip in flips) == 3_100 + 4_990
    assert sum(flip.pays_alone_minor for flip in flips) == 0


def _stricter() -> str:
    shipped = from_library(SHIPPED)
    assert shipped is not None
    changed = shipped.replace("at_most: {usd: 50,", STRICTER, 1)
    assert STRICTER in changed
    return changed


async def _leave(shop: Shop) -> None:
    """From here on nothing outside answers: a replay that asked anybody would fail."""
    tenant = shop.runtime.tenant(shop.tenant)
    tenant.zendesk.close()
    tenant.stripe.close()
