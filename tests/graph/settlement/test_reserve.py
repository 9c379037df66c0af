from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from graph.settlement import ledger
from graph.settlement.errors import MissingRow, WrongRequest
from graph.settlement.models import EffectKind, EffectState
from graph.settlement.requests import AlreadyIntended, Exhausted, Reserved, SwitchedOff, business_key
from graph.settlement.reserve import reserve, reserve_all
from graph.settlement.stop import stop
from graph.settlement.switches import change_switch, read_switch
from graph.vault import SubjectErased
from policies.decision import Limit, LimitScope
from policies.money import Money
from tests.graph.settlement.desk import Desk, Killed

HOUR = Limit("tenant-hour", LimitScope.TENANT, 3600, cap_minor=6_000)
TWICE = Limit("customer-90d", LimitScope.CUSTOMER, 90 * 86400, cap_count=2)


async def test_reserving_sets_the_money_aside_and_stores_key_and_body(desk: Desk) -> None:
    charge = desk.charge(10_000)
    answer = await desk.reserve(desk.refund(charge, 2_490, hold_s=600, limits=(HOUR, TWICE)))
    assert isinstance(answer, Reserved)
    assert answer.due_at == desk.time.now() + timedelta(seconds=600)
    effect = await desk.effect(answer.effect_id)
    assert effect.state == EffectState.HELD
    assert effect.idempotency_key.startswith("key-")
    assert effect.body is not None
    assert json.loads(effect.body)["metadata[intent_id]"] == answer.effect_id
    assert await desk.charge_row(charge) == (0, 2_490)
    assert await desk.limit_row("tenant-hour") == (0, 2_490, 1)
    assert await desk.limit_row("customer-90d") == (0, 2_490, 1)
    assert await desk.kinds() == ["effect.reserved"]
    assert desk.ledger(charge) == []


async def test_the_same_complaint_in_a_second_ticket_is_the_same_refund(desk: Desk) -> None:
    charge = desk.charge()
    first = await desk.held(desk.refund(charge))
    again = await desk.reserve(desk.refund(charge, 1_000, run_id="run_2", ticket_id="2"))
    assert again == AlreadyIntended(first, EffectState.HELD)
    assert await desk.charge_row(charge) == (0, 2_490)


async def test_a_further_refund_of_an_item_needs_another_ordinal(desk: Desk) -> None:
    charge = desk.charge()
    await desk.held(desk.refund(charge, item_key="line_1"))
    assert isinstance(await desk.reserve(desk.refund(charge, item_key="line_1", ordinal=1)), Reserved)
    assert isinstance(await desk.reserve(desk.refund(charge, item_key="line_2")), Reserved)


async def test_more_than_is_left_of_a_charge_is_refused_by_the_constraint(desk: Desk) -> None:
    charge = desk.charge(3_000)
    await desk.held(desk.refund(charge, 2_490))
    answer = await desk.reserve(desk.refund(charge, 511, item_key="line_2"))
    assert isinstance(answer, Exhausted)
    assert answer.limit_id == "charge"
    assert isinstance(await desk.reserve(desk.refund(charge, 510, item_key="line_3")), Reserved)
    assert await desk.charge_row(charge) == (0, 3_000)


@pytest.mark.parametrize(("limit", "blocked_at"), [(HOUR, 3), (TWICE, 3)])
async def test_a_limit_refuses_what_passes_its_cap_and_gives_nothing_away(
    desk: Desk,
    limit: Limit,
    blocked_at: int,
) -> None:
    charge = desk.charge(100_000)
    for ordinal in range(1, blocked_at):
        await desk.held(desk.refund(charge, 2_490, ordinal=ordinal, limits=(limit,)))
    answer = await desk.reserve(desk.refund(charge, 2_490, ordinal=blocked_at, limits=(limit,)))
    assert isinstance(answer, Exhausted)
    assert answer.limit_id == limit.limit_id
    assert await desk.charge_row(charge) == (0, 2_490 * (blocked_at - 1))
    assert (await desk.limit_row(limit.limit_id))[1:] == (2_490 * (blocked_at - 1), blocked_at - 1)


