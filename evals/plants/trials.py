"""Small directed trials, each of which must fail where its safeguard is missing and hold where it is not.

Each begins a stage of its own, does a few things to it by the product's own functions, and says what does not hold.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

import httpx
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette

from app.errors import DatabaseError
from app.web import webhooks
from connectors.outcome import Refused, WriteOutcome
from connectors.sandbox.faults import Fault, FaultKind
from connectors.sandbox.zendesk.events import signature
from connectors.zendesk.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from evals.simulation.judge import Finding
from evals.simulation.play import quieted
from evals.simulation.schedule import Killed, Scheduler
from evals.simulation.stage import CAPTURED_MINOR, Stage
from graph.settlement import send
from graph.settlement.models import EffectKind
from graph.settlement.performers import Sendable, VendorAnswer
from graph.settlement.requests import Exhausted, Reserved
from policies.decision import Limit, LimitScope

Found = tuple[Finding, ...]
Trial = Callable[[Stage], Awaitable[Found]]

AMOUNT_MINOR: Final = 2_490
DAY_S: Final = 86_400.0
WORKERS: Final = 50
LOST: Final = FaultKind.RESET_AFTER_EFFECT
"""The request did what it asks for, and nobody heard."""


def _goes_wrong(stage: Stage, kind: FaultKind, at: str = "stripe.refunds.create", *, times: int = 1) -> None:
    stage.faults.add(Fault(at, kind, times=times))


def _says(kind: str, detail: str, *, when: bool) -> Found:
    return (Finding(kind, detail),) if when else ()


async def lost_answer(stage: Stage) -> Found:
    """The answer to a refund is lost; it is asked for again."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    _goes_wrong(stage, LOST)
    await stage.send_due()
    return await quieted(stage)


async def a_day_later(stage: Stage) -> Found:
    """The answer is lost, and nobody works until Stripe has forgotten the key."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    _goes_wrong(stage, LOST)
    await stage.send_due()
    stage.passes(DAY_S + 3_600)
    return await quieted(stage)


async def clock_set_back(stage: Stage) -> Found:
    """The sender dies after the request, Stripe forgets the key, and our clock is set back to before that."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    stage.passes(DAY_S)
    sender = stage.sender()
    real = sender.performers[EffectKind.REFUND]

    def dies(effect: Sendable) -> WriteOutcome[VendorAnswer]:
        real.post(effect)
        raise Killed

    (effect_id,) = await stage.effects()
    with suppress(Killed):
        performers = {**sender.performers, EffectKind.REFUND: replace(real, post=dies)}
        await send.send(replace(sender, performers=performers), stage.tenant, effect_id)
    stage.stripe.prune()
    stage.time.advance(-3_600)
    return await quieted(stage)


async def repeated_error(stage: Stage) -> Found:
    """Stripe answers 500, and repeats it for as long as it knows the key."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    _goes_wrong(stage, FaultKind.SERVER_ERROR)
    await stage.send_due()
    return await quieted(stage)


async def killed_while_sending(stage: Stage) -> Found:
    """A sender dies at each of its points, nobody works for a day, and another one goes on."""
    for nth in range(2, 40):  # the first step is the beginning
        stage.begin(nth)
        await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
        scheduler = Scheduler(random.Random(nth), stage.monitor, 0.0, kill_at=nth)  # noqa: S311 - repeatable
        await scheduler.run({"sender": [stage.send_due]})
        stage.passes(DAY_S + 3_600)
        found = await quieted(stage)
        if found or not scheduler.kills:
            return found
    return ()


async def two_answers_at_once(stage: Stage) -> Found:
    """Two workers intend the same answer at once, in different orders."""
    for seed in range(1, 13):
        stage.begin(seed)
        ticket = stage.ticket("ana")

        async def intend(ticket: int = ticket) -> None:
            await stage.intends(stage.reply(ticket))

        scheduler = Scheduler(random.Random(seed), stage.monitor, 0.0)  # noqa: S311 - repeatable
        await scheduler.run({"one": [intend], "other": [intend]})
        found = await quieted(stage)
        if found:
            return found
    return ()


async def lost_reply(stage: Stage) -> Found:
    """The answer to an update of the ticket is lost; it is looked for before it is written again."""
    await stage.intends(stage.reply(stage.ticket("ana")))
    _goes_wrong(stage, LOST, "zendesk.tickets.update")
    await stage.send_due()
    return await quieted(stage)


async def over_the_charge(stage: Stage) -> Found:
    """More is asked for than the charge has."""
    charge = stage.charge()
    await stage.intends(stage.refund(charge, CAPTURED_MINOR, item_key="line_1"))
    answer = await stage.intends(stage.refund(charge, 1, item_key="line_2"))
    return _says("over", f"more than captured is set aside: {answer}", when=not isinstance(answer, Exhausted))


async def over_the_day(stage: Stage) -> Found:
    """Fifty workers at once, each for another customer's charge, draw on a cap that has room for twelve."""
    limit = Limit("a_day", LimitScope.TENANT, 86_400, cap_minor=12 * AMOUNT_MINOR + 1)
    charges = [stage.charge() for _ in range(WORKERS)]
    await asyncio.gather(*(stage.intends(stage.refund(one, AMOUNT_MINOR, limits=(limit,))) for one in charges))
    return await quieted(stage, limit=limit)


