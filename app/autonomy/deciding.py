"""Saying yes or no to a proposed move. What is accepted becomes a policy version through the same door as any change.

Where a move lets money go without a person, two people say yes: the first one is the author of the draft, the second
one approves it, as for every change that loosens. Elsewhere the machine is the author, and one person's yes is the
second. The gates of publishing hold for both: what lacks one is accepted and waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.autonomy.looking import ACTOR, WAITING, Sessions, event_of
from app.autonomy.models import AutonomyMove, MoveState
from app.identity.accounts import Act
from graph.audit.log import append_all
from graph.lifecycle import publishing
from graph.lifecycle.desk import Desk, Wish
from graph.lifecycle.publishing import Act as PolicyAct
from graph.lifecycle.publishing import Done, Refused
from graph.rulebook import PolicyVersion, deciding, load_policy
from policies.document import Policy
from policies.rungs import ASKS, Spot, with_tier
from policies.standalone import policy_source
from policies.vocabulary import ActionKind, Intent


@dataclass(frozen=True, slots=True)
class Decided:
    """The move as it stands now. `lacking` says what publishing still asks for."""

    move: AutonomyMove
    said: str
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotDecided:
    """Nothing was changed; why, and what to do."""

    why: str


Answer = Decided | NotDecided


async def accept(sessions: Sessions, tenant_id: str, move_id: str, act: Act, why: str) -> Answer:
    """Say yes. Said again when enough people have, it tries once more to publish what waited for a gate."""
    async with sessions() as session:
        move = await session.get(AutonomyMove, (tenant_id, move_id))
        base = (await deciding(session, tenant_id)).published
        policy = await load_policy(session, tenant_id, move.base_hash) if move is not None else None
    refusal = _in_the_way(move, move_id, base)
    if refusal is not None or move is None or policy is None:
        return refusal or NotDecided(f"there is no proposal {move_id!r}")
    if move.state == MoveState.ACCEPTED.value:
        return await _publish(sessions, tenant_id, move, act, why)
    if act.actor in move.accepted_by:
        return NotDecided("you have said yes already: another person must, because money moves without a person then")
    if move.state == MoveState.OPEN.value:
        author = act if move.raises_money else replace(act, actor=ACTOR)
        state = MoveState.HALF if move.raises_money else MoveState.OPEN
        drafted = await _draft(sessions, tenant_id, move, policy_source(moved(policy, move)), author, act, state)
        if drafted is None:
            return NotDecided("somebody was faster; look at it again")
        if move.raises_money:
            said = "You are its author now. Another person must say yes, because money moves without a person then."
            return Decided(drafted, said)
        move = drafted
    return await _second(sessions, tenant_id, move, act, why)


async def decline(sessions: Sessions, tenant_id: str, move_id: str, act: Act, why: str) -> Answer:
    """Say no. It is proposed again only once there is half as much evidence again."""
    async with sessions() as session:
        move = await session.get(AutonomyMove, (tenant_id, move_id), with_for_update=True)
        if move is None or move.state not in WAITING:
            return NotDecided(_stands(move, move_id))
        move.state, move.ended_at, move.note = MoveState.DECLINED.value, act.now, why or None
        await session.flush()
        await append_all(session, tenant_id, [event_of(move, "autonomy.declined", act)])
    return Decided(move, "Declined. Nothing was changed.")


def moved(policy: Policy, move: AutonomyMove) -> Policy:
    """The policy with the move made."""
    spot = Spot(Intent(move.intent), move.segment, ActionKind(move.action))
    return with_tier(policy, [(spot, policy.tiers.get(move.to_tier, ASKS))])


async def _draft(
    sessions: Sessions, tenant_id: str, move: AutonomyMove, source: str, author: Act, act: Act, state: MoveState
) -> AutonomyMove | None:
    async with sessions() as session:
        row = await session.get_one(AutonomyMove, (tenant_id, move.move_id), with_for_update=True)
        if row.state != MoveState.OPEN.value:
            return None
        version = await publishing.drafted(session, tenant_id, source, _policy_act(author, row.reason))
        row.policy_hash, row.state = version.policy_hash, state.value
        if state is MoveState.HALF:
            row.accepted_by = [act.actor]
            await session.flush()
            await append_all(session, tenant_id, [event_of(row, "autonomy.accepted", act, accepted_by=row.accepted_by)])
        return row


async def _second(sessions: Sessions, tenant_id: str, move: AutonomyMove, act: Act, why: str) -> Answer:
    """The yes that is enough: the approval of the draft, and then its publication as far as gates allow."""
    assert move.policy_hash is not None
    async with sessions() as session:
        version = await session.get_one(PolicyVersion, (tenant_id, move.policy_hash))
    compared = await Desk(sessions, tenant_id).compared(version)
    async with sessions() as session:
        row = await session.get_one(AutonomyMove, (tenant_id, move.move_id), with_for_update=True)
        if row.state not in {MoveState.OPEN.value, MoveState.HALF.value} or act.actor in row.accepted_by:
            return NotDecided("somebody was faster; look at it again")
        answer = await publishing.approve(
            session, tenant_id, version, compared.base_hash, compared.change, _policy_act(act, why or row.reason)
        )
        if isinstance(answer, Refused):
            return NotDecided(answer.why)
        row.state, row.accepted_by = MoveState.ACCEPTED.value, [*row.accepted_by, act.actor]
        await session.flush()
        await append_all(session, tenant_id, [event_of(row, "autonomy.accepted", act, accepted_by=row.accepted_by)])
    return await _publish(sessions, tenant_id, row, act, why)


async def _publish(sessions: Sessions, tenant_id: str, move: AutonomyMove, act: Act, why: str) -> Answer:
    assert move.policy_hash is not None
    desk = Desk(sessions, tenant_id)
    async with sessions() as session:
        version = await session.get_one(PolicyVersion, (tenant_id, move.policy_hash))
    answer = await desk.publish(await desk.compared(version), Wish(), _policy_act(act, why or move.reason))
    if isinstance(answer, Refused):
        lacking = tuple(one.words for one in answer.lacking)
        said = "Accepted. It decides once nothing is missing." if lacking else f"Accepted, not published: {answer.why}"
        return Decided(move, said, lacking)
    assert isinstance(answer, Done)
    async with sessions() as session:
        row = await session.get_one(AutonomyMove, (tenant_id, move.move_id), with_for_update=True)
        if row.state == MoveState.ACCEPTED.value:
            await _applied(session, row, act)
    share = "every ticket" if answer.share is None else f"{answer.share} % of the tickets, as a canary"
    return Decided(row, f"It decides {share} from now on.")


async def _applied(session: AsyncSession, move: AutonomyMove, act: Act) -> None:
    move.state, move.ended_at = MoveState.APPLIED.value, act.now
    await session.flush()
    await append_all(session, move.tenant_id, [event_of(move, "autonomy.applied", act)])


def _in_the_way(move: AutonomyMove | None, move_id: str, base_hash: str | None) -> NotDecided | None:
    if move is None or move.state not in WAITING:
        return NotDecided(_stands(move, move_id))
    if move.base_hash != base_hash:
        return NotDecided("another version decides by now, so its evidence no longer holds: propose anew")
    return None


def _stands(move: AutonomyMove | None, move_id: str) -> str:
    if move is None:
        return f"there is no proposal {move_id!r}; `countersign autonomy show` lists them"
    return f"proposal {move_id} is {move.state} since {_when(move.ended_at)}; nothing was changed"


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M UTC}" if at is not None else "it was made"


def _policy_act(act: Act, why: str) -> PolicyAct:
    return PolicyAct(act.actor, act.now, why, act.new_id)
