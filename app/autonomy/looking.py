"""Looking at the evidence: cells as they stand, promotions proposed where they are earned, proposals that lapse.

A proposal changes nothing. It is a row and an event, and waits for people (app/autonomy/deciding.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.autonomy.evidence import Cell, cells_of
from app.autonomy.models import AutonomyCell, AutonomyMove, Direction, MoveState
from app.autonomy.rules import AutonomyRules
from app.identity.accounts import Act
from graph.audit.log import NewEvent, append_all
from graph.decisions.past import read_past
from graph.lifecycle.promotion import cells_of as cells_in
from graph.lifecycle.promotion import newest_promotion
from graph.rulebook import deciding, load_policy
from policies.rungs import Spot, raises_money
from policies.vocabulary import ActionKind, Intent, Mode

Sessions = Callable[[], AbstractAsyncContextManager[AsyncSession]]
WAITING: Final = (MoveState.OPEN.value, MoveState.HALF.value, MoveState.ACCEPTED.value)
ACTOR: Final = "autonomy"
"""Who proposes and takes back by itself, as the log names it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found: the cells, the proposals it made, and those that lapsed."""

    base_hash: str | None
    cells: tuple[Cell, ...]
    proposed: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()


async def look(sessions: Sessions, tenant_id: str, rules: AutonomyRules, act: Act, *, proposes: bool) -> Seen:
    """Work the evidence out anew, keep it for the page and, where wished, propose what is earned."""
    async with sessions() as session:
        base_hash = (await deciding(session, tenant_id)).published
        if base_hash is None:
            return Seen(None, ())
        policy = await load_policy(session, tenant_id, base_hash)
        past = await read_past(session, tenant_id, since=act.now - rules.window)
        counted, earned = await counted_from(session, tenant_id), await _earned(session, tenant_id)
    cells = await asyncio.to_thread(cells_of, policy, past, now=act.now, counted_from=counted, earned=earned)
    async with sessions() as session:
        await _keep(session, tenant_id, cells, rules, act)
        events: list[NewEvent] = []
        lapsed = await _lapse(session, tenant_id, base_hash, events, act)
        proposed = await _propose(session, tenant_id, base_hash, cells, rules, events, act) if proposes else []
        await append_all(session, tenant_id, events)
    return Seen(base_hash, tuple(cells), tuple(proposed), tuple(lapsed))


async def counted_from(session: AsyncSession, tenant_id: str) -> Mapping[Spot, datetime]:
    """When each cell moved last: what was said before does not count again."""
    query = (
        select(
            col(AutonomyMove.intent),
            col(AutonomyMove.segment),
            col(AutonomyMove.action),
            func.max(col(AutonomyMove.ended_at)).label("at"),
        )
        .where(col(AutonomyMove.tenant_id) == tenant_id, col(AutonomyMove.state) == MoveState.APPLIED.value)
        .group_by(col(AutonomyMove.intent), col(AutonomyMove.segment), col(AutonomyMove.action))
    )
    return {
        Spot(Intent(row.intent), row.segment, ActionKind(row.action)): row.at.astimezone(UTC)
        for row in await session.execute(query)
        if row.at is not None
    }


async def cells_kept(session: AsyncSession, tenant_id: str) -> Sequence[AutonomyCell]:
    """The cells as they were looked at last, by name."""
    query = (
        select(AutonomyCell)
        .where(col(AutonomyCell.tenant_id) == tenant_id)
        .order_by(col(AutonomyCell.intent), col(AutonomyCell.segment), col(AutonomyCell.action))
    )
    return (await session.execute(query)).scalars().all()


async def moves(session: AsyncSession, tenant_id: str, *, most: int = 100) -> Sequence[AutonomyMove]:
    """Moves, the newest first."""
    query = (
        select(AutonomyMove)
        .where(col(AutonomyMove.tenant_id) == tenant_id)
        .order_by(col(AutonomyMove.made_at).desc(), col(AutonomyMove.move_id))
        .limit(most)
    )
    return (await session.execute(query)).scalars().all()


def event_of(move: AutonomyMove, kind: str, act: Act, **more: object) -> NewEvent:
    """An event about a move."""
    body = {
        "move_id": move.move_id,
        "direction": move.direction,
        "intent": move.intent,
        "segment": move.segment,
        "action": move.action,
        "from_tier": move.from_tier,
        "to_tier": move.to_tier,
        "raises_money": move.raises_money,
        "policy_hash": move.policy_hash,
        "reason": move.reason,
        "evidence": dict(move.evidence),
        "note": move.note,
        **more,
    }
    told = {name: value for name, value in body.items() if value is not None}
    return NewEvent(act.new_id("evt"), act.now, kind, act.actor, body=told)


async def _earned(session: AsyncSession, tenant_id: str) -> Mapping[tuple[str, str], Mode]:
    """What the newest record of the suites carries, by intent and segment; an empty segment is all of them."""
    evidence = await newest_promotion(session, tenant_id)
    return {(one.intent, one.segment or ""): one.mode for one in cells_in(evidence)} if evidence is not None else {}


async def _keep(session: AsyncSession, tenant_id: str, cells: Sequence[Cell], rules: AutonomyRules, act: Act) -> None:
    await session.execute(delete(AutonomyCell).where(col(AutonomyCell.tenant_id) == tenant_id))
    rows = [
        {
            "tenant_id": tenant_id,
            "intent": cell.spot.intent.value,
            "segment": cell.spot.segment,
            "action": cell.spot.action.value,
            "tier": cell.tier.name,
            "mode": cell.tier.mode.value,
            "figures": cell.figures(rules),
            "looked_at": act.now,
        }
        for cell in cells
    ]
    if rows:
        # Of two looks at once the first one's rows stay; the next look writes them anew.
        await session.execute(insert(AutonomyCell).on_conflict_do_nothing(), rows)


async def _lapse(session: AsyncSession, tenant_id: str, base_hash: str, events: list[NewEvent], act: Act) -> list[str]:
    """Proposals that were measured against a version that decides no more; those whose own version does, hold."""
    query = (
        select(AutonomyMove)
        .where(col(AutonomyMove.tenant_id) == tenant_id, col(AutonomyMove.state).in_(WAITING))
        .order_by(col(AutonomyMove.move_id))
        .with_for_update()
    )
    decides = await deciding(session, tenant_id)
    lapsed = []
    for move in (await session.execute(query)).scalars():
        if move.policy_hash is not None and move.policy_hash in {decides.published, decides.canary}:
            move.state, move.ended_at = MoveState.APPLIED.value, act.now
            events.append(event_of(move, "autonomy.applied", act))
        elif move.base_hash != base_hash:
            move.state, move.ended_at = MoveState.STALE.value, act.now
            move.note = "another version decides by now"
            events.append(event_of(move, "autonomy.lapsed", act))
            lapsed.append(move.move_id)
    await session.flush()
    return lapsed


async def _propose(
    session: AsyncSession,
    tenant_id: str,
    base_hash: str,
    cells: Sequence[Cell],
    rules: AutonomyRules,
    events: list[NewEvent],
    act: Act,
) -> list[str]:
    """Propose what is earned and not proposed yet, nor declined on evidence that was no weaker."""
    known = {(one.intent, one.segment, one.action): one for one in reversed(await moves(session, tenant_id))}
    made = []
    for cell in cells:
        spot, above = cell.spot, cell.above
        before = known.get((spot.intent.value, spot.segment, spot.action.value))
        if above is None or cell.lacks(rules) is not None or _is_known(before, cell):
            continue
        reason = (
            f"people agreed with {cell.up.agreed} of {cell.up.asked} decisions that tier {above.name!r} would take "
            f"alone, so at least {cell.up.at_least:.1%} at 95 % confidence; the gate is {rules.promote_at_least} %"
        )
        move = AutonomyMove(
            tenant_id=tenant_id,
            move_id=act.new_id("mov"),
            direction=Direction.UP.value,
            intent=spot.intent.value,
            segment=spot.segment,
            action=spot.action.value,
            from_tier=cell.tier.name,
            to_tier=above.name,
            raises_money=raises_money(spot, cell.tier, above),
            evidence=cell.figures(rules),
            reason=reason,
            base_hash=base_hash,
            made_at=act.now,
            made_by=act.actor,
        )
        session.add(move)
        events.append(event_of(move, "autonomy.proposed", act))
        made.append(move.move_id)
    await session.flush()
    return made


def _is_known(before: AutonomyMove | None, cell: Cell) -> bool:
    """Whether it waits, or somebody declined it and half as much evidence again has not come since."""
    if before is None:
        return False
    if before.state in WAITING:
        return True
    asked = before.evidence.get("asked")
    return before.state == MoveState.DECLINED.value and isinstance(asked, int) and cell.up.asked * 2 < asked * 3