async def test_a_limit_by_count_holds_over_all_currencies(desk: Desk) -> None:
    once = replace(TWICE, cap_count=1)
    await desk.held(desk.refund(desk.charge(5_000, "usd"), 100, limits=(once,)))
    answer = await desk.reserve(desk.refund(desk.charge(5_000, "jpy"), 100, limits=(once,)))
    assert isinstance(answer, Exhausted)


async def test_another_customer_has_room_of_their_own(desk: Desk) -> None:
    charge = desk.charge(100_000)
    once = replace(TWICE, cap_count=1)
    await desk.held(desk.refund(charge, ordinal=1, limits=(once,)))
    assert isinstance(await desk.reserve(desk.refund(charge, ordinal=2, customer_id="cus_2", limits=(once,))), Reserved)


async def test_a_limit_counts_the_hour_before_each_refund_whatever_the_time_of_day(desk: Desk) -> None:
    charge = desk.charge(100_000)
    desk.time.advance(minutes=59)
    assert (
        await desk.send(await desk.held(desk.refund(charge, 6_000, ordinal=1, limits=(HOUR,)))) is EffectState.SETTLED
    )
    desk.time.advance(minutes=2)  # the next hour by the clock
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=2, limits=(HOUR,))), Exhausted)
    desk.time.advance(minutes=57, seconds=59)
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=3, limits=(HOUR,))), Exhausted)
    desk.time.advance(seconds=1)
    assert isinstance(await desk.reserve(desk.refund(charge, 6_000, ordinal=4, limits=(HOUR,))), Reserved)


async def test_what_has_not_gone_out_yet_counts_however_long_it_waits(desk: Desk) -> None:
    charge = desk.charge(100_000)
    held = await desk.held(desk.refund(charge, 6_000, ordinal=1, limits=(HOUR,), hold_s=7_200))
    desk.time.advance(hours=2)
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=2, limits=(HOUR,))), Exhausted)
    assert await desk.send(held) is EffectState.SETTLED
    desk.time.advance(minutes=59)
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=3, limits=(HOUR,))), Exhausted)
    desk.time.advance(minutes=1)
    assert isinstance(await desk.reserve(desk.refund(charge, 6_000, ordinal=4, limits=(HOUR,))), Reserved)


async def test_a_longer_window_counts_what_was_drawn_on_a_shorter_one(desk: Desk) -> None:
    charge = desk.charge(100_000)
    await desk.refunded(desk.refund(charge, 6_000, ordinal=1, limits=(HOUR,)))
    desk.time.advance(hours=2)
    day = replace(HOUR, window_s=86_400)
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=2, limits=(day,))), Exhausted)
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=3, limits=(HOUR,))), Reserved)


async def test_the_database_sums_a_limit_itself_whatever_it_is_told(desk: Desk) -> None:
    charge = desk.charge(100_000)
    effect_id = await desk.held(desk.refund(charge, 6_000, ordinal=1, limits=(HOUR,)))
    forged = text(
        "INSERT INTO reservation SELECT tenant_id, 'eff_forged', limit_id, scope_key, currency, 1, window_s, cap_minor,"
        " cap_count, 0, 0, reserved_at, NULL FROM reservation WHERE effect_id = :effect_id",
    )
    with pytest.raises(IntegrityError, match="within_cap"):
        async with desk.session() as session:
            await session.execute(forged, {"effect_id": effect_id})


async def test_a_cap_lowered_below_what_is_used_lets_nothing_more_through(desk: Desk) -> None:
    charge = desk.charge(100_000)
    await desk.held(desk.refund(charge, 5_000, ordinal=1, limits=(HOUR,)))
    answer = await desk.reserve(desk.refund(charge, 1, ordinal=2, limits=(replace(HOUR, cap_minor=100),)))
    assert isinstance(answer, Exhausted)
    assert isinstance(await desk.reserve(desk.refund(charge, 1_000, ordinal=3, limits=(HOUR,))), Reserved)
    unlimited = replace(HOUR, cap_minor=None, cap_count=None)
    assert isinstance(await desk.reserve(desk.refund(charge, 9_000, ordinal=4, limits=(unlimited,))), Reserved)