async def every_cent(stage: Stage) -> Found:
    """Amounts that no binary fraction holds."""
    for amount_minor in (1_003, 1_615, 2_490):
        await stage.intends(stage.refund(stage.charge(), amount_minor))
    return await quieted(stage)


async def by_hand(stage: Stage) -> Found:
    """A person refunds in the dashboard, and no webhook comes."""
    charge = stage.charge()
    await stage.intends(stage.refund(charge, AMOUNT_MINOR))
    stage.stripe.add_refund(charge=charge, amount_minor=4_000, created=stage.time.now())
    return await quieted(stage)


async def frozen_worker(stage: Stage) -> Found:
    """A worker freezes before it hears a no; another one sends, without hearing; the first one wakes up."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    loop = asyncio.get_running_loop()
    sender = stage.sender()
    real = sender.performers[EffectKind.REFUND]

    def frozen(_effect: Sendable) -> WriteOutcome[VendorAnswer]:
        async def overtake() -> None:
            await stage.leases_end()
            _goes_wrong(stage, LOST)
            await stage.send_due()

        asyncio.run_coroutine_threadsafe(overtake(), loop).result()
        return Refused(status=400, code="charge_disputed", detail="an old no")

    (effect_id,) = await stage.effects()
    performers = {**sender.performers, EffectKind.REFUND: replace(real, post=frozen)}
    await send.send(replace(sender, performers=performers), stage.tenant, effect_id)
    return await quieted(stage)


async def before_its_time(stage: Stage) -> Found:
    """A held refund is looked at before its hold is over."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR, hold_s=600))
    (effect_id,) = await stage.effects()
    await send.send(stage.sender(), stage.tenant, effect_id)
    return _says("early", "a refund left during its hold", when=bool(stage.stripe.ledger()))


async def switched_off(stage: Stage) -> Found:
    """The switch is turned while a refund is held."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    await stage.switch_refunds(is_off=True)
    await stage.send_due()
    return _says("unstopped", "a refund left while the switch was off", when=bool(stage.stripe.ledger()))


async def approval_withdrawn(stage: Stage) -> Found:
    """A refund that needs an approval has none that holds."""
    await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR, approval_id="apr_none"))
    await stage.send_due()
    return _says("unapproved", "a refund left without its approval", when=bool(stage.stripe.ledger()))


async def unknown_intent(stage: Stage) -> Found:
    """A refund appears that claims an intent which we do not have."""
    refund_id = stage.stripe.add_refund(
        charge=stage.charge(), amount_minor=100, created=stage.time.now(), metadata={"intent_id": "eff_nobody"}
    )
    await stage.hear(refund_id)
    answer = await stage.intends(stage.refund(stage.charge(), AMOUNT_MINOR))
    return _says("unstopped", "refunds go on beside one that nobody intended", when=isinstance(answer, Reserved))


async def late_news(stage: Stage) -> Found:
    """A refund fails at its bank, and the older news of its success is heard after that."""
    charge = stage.charge()
    await stage.intends(stage.refund(charge, AMOUNT_MINOR))
    await stage.send_due()
    (refund,) = stage.stripe.ledger()
    stage.stripe.fail_refund(refund["id"])
    await stage.hear(refund["id"])
    await stage.hear(refund["id"])
    row = await stage.charge_row(charge)
    return _says("drift", f"refunded and reserved are {row} after the refund failed", when=row != (0, 0))


async def webhook_in_an_outage(stage: Stage) -> Found:
    """The database goes away before a webhook's event is committed: what is not stored must not be acknowledged."""
    secret = "zendesk-secret-of-a-trial"  # noqa: S105 - opens a door of this trial

    @asynccontextmanager
    async def failing(tenant_id: str) -> AsyncIterator[AsyncSession]:
        async with stage.database.tenant(tenant_id) as session:
            yield session
            raise DatabaseError("the power is gone; wait for it")

    secrets = {stage.tenant: webhooks.Secrets((secret,), ())}
    app = Starlette(routes=webhooks.routes(webhooks.Door(failing, secrets, stage.time.now, stage.new_id)))
    body, stamp = b'{"type": "a trial"}', stage.time.now().isoformat()
    headers = {SIGNATURE_HEADER: signature(secret, stamp, body), TIMESTAMP_HEADER: stamp}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
        answer = await client.post(f"/webhooks/zendesk/{stage.tenant}", content=body, headers=headers)
    return _says("lost", "a webhook that was not stored was acknowledged", when=answer.is_success)


TRIALS: Final[dict[str, Trial]] = {
    trial.__name__: trial
    for trial in (
        lost_answer,
        a_day_later,
        clock_set_back,
        repeated_error,
        killed_while_sending,
        two_answers_at_once,
        lost_reply,
        over_the_charge,
        over_the_day,
        every_cent,
        by_hand,
        frozen_worker,
        before_its_time,
        switched_off,
        approval_withdrawn,
        unknown_intent,
        late_news,
        webhook_in_an_outage,
    )
}
