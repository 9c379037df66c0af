"""Everything about a run that a reviewer may look at, read in one transaction: the one query path of panel and queue.

It reads our own tables only, so a vendor that is away keeps nobody from deciding. What a new message has outdated is
left out until the run has made it again; what belonged to a person who was erased is left out for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import name_of
from app.review.shelf import Shelf, shelf_of
from app.run_story import Judged, evidence_of, judge
from graph.dossier import Dossier
from graph.drafting import Draft
from graph.models.triage import Triage
from graph.planning import Plan
from graph.preferences import Remembered, preferences_of
from graph.rulebook import load_policy
from graph.runs.models import Run
from graph.sections import Section, Sections
from graph.settlement.approvals import words_purpose
from graph.settlement.models import Approval, Effect, EffectKind
from graph.settlement.reserve import body_purpose
from graph.snapshot import Snapshot
from graph.undoing import Changed, changed_by
from graph.vault import SubjectErased, Vault
from graph.verdicts import Verdicts
from policies.document import Policy

EARLIER: Final = 10
"""How many earlier runs of the customer are shown."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """Another run of the same customer."""

    run_id: str
    ticket_id: str
    started_at: datetime
    intents: tuple[str, ...]
    outcome: str | None
    reason: str | None
    refunded: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """A step of the machine that the run has been through, and when."""

    node: str
    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """An update of the ticket by us: the effect, what it changed, and the effect that undoes it, where there is one."""

    effect: Effect
    changed: Changed
    undo: Effect | None


@dataclass(frozen=True, slots=True)
class Review:
    """One run as a reviewer needs it. Parts are None until the run has made them, or when their person was erased."""

    run: Run
    version: int
    snapshot: Snapshot | None
    triage: Triage | None
    dossier: Dossier | None
    sections: Sections | None
    plan: Plan | None
    verdicts: Verdicts | None
    draft: Draft | None
    policy: Policy | None
    judged: tuple[Judged, ...]
    quoted: Mapping[str, Section]
    effects: Sequence[Effect]
    updates: tuple[Update, ...]
    approval: Approval | None
    edited: str | None
    remarks: tuple[str, ...]
    comment: str | None
    decided_by: str | None
    steps: tuple[Passed, ...]
    earlier: tuple[Earlier, ...]
    preferences: tuple[Remembered, ...]
    is_erased: bool


async def newest_run(session: AsyncSession, tenant_id: str, ticket_id: str) -> str | None:
    """The id of the newest run of a ticket; None where the ticket was never worked on."""
    query = (
        select(col(Run.run_id))
        .where(col(Run.tenant_id) == tenant_id, col(Run.ticket_id) == ticket_id)
        .order_by(col(Run.started_at).desc(), col(Run.run_id))
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def read_review(
    session: AsyncSession, vault: Vault, tenant_id: str, run_id: str, *, now: datetime
) -> Review | None:
    """The run for its reviewers; None where there is no such run.

    Raises:
        VaultError: a sealed part was altered, or sealed under a key that this installation was not given.
    """
    run = await session.get(Run, (tenant_id, run_id))
    if run is None:
        return None
    shelf = await shelf_of(session, vault, run)
    version, steps, remarks = await _steps(session, tenant_id, run_id)
    snapshot = await shelf.newest("snapshot", Snapshot)
    triage, dossier = await shelf.current("triage", Triage), await shelf.current("dossier", Dossier)
    verdicts = await shelf.current("verdicts", Verdicts)
    sections = await shelf.current("sections", Sections)
    policy = (
        await load_policy(session, tenant_id, run.policy_hash) if verdicts is not None and run.policy_hash else None
    )
    effects = await _effects(session, tenant_id, run_id)
    approval = await _approval(session, tenant_id, run_id)
    edited, comment = await _words(shelf, approval)
    return Review(
        run=run,
        version=version,
        snapshot=snapshot,
        triage=triage,
        dossier=dossier,
        sections=sections,
        plan=await shelf.current("plan", Plan),
        verdicts=verdicts,
        draft=await shelf.current("draft", Draft),
        policy=policy,
        judged=_judged(snapshot, triage, dossier, verdicts, policy, steps),
        quoted=await _quoted(session, tenant_id, verdicts, sections),
        effects=effects,
        updates=await _updates(shelf, effects),
        approval=approval,
        edited=edited,
        remarks=remarks if edited is not None else (),
        comment=comment,
        decided_by=await name_of(session, tenant_id, approval.decided_by if approval is not None else None),
        steps=steps,
        earlier=await _earlier(session, run),
        preferences=await preferences_of(session, vault, tenant_id, run.subject_id, now=now) if run.subject_id else (),
        is_erased=shelf.is_erased,
    )


def _judged(
    snapshot: Snapshot | None,
    triage: Triage | None,
    dossier: Dossier | None,
    verdicts: Verdicts | None,
    policy: Policy | None,
    steps: Sequence[Passed],
) -> tuple[Judged, ...]:
    if verdicts is None:
        return ()
    if policy is None:
        return tuple(Judged(one, ()) for one in verdicts.decided)
    decided_at = [step.at for step in reversed(steps) if step.node == "decide"]
    evidence = evidence_of(snapshot, triage, dossier, verdicts, decided_at)
    return tuple(judge(one, evidence, policy) for one in verdicts.decided)


_STEPS: Final = text(
    """
    SELECT seq, kind, at, body FROM audit_event WHERE tenant_id = :tenant_id AND run_id = :run_id ORDER BY seq
    """
)


async def _steps(session: AsyncSession, tenant_id: str, run_id: str) -> tuple[int, tuple[Passed, ...], tuple[str, ...]]:
    """The number of the run's newest event, which is its version; the steps it went through; remarks on its edit."""
    found = (await session.execute(_STEPS, {"tenant_id": tenant_id, "run_id": run_id})).all()
    steps = tuple(Passed(row.body["node"], row.at, row.body) for row in found if row.kind == "node.completed")
    said = next((row.body.get("remarks", ()) for row in reversed(found) if row.kind == "approval.approved"), ())
    return (found[-1].seq if found else -1), steps, tuple(one["reason"] for one in said)


