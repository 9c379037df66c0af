"""Taking a rung back by itself, where people's judgements say that a cell should not have it.

Looked at every few seconds, and only where there is evidence: what people judged blind, and what they stopped while it
was held. Where it is certain at 95 % that agreement lies below the floor, a version with the cell a rung lower decides
from then on. It tightens, so it needs nobody; runs that have begun keep their version, but what the cell holds without
a person's yes is stopped. The way back is a person's: `countersign policy rollback`, or a proposal once it is earned.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.autonomy.evidence import Downward
from app.autonomy.looking import ACTOR, Sessions, counted_from, event_of
from app.autonomy.models import AutonomyMove, Direction, MoveState
from app.autonomy.rules import AutonomyRules
from app.identity.accounts import Act
from graph.audit.log import append_all
from graph.lifecycle.change import Change, change_between
from graph.lifecycle.publishing import Act as PolicyAct
from graph.lifecycle.publishing import Done, bring_in, drafted, end_canary
from graph.rulebook import Deciding, deciding, load_policy
from graph.settlement.models import EffectState
from graph.settlement.stop import stop
from policies.document import Policy, Tier
from policies.rungs import ACTS_ALONE, Spot, rung_below, tier_at, with_tier
from policies.standalone import policy_source
from policies.vocabulary import ActionKind, Intent

log = logging.getLogger(__name__)

DEMOTED: Final = "demoted"
"""Code of a held effect that a demotion stopped."""

_WHERE: Final = """
     WHERE d.tenant_id = :tenant AND d.decided_at >= :since AND d.verdict = 'allow' AND d.mode = ANY(:modes)
       AND d.cycle = (SELECT max(cycle) FROM decision AS l WHERE l.tenant_id = d.tenant_id AND l.run_id = d.run_id)
