from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from connectors.sandbox.faults import FaultKind
from connectors.stripe.wire import RefundView
from connectors.stripe.words import RefundStatus
from graph.settlement.models import EffectState
from graph.settlement.reconcile import Drift, reconcile
from graph.settlement.requests import Exhausted, Reserved, SwitchedOff
from graph.settlement.vendor_events import Hearing, Seen, on_refund
from policies.decision import Limit, LimitScope
from tests.graph.settlement.desk import Desk, Killed


async def _hear(desk: Desk, refund: RefundView) -> Seen:
    async with desk.session() as session:
        return await on_refund(session, refund, Hearing(desk.tenant, desk.time.now(), desk.new_id))


def _refunds(desk: Desk, charge: str) -> tuple[RefundView, ...]:
    return desk.adapter.refunds_of(charge)


async def _reconcile(desk: Desk) -> Drift:
    return await reconcile(
        desk.database.tenant,
        desk.tenant,
        refunds_since=desk.adapter.refunds_since,
        since=desk.time.now() - timedelta(days=2),
        now=desk.time.now,
        new_id=desk.new_id,
    )


async def _settled(desk: Desk, charge: str, amount_minor: int = 2_490) -> str:
    effect_id = await desk.held(desk.refund(charge, amount_minor))
    assert await desk.send(effect_id) is EffectState.SETTLED
    desk.time.advance(seconds=1)
    return effect_id


