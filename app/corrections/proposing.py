"""A proposal from a group of corrections: a draft of the policy, or an outline for an article, with its tickets.

A policy proposal asks people where the agent acts alone today; the tickets that it would affect are those of the
recorded history which the draft decides otherwise. It is stored as a draft that decides nothing. Where people are asked
already, no policy change helps, and what is proposed is what to write: of the group, one proposal with all its tickets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.autonomy.looking import Sessions
from app.corrections.groups import Group, grouped
from app.corrections.keeping import LOOK_BACK, NotMade
from app.corrections.models import CorrectionProposal, ProposalKind, ProposalState
from app.identity.accounts import Act
from app.review.words import REASON_CODES, intent
from graph.audit.log import append
from graph.decisions.past import read_past
from graph.lifecycle import publishing
from graph.rulebook import deciding, load_policy
from policies.document import Policy
from policies.rungs import ACTS_ALONE, Spot, rung_below, tier_at, with_tier
from policies.standalone import policy_source
from policies.vocabulary import ActionKind, Intent
from policies.whatif.deciding import decide_all
from policies.whatif.history import prepared

MOST_TICKETS: Final = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which group, and what shall be made of it."""

    kind: ProposalKind
    cause: str
    reason_code: str
    intent: str
    action: str
    rule: str


async def propose(sessions: Sessions, tenant_id: str, wanted: Wanted, act: Act) -> CorrectionProposal | NotMade:
    """Make a proposal; one that is open for the group already is given back."""
    async with sessions() as session:
        known = await _open(session, tenant_id, wanted)
        groups = await grouped(session, tenant_id, since=act.now - LOOK_BACK, most=None)
    group = next((one for one in groups if _is_of(one, wanted)), None)
    if known is not None:
        return known
    if group is None:
        return NotMade("there is no such group of corrections; `countersign corrections list` shows them")
    if wanted.kind is ProposalKind.ARTICLE:
        return await _keep(sessions, tenant_id, wanted, outline(group), list(group.tickets), None, act)
    return await _policy(sessions, tenant_id, wanted, group, act)


async def proposals(session: AsyncSession, tenant_id: str) -> Sequence[CorrectionProposal]:
    """Proposals, the open ones first, the newest first among them."""
    query = (
        select(CorrectionProposal)
        .where(col(CorrectionProposal.tenant_id) == tenant_id)
        .order_by(col(CorrectionProposal.state).desc(), col(CorrectionProposal.made_at).desc())
        .limit(200)
    )
    return (await session.execute(query)).scalars().all()


async def end(
    session: AsyncSession, tenant_id: str, proposal_id: str, state: ProposalState, act: Act
) -> CorrectionProposal | NotMade:
    """A person says that a proposal is done, or not wanted, in the session's transaction."""
    row = await session.get(CorrectionProposal, (tenant_id, proposal_id), with_for_update=True)
    if row is None or row.state != ProposalState.OPEN.value:
        return NotMade(f"proposal {proposal_id!r} is not open; nothing was changed")
    row.state, row.ended_at, row.ended_by = state.value, act.now, act.actor
    await session.flush()
    body = {"proposal_id": proposal_id, "state": state.value, "kind": row.kind}
    await append(
        session, tenant_id=tenant_id, at=act.now, kind="correction.ended", actor=act.actor, new_id=act.new_id, body=body
    )
    return row


def outline(group: Group) -> str:
    """What to write, for whoever keeps the articles and the replies. Pure."""
    count, reason = group.count, REASON_CODES.get(group.reason_code, "no reason given")
    where = f"section {group.section}" if group.section else "no section, so one is missing"
    return (
        f"{count} time{'' if count == 1 else 's'} people {group.cause.value} what the agent proposed for "
        f"{intent(group.intent).lower()} under rule {group.rule or 'none'}: {reason.lower()}.\n"
        f"- What the rule rests on: {where}.\n"
        "- Read the tickets, and write down what the customer should have been told.\n"
        "- Change the section, the reply's text or the macro; then keep one of the tickets as a scenario.\n"
    )


