"""A held refund is stopped by whatever changed while it waited, also where no webhook told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from connectors.sandbox.faults import FaultKind
from graph.settlement.models import EffectState
from graph.snapshot import version_of
from tests.graph.settlement.desk import Desk


@dataclass(frozen=True)
class Held:
    """A refund that waits out ten minutes."""

    desk: Desk
    ticket: int
    charge: str
    effect_id: str

    async def after_the_hold(self) -> tuple[EffectState, str | None, list[int]]:
        self.desk.time.advance(minutes=10)
        state = await self.desk.send(self.effect_id)
        return state, (await self.desk.effect(self.effect_id)).reason, self.desk.ledger(self.charge)


async def _held(desk: Desk, *, seconds_later: int = 2, **changes: object) -> Held:
    charge, ticket = desk.charge(5_000), desk.ticket()
    latest = max(comment.comment_id for comment in desk.zendesk.comments(ticket))
    stamp = version_of(desk.zendesk.ticket(ticket).digest, latest)
    request = desk.refund(charge, 1_000, hold_s=600, ticket_id=str(ticket), ticket_stamp=stamp, **changes)
    effect_id = await desk.held(request)
    desk.time.advance(seconds=seconds_later)
    return Held(desk, ticket, charge, effect_id)


async def test_what_nothing_changed_is_sent_after_its_hold(desk: Desk) -> None:
    held = await _held(desk)
    assert await held.after_the_hold() == (EffectState.SETTLED, None, [1_000])


def _agent_changes_it(held: Held) -> None:
    agent = held.desk.tickets.add_user(name="Ada", email="ada@example.com", role="agent")
    held.desk.tickets.change(held.ticket, agent, priority="high")


def _customer_writes(held: Held) -> None:
    requester = held.desk.zendesk.ticket(held.ticket).requester_id
    held.desk.tickets.customer_writes(held.ticket, requester, "Never mind, I found it.")


def _dispute_opens(held: Held) -> None:
    now = held.desk.time.now()
    held.desk.stripe.add_dispute(charge=held.charge, reason="fraudulent", status="needs_response", created=now)


def _part_is_refunded_by_hand(held: Held) -> None:
    held.desk.stripe.add_refund(charge=held.charge, amount_minor=700, created=held.desk.time.now())


@pytest.mark.parametrize(
    ("happens", "reason", "refunded"),
    [
        (_customer_writes, "ticket_changed", []),
        (_agent_changes_it, "ticket_changed", []),
        (_dispute_opens, "charge_changed", []),
        (_part_is_refunded_by_hand, "charge_changed", [700]),
    ],
)
async def test_what_changed_meanwhile_is_stopped_before_it_is_sent(
    desk: Desk, happens: Callable[[Held], None], reason: str, refunded: list[int]
) -> None:
    held = await _held(desk)
    happens(held)
    assert await held.after_the_hold() == (EffectState.STOPPED, reason, refunded)
    assert (await desk.kinds(held.effect_id))[-1] == "effect.stopped"
    assert (await desk.charge_row(held.charge))[1] == 0


def _colleague_solves_it(held: Held) -> None:
    agent = held.desk.tickets.add_user(name="Ada", email="ada@example.com", role="agent")
    held.desk.tickets.change_status(held.ticket, "solved", user_id=agent)


@pytest.mark.parametrize("happens", [_customer_writes, _colleague_solves_it])
async def test_what_happens_in_the_second_in_which_the_ticket_was_read_is_a_change(
    desk: Desk, happens: Callable[[Held], None]
) -> None:
    held = await _held(desk, seconds_later=0)
    before = desk.zendesk.ticket(held.ticket).updated_stamp
    happens(held)
    assert desk.zendesk.ticket(held.ticket).updated_stamp == before
    assert await held.after_the_hold() == (EffectState.STOPPED, "ticket_changed", [])


async def test_a_refund_of_ours_on_the_same_charge_is_no_change(desk: Desk) -> None:
    held = await _held(desk)
    other = desk.refund(held.charge, 2_000, item_key="line_2", ticket_id=str(held.ticket))
    await desk.refunded(other)
    state, _, refunded = await held.after_the_hold()
    assert (state, sorted(refunded)) == (EffectState.SETTLED, [1_000, 2_000])


async def test_a_dispute_that_the_decision_knew_of_is_no_change(desk: Desk) -> None:
    charge = desk.charge(5_000)
    desk.stripe.add_dispute(charge=charge, reason="fraudulent", status="won", created=desk.time.now())
    facts = replace(desk.facts(charge), is_disputed=True)
    effect_id = await desk.held(desk.refund(charge, 1_000, charge=facts, hold_s=60))
    desk.time.advance(minutes=1)
    assert await desk.send(effect_id) is EffectState.SETTLED


@pytest.mark.parametrize("at", ["stripe.charges.retrieve", "zendesk.tickets.show"])
async def test_where_it_cannot_be_looked_at_nothing_is_sent_until_it_can(desk: Desk, at: str) -> None:
    held = await _held(desk)
    desk.fault(FaultKind.SERVER_ERROR, at, times=4)
    assert await held.after_the_hold() == (EffectState.HELD, None, [])
    assert await desk.send(held.effect_id) is EffectState.HELD  # not due again yet
    desk.faults.clear()
    desk.time.advance(seconds=10)
    assert await desk.send(held.effect_id) is EffectState.SETTLED
    assert desk.ledger(held.charge) == [1_000]


async def test_what_cannot_be_looked_at_for_ten_minutes_is_a_persons(desk: Desk) -> None:
    held = await _held(desk)
    desk.fault(FaultKind.UNAVAILABLE, "stripe.charges.retrieve", times=100)
    assert (await held.after_the_hold())[0] is EffectState.HELD
    assert await held.after_the_hold() == (EffectState.STOPPED, "unreadable", [])


async def test_a_ticket_that_is_gone_stops_its_refund(desk: Desk) -> None:
    held = await _held(desk)
    desk.tickets.delete_ticket(held.ticket)
    assert await held.after_the_hold() == (EffectState.STOPPED, "unreadable", [])