async def test_twenty_at_once_never_pass_a_charge(desk: Desk) -> None:
    charge = desk.charge(10_000)
    facts = desk.facts(charge)
    requests = [desk.refund(charge, 700, charge=facts, ordinal=ordinal) for ordinal in range(20)]
    answers = await asyncio.gather(*(desk.reserve(request) for request in requests))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 14
    assert await desk.charge_row(charge) == (0, 9_800)
    assert len(await desk.kinds()) == 14


async def test_fifty_at_once_on_fifty_charges_never_pass_a_cap(desk: Desk) -> None:
    charges = [desk.charge(10_000) for _ in range(50)]
    requests = [desk.refund(charge, 700, limits=(HOUR, TWICE), customer_id=charge) for charge in charges]
    answers = await asyncio.gather(*(desk.reserve(request) for request in requests))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 8
    assert await desk.limit_row("tenant-hour") == (0, 5_600, 8)


async def test_twenty_at_once_for_the_same_refund_make_one(desk: Desk) -> None:
    charge = desk.charge()
    request = desk.refund(charge)
    answers = await asyncio.gather(*(desk.reserve(request) for _ in range(20)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyIntended) for answer in answers) == 19


async def test_batches_in_opposite_order_do_not_wait_for_each_other(desk: Desk) -> None:
    charges = [desk.charge(100_000) for _ in range(4)]

    async def batch(turn: int) -> None:
        order = charges if turn % 2 else charges[::-1]
        requests = [desk.refund(charge, 10, ordinal=turn, limits=(HOUR,)) for charge in order]
        async with desk.session() as session:
            answers = await reserve_all(session, desk.tenant, requests, desk.means)
        assert all(isinstance(answer, Reserved) for answer in answers)

    await asyncio.gather(*(batch(turn) for turn in range(12)))
    assert await desk.limit_row("tenant-hour") == (0, 480, 48)


async def test_in_a_batch_each_request_stands_or_falls_by_itself(desk: Desk) -> None:
    charge, other = desk.charge(1_000), desk.charge(5_000)
    requests = [
        desk.refund(charge, 900, ordinal=1),
        desk.refund(charge, 900, ordinal=2),
        desk.refund(charge, 900, ordinal=1),
        desk.refund(other, 900),
    ]
    async with desk.session() as session:
        answers = await reserve_all(session, desk.tenant, requests, desk.means)
    assert [type(answer) for answer in answers] == [Reserved, Exhausted, AlreadyIntended, Reserved]


async def test_nothing_to_reserve_is_no_error(desk: Desk) -> None:
    async with desk.session() as session:
        assert await reserve_all(session, desk.tenant, [], desk.means) == ()


async def test_a_release_frees_the_money_the_count_and_the_key(desk: Desk) -> None:
    charge = desk.charge(3_000)
    request = desk.refund(charge, 2_490, limits=(HOUR, TWICE))
    effect_id = await desk.held(request)
    async with desk.session() as session:
        await stop(
            session, desk.tenant, effect_id, reason="person", actor="p1", now=desk.time.now(), new_id=desk.new_id
        )
    assert await desk.charge_row(charge) == (0, 0)
    assert await desk.limit_row("tenant-hour") == (0, 0, 0)
    assert isinstance(await desk.reserve(request), Reserved)


async def test_a_switch_of_the_tenant_stops_the_reservation(desk: Desk) -> None:
    request = desk.refund(desk.charge())

    async def switch(*, is_off: bool) -> bool:
        async with desk.session() as session:
            return await change_switch(
                session,
                tenant_id=desk.tenant,
                tool=request.tool,
                is_off=is_off,
                reason="incident 7",
                actor="p1",
                now=desk.time.now(),
                new_id=desk.new_id,
            )

    assert await switch(is_off=True)
    assert not await switch(is_off=True)
    assert await desk.reserve(request) == SwitchedOff("stripe.refund", "incident 7")
    assert await switch(is_off=False)
    assert isinstance(await desk.reserve(request), Reserved)
    assert await desk.kinds() == ["switch.off", "switch.on", "effect.reserved"]


