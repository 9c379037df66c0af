"""The money columns: charge ledger, limit windows and the reservations that tie an effect to them.

Nothing here decides: the CHECK constraints of `models.py` refuse what would pass a cap, and the caller translates that.
INVARIANT: rows are locked in one order everywhere, charges before windows, each sorted, then effects, then the log's
head, so that two transactions never wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.settlement.models import Effect
from graph.settlement.requests import ChargeFacts, EffectRequest
from policies.decision import LimitScope

WHOLE_TENANT: Final = "tenant"
ANY_CURRENCY: Final = "*"
"""Currency of a window that counts refunds and no money, so that two currencies do not give two counts."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class WindowKey:
    """Primary key of a limit window, in the order in which windows are locked."""

    limit_id: str
    scope_key: str
    currency: str
    window_start: datetime

    def columns(self) -> dict[str, object]:
        """The key as parameters of a statement."""
        return {
            "limit_id": self.limit_id,
            "scope_key": self.scope_key,
            "currency": self.currency,
            "window_start": self.window_start,
        }


@dataclass(frozen=True, slots=True)
class Caps:
    """What a window may hold. None is no cap."""

    minor: int | None
    count: int | None


@dataclass(frozen=True, slots=True)
class Charge:
    """A locked row of the ledger."""

    charge_id: str
    captured_minor: int
    refunded_minor: int
    reserved_minor: int
    refreshed_at: datetime


def windows_of(request: EffectRequest, now: datetime) -> dict[WindowKey, Caps]:
    """The windows that a refund draws on. A customer limit without a customer counts for nobody in particular.

    A window begins at a multiple of its length since 1970, so every process finds the same one.
    """
    if request.amount is None:
        return {}
    windows: dict[WindowKey, Caps] = {}
    for limit in request.limits:
        length = timedelta(seconds=limit.window_s)
        scope_key = WHOLE_TENANT if limit.scope is LimitScope.TENANT else f"customer/{request.customer_id or ''}"
        currency = ANY_CURRENCY if limit.cap_minor is None else request.amount.currency
        start = _EPOCH + (now - _EPOCH) // length * length
        windows[WindowKey(limit.limit_id, scope_key, currency, start)] = Caps(limit.cap_minor, limit.cap_count)
    return windows


async def lock_charge(session: AsyncSession, tenant_id: str, facts: ChargeFacts) -> Charge:
    """Lock the charge's row, made from the facts on first sight."""
    row = {
        "tenant_id": tenant_id,
        "charge_id": facts.charge_id,
        "customer_id": facts.customer_id,
        "currency": facts.currency,
        "captured": facts.captured_minor,
        "refunded": facts.refunded_minor,
        "read_at": facts.read_at,
    }
    await session.execute(
        text(
            """
            INSERT INTO charge_ledger (tenant_id, charge_id, customer_id, currency, captured_minor, refunded_minor,
                                       reserved_minor, refreshed_at)
            VALUES (:tenant_id, :charge_id, :customer_id, :currency, :captured, :refunded, 0, :read_at)
            ON CONFLICT (tenant_id, charge_id) DO NOTHING
            """,
        ),
        row,
    )
    locked = await lock_known_charge(session, tenant_id, facts.charge_id)
    assert locked is not None
    return locked


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


async def lock_windows(session: AsyncSession, tenant_id: str, windows: dict[WindowKey, Caps | None]) -> None:
    """Lock windows in their order; with caps, make or update the row.

    A cap below what is already used becomes what is used, so that nothing more fits and the constraint holds.
    """
    for key in sorted(windows):
        caps = windows[key]
        if caps is None:
            await session.execute(_LOCK_WINDOW, {"tenant_id": tenant_id, **key.columns()})
        else:
            await session.execute(
                _UPSERT_WINDOW,
                {"tenant_id": tenant_id, **key.columns(), "cap_minor": caps.minor, "cap_count": caps.count},
            )


async def windows_drawn_on(session: AsyncSession, tenant_id: str, effect_ids: Sequence[str]) -> list[WindowKey]:
    """The windows that effects drew on."""
    found = await session.execute(
        text(
            """
            SELECT limit_id, scope_key, currency, window_start FROM reservation
            WHERE tenant_id = :tenant_id AND effect_id = ANY(:effect_ids)
            """,
        ),
        {"tenant_id": tenant_id, "effect_ids": list(effect_ids)},
    )
    return [WindowKey(*row) for row in found]


