"""Answering an item of the queue, whatever it is: a question counts once, a check changes nothing, a hold is stopped.

The acts themselves are those of the panel (app/review/acts.py). What is added here is the digest: an answer that names
the exact actions counts for these and for no others, and the same answer of the same person sent twice is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from app.identity.accounts import Act
from app.identity.sessions import Visitor
from app.review.acts import Acted, Desk, Missing, NotAllowed, Outcome, Said, TooLate, Unfit
from app.review.words import REASON_CODES
from app.waiting import checks, claims
from app.waiting.items import Item, ItemKind
from app.waiting.reading import Reader
from app.waiting.rules import QueueRules
from graph.decisions.models import ReviewCheck
from graph.runs.models import Run
from graph.settlement.approvals import action_digest
from graph.settlement.models import Approval, ApprovalState
from graph.settlement.questions import Answer

MustConfirm = Callable[[Visitor, Iterable[Mapping[str, object]]], bool]
"""Whether a yes to these actions needs the person's password again."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same person gave this answer before. Nothing was changed, and nothing has to be."""

    said: str


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers of people and programs to items of the queue."""

    desk: Desk
    must_confirm: MustConfirm

    async def answer(self, visitor: Visitor, item_id: str, said: Said, digest: str | None = None) -> Outcome | Repeated:
        """Answer a question or a check.

        `digest`, where it is given, is that of the actions which the answer is about; others are refused as stale.
        """
        async with self.desk.sessions(visitor.tenant_id) as session:
            check = await session.get(ReviewCheck, (visitor.tenant_id, item_id))
            approval = await session.get(Approval, (visitor.tenant_id, item_id))
            run = await session.get(Run, (visitor.tenant_id, approval.run_id)) if approval is not None else None
        if check is not None:
            return await self._check(visitor, check, said, digest)
        if approval is None or run is None:
            return Missing("item", item_id)
        if digest is not None and digest != approval.action_digest:
            return TooLate("The actions are not those that you looked at. Nothing was changed; look at them again.")
        before = _given_before(approval, visitor, said)
        if before is not None:
            return before
        if said.answer is Answer.APPROVE and self.must_confirm(visitor, run.actions):
            return NotAllowed("This is much money, and needs your password again: open the run and approve it there.")
        made = await self.desk.answer(visitor, item_id, said)
        if isinstance(made, Acted):
            await self._free(visitor, item_id)
        return made

    async def together(self, visitor: Visitor, digests: dict[str, str], rules: QueueRules) -> dict[str, Outcome]:
        """Approve several questions that are alike, each by its own digest, each in a transaction of its own.

        What is not alike, or stands otherwise by now, is refused for itself and hinders nothing else.
        """
        async with self.desk.sessions(visitor.tenant_id) as session:
            reader = Reader(session, self.desk.vault, visitor.tenant_id, rules, self.desk.now())
            queue = await reader.queue(with_names=False)
        items = {item.item_id: item for item in queue.items}
        likeness = {items[one].alike for one in digests if one in items and items[one].kind is ItemKind.QUESTION}
        outcomes: dict[str, Outcome] = {}
        for item_id, digest in digests.items():
            item = items.get(item_id)
            if item is None:
                outcomes[item_id] = TooLate("It does not wait any more.")
            elif item.alike is None or len(likeness) != 1:
                outcomes[item_id] = Unfit("Only questions that are alike and of low risk are answered together.")
            else:
                made = await self.answer(visitor, item_id, Said(Answer.APPROVE), digest)
                outcomes[item_id] = Acted(made.said) if isinstance(made, Repeated) else made
        return outcomes

    async def stop(self, visitor: Visitor, item: Item) -> Outcome:
        """Stop what an item holds back."""
        return await self.desk.stop(visitor, item.run.run_id)

    async def _check(self, visitor: Visitor, check: ReviewCheck, said: Said, digest: str | None) -> Outcome | Repeated:
        if said.answer is Answer.ASK:
            said = replace(said, answer=Answer.REJECT)
        if said.reason_code and said.reason_code not in REASON_CODES:
            return Unfit(f"{said.reason_code[:40]!r} is no reason; choose one of the list.")
        act = Act(visitor.actor, self.desk.now(), self.desk.new_id)
        async with self.desk.sessions(visitor.tenant_id) as session:
            check = await session.get_one(ReviewCheck, (visitor.tenant_id, check.check_id))
            run = await session.get_one(Run, (visitor.tenant_id, check.run_id))
            if digest is not None and digest != action_digest(visitor.tenant_id, run.actions):
                return TooLate("The actions are not those that you looked at. Nothing was changed; look at them again.")
            if check.answered_by == visitor.actor and check.answer == said.answer.value:
                return Repeated("You have said so already.")
            kept = await checks.answer(session, check, said.answer, said.reason_code or None, act)
        if kept is None:
            return TooLate("Somebody has answered this already, or its time is over. Nothing was changed.")
        await self._free(visitor, check.check_id)
        return Acted(kept.told)

    async def _free(self, visitor: Visitor, item_id: str) -> None:
        """An answered item is nobody's any more."""
        act = Act(visitor.actor, self.desk.now(), self.desk.new_id)
        async with self.desk.sessions(visitor.tenant_id) as session:
            await claims.release(session, visitor.tenant_id, item_id, None, act=act)


def _given_before(approval: Approval, visitor: Visitor, said: Said) -> Repeated | None:
    """Whether this person gave this very answer before, so that sending it again is no mistake."""
    state = approval.state
    approved = {ApprovalState.APPROVED.value, ApprovalState.USED.value, ApprovalState.PENDING.value}
    is_yes = said.answer is Answer.APPROVE and state in approved and visitor.actor in approval.approved_by
    ends = {Answer.REJECT: ApprovalState.REJECTED.value, Answer.ASK: ApprovalState.ASKED.value}
    is_no = state == ends.get(said.answer) and approval.decided_by == visitor.actor
    return Repeated("You have said so already.") if is_yes or is_no else None