async def _effects(session: AsyncSession, tenant_id: str, run_id: str) -> Sequence[Effect]:
    query = (
        select(Effect)
        .where(col(Effect.tenant_id) == tenant_id, col(Effect.run_id) == run_id)
        .order_by(col(Effect.created_at), col(Effect.effect_id))
    )
    return (await session.execute(query)).scalars().all()


async def _approval(session: AsyncSession, tenant_id: str, run_id: str) -> Approval | None:
    query = (
        select(Approval)
        .where(col(Approval.tenant_id) == tenant_id, col(Approval.run_id) == run_id)
        .order_by(col(Approval.requested_at).desc(), col(Approval.approval_id))
        .limit(1)
    )
    return (await session.execute(query)).scalars().first()


async def _words(shelf: Shelf, approval: Approval | None) -> tuple[str | None, str | None]:
    """The reply as the reviewer rewrote it, and what they told their colleagues."""
    if approval is None or approval.subject_id is None:
        return None, None
    opened: list[str | None] = []
    for which, sealed in (("reply", approval.sealed_reply), ("comment", approval.sealed_comment)):
        if sealed is None:
            opened.append(None)
            continue
        purpose = words_purpose(approval.approval_id, which)
        opened.append(await _opened(shelf, approval.subject_id, purpose, sealed))
    return opened[0], opened[1]


async def _updates(shelf: Shelf, effects: Sequence[Effect]) -> tuple[Update, ...]:
    """What our updates of the ticket changed, in their order. An undo stands with what it undoes."""
    ours = [one for one in effects if one.kind == EffectKind.ZENDESK_UPDATE.value]
    undone = {(one.item_key or "").removeprefix("undo:"): one for one in ours}
    updates = []
    for effect in ours:
        if (effect.item_key or "").startswith("undo:") or effect.sealed_body is None or effect.subject_id is None:
            continue
        body = await _opened(shelf, effect.subject_id, body_purpose(effect.effect_id), effect.sealed_body)
        if body is not None:
            updates.append(Update(effect, changed_by(effect.before, body), undone.get(effect.effect_id)))
    return tuple(updates)


async def _opened(shelf: Shelf, subject_id: str, purpose: str, sealed: bytes) -> str | None:
    try:
        opened = await shelf.vault.open(
            shelf.session, tenant_id=shelf.run.tenant_id, subject_id=subject_id, purpose=purpose, sealed=sealed
        )
    except SubjectErased:
        shelf.is_erased = True
        return None
    return opened.decode()


_SECTION: Final = text(
    """
    SELECT DISTINCT ON (section_id) section_id, version, heading, text, url
      FROM kb_section WHERE tenant_id = :tenant_id AND section_id = ANY(:names)
     ORDER BY section_id, is_current DESC, version DESC
    """
)


async def _quoted(
    session: AsyncSession, tenant_id: str, verdicts: Verdicts | None, sections: Sections | None
) -> Mapping[str, Section]:
    """The sections that rules encode and drafts cite, by id: as the run found them, else as they stand now."""
    found = {one.section_id: one for one in (sections.found if sections is not None else ())}
    named = {match.section for one in (verdicts.decided if verdicts else ()) for match in one.decision.reasons}
    missing = sorted(name for name in named if name is not None and name not in found)
    if missing:
        for row in await session.execute(_SECTION, {"tenant_id": tenant_id, "names": missing}):
            found[row.section_id] = Section(row.section_id, row.version, row.heading, row.text, row.url, 0.0, 0.0)
    return found


_EARLIER: Final = text(
    """
    SELECT run.run_id, run.ticket_id, run.started_at, run.intents, run.outcome, run.reason,
           coalesce(
             (SELECT json_agg(json_build_array(effect.amount_minor, effect.currency) ORDER BY effect.effect_id)
                FROM effect WHERE effect.tenant_id = run.tenant_id AND effect.run_id = run.run_id
                 AND effect.kind = 'refund' AND effect.state = 'settled'), '[]') AS refunded
      FROM run
     WHERE run.tenant_id = :tenant_id AND run.subject_id = :subject_id AND run.run_id <> :run_id
     ORDER BY run.started_at DESC LIMIT :limit
    """
)


async def _earlier(session: AsyncSession, run: Run) -> tuple[Earlier, ...]:
    if run.subject_id is None:
        return ()
    values = {"tenant_id": run.tenant_id, "subject_id": run.subject_id, "run_id": run.run_id, "limit": EARLIER}
    return tuple(
        Earlier(
            row.run_id,
            row.ticket_id,
            row.started_at,
            tuple(row.intents),
            row.outcome,
            row.reason,
            tuple((minor, currency) for minor, currency in row.refunded),
        )
        for row in await session.execute(_EARLIER, values)
    )