async def test_a_refund_that_fails_later_is_taken_back_once(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await _settled(desk, charge)
    desk.stripe.fail_refund(desk.stripe.ledger()[0]["id"])
    (failed,) = _refunds(desk, charge)
    assert await _hear(desk, failed) is Seen.REVERSED
    assert await _hear(desk, failed) is Seen.NOTHING_NEW
    effect = await desk.effect(effect_id)
    assert (effect.state, effect.vendor_status) == (EffectState.REVERSED, "failed")
    assert await desk.charge_row(charge) == (0, 0)
    assert (await desk.kinds(effect_id))[-1] == "effect.reversed"


async def test_a_failure_that_facts_told_first_takes_nothing_back_twice(desk: Desk) -> None:
    charge = desk.charge()
    await _settled(desk, charge)
    desk.stripe.fail_refund(desk.stripe.ledger()[0]["id"])
    assert isinstance(await desk.reserve(desk.refund(charge, 100, ordinal=1)), Reserved)
    assert await desk.charge_row(charge) == (0, 100)
    assert await _hear(desk, _refunds(desk, charge)[0]) is Seen.REVERSED
    assert await desk.charge_row(charge) == (0, 100)


async def test_refunds_made_by_hand_use_up_the_limits_of_the_shop_and_of_their_customer(desk: Desk) -> None:
    hour = Limit("tenant-hour", LimitScope.TENANT, 3600, cap_minor=5_000)
    twice = Limit("customer-90d", LimitScope.CUSTOMER, 90 * 86_400, cap_count=2)
    ana, ben = desk.customer(), desk.customer()
    known, unknown = desk.charge(customer=ana), desk.charge(customer=ana)
    await desk.send(await desk.held(desk.refund(known, 100, customer_id=ana, limits=(twice,))))
    for charge in (known, unknown):
        desk.stripe.add_refund(charge=charge, amount_minor=2_000, created=desk.time.now())
    desk.time.advance(seconds=1)
    await _reconcile(desk)

    async def room(amount_minor: int, customer: str, limit: Limit) -> object:
        charge = desk.charge(customer=customer)
        return await desk.reserve(desk.refund(charge, amount_minor, customer_id=customer, limits=(limit,)))

    assert isinstance(await room(1_001, ben, hour), Exhausted)
    assert isinstance(await room(1_000, ben, hour), Reserved)
    assert isinstance(await room(1, ben, twice), Reserved)
    assert isinstance(await room(1, ana, twice), Exhausted)


async def test_whose_limits_a_refund_made_by_hand_uses_up_is_known_with_its_charge(desk: Desk) -> None:
    once = Limit("customer-90d", LimitScope.CUSTOMER, 90 * 86_400, cap_count=1)
    ana = desk.customer()
    charge, other = desk.charge(customer=ana), desk.charge(customer=ana)
    desk.stripe.add_refund(charge=charge, amount_minor=2_000, created=desk.time.now())
    desk.time.advance(seconds=1)
    await _reconcile(desk)
    await desk.send(await desk.held(desk.refund(charge, 10, customer_id=ana)))
    assert isinstance(await desk.reserve(desk.refund(other, 1, customer_id=ana, limits=(once,))), Exhausted)


async def test_events_in_any_order_never_move_a_status_back(desk: Desk) -> None:
    charge = desk.charge(card="4000000000007726")
    effect_id = await _settled(desk, charge)
    (pending,) = _refunds(desk, charge)
    assert pending.status is RefundStatus.PENDING
    succeeded = replace(pending, status=RefundStatus.SUCCEEDED)
    assert await _hear(desk, pending) is Seen.NOTHING_NEW
    assert await _hear(desk, succeeded) is Seen.STATUS
    assert await _hear(desk, pending) is Seen.NOTHING_NEW
    assert await _hear(desk, succeeded) is Seen.NOTHING_NEW
    assert (await desk.effect(effect_id)).vendor_status == "succeeded"


async def test_two_events_at_once_are_noted_once(desk: Desk) -> None:
    charge = desk.charge(card="4000000000007726")
    effect_id = await _settled(desk, charge)
    succeeded = replace(_refunds(desk, charge)[0], status=RefundStatus.SUCCEEDED)
    seen = await asyncio.gather(*(_hear(desk, succeeded) for _ in range(8)))
    assert seen.count(Seen.STATUS) == 1
    assert (await desk.kinds(effect_id)).count("effect.status") == 1
    failed = replace(succeeded, status=RefundStatus.FAILED)
    seen = await asyncio.gather(*(_hear(desk, failed) for _ in range(8)))
    assert seen.count(Seen.REVERSED) == 1
    assert await desk.charge_row(charge) == (0, 0)


@pytest.mark.parametrize("hours", [0, 25])
async def test_a_webhook_settles_what_we_did_not_hear_the_end_of(desk: Desk, hours: int) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    desk.fault(FaultKind.TIMEOUT_AFTER_EFFECT)
    assert await desk.send(effect_id) is EffectState.UNKNOWN
    desk.time.advance(hours=hours)
    views = _refunds(desk, charge)
    seen = await asyncio.gather(*(_hear(desk, views[0]) for _ in range(5)))
    assert seen.count(Seen.SETTLED) == 1
    assert await desk.send(effect_id) is EffectState.SETTLED
    assert await desk.charge_row(charge) == (2_490, 0)
    assert desk.ledger(charge) == [2_490]


async def test_a_failure_heard_before_the_answer_settles_and_takes_back(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_before(2))
    failed = replace(_refunds(desk, charge)[0], status=RefundStatus.FAILED)
    assert await _hear(desk, failed) is Seen.REVERSED
    assert await desk.charge_row(charge) == (0, 0)


async def test_a_refund_made_by_hand_is_imported_once(desk: Desk) -> None:
    charge = desk.charge(5_000)
    await _settled(desk, charge, 1_000)
    desk.stripe.add_refund(charge=charge, amount_minor=3_000, created=desk.time.now())
    by_hand = next(view for view in _refunds(desk, charge) if view.intent_id is None)
    seen = await asyncio.gather(*(_hear(desk, by_hand) for _ in range(5)))
    assert seen.count(Seen.IMPORTED) == 1
    assert await desk.charge_row(charge) == (4_000, 0)
    assert (await desk.kinds()).count("refund.imported") == 1
    failed = replace(by_hand, status=RefundStatus.FAILED)
    assert await _hear(desk, failed) is Seen.STATUS
    assert await _hear(desk, by_hand) is Seen.NOTHING_NEW


async def test_an_import_stops_a_held_refund_that_no_longer_fits(desk: Desk) -> None:
    charge = desk.charge(5_000)
    effect_id = await desk.held(desk.refund(charge, 3_000, hold_s=600))
    desk.stripe.add_refund(charge=charge, amount_minor=2_500, created=desk.time.now())
    assert await _hear(desk, _refunds(desk, charge)[0]) is Seen.IMPORTED
    assert (await desk.effect(effect_id)).reason == "charge_changed"
    assert await desk.charge_row(charge) == (2_500, 0)


async def test_a_refund_by_hand_that_was_heard_of_counts_against_older_facts_at_first_sight(desk: Desk) -> None:
    charge = desk.charge(5_000)
    older = desk.facts(charge)
    desk.time.advance(seconds=1)
    desk.stripe.add_refund(charge=charge, amount_minor=2_500, created=desk.time.now())
    assert await _hear(desk, _refunds(desk, charge)[0]) is Seen.IMPORTED
    assert isinstance(await desk.reserve(desk.refund(charge, 3_000, charge=older)), Exhausted)
    assert await desk.charge_row(charge) == (2_500, 0)


async def test_refunds_by_hand_that_filled_the_charge_count_in_full_once_ours_is_refused(desk: Desk) -> None:
    charge = desk.charge(5_000)
    effect_id = await desk.held(desk.refund(charge, 3_000))
    desk.fault(FaultKind.RESET_BEFORE_EFFECT)
    assert await desk.send(effect_id) is EffectState.UNKNOWN
    desk.stripe.add_refund(charge=charge, amount_minor=5_000, created=desk.time.now())
    assert await _hear(desk, _refunds(desk, charge)[0]) is Seen.IMPORTED
    assert await desk.charge_row(charge) == (2_000, 3_000)
    desk.time.advance(seconds=5)
    assert await desk.send(effect_id) is EffectState.RELEASED
    assert await desk.charge_row(charge) == (5_000, 0)


async def test_a_refund_on_a_charge_we_never_saw_is_only_recorded(desk: Desk) -> None:
    charge = desk.charge(5_000)
    desk.stripe.add_refund(charge=charge, amount_minor=2_500, created=desk.time.now())
    (view,) = _refunds(desk, charge)
    assert await _hear(desk, view) is Seen.IMPORTED
    assert await _hear(desk, replace(view, charge_id=None)) is Seen.NOTHING_NEW
    assert isinstance(await desk.reserve(desk.refund(charge, 2_501)), Exhausted)


async def test_a_refund_that_claims_an_intent_we_do_not_have_switches_refunds_off(desk: Desk) -> None:
    charge = desk.charge()
    desk.stripe.add_refund(
        charge=charge,
        amount_minor=100,
        created=desk.time.now(),
        metadata={"intent_id": "eff_nobody"},
    )
    assert await _hear(desk, _refunds(desk, charge)[0]) is Seen.ORPHAN
    answer = await desk.reserve(desk.refund(charge))
    assert isinstance(answer, SwitchedOff)
    assert "eff_nobody" in answer.reason
    assert (await desk.kinds()) == ["refund.orphan", "switch.off"]


async def test_a_refund_of_another_installation_is_one_by_hand_to_us(desk: Desk) -> None:
    await desk.mark_installation("inst_ours")
    charge = desk.charge()
    metadata = {"intent_id": "eff_theirs", "countersign_installation": "inst_theirs"}
    desk.stripe.add_refund(charge=charge, amount_minor=100, created=desk.time.now(), metadata=metadata)
    assert await _hear(desk, _refunds(desk, charge)[0]) is Seen.IMPORTED
    drift = await _reconcile(desk)
    assert (drift.is_clean, drift.compared, drift.minor) == (True, 1, {})
    metadata["countersign_installation"] = "inst_ours"
    desk.stripe.add_refund(charge=charge, amount_minor=100, created=desk.time.now(), metadata=metadata)
    assert (await _reconcile(desk)).orphans


async def test_a_second_refund_under_one_intent_switches_refunds_off(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await _settled(desk, charge)
    metadata = {"intent_id": effect_id}
    desk.stripe.add_refund(charge=charge, amount_minor=2_490, created=desk.time.now(), metadata=metadata)
    drift = await _reconcile(desk)
    assert len(drift.orphans) == 1
    assert drift.minor == {"usd": 2_490}
    assert not drift.is_clean
    assert await desk.charge_row(charge) == (4_980, 0)


@pytest.mark.parametrize("is_other_charge", [False, True])
async def test_a_refund_under_an_intent_that_did_not_send_it_switches_refunds_off(
    desk: Desk,
    *,
    is_other_charge: bool,
) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge, hold_s=600))
    refunded = desk.charge() if is_other_charge else charge
    metadata = {"intent_id": effect_id}
    desk.stripe.add_refund(charge=refunded, amount_minor=2_490, created=desk.time.now(), metadata=metadata)
    assert await _hear(desk, _refunds(desk, refunded)[0]) is Seen.ORPHAN


