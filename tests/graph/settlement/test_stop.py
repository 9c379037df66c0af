from __future__ import annotations

import pytest

from graph.settlement.due import due_effects
from graph.settlement.models import EffectState
from graph.settlement.resolve import resolve
from graph.settlement.stop import stop, stop_run
from tests.graph.settlement.desk import Desk, Killed


async def _stop(desk: Desk, effect_id: str) -> EffectState:
    async with desk.session() as session:
        return await stop(
            session, desk.tenant, effect_id, reason="person", actor="p1", now=desk.time.now(), new_id=desk.new_id
        )


async def _resolve(desk: Desk, effect_id: str, vendor_object: str | None) -> EffectState:
    async with desk.session() as session:
        return await resolve(
            session,
            desk.tenant,
            effect_id,
            vendor_object=vendor_object,
            actor="p1",
            now=desk.time.now(),
            new_id=desk.new_id,
        )


async def _due(desk: Desk) -> list[str]:
    async with desk.session() as session:
        return await due_effects(session, desk.tenant, now=desk.time.now())


async def test_what_is_held_can_be_stopped_once(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge, hold_s=600))
    assert await _stop(desk, effect_id) is EffectState.STOPPED
    assert await _stop(desk, effect_id) is EffectState.STOPPED
    desk.time.advance(seconds=600)
    assert await desk.send(effect_id) is EffectState.STOPPED
    assert desk.ledger(charge) == []
    assert await desk.kinds(effect_id) == ["effect.reserved", "effect.stopped"]


async def test_what_was_sent_can_no_longer_be_stopped(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    await desk.send(effect_id)
    assert await _stop(desk, effect_id) is EffectState.SETTLED
    assert await desk.charge_row(charge) == (2_490, 0)


async def test_a_run_is_stopped_as_a_whole_and_no_other(desk: Desk) -> None:
    charge = desk.charge()
    ours = [await desk.held(desk.refund(charge, 100, ordinal=ordinal, hold_s=60)) for ordinal in (1, 2)]
    sent = await desk.held(desk.refund(charge, 100, ordinal=3))
    await desk.send(sent)
    reply = await desk.held(desk.update(desk.ticket(), hold_s=60))
    other = await desk.held(desk.refund(charge, 100, ordinal=4, run_id="run_2"))
    async with desk.session() as session:
        stopped = await stop_run(
            session,
            desk.tenant,
            "run_1",
            reason="new_message",
            actor="agent",
            now=desk.time.now(),
            new_id=desk.new_id,
        )
    assert stopped == sorted([*ours, reply])
    assert (await desk.effect(other)).state == EffectState.HELD
    assert await desk.charge_row(charge) == (100, 100)


async def test_a_run_with_nothing_held_has_nothing_to_stop(desk: Desk) -> None:
    async with desk.session() as session:
        stopped = await stop_run(
            session, desk.tenant, "run_1", reason="x", actor="agent", now=desk.time.now(), new_id=desk.new_id
        )
    assert stopped == []


async def test_due_effects_are_those_nobody_works_on(desk: Desk) -> None:
    charge = desk.charge()
    late = await desk.held(desk.refund(charge, 100, ordinal=1, hold_s=60))
    soon = await desk.held(desk.refund(charge, 100, ordinal=2, hold_s=30))
    assert await _due(desk) == []
    desk.time.advance(seconds=60)
    assert await _due(desk) == [soon, late]
    with pytest.raises(Killed):
        await desk.send(soon, sessions=desk.dying_after(3))  # found due, looked at anew, claimed
    assert await _due(desk) == [late]
    await desk.expire_lease(soon)
    assert await _due(desk) == [soon, late]
    await desk.send(late)
    assert await _due(desk) == [soon]


async def _lost(desk: Desk, charge: str) -> str:
    effect_id = await desk.held(desk.refund(charge))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_after(1))
    await desk.expire_lease(effect_id)
    desk.time.advance(hours=25)
    assert await desk.send(effect_id) is EffectState.HUMAN
    return effect_id


async def test_a_person_may_find_that_nothing_happened(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await _lost(desk, charge)
    assert await _resolve(desk, effect_id, None) is EffectState.RELEASED
    assert await desk.charge_row(charge) == (0, 0)


async def test_a_person_may_find_the_refund(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await _lost(desk, charge)
    assert await _resolve(desk, effect_id, "re_1") is EffectState.SETTLED
    assert await desk.charge_row(charge) == (2_490, 0)
    assert await _resolve(desk, effect_id, None) is EffectState.SETTLED
