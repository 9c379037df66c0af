"""The money columns: the charge ledger, and what effects draw on limits.

Nothing here decides: the CHECK constraints of `models.py` refuse what would pass a cap, and the caller translates that.
INVARIANT: locks are taken in one order everywhere, charges before limits, each sorted, then effects, then the log's
head, so that two transactions never wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.settlement.models import Effect, Reservation
from graph.settlement.requests import ChargeFacts, EffectRequest
from policies.decision import Limit, LimitScope

WHOLE_TENANT: Final = "tenant"


@dataclass(frozen=True, slots=True, order=True)
class LimitKey:
    """A limit and whose it is, in the order in which they are locked."""

    limit_id: str
    scope_key: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A locked row of the ledger."""

    charge_id: str
    captured_minor: int
    refunded_minor: int
    reserved_minor: int
    refreshed_at: datetime


def draws_of(request: EffectRequest) -> dict[LimitKey, Limit]:
    """The limits that a refund draws on. A customer limit without a customer counts for nobody in particular."""
    if request.amount is None:
        return {}
    return {
        LimitKey(
            limit.limit_id,
            WHOLE_TENANT if limit.scope is LimitScope.TENANT else f"customer/{request.customer_id or ''}",
        ): limit
        for limit in request.limits
    }


async def lock_charge(session: AsyncSession, tenant_id: str, facts: ChargeFacts) -> Charge:
    """Lock the charge's row, made from the facts on first sight."""
    await await_first_sight(session, tenant_id, facts.charge_id)
    row = {
        "tenant_id": tenant_id,
        "charge_id": facts.charge_id,
        "customer_id": facts.customer_id,
        "currency": facts.currency,
        "captured": facts.captured_minor,
        "refunded": facts.refunded_minor,
        "read_at": facts.read_at,
    }
    made = await session.execute(
        text(
            """
            INSERT INTO charge_ledger (tenant_id, charge_id, customer_id, currency, captured_minor, refunded_minor,
                                       reserved_minor, refreshed_at)
            VALUES (:tenant_id, :charge_id, :customer_id, :currency, :captured, :refunded, 0, :read_at)
            ON CONFLICT (tenant_id, charge_id) DO NOTHING
            RETURNING charge_id
            """,
        ),
        row,
    )
    if made.one_or_none() is not None:
        # Refunds made by hand before we had to do with the charge did not say whose they were.
        await session.execute(
            text(
                """
                UPDATE foreign_refund SET customer_id = :customer_id
                WHERE tenant_id = :tenant_id AND charge_id = :charge_id AND customer_id IS NULL
                """,
            ),
            row,
        )
        # The facts may have been read before a refund by hand that we have heard of since.
        await _take_up(session, tenant_id, facts.charge_id)
    locked = await lock_known_charge(session, tenant_id, facts.charge_id)
    assert locked is not None
    return locked


async def await_first_sight(session: AsyncSession, tenant_id: str, charge_id: str) -> None:
    """Let a charge's first row and the news of a refund on it come one after the other, for the transaction.

    Neither could see the other's row before it is committed, and there is no row yet that both could lock.
    """
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"charge|{tenant_id}|{charge_id}"}
    )


async def lock_known_charge(session: AsyncSession, tenant_id: str, charge_id: str) -> Charge | None:
    """Lock the charge's row, or None where we never had to do with it."""
    found = await session.execute(
        text(
            """
            SELECT charge_id, captured_minor, refunded_minor, reserved_minor, refreshed_at FROM charge_ledger
            WHERE tenant_id = :tenant_id AND charge_id = :charge_id FOR UPDATE
            """,
        ),
        {"tenant_id": tenant_id, "charge_id": charge_id},
    )
    row = found.one_or_none()
    return None if row is None else Charge(*row)


async def write_charge(
    session: AsyncSession,
    tenant_id: str,
    charge_id: str,
    *,
    captured_minor: int,
    refunded_minor: int,
    refreshed_at: datetime,
) -> None:
    """Store what is known of a locked charge.

    What is reserved is never displaced: refunds that leave no room for it fill the charge, and nothing more fits.
    """
    await session.execute(
        text(
            """
            UPDATE charge_ledger
            SET captured_minor = :captured, refunded_minor = LEAST(:refunded, :captured - reserved_minor),
                refreshed_at = :refreshed_at
            WHERE tenant_id = :tenant_id AND charge_id = :charge_id
            """,
        ),
        {
            "tenant_id": tenant_id,
            "charge_id": charge_id,
            "captured": captured_minor,
            "refunded": refunded_minor,
            "refreshed_at": refreshed_at,
        },
    )


async def lock_limits(session: AsyncSession, tenant_id: str, keys: Iterable[LimitKey]) -> None:
    """Lock limits in their order, for the transaction; the trigger of `reservation` takes the same locks."""
    for key in sorted(keys):
        await session.execute(
            text("SELECT lock_limit(:tenant_id, :limit_id, :scope_key)"),
            {"tenant_id": tenant_id, "limit_id": key.limit_id, "scope_key": key.scope_key},
        )


async def lock_for(session: AsyncSession, effect: Effect) -> None:
    """Lock the charge of an effect, before the effect itself."""
    await lock_for_all(session, effect.tenant_id, (effect,))


async def lock_for_all(session: AsyncSession, tenant_id: str, effects: Sequence[Effect]) -> None:
    """Lock the charges of several effects, before the effects themselves.

    Not their limits: what an effect leaves or gives back there only makes room.
    """
    for charge_id in sorted({effect.charge_id for effect in effects if effect.charge_id is not None}):
        await lock_known_charge(session, tenant_id, charge_id)