async def test_books_that_agree_have_no_drift(desk: Desk) -> None:
    charge, yen = desk.charge(), desk.charge(5_000, "jpy")
    await _settled(desk, charge)
    await _settled(desk, yen, 1_200)
    desk.stripe.add_refund(charge=charge, amount_minor=100, created=desk.time.now())
    drift = await _reconcile(desk)
    assert drift.is_clean
    assert drift.compared == 3
    assert drift.minor == {"usd": 0, "jpy": 0}
    assert drift.seen == {Seen.NOTHING_NEW: 2, Seen.IMPORTED: 1}
    assert (await _reconcile(desk)).seen == {Seen.NOTHING_NEW: 3}


async def test_the_reconciler_settles_what_was_lost(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_before(2))
    drift = await _reconcile(desk)
    assert drift.is_clean
    assert drift.seen == {Seen.SETTLED: 1}
    assert (await desk.effect(effect_id)).state == EffectState.SETTLED


async def test_a_refund_that_stripe_does_not_have_is_drift(desk: Desk) -> None:
    effect_id = await _settled(desk, desk.charge())
    drift = await reconcile(
        desk.database.tenant,
        desk.tenant,
        refunds_since=lambda _since: (),
        since=desk.time.now() - timedelta(days=1),
        now=desk.time.now,
        new_id=desk.new_id,
    )
    assert drift.missing == (effect_id,)
    assert drift.minor == {"usd": -2_490}


