"""A person refunds the same charge in the dashboard at any moment: never above captured, never twice for a case.

`--trials N` makes as many races; the default is a slice. Each trial is its number: it repeats exactly.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.outcome import WriteOutcome
from graph.settlement.models import EffectKind, EffectState
from graph.settlement.performers import Performer, Sendable, VendorAnswer
from graph.settlement.reconcile import reconcile
from graph.settlement.requests import Reserved
from tests.graph.settlement.desk import Desk

MOMENTS = ("before the facts", "after the facts", "during the hold", "after the last look", "after our refund")
UNSEEN = "after the last look"
"""The one moment that no look can see: between the last one and Stripe's own check."""


async def test_a_person_who_refunds_the_same_charge_is_never_doubled(desk: Desk, trials: int) -> None:
    both: list[str] = []
    for number in range(trials):
        both += await _trial(desk, random.Random(number))
    assert set(both) <= {UNSEEN, "after our refund"}
    drift = await reconcile(
        desk.database.tenant,
        desk.tenant,
        refunds_since=desk.adapter.refunds_since,
        since=desk.time.now() - timedelta(days=2),
        now=desk.time.now,
        new_id=desk.new_id,
    )
    assert drift.is_clean, drift


async def _trial(desk: Desk, chance: random.Random) -> list[str]:
    """One race; the moment of the person's refund where both refunds were made."""
    captured = chance.randrange(100, 10_000)
    ours = captured if chance.random() < 0.5 else chance.randrange(1, captured)
    moment = chance.choice(MOMENTS)
    charge = desk.charge(captured)

    def by_hand() -> None:
        left = captured - sum(desk.ledger(charge))
        if left:
            desk.stripe.add_refund(
                charge=charge, amount_minor=chance.randint(1, left), created=desk.time.now() + timedelta(seconds=1)
            )

    if moment == "before the facts":
        by_hand()
    facts = desk.facts(charge)
    if moment == "after the facts":
        by_hand()
    desk.time.advance(seconds=1)
    answer = await desk.reserve(desk.refund(charge, ours, charge=facts, hold_s=600))
    if isinstance(answer, Reserved):
        await _send(desk, answer.effect_id, moment, by_hand)
        await _judge(desk, charge, answer.effect_id)
    assert sum(desk.ledger(charge)) <= captured
    by_people = [one for one in desk.adapter.refunds_of(charge) if one.intent_id is None]
    made = [one for one in desk.adapter.refunds_of(charge) if one.intent_id is not None]
    assert len(made) <= 1
    return [moment] if made and by_people and moment != "before the facts" else []


async def _send(desk: Desk, effect_id: str, moment: str, by_hand: Callable[[], None]) -> None:
    desk.time.advance(minutes=5)
    if moment == "during the hold":
        by_hand()
    desk.time.advance(minutes=5)
    real = desk.performers[EffectKind.REFUND]

    def post(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        if moment == UNSEEN:
            by_hand()
        outcome = real.post(effect)
        if moment == "after our refund":
            by_hand()
        return outcome

    racing: Performer = replace(real, post=post)
    for _ in range(50):  # on a busy machine an answer may come too late, and is then asked for again
        state = await desk.send(effect_id, performers={**desk.performers, EffectKind.REFUND: racing})
        desk.time.advance(minutes=1)
        if state not in {EffectState.HELD, EffectState.SENDING, EffectState.UNKNOWN}:
            return


async def _judge(desk: Desk, charge: str, effect_id: str) -> None:
    effect = await desk.effect(effect_id)
    made = [one.amount.minor for one in desk.adapter.refunds_of(charge) if one.intent_id == effect_id]
    if effect.state == EffectState.SETTLED.value:
        assert made == [effect.amount_minor]
    else:
        assert effect.state in {EffectState.STOPPED.value, EffectState.RELEASED.value}
        assert made == []
    assert (await desk.charge_row(charge))[1] == 0


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--trials"))