async def test_the_switch_for_all_tenants_stops_everyone(desk: Desk, admin_url: str) -> None:
    with psycopg.connect(admin_url) as admin:
        admin.execute(
            "INSERT INTO switch (tenant_id, tool, is_off, reason, actor, changed_at)"
            " VALUES ('*', 'stripe.refund', true, 'all stop', 'owner', now())",
        )
    answer = await desk.reserve(desk.refund(desk.charge()))
    assert answer == SwitchedOff("stripe.refund", "all stop")
    async with desk.session() as session:
        assert await read_switch(session, desk.tenant, "zendesk.reply") is None


async def test_a_refund_made_by_hand_counts_before_ours(desk: Desk) -> None:
    charge = desk.charge(5_000)
    desk.stripe.add_refund(charge=charge, amount_minor=3_000, created=desk.time.now())
    assert isinstance(await desk.reserve(desk.refund(charge, 2_001)), Exhausted)
    assert isinstance(await desk.reserve(desk.refund(charge, 2_000)), Reserved)
    assert await desk.charge_row(charge) == (3_000, 2_000)


async def test_a_held_refund_that_no_longer_fits_is_stopped(desk: Desk) -> None:
    charge = desk.charge(5_000)
    old = await desk.held(desk.refund(charge, 1_000, ordinal=1, hold_s=600, limits=(HOUR,)))
    desk.time.advance(seconds=1)
    new = await desk.held(desk.refund(charge, 2_000, ordinal=2, hold_s=600, limits=(HOUR,)))
    desk.time.advance(seconds=1)
    desk.stripe.add_refund(charge=charge, amount_minor=2_500, created=desk.time.now())
    assert isinstance(await desk.reserve(desk.refund(charge, 1_000, ordinal=3, limits=(HOUR,))), Reserved)
    stopped = await desk.effect(new)
    assert (stopped.state, stopped.reason) == (EffectState.STOPPED, "charge_changed")
    assert (await desk.effect(old)).state == EffectState.HELD
    assert await desk.charge_row(charge) == (2_500, 2_000)
    assert await desk.limit_row("tenant-hour") == (0, 2_000, 2)


async def test_what_is_under_way_is_not_counted_twice_nor_displaced(desk: Desk) -> None:
    charge = desk.charge(5_000)
    effect_id = await desk.held(desk.refund(charge, 2_000))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_before(2))
    desk.time.advance(seconds=1)
    assert desk.ledger(charge) == [2_000]
    # Stripe's figure holds our refund, which we still have as reserved.
    assert isinstance(await desk.reserve(desk.refund(charge, 3_001, ordinal=1)), Exhausted)
    assert isinstance(await desk.reserve(desk.refund(charge, 3_000, ordinal=2)), Reserved)
    assert await desk.charge_row(charge) == (0, 5_000)


async def test_foreign_refunds_beside_one_under_way_fill_the_charge(desk: Desk) -> None:
    charge = desk.charge(5_000)
    effect_id = await desk.held(desk.refund(charge, 3_000))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_after(1))
    desk.time.advance(seconds=1)
    desk.stripe.add_refund(charge=charge, amount_minor=5_000, created=desk.time.now())
    assert isinstance(await desk.reserve(desk.refund(charge, 1, ordinal=1)), Exhausted)
    assert await desk.charge_row(charge) == (2_000, 3_000)


async def test_older_facts_do_not_give_room_back_and_newer_ones_do(desk: Desk) -> None:
    charge = desk.charge(5_000)
    old = desk.facts(charge)
    desk.time.advance(seconds=5)
    refund = desk.stripe.add_refund(charge=charge, amount_minor=4_000, created=desk.time.now())
    await desk.reserve(desk.refund(charge, 5_000, ordinal=1))
    assert await desk.charge_row(charge) == (4_000, 0)
    assert isinstance(await desk.reserve(desk.refund(charge, 2_000, charge=old, ordinal=2)), Exhausted)
    desk.stripe.fail_refund(refund)
    desk.time.advance(seconds=5)
    assert isinstance(await desk.reserve(desk.refund(charge, 2_000, ordinal=3)), Reserved)
    assert await desk.charge_row(charge) == (0, 2_000)