async def test_a_settlement_the_log_never_heard_of_is_drift(desk: Desk, admin_url: str) -> None:
    effect_id = await _settled(desk, desk.charge())
    with psycopg.connect(admin_url) as admin:
        admin.execute("DELETE FROM audit_event WHERE kind = 'effect.settled'")
    assert (await _reconcile(desk)).unlogged == (effect_id,)


@pytest.mark.parametrize(
    ("approval", "verdict", "mode", "is_clean"),
    [
        (None, "allow", "auto", True),
        (None, "allow", "approve", False),
        (None, "needs_approval", "auto", False),
        ("('used', 'run_1', 1)", "needs_approval", "approve", True),
        ("('used', 'run_1', 2)", "needs_approval", "approve", False),
        ("('used', 'run_2', 1)", "needs_approval", "approve", False),
        ("('rejected', 'run_1', 1)", "needs_approval", "approve", False),
        ("missing", "needs_approval", "approve", False),
    ],
)
async def test_money_that_left_without_the_approval_it_needed_is_found(
    desk: Desk,
    admin_url: str,
    approval: str | None,
    verdict: str,
    mode: str,
    is_clean: bool,  # noqa: FBT001
) -> None:
    effect_id = await _settled(desk, desk.charge())
    with psycopg.connect(admin_url) as admin:
        admin.execute("UPDATE effect SET decision_digest = 'd', approval_id = %s", ["apr" if approval else None])
        admin.execute(
            "INSERT INTO decision (tenant_id, run_id, cycle, place, ticket_id, decided_at, policy_hash, input_hash,"
            " intent, action, verdict, mode, rule, approvers, risk_score, facts)"
            " VALUES (%s, 'run_1', 0, 0, '1', now(), 'p', 'd', 'duplicate_charge', 'refund', %s, %s, 'r', '[]', 0,"
            " '{}')",
            [desk.tenant, verdict, mode],
        )
        if approval not in {None, "missing"}:
            admin.execute(
                "INSERT INTO approval (tenant_id, approval_id, ticket_id, cycle, action_digest, policy_hash,"
                " evidence_digest, approvers, approved_by, requested_at, expires_at, state, run_id, required)"
                f" VALUES (%s, 'apr', '1', 0, 'a', 'p', 'e', '[]', '[\"lea\"]', now(), now(), {str(approval)[1:-1]})",
                [desk.tenant],
            )
    drift = await _reconcile(desk)
    assert (drift.unapproved, drift.is_clean) == ((), True) if is_clean else ((effect_id,), False)


async def test_an_event_that_waited_for_the_worker_learns_what_it_wrote(desk: Desk) -> None:
    charge = desk.charge()
    effect_id = await desk.held(desk.refund(charge))
    with pytest.raises(Killed):
        await desk.send(effect_id, sessions=desk.dying_before(2))
    (view,) = _refunds(desk, charge)
    async with desk.session() as session:
        first = await on_refund(session, view, Hearing(desk.tenant, desk.time.now(), desk.new_id))
        second = asyncio.create_task(_hear(desk, view))
        await asyncio.sleep(0.3)
        assert not second.done()
    assert (first, await second) == (Seen.SETTLED, Seen.NOTHING_NEW)


async def test_two_status_events_one_after_the_other_wait_for_each_other(desk: Desk) -> None:
    charge = desk.charge(card="4000000000007726")
    await _settled(desk, charge)
    succeeded = replace(_refunds(desk, charge)[0], status=RefundStatus.SUCCEEDED)
    async with desk.session() as session:
        first = await on_refund(session, succeeded, Hearing(desk.tenant, desk.time.now(), desk.new_id))
        second = asyncio.create_task(_hear(desk, succeeded))
        await asyncio.sleep(0.3)
    assert (first, await second) == (Seen.STATUS, Seen.NOTHING_NEW)