async def draw_charge(session: AsyncSession, tenant_id: str, charge_id: str, amount_minor: int) -> None:
    """Set an amount aside on a charge; the constraint `never_above_captured` refuses too much."""
    await _move_charge(session, tenant_id, charge_id, amount_minor, refunded=0, reserved=1)


async def draw_limit(session: AsyncSession, effect: Effect, key: LimitKey, limit: Limit, now: datetime) -> None:
    """Set the effect's amount aside on a limit; the constraints of `reservation` refuse too much."""
    await session.execute(
        insert(Reservation).values(
            tenant_id=effect.tenant_id,
            effect_id=effect.effect_id,
            limit_id=key.limit_id,
            scope_key=key.scope_key,
            currency=effect.currency,
            amount_minor=effect.amount_minor,
            window_s=limit.window_s,
            cap_minor=limit.cap_minor,
            cap_count=limit.cap_count,
            used_minor=0,
            used_count=0,
            reserved_at=now,
        ),
    )


async def spend(session: AsyncSession, effect: Effect, now: datetime) -> None:
    """What was set aside has gone out. Its limits count it for the length of their windows from now on."""
    await _move(session, effect, refunded=1, reserved=-1)
    await session.execute(
        update(Reservation).where(*_drawn_by(effect)).values(spent_at=now).execution_options(synchronize_session=False)
    )
    await _mark(session, effect, now)


async def give_back(session: AsyncSession, effect: Effect) -> None:
    """What was set aside is free again; refunds made by hand that had found no room beside it take it up."""
    await _move(session, effect, refunded=0, reserved=-1)
    if effect.charge_id is not None:
        await _take_up(session, effect.tenant_id, effect.charge_id)
    await _draw_no_more(session, effect)


async def _take_up(session: AsyncSession, tenant_id: str, charge_id: str) -> None:
    await session.execute(
        text(
            """
            UPDATE charge_ledger
            SET refunded_minor = LEAST(GREATEST(refunded_minor, :known), captured_minor - reserved_minor)
            WHERE tenant_id = :tenant_id AND charge_id = :charge_id
            """,
        ),
        {"tenant_id": tenant_id, "charge_id": charge_id, "known": await known_minor(session, tenant_id, charge_id)},
    )


async def known_minor(session: AsyncSession, tenant_id: str, charge_id: str) -> int:
    """What we know to be refunded on a charge: our settled refunds and the imported ones that still hold money."""
    known = await session.execute(
        text(
            """
            SELECT (SELECT coalesce(sum(amount_minor), 0) FROM effect
                    WHERE tenant_id = :tenant_id AND charge_id = :charge_id AND kind = 'refund' AND state = 'settled')
                 + (SELECT coalesce(sum(amount_minor), 0) FROM foreign_refund
                    WHERE tenant_id = :tenant_id AND charge_id = :charge_id AND status NOT IN ('failed', 'canceled'))
            """,
        ),
        {"tenant_id": tenant_id, "charge_id": charge_id},
    )
    return int(known.scalar_one())


async def take_back(session: AsyncSession, effect: Effect, now: datetime) -> None:
    """What had gone out came back."""
    await _move(session, effect, refunded=-1, reserved=0)
    await _draw_no_more(session, effect)
    await _mark(session, effect, now)


def _drawn_by(effect: Effect) -> tuple[ColumnElement[bool], ...]:
    return (col(Reservation.tenant_id) == effect.tenant_id, col(Reservation.effect_id) == effect.effect_id)


async def _draw_no_more(session: AsyncSession, effect: Effect) -> None:
    await session.execute(
        delete(Reservation).where(*_drawn_by(effect)).execution_options(synchronize_session=False),
    )


async def _move(session: AsyncSession, effect: Effect, *, refunded: int, reserved: int) -> None:
    if effect.charge_id is not None and effect.amount_minor is not None:
        await _move_charge(
            session, effect.tenant_id, effect.charge_id, effect.amount_minor, refunded=refunded, reserved=reserved
        )


async def _move_charge(
    session: AsyncSession,
    tenant_id: str,
    charge_id: str,
    amount_minor: int,
    *,
    refunded: int,
    reserved: int,
) -> None:
    # A refund that failed may have been read at Stripe, as not refunded, before we heard of the failure: then there is
    # nothing left to take back, and the next reservation's facts put the row right.
    await session.execute(
        text(
            """
            UPDATE charge_ledger
            SET refunded_minor = GREATEST(refunded_minor + :refunded * CAST(:amount AS bigint), 0),
                reserved_minor = reserved_minor + :reserved * CAST(:amount AS bigint)
            WHERE tenant_id = :tenant_id AND charge_id = :charge_id
            """,
        ),
        {
            "tenant_id": tenant_id,
            "charge_id": charge_id,
            "amount": amount_minor,
            "refunded": refunded,
            "reserved": reserved,
        },
    )


async def _mark(session: AsyncSession, effect: Effect, now: datetime) -> None:
    """Facts that were read before this moment no longer tell the whole of the charge."""
    await session.execute(
        text(
            """
            UPDATE charge_ledger SET refreshed_at = GREATEST(refreshed_at, :now)
            WHERE tenant_id = :tenant_id AND charge_id = :charge_id
            """,
        ),
        {"tenant_id": effect.tenant_id, "charge_id": effect.charge_id, "now": now},
    )