"""
_CELL: Final = "d.intent, coalesce(d.facts ->> 'requester.segment', '') AS segment, d.action, d.decided_at"
_JUDGED: Final = text(
    f"""
    SELECT {_CELL}, review_check.answer = 'approve' AS agreed
      FROM review_check JOIN decision AS d USING (tenant_id, run_id)
    {_WHERE} AND review_check.kind = 'blind' AND review_check.answer IS NOT NULL
    """  # noqa: S608 - parts of our own
)
_STOPPED: Final = text(
    f"""
    SELECT {_CELL}
      FROM effect JOIN decision AS d ON d.tenant_id = effect.tenant_id AND d.run_id = effect.run_id
       AND d.target = encode(sha256(convert_to(effect.charge_id || '|' || effect.item_key, 'UTF8')), 'hex')
    {_WHERE} AND effect.kind = 'refund' AND effect.state = 'stopped' AND effect.reason = 'human_took_over'
    """  # noqa: S608
)
_DONE: Final = text(f"SELECT {_CELL} FROM decision AS d {_WHERE}")  # noqa: S608
_HELD: Final = text(
    """
    SELECT effect.effect_id FROM effect JOIN decision AS d ON d.tenant_id = effect.tenant_id
       AND d.run_id = effect.run_id AND d.cycle = effect.cycle
     WHERE effect.tenant_id = :tenant AND effect.state = 'held' AND effect.approval_id IS NULL
       AND effect.kind <> 'zendesk_update' AND effect.kind = d.action AND d.intent = :intent AND d.action = :action
       AND (:segment = '' OR d.facts ->> 'requester.segment' = :segment)
     ORDER BY effect.effect_id
    """
)


async def watch(sessions: Sessions, tenant_id: str, rules: AutonomyRules, act: Act) -> list[AutonomyMove]:
    """One look; the cells that were moved down. Safe for several processes at once: each move happens once."""
    if not rules.demotes:
        return []
    async with sessions() as session:
        decides = await deciding(session, tenant_id)
        if decides.published is None:
            return []
        policy = await load_policy(session, tenant_id, decides.published)
        breaches = await _breaches(session, tenant_id, policy, rules, act.now)
    if not breaches:
        return []
    day = act.now.date()
    downs = [(spot, rung_below(policy, spot, day)) for spot in breaches]
    candidate = with_tier(policy, downs)
    change = await asyncio.to_thread(change_between, policy, candidate)
    moves = [_move(tenant_id, policy, spot, tier, breaches[spot], decides, act) for spot, tier in downs]
    if not await _bring_down(sessions, tenant_id, decides, policy_source(candidate), change, moves, act):
        return []
    for spot, _ in downs:
        await _stop_held(sessions, tenant_id, spot, act)
    return moves


async def _breaches(
    session: AsyncSession, tenant_id: str, policy: Policy, rules: AutonomyRules, now: datetime
) -> dict[Spot, tuple[str, Downward]]:
    values = {"tenant": tenant_id, "since": now - rules.window, "modes": [mode.value for mode in ACTS_ALONE]}
    counted = await counted_from(session, tenant_id)
    judged: dict[Spot, list[bool]] = defaultdict(list)
    stopped: dict[Spot, int] = defaultdict(int)
    for row in await session.execute(_JUDGED, values):
        spot = _spot(policy, row.intent, row.segment, row.action)
        if spot is not None and _counts(counted.get(spot), row.decided_at):
            judged[spot].append(bool(row.agreed))
    for row in await session.execute(_STOPPED, values):
        spot = _spot(policy, row.intent, row.segment, row.action)
        if spot is not None and _counts(counted.get(spot), row.decided_at):
            stopped[spot] += 1
    done: dict[Spot, int] = defaultdict(int)
    if stopped:
        for row in await session.execute(_DONE, values):
            spot = _spot(policy, row.intent, row.segment, row.action)
            if spot is not None and _counts(counted.get(spot), row.decided_at):
                done[spot] += 1
    found = {}
    for spot in sorted({*judged, *stopped}):
        said = judged[spot]
        seen = Downward(max(done[spot], len(said)), len(said), sum(said), stopped[spot])
        why = seen.breach(rules.demote_below / 100)
        if why is not None and tier_at(policy, spot, now.date()).mode in ACTS_ALONE:
            found[spot] = (why, seen)
    return found


async def _bring_down(
    sessions: Sessions,
    tenant_id: str,
    decides: Deciding,
    source: str,
    change: Change,
    moves: list[AutonomyMove],
    act: Act,
) -> bool:
    """Let the lower version decide, with the rows and events of the moves, in one transaction. False: another did."""
    why = "; ".join(f"{move.intent} {move.segment} {move.action}: {move.reason}" for move in moves)
    policy_act = PolicyAct(ACTOR, act.now, why, act.new_id)
    async with sessions() as session:
        if decides.canary is not None:
            # Its own version has the cell where it was, and it was compared with what decides no more.
            await end_canary(session, tenant_id, policy_act)
        version = await drafted(session, tenant_id, source, policy_act)
        answer = await bring_in(session, tenant_id, version.policy_hash, decides.published, change, policy_act)
        if not isinstance(answer, Done) or not answer.changed:
            await session.rollback()
            log.error("cells of %s cannot be moved down: %s", tenant_id, answer)
            return False
        for move in moves:
            move.policy_hash = version.policy_hash
        events = [event_of(move, "autonomy.demoted", act) for move in moves]
        session.add_all(moves)
        await session.flush()
        await append_all(session, tenant_id, events)
    return True


def _move(
    tenant_id: str,
    policy: Policy,
    spot: Spot,
    tier: Tier,
    breach: tuple[str, Downward],
    decides: Deciding,
    act: Act,
) -> AutonomyMove:
    why, seen = breach
    assert decides.published is not None
    return AutonomyMove(
        tenant_id=tenant_id,
        move_id=act.new_id("mov"),
        state=MoveState.APPLIED.value,
        direction=Direction.DOWN.value,
        intent=spot.intent.value,
        segment=spot.segment,
        action=spot.action.value,
        from_tier=tier_at(policy, spot, act.now.date()).name,
        to_tier=tier.name,
        raises_money=False,
        evidence={
            "judged": seen.judged,
            "judged_agreed": seen.agreed,
            "done_alone": seen.done,
            "stopped": seen.stopped,
        },
        reason=why,
        base_hash=decides.published,
        made_at=act.now,
        made_by=act.actor,
        ended_at=act.now,
    )


async def _stop_held(sessions: Sessions, tenant_id: str, spot: Spot, act: Act) -> None:
    values = {"tenant": tenant_id, "intent": spot.intent.value, "segment": spot.segment, "action": spot.action.value}
    async with sessions() as session:
        held = list((await session.execute(_HELD, values)).scalars())
    for effect_id in held:
        async with sessions() as session:
            state = await stop(
                session,
                tenant_id,
                effect_id,
                reason=DEMOTED,
                detail="the agent may not do this alone any more",
                actor=ACTOR,
                now=act.now,
                new_id=act.new_id,
            )
        assert state is not EffectState.HELD


def _spot(policy: Policy, intent: str, segment: str, action: str) -> Spot | None:
    """The cell; None where the policy has segments and not this one."""
    if policy.segments and segment not in policy.segments:
        return None
    return Spot(Intent(intent), segment if policy.segments else "", ActionKind(action))


def _counts(since: datetime | None, at: datetime) -> bool:
    return since is None or at > since