async def _policy(
    sessions: Sessions, tenant_id: str, wanted: Wanted, group: Group, act: Act
) -> CorrectionProposal | NotMade:
    async with sessions() as session:
        base = (await deciding(session, tenant_id)).published
        if base is None:
            return NotMade("no policy decides; `countersign policy publish FILE` publishes one")
        policy = await load_policy(session, tenant_id, base)
        past = await read_past(session, tenant_id, since=act.now - LOOK_BACK)
    candidate = asking(policy, group, act.now)
    if candidate is None:
        return NotMade("people are asked there already, so a policy helps nothing: propose an article instead")
    tickets = await asyncio.to_thread(affected, policy, candidate, past)
    told = (
        f"Asks people before {group.action} for {intent(group.intent).lower()}, which the agent does alone today. "
        f"It would have asked about {len(tickets)} of the recorded tickets of the last {LOOK_BACK.days} days."
    )
    return await _keep(sessions, tenant_id, wanted, told, tickets, policy_source(candidate), act)


def asking(policy: Policy, group: Group, now: datetime) -> Policy | None:
    """The policy with people asked where the group's action is done alone today; None where nowhere is. Pure."""
    if group.action not in list(ActionKind) or group.intent not in list(Intent):
        return None
    segments = policy.segments or ("",)
    spots = [Spot(Intent(group.intent), segment, ActionKind(group.action)) for segment in segments]
    alone = [spot for spot in spots if tier_at(policy, spot, now.date()).mode in ACTS_ALONE]
    return with_tier(policy, [(spot, rung_below(policy, spot, now.date())) for spot in alone]) if alone else None


def affected(policy: Policy, candidate: Policy, past: pl.DataFrame) -> list[str]:
    """The recorded tickets about which the candidate would ask people, the newest first. Pure."""
    if past.is_empty():
        return []
    history = prepared(past)
    before, after = (decide_all(one, history, is_brief=True).alone for one in (policy, candidate))
    flipped = past.filter(before & ~after).sort("at", descending=True)
    return list(dict.fromkeys(flipped.get_column("ticket").to_list()))[:MOST_TICKETS]


async def _keep(
    sessions: Sessions,
    tenant_id: str,
    wanted: Wanted,
    words: str,
    tickets: list[str],
    source: str | None,
    act: Act,
) -> CorrectionProposal:
    async with sessions() as session:
        known = await _open(session, tenant_id, wanted)
        if known is not None:
            return known
        policy_hash = None
        if source is not None:
            policy_act = publishing.Act(act.actor, act.now, "people corrected what it does alone", act.new_id)
            policy_hash = (await publishing.drafted(session, tenant_id, source, policy_act)).policy_hash
        row = CorrectionProposal(
            tenant_id=tenant_id,
            proposal_id=act.new_id("cor"),
            kind=wanted.kind.value,
            cause=wanted.cause,
            reason_code=wanted.reason_code,
            intent=wanted.intent,
            action=wanted.action,
            rule=wanted.rule,
            text=words,
            tickets=tickets,
            policy_hash=policy_hash,
            made_at=act.now,
            made_by=act.actor,
        )
        session.add(row)
        await session.flush()
        body = {
            "proposal_id": row.proposal_id,
            "kind": row.kind,
            "cause": row.cause,
            "reason_code": row.reason_code,
            "intent": row.intent,
            "action": row.action,
            "tickets": len(tickets),
            **({"policy_hash": policy_hash} if policy_hash is not None else {}),
        }
        await append(
            session,
            tenant_id=tenant_id,
            at=act.now,
            kind="correction.proposed",
            actor=act.actor,
            new_id=act.new_id,
            body=body,
        )
    return row


async def _open(session: AsyncSession, tenant_id: str, wanted: Wanted) -> CorrectionProposal | None:
    query = select(CorrectionProposal).where(
        col(CorrectionProposal.tenant_id) == tenant_id,
        col(CorrectionProposal.state) == ProposalState.OPEN.value,
        col(CorrectionProposal.kind) == wanted.kind.value,
        col(CorrectionProposal.cause) == wanted.cause,
        col(CorrectionProposal.reason_code) == wanted.reason_code,
        col(CorrectionProposal.intent) == wanted.intent,
        col(CorrectionProposal.action) == wanted.action,
        col(CorrectionProposal.rule) == wanted.rule,
    )
    return (await session.execute(query)).scalar_one_or_none()


def _is_of(group: Group, wanted: Wanted) -> bool:
    own = (group.cause.value, group.reason_code, group.intent, group.action, group.rule)
    return own == (wanted.cause, wanted.reason_code, wanted.intent, wanted.action, wanted.rule)
