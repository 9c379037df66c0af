"""One seed: charges, workers with works drawn by chance, faults; then quiet, and the judge.

What a worker may be given: reserve a refund or a reply, send what is due, hear of a refund from Stripe, compare the
books. What happens around them: a person refunds by hand, time jumps, leases run out under a worker that still works, a
switch is turned.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from connectors.errors import ConnectorError
from connectors.sandbox.faults import Fault, FaultKind
from evals.simulation.judge import Finding, judged
from evals.simulation.schedule import Scheduler
from evals.simulation.stage import Stage
from graph.settlement.reconcile import Drift
from policies.decision import Limit, LimitScope

Work = Callable[[], Awaitable[object]]

FAULTS: Final = {
    FaultKind.RESET_BEFORE_EFFECT: 0.05,
    FaultKind.RESET_AFTER_EFFECT: 0.08,
    FaultKind.SERVER_ERROR: 0.04,
    FaultKind.TOO_MANY_REQUESTS: 0.04,
    FaultKind.UNAVAILABLE: 0.04,
    FaultKind.TRUNCATED_BODY: 0.05,
}
"""About three in ten requests; each kind is drawn by itself."""
KILL_RATE: Final = 0.03
DAY_LIMIT: Final = Limit("a_day", LimitScope.TENANT, 86_400, cap_minor=12_000)
ITEMS: Final = {"line_1": 2_490, "line_2": 4_000}
JUMPS_S: Final = (1.0, 5.0, 61.0, 600.0, 5 * 3600.0, 19 * 3600.0, 25 * 3600.0)
ROUNDS: Final = 60
ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Play:
    """What became of a seed. `trace` is the same wherever the history was."""

    seed: int
    trace: str
    steps: int
    kills: int
    faults: int
    refunds: int
    by_hand: int
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Company:
    """The works that can be drawn. `by_hand` counts refunds that a person made."""

    stage: Stage
    chance: random.Random
    charges: list[str]
    tickets: list[int]
    by_hand: int = 0
    kinds: dict[Callable[[], Work], int] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = {
            self.reserving: 5,
            self.replying: 2,
            self.sending: 9,
            self.hearing: 3,
            self.comparing: 1,
            self.refunding_by_hand: 1,
            self.passing: 4,
            self.leases_ending: 2,
            self.switching: 1,
        }

    def works(self, number: int) -> list[Work]:
        """So many works for one worker."""
        return [make() for make in self.chance.choices(list(self.kinds), list(self.kinds.values()), k=number)]

    def reserving(self) -> Work:
        """A run wants a refund. Two of them may want the same one."""
        charge, item = self.chance.choice(self.charges), self.chance.choice(sorted(ITEMS))
        hold_s = self.chance.choice((0, 0, 600))

        async def work() -> None:
            request = self.stage.refund(charge, ITEMS[item], item_key=item, limits=(DAY_LIMIT,), hold_s=hold_s)
            await self.stage.intends(request)

        return work

    def replying(self) -> Work:
        """A run wants to answer its ticket."""
        ticket_id = self.chance.choice(self.tickets)

        async def work() -> None:
            with suppress(ConnectorError):
                await self.stage.intends(self.stage.reply(ticket_id))

        return work

    def sending(self) -> Work:
        """A worker's look-out."""
        return self.stage.send_due

    def hearing(self) -> Work:
        """A webhook of Stripe about some refund: late, twice, in any order."""
        which = self.chance.random()

        async def work() -> None:
            known = self.stage.stripe.ledger()
            if known:
                with suppress(ConnectorError):
                    await self.stage.hear(str(known[int(which * len(known))]["id"]))

        return work

    def comparing(self) -> Work:
        """The reconciler."""

        async def work() -> None:
            with suppress(ConnectorError):
                await self.stage.compare()

        return work

    def refunding_by_hand(self) -> Work:
        """A person refunds in the dashboard, as far as Stripe lets them."""
        charge, amount_minor = self.chance.choice(self.charges), self.chance.choice((1_000, 2_490, 9_000))

        async def work() -> None:
            with suppress(ValueError):
                self.stage.stripe.add_refund(charge=charge, amount_minor=amount_minor, created=self.stage.time.now())
                self.by_hand += 1

        return work

    def passing(self) -> Work:
        """Time jumps."""
        seconds = self.chance.choice(JUMPS_S)

        async def work() -> None:
            self.stage.passes(seconds)

        return work

    def leases_ending(self) -> Work:
        """Leases run out, also those of workers that stand still."""
        return self.stage.leases_end

    def switching(self) -> Work:
        """A person turns the switch of refunds."""
        is_off = self.chance.choice((True, False))

        async def work() -> None:
            await self.stage.switch_refunds(is_off=is_off)

        return work


async def play(stage: Stage, seed: int, *, humans: bool = False) -> Play:
    """Play a seed to its end.

    Args:
        stage: is begun anew.
        seed: decides everything.
        humans: a person refunds one of the charges by hand in every seed, while the workers are at it.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    stage.begin(seed)
    company = Company(stage, chance, [stage.charge() for _ in range(chance.randrange(1, 3))], [stage.ticket("ana")])
    for kind, share in FAULTS.items():
        for place in ("stripe.*", "zendesk.tickets.*"):
            stage.faults.add(Fault(place, kind, times=1_000_000, probability=share))
    works = {f"w{number}": company.works(chance.randrange(5, 10)) for number in range(chance.randrange(2, 6))}
    if humans:
        works["person"] = [company.refunding_by_hand() for _ in range(3)]
    scheduler = Scheduler(chance, stage.monitor, KILL_RATE)
    await scheduler.run(works)
    struck = len(stage.faults.struck)
    findings = await quieted(stage, limit=DAY_LIMIT)
    return Play(
        seed=seed,
        trace=scheduler.trace,
        steps=scheduler.steps,
        kills=scheduler.kills,
        faults=struck,
        refunds=len(stage.stripe.ledger()) - company.by_hand,
        by_hand=company.by_hand,
        findings=findings,
    )


async def quieted(stage: Stage, *, limit: Limit | None = None) -> tuple[Finding, ...]:
    """No faults any more, and an hour for everything; then what the judge finds."""
    stage.faults.clear()
    await stage.switch_refunds(is_off=False)
    for _ in range(ROUNDS):
        await stage.leases_end()
        await stage.send_due()
        if not await _under_way(stage):
            break
        stage.passes(61)
    await _compared(stage)
    return await judged(stage, await _compared(stage), limit=limit)


async def _compared(stage: Stage) -> Drift:
    """The reconciler's word. A kept connection that a fault had closed costs an attempt."""
    for _ in range(ATTEMPTS):
        with suppress(ConnectorError):
            return await stage.compare()
    return await stage.compare()


async def _under_way(stage: Stage) -> bool:
    found = await stage.admin.execute(
        "SELECT 1 FROM effect WHERE tenant_id = %s AND state IN ('held', 'sending', 'unknown') LIMIT 1", [stage.tenant]
    )
    return await found.fetchone() is not None