@pytest.mark.parametrize(("currency", "amount_minor"), [("jpy", 1_200), ("kwd", 24_900), ("usd", 2_490)])
async def test_amounts_are_minor_units_of_the_charges_currency(desk: Desk, currency: str, amount_minor: int) -> None:
    charge = desk.charge(amount_minor, currency)
    effect_id = await desk.held(desk.refund(charge, amount_minor))
    assert await desk.send(effect_id) is EffectState.SETTLED
    assert desk.ledger(charge) == [amount_minor]
    assert await desk.charge_row(charge) == (amount_minor, 0)


async def test_a_personal_body_is_stored_sealed_only(desk: Desk) -> None:
    effect = await desk.effect(await desk.held(desk.update(desk.ticket(), "Dear Ana")))
    assert effect.body is None
    assert effect.sealed_body is not None
    assert b"Dear Ana" not in effect.sealed_body


async def test_nothing_is_reserved_for_an_erased_person(desk: Desk) -> None:
    async with desk.session() as session:
        await desk.vault.erase(session, tenant_id=desk.tenant, subject_id="subject_1", now=desk.time.now())
    with pytest.raises(SubjectErased):
        await desk.reserve(desk.update(desk.ticket()))


async def test_of_two_transactions_with_one_business_key_the_second_learns_of_the_first(desk: Desk) -> None:
    request = desk.update(desk.ticket())
    async with desk.session() as session:  # so that both find the person's data key
        await desk.vault.key(session, tenant_id=desk.tenant, subject_id="subject_1", now=desk.time.now())
    async with desk.session() as session:
        first = await reserve(session, request, desk.means)
        second = asyncio.create_task(desk.reserve(request))
        await asyncio.sleep(0.3)
        assert not second.done()
    assert isinstance(first, Reserved)
    assert await second == AlreadyIntended(first.effect_id, EffectState.HELD)


async def test_another_constraint_is_an_error_and_not_an_answer(desk: Desk) -> None:
    effect_id = await desk.held(desk.refund(desk.charge()))
    means = replace(desk.means, new_id=lambda _prefix: effect_id)
    with pytest.raises(IntegrityError):
        async with desk.session() as session:
            await reserve(session, desk.refund(desk.charge()), means)


def test_business_keys_tell_different_effects_apart(desk: Desk) -> None:
    charge = desk.charge()
    base = desk.refund(charge)
    cancel = replace(base, kind=EffectKind.CANCEL_SUBSCRIPTION, charge=None, amount=None, subscription_id="sub_1")
    payment = replace(base, kind=EffectKind.CANCEL_PAYMENT, charge=None, amount=None, payment_id="pi_1")
    reply = replace(base, kind=EffectKind.ZENDESK_UPDATE, charge=None, amount=None, item_key="answer")
    requests = [
        base,
        replace(base, item_key="whole|0"),
        replace(base, item_key="whole", ordinal=1),
        cancel,
        payment,
        reply,
        replace(reply, item_key="question"),
        replace(reply, cycle=1),
    ]
    assert len({business_key(request) for request in requests}) == len(requests)
    assert business_key(replace(base, run_id="run_2", ticket_id="9", cycle=4)) == business_key(base)


def test_requests_that_contradict_themselves_are_refused(desk: Desk) -> None:
    request = desk.refund(desk.charge())
    assert request.charge is not None
    with pytest.raises(WrongRequest, match="use its currency"):
        replace(request, amount=Money(100, "eur"))
    with pytest.raises(WrongRequest, match="has money"):
        replace(request, amount=None)
    with pytest.raises(WrongRequest, match="names no subject"):
        replace(request, is_personal=True)
    with pytest.raises(WrongRequest, match="read it again"):
        replace(request.charge, refunded_minor=10_001)
    cancel = replace(request, kind=EffectKind.CANCEL_SUBSCRIPTION, charge=None, amount=None)
    with pytest.raises(WrongRequest, match="subscription_id"):
        business_key(cancel)


async def test_an_unknown_effect_is_named(desk: Desk) -> None:
    with pytest.raises(MissingRow, match="eff_nope"):
        await desk.effect("eff_nope")


def test_other_effects_draw_on_no_limit(desk: Desk) -> None:
    request = desk.refund(desk.charge(), limits=(HOUR,))
    cancel = replace(request, kind=EffectKind.CANCEL_SUBSCRIPTION, charge=None, amount=None)
    assert ledger.draws_of(cancel) == {}
    assert len(ledger.draws_of(request)) == 1