async def lock_for(session: AsyncSession, effect: Effect) -> None:
    """Lock the charge and the windows of an effect, before the effect itself."""
    await lock_for_all(session, effect.tenant_id, (effect,))


async def lock_for_all(session: AsyncSession, tenant_id: str, effects: Sequence[Effect]) -> None:
    """Lock the charges and the windows of several effects, before the effects themselves."""
    refunds = [effect for effect in effects if effect.charge_id is not None]
    for charge_id in sorted({effect.charge_id for effect in refunds if effect.charge_id is not None}):
        await lock_known_charge(session, tenant_id, charge_id)
    if refunds:
        drawn = await windows_drawn_on(session, tenant_id, [effect.effect_id for effect in refunds])
        await lock_windows(session, tenant_id, dict.fromkeys(drawn))


async def draw_charge(session: AsyncSession, tenant_id: str, charge_id: str, amount_minor: int) -> None:
    """Set an amount aside on a charge; the constraint `never_above_captured` refuses too much."""
    await _move_charge(session, tenant_id, charge_id, amount_minor, refunded=0, reserved=1)


async def draw_window(session: AsyncSession, tenant_id: str, key: WindowKey, amount_minor: int) -> None:
    """Set an amount and a count aside in a window; its constraints refuse too much."""
    await session.execute(
        text(
            """
            UPDATE limit_window SET reserved_minor = reserved_minor + :amount, used_count = used_count + 1
            WHERE tenant_id = :tenant_id AND limit_id = :limit_id AND scope_key = :scope_key
              AND currency = :currency AND window_start = :window_start
            """,
        ),
        {"tenant_id": tenant_id, "amount": amount_minor, **key.columns()},
    )


async def spend(session: AsyncSession, effect: Effect, now: datetime) -> None:
    """What was set aside has gone out."""
    await _move(session, effect, refunded=1, reserved=-1, count=0)
    await _mark(session, effect, now)


async def give_back(session: AsyncSession, effect: Effect) -> None:
    """What was set aside is free again."""
    await _move(session, effect, refunded=0, reserved=-1, count=-1)


async def take_back(session: AsyncSession, effect: Effect, now: datetime) -> None:
    """What had gone out came back."""
    await _move(session, effect, refunded=-1, reserved=0, count=-1)
    await _mark(session, effect, now)


async def _move(session: AsyncSession, effect: Effect, *, refunded: int, reserved: int, count: int) -> None:
    if effect.charge_id is None or effect.amount_minor is None:
        return
    await _move_charge(
        session, effect.tenant_id, effect.charge_id, effect.amount_minor, refunded=refunded, reserved=reserved
    )
    await session.execute(
        text(
            """
            UPDATE limit_window w
            SET spent_minor = w.spent_minor + :refunded * r.amount_minor,
                reserved_minor = w.reserved_minor + :reserved * r.amount_minor,
                used_count = w.used_count + :count
            FROM reservation r
            WHERE r.tenant_id = :tenant_id AND r.effect_id = :effect_id
              AND w.tenant_id = r.tenant_id AND w.limit_id = r.limit_id AND w.scope_key = r.scope_key
              AND w.currency = r.currency AND w.window_start = r.window_start
            """,
        ),
        {
            "tenant_id": effect.tenant_id,
            "effect_id": effect.effect_id,
            "refunded": refunded,
            "reserved": reserved,
            "count": count,
        },
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


_LOCK_WINDOW: Final = text(
    """
    SELECT 1 FROM limit_window
    WHERE tenant_id = :tenant_id AND limit_id = :limit_id AND scope_key = :scope_key
      AND currency = :currency AND window_start = :window_start FOR UPDATE
    """,
)

_UPSERT_WINDOW: Final = text(
    """
    INSERT INTO limit_window AS w (tenant_id, limit_id, scope_key, currency, window_start, cap_minor, cap_count,
                                   spent_minor, reserved_minor, used_count)
    VALUES (:tenant_id, :limit_id, :scope_key, :currency, :window_start, :cap_minor, :cap_count, 0, 0, 0)
    ON CONFLICT (tenant_id, limit_id, scope_key, currency, window_start) DO UPDATE SET
      cap_minor = CASE WHEN EXCLUDED.cap_minor IS NULL THEN NULL
                       ELSE GREATEST(EXCLUDED.cap_minor, w.spent_minor + w.reserved_minor) END,
      cap_count = CASE WHEN EXCLUDED.cap_count IS NULL THEN NULL
                       ELSE GREATEST(EXCLUDED.cap_count, w.used_count) END
    """,
)
