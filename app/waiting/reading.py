"""The queue from the tables: open questions, holds, effects that are stuck, and checks, with who has what.

One query for each kind, and names of customers opened for what is shown. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import names_of
from app.identity.models import actor_of
from app.waiting.claims import claims
from app.waiting.items import Holder, Item, ItemKind, Queue, likeness, ordered
from app.waiting.rules import QueueRules
from graph.decisions.models import CheckKind, RecordedDecision, ReviewCheck
from graph.runs.artifacts import load
from graph.runs.models import Artifact, Run
from graph.settlement.approvals import action_digest
from graph.settlement.models import Approval, ApprovalState, Effect, EffectState
from graph.snapshot import Snapshot
from graph.vault import SubjectErased, Vault

MOST: Final = 500
"""Items that the queue looks at. What is behind them waits longer, and is shown as these are answered."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading the queue needs."""

    session: AsyncSession
    vault: Vault
    tenant_id: str
    rules: QueueRules
    now: datetime

    async def queue(self, *, with_names: bool = True) -> Queue:
        """Everything that waits."""
        found = [*await self._questions(), *await self._effects(), *await self._checks()]
        found = [replace(one, assigned=self.rules.assigned(one.amounts, one.run.intents)) for one in found]
        found = await self._held(found)
        if with_names:
            found = await self._named(found)
        return ordered(found, self.now)

    async def item(self, item_id: str) -> Item | None:
        """One item that waits; None where it does not, or not any more."""
        found = next((one for one in (await self.queue(with_names=False)).items if one.item_id == item_id), None)
        return (await self._named([found]))[0] if found is not None else None

    async def _questions(self) -> list[Item]:
        query = (
            select(Approval, Run)
            .join(Run, (col(Run.tenant_id) == col(Approval.tenant_id)) & (col(Run.run_id) == col(Approval.run_id)))
            .where(
                col(Approval.tenant_id) == self.tenant_id,
                col(Approval.state) == ApprovalState.PENDING.value,
                col(Approval.expires_at) > self.now,
            )
            .order_by(col(Approval.requested_at), col(Approval.approval_id))
            .limit(MOST)
        )
        rows = (await self.session.execute(query)).all()
        risks = await self._risks([run.run_id for _, run in rows])
        return [self._question(approval, run, risks.get(run.run_id, 0)) for approval, run in rows]

    def _question(self, approval: Approval, run: Run, risk: int) -> Item:
        bound = self.rules.batch_risk_at_most
        return Item(
            item_id=approval.approval_id,
            kind=ItemKind.QUESTION,
            run=run,
            since=approval.requested_at,
            due=min(approval.requested_at + self.rules.answer_within, approval.expires_at),
            ends_at=approval.expires_at,
            why=_why(run),
            approvers=tuple(approval.approvers),
            required=approval.required,
            approved_by=tuple(approval.approved_by),
            digest=approval.action_digest,
            risk=risk,
            alike=likeness(run, approval.approvers, approval.required, risk, risk_at_most=bound),
        )

    async def _effects(self) -> list[Item]:
        """Of each run with money on hold or an effect that is stuck, one item."""
        query = (
            select(Effect, Run)
            .join(Run, (col(Run.tenant_id) == col(Effect.tenant_id)) & (col(Run.run_id) == col(Effect.run_id)))
            .where(
                col(Effect.tenant_id) == self.tenant_id,
                col(Effect.state).in_([EffectState.HELD.value, EffectState.HUMAN.value]),
            )
            .order_by(col(Effect.created_at), col(Effect.effect_id))
            .limit(MOST)
        )
        items: dict[str, Item] = {}
        for effect, run in await self.session.execute(query):
            is_stuck = effect.state == EffectState.HUMAN.value
            if not is_stuck and effect.due_at <= self.now:
                continue  # on its way out
            item = self._stuck(effect, run) if is_stuck else self._hold(effect, run)
            items.setdefault(item.item_id, item)
        return list(items.values())

    def _stuck(self, effect: Effect, run: Run) -> Item:
        since = effect.last_sent_at or effect.created_at
        why = effect.detail or "whether it happened cannot be found out by asking"
        return Item(effect.effect_id, ItemKind.STUCK, run, since, since + self.rules.answer_within, None, why)

    def _hold(self, effect: Effect, run: Run) -> Item:
        why = "on hold, can be stopped until it is sent"
        item_id = f"hold_{run.run_id}"
        return Item(item_id, ItemKind.HOLD, run, effect.created_at, effect.due_at, effect.due_at, why)

    async def _checks(self) -> list[Item]:
        query = (
            select(ReviewCheck, Run)
            .join(
                Run, (col(Run.tenant_id) == col(ReviewCheck.tenant_id)) & (col(Run.run_id) == col(ReviewCheck.run_id))
            )
            .where(
                col(ReviewCheck.tenant_id) == self.tenant_id,
                col(ReviewCheck.answer).is_(None),
                col(ReviewCheck.expires_at) > self.now,
            )
            .order_by(col(ReviewCheck.made_at), col(ReviewCheck.check_id))
            .limit(MOST)
        )
        rows = (await self.session.execute(query)).all()
        planted = [run.run_id for check, run in rows if check.kind == CheckKind.PLANTED.value]
        approvers = await self._asked_once(planted)
        return [self._check(check, run, approvers.get(run.run_id, ())) for check, run in rows]

    def _check(self, check: ReviewCheck, run: Run, approvers: tuple[str, ...]) -> Item:
        is_planted = check.kind == CheckKind.PLANTED.value
        # Whoever judges blind has until it expires; a planted one is due like the question it looks like.
        due = check.made_at + self.rules.answer_within if is_planted else check.expires_at
        return Item(
            item_id=check.check_id,
            kind=ItemKind.QUESTION if is_planted else ItemKind.BLIND,
            run=run,
            since=check.made_at,
            due=due,
            ends_at=check.expires_at,
            why="needs approval" if is_planted else "done without a person: would you have done the same?",
            approvers=approvers,
            digest=action_digest(self.tenant_id, run.actions),
        )

    async def _asked_once(self, run_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Who was asked about some runs."""
        query = select(col(Approval.run_id), col(Approval.approvers)).where(
            col(Approval.tenant_id) == self.tenant_id, col(Approval.run_id).in_(run_ids)
        )
        return {row.run_id: tuple(row.approvers) for row in await self.session.execute(query)} if run_ids else {}

    async def _risks(self, run_ids: Sequence[str]) -> Mapping[str, int]:
        """The highest risk score of each run's newest decisions."""
        query = (
            select(col(RecordedDecision.run_id), func.max(col(RecordedDecision.risk_score)).label("risk"))
            .where(col(RecordedDecision.tenant_id) == self.tenant_id, col(RecordedDecision.run_id).in_(run_ids))
            .group_by(col(RecordedDecision.run_id))
        )
        return {row.run_id: int(row.risk) for row in await self.session.execute(query)} if run_ids else {}

    async def _held(self, items: Iterable[Item]) -> list[Item]:
        held = await claims(self.session, self.tenant_id, now=self.now)
        names = await names_of(self.session, self.tenant_id, (actor_of(one.account_id) for one in held.values()))
        holders = {
            item_id: Holder(one.account_id, names.get(actor_of(one.account_id), one.account_id), one.ends_at)
            for item_id, one in held.items()
        }
        return [replace(item, holder=holders.get(item.item_id)) for item in items]

    async def _named(self, items: Sequence[Item]) -> list[Item]:
        """The items with the names of their customers, as far as those were not erased."""
        run_ids = {item.run.run_id for item in items}
        query = (
            select(col(Artifact.run_id), col(Artifact.artifact_id))
            .where(
                col(Artifact.tenant_id) == self.tenant_id,
                col(Artifact.run_id).in_(run_ids),
                col(Artifact.kind) == "snapshot",
            )
            .ext(distinct_on(col(Artifact.run_id)))
            .order_by(col(Artifact.run_id), col(Artifact.created_at).desc())
        )
        names: dict[str, str] = {}
        for row in (await self.session.execute(query)).all() if run_ids else ():
            try:
                snapshot = await load(self.session, self.vault, self.tenant_id, row.artifact_id, Snapshot)
            except SubjectErased:
                continue
            names[row.run_id] = snapshot.requester_name
        return [replace(item, customer=names.get(item.run.run_id, "")) for item in items]


def _why(run: Run) -> str:
    """Why a person is asked: what the deciding rule says, else the taxonomy's word."""
    said = next((str(action["why"]) for action in run.actions if action.get("why")), "")
    return said or (run.reason or "needs approval").replace("_", " ")
