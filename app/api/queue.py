"""The review queue for programs: what waits, who has it, and answering it.

A decision is a PUT: the same answer by the same caller sent twice is one, and a digest that is not that of the actions
as they stand is refused, so that nobody approves what they have not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Id, Word, Words, call, conflict, missing
from app.api.runs import READERS
from app.identity import accounts
from app.identity.accounts import Act
from app.identity.models import Account, AccountState
from app.identity.roles import ANSWERERS, LEADS, Role
from app.identity.service_tokens import Scope
from app.identity.sessions import Visitor
from app.review.acts import Acted, Missing, NotAllowed, Outcome, Said, TooLate, Unfit
from app.waiting import checks
from app.waiting.answering import Answering, Repeated
from app.waiting.claims import Claimed, TakenBy, claim, release
from app.waiting.items import Item, ItemKind, Queue, Wish, batches
from app.waiting.reading import Reader
from app.waiting.remarks import edits
from app.waiting.rules import QueueRules
from app.web.access import Guard, Refused, signed_in
from graph.settlement.questions import Answer
from graph.vault import Vault

EVIDENCE_DAYS: Final = 90

Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Code = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z_]*$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ItemId = Annotated[str, StringConstraints(max_length=80, pattern=r"^[A-Za-z0-9_.:-]+$")]


class MoneyForm(BaseModel):
    """An amount in whole minor units."""

    minor: int
    currency: str


class HolderForm(BaseModel):
    """Who has an item."""

    account_id: str
    name: str
    until: datetime


class ItemForm(BaseModel):
    """Something that waits. `digest` is that of the exact actions, to be sent back with an answer."""

    item_id: str
    kind: ItemKind
    run_id: str
    ticket_id: str
    customer: str
    intents: list[str]
    actions: list[dict[str, Any]]
    amounts: list[MoneyForm]
    why: str
    since: datetime
    due: datetime
    ends_at: datetime | None
    approvers: list[str]
    required: int
    approved_by: list[str]
    may_answer: bool
    digest: str
    risk: int
    alike: str | None = Field(description="items with the same value may be approved together")
    holder: HolderForm | None
    assigned: str | None = Field(description="the role or the address whose work it is; null is anybody who may")


class QueueForm(BaseModel):
    """The queue, what is due first coming first; `counts` are of all that waits, whatever was asked for."""

    items: list[ItemForm]
    counts: dict[str, int]
    overdue: int
    batches: int


class ClaimForm(BaseModel):
    """For whom; nobody named is the caller. Only a lead names somebody else."""

    account_id: ItemId | None = None


class DecisionForm(BaseModel):
    """An answer."""

    decision: Answer
    action_digest: Digest | None = Field(default=None, description="of the actions that the answer is about")
    reply: Text | None = Field(default=None, description="the reply as edited, or what the customer is asked")
    reason_code: Code | None = None
    comment: Text | None = Field(default=None, description="for colleagues")


class DecidedForm(BaseModel):
    """What came of it. `repeated` says that the same answer was given before, so nothing was changed."""

    item_id: str
    said: str
    repeated: bool = False


class BatchItem(BaseModel):
    """One question of a batch, with the digest of exactly its actions."""

    item_id: ItemId
    action_digest: Digest


class BatchForm(BaseModel):
    """Questions that are approved together, each for itself."""

    items: list[BatchItem] = Field(min_length=1, max_length=50)


class BatchAnswer(BaseModel):
    """What came of one of them."""

    item_id: str
    outcome: Literal["approved", "not_allowed", "too_late", "unfit", "missing"]
    said: str


class BatchDone(BaseModel):
    """What came of each."""

    items: list[BatchAnswer]


class CellForm(BaseModel):
    """Blind judgements of one cell of the matrix."""

    intent: str | None
    action: str | None
    tier: str | None
    judged: int
    agreed: int


class AttentionForm(BaseModel):
    """Planted checks of one person."""

    actor: str
    asked: int
    caught: int


class RemarkForm(BaseModel):
    """On how many edited replies a check remarked that only the agent must pass."""

    check: str
    replies: int


class EditsForm(BaseModel):
    """Replies that were approved after an edit."""

    replies: int
    remarked: list[RemarkForm]


class EvidenceForm(BaseModel):
    """What the checks of the last 90 days say, and what people wrote that the agent would not have been let write."""

    cells: list[CellForm]
    attention: list[AttentionForm]
    edits: EditsForm


@dataclass(frozen=True, slots=True)
class Queues:
    """The handlers, which the pages use, too."""

    guard: Guard
    vault: Vault
    rules: Mapping[str, QueueRules]
    answering: Answering

    async def list_queue(  # noqa: PLR0913 - each is a filter
        self,
        request: Request,
        *,
        kind: ItemKind | None = None,
        view: Literal["all", "mine", "taken", "free"] = "all",
        intent: Word = None,
        role: Word = None,
        currency: Word = None,
        least_minor: Annotated[int | None, Query(ge=0, le=10**15)] = None,
        most_minor: Annotated[int | None, Query(ge=0, le=10**15)] = None,
        q: Words = None,
    ) -> QueueForm:
        """List what waits for people, what is due first coming first."""
        visitor = signed_in(request)
        wish = Wish(kind, view, intent or "", role or "", currency or "", least_minor, most_minor, q or "")
        queue, wanted = await self.wanted(visitor, wish)
        return QueueForm(
            items=[item_form(item, visitor) for item in wanted],
            counts={kind.value: count for kind, count in queue.counts.items()},
            overdue=queue.overdue,
            batches=len(batches(wanted)),
        )

    async def get_item(self, item_id: Id, request: Request) -> ItemForm:
        """One thing that waits."""
        visitor = signed_in(request)
        async with self.guard.sessions(visitor.tenant_id) as session:
            item = await self.reader(session, visitor.tenant_id).item(item_id)
        if item is None:
            raise missing("item in the queue", item_id)
        return item_form(item, visitor)

    async def claim_item(self, item_id: Id, wanted: ClaimForm, request: Request) -> HolderForm:
        """Take an item, keep it for longer, or give it to somebody. Sent twice it is done once."""
        visitor = signed_in(request)
        tenant_id, account_id = visitor.tenant_id, wanted.account_id or visitor.account_id
        if account_id != visitor.account_id and not visitor.roles & LEADS:
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", "Only a lead gives an item to somebody else.")
        async with self.guard.sessions(tenant_id) as session:
            if await self.reader(session, tenant_id).item(item_id) is None:
                raise missing("item in the queue", item_id)
            account = await session.get(Account, (tenant_id, account_id))
            if account is None or account.state != AccountState.ACTIVE.value:
                raise missing("account", account_id)
            act, span = self._act(visitor), self.rules[tenant_id].claimed_for
            if account_id != visitor.account_id:
                await release(session, tenant_id, item_id, None, act=act)
            made = await claim(session, tenant_id, item_id, account_id, span=span, act=act)
            name = await accounts.name_of(session, tenant_id, f"account:{made.account_id}")
        match made:
            case Claimed(account_id=holder, until=until):
                return HolderForm(account_id=holder, name=name, until=until)
            case TakenBy(until=until):
                raise conflict(f"{name} has it until {until:%H:%M} UTC. A lead may give it to you.")

    async def release_item(self, item_id: Id, request: Request) -> DecidedForm:
        """Let an item be free again. A lead may take it from whoever has it."""
        visitor = signed_in(request)
        whose = None if visitor.roles & LEADS else visitor.account_id
        async with self.guard.sessions(visitor.tenant_id) as session:
            gone = await release(session, visitor.tenant_id, item_id, whose, act=self._act(visitor))
        return DecidedForm(item_id=item_id, said="It is free." if gone else "You did not have it.", repeated=not gone)

    async def decide_item(self, item_id: Id, wanted: DecisionForm, request: Request) -> DecidedForm:
        """Approve, reject, or have the customer asked. The same answer sent twice is one."""
        said = Said(wanted.decision, wanted.reply, wanted.reason_code, wanted.comment)
        made = await self.answering.answer(signed_in(request), item_id, said, wanted.action_digest)
        if isinstance(made, Repeated):
            return DecidedForm(item_id=item_id, said=made.said, repeated=True)
        return DecidedForm(item_id=item_id, said=or_refused(made))

    async def approve_batch(self, wanted: BatchForm, request: Request) -> BatchDone:
        """Approve questions that are alike and of low risk, each by its own digest, each for itself."""
        visitor = signed_in(request)
        digests = {one.item_id: one.action_digest for one in wanted.items}
        outcomes = await self.answering.together(visitor, digests, self.rules[visitor.tenant_id])
        return BatchDone(items=[_batch_answer(item_id, made) for item_id, made in outcomes.items()])

    async def get_evidence(self, request: Request) -> EvidenceForm:
        """What people said to runs that were done without them, and how often planted checks were noticed."""
        tenant_id, since = signed_in(request).tenant_id, self.guard.now() - timedelta(days=EVIDENCE_DAYS)
        async with self.guard.sessions(tenant_id) as session:
            cells = await checks.agreement(session, tenant_id, since=since)
            attention = await checks.attention(session, tenant_id, since=since)
            edited = await edits(session, tenant_id, since=since)
        return EvidenceForm(
            cells=[CellForm(**{name: getattr(one, name) for name in CellForm.model_fields}) for one in cells],
            attention=[
                AttentionForm(**{name: getattr(one, name) for name in AttentionForm.model_fields}) for one in attention
            ],
            edits=EditsForm(
                replies=edited.replies,
                remarked=[RemarkForm(check=check, replies=replies) for check, replies in edited.remarked],
            ),
        )

    async def wanted(self, visitor: Visitor, wish: Wish) -> tuple[Queue, list[Item]]:
        """The whole queue, and what of it is wanted."""
        async with self.guard.sessions(visitor.tenant_id) as session:
            queue = await self.reader(session, visitor.tenant_id).queue()
        held = [item for item in queue.items if wish.holds(item, visitor)]
        return queue, held

    def reader(self, session: Any, tenant_id: str) -> Reader:  # noqa: ANN401 - a session
        """What reads the queue of a tenant."""
        return Reader(session, self.vault, tenant_id, self.rules[tenant_id], self.guard.now())

    def _act(self, visitor: Visitor) -> Act:
        return Act(visitor.actor, self.guard.now(), self.answering.desk.new_id)


def routes(queues: Queues) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), queues.guard
    reading, acting = Called(guard, READERS, Scope.READ), Called(guard, ANSWERERS, Scope.REVIEW)
    leading = Called(guard, LEADS | {Role.AUDITOR, Role.SERVICE}, Scope.READ)
    call(router, "GET", "/queue", queues.list_queue, reading, gives=QueueForm)
    call(router, "GET", "/queue/evidence", queues.get_evidence, leading, gives=EvidenceForm)
    call(router, "POST", "/queue/batch", queues.approve_batch, acting, gives=BatchDone)
    call(router, "GET", "/queue/{item_id}", queues.get_item, reading, gives=ItemForm)
    call(router, "PUT", "/queue/{item_id}/claim", queues.claim_item, acting, gives=HolderForm)
    call(router, "DELETE", "/queue/{item_id}/claim", queues.release_item, acting, gives=DecidedForm)
    call(router, "PUT", "/queue/{item_id}/decision", queues.decide_item, acting, gives=DecidedForm)
    return router


def item_form(item: Item, visitor: Visitor) -> ItemForm:
    """An item as JSON values. Nothing in it tells a planted check from a question."""
    run, holder = item.run, item.holder
    return ItemForm(
        item_id=item.item_id,
        kind=item.kind,
        run_id=run.run_id,
        ticket_id=run.ticket_id,
        customer=item.customer,
        intents=list(run.intents),
        actions=list(run.actions),
        amounts=[MoneyForm(minor=one.minor, currency=one.currency) for one in item.amounts],
        why=item.why,
        since=item.since,
        due=item.due,
        ends_at=item.ends_at,
        approvers=list(item.approvers),
        required=item.required,
        approved_by=list(item.approved_by),
        may_answer=item.may_answer(visitor.actor, visitor.roles),
        digest=item.digest,
        risk=item.risk,
        alike=item.alike,
        assigned=item.assigned or None,
        holder=HolderForm(account_id=holder.account_id, name=holder.name, until=holder.until) if holder else None,
    )


def or_refused(made: Outcome) -> str:
    """What is said of an act that was done.

    Raises:
        Refused: it was not.
    """
    match made:
        case Acted(said=said):
            return said
        case Missing(what=what, name=name):
            raise missing(what, name)
        case NotAllowed(why=why):
            raise Refused(HTTPStatus.FORBIDDEN, "Not allowed", why)
        case TooLate(why=why):
            raise conflict(why)
        case Unfit(why=why):
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Not accepted", why)


def _batch_answer(item_id: str, made: Outcome) -> BatchAnswer:
    match made:
        case Acted(said=said):
            return BatchAnswer(item_id=item_id, outcome="approved", said=said)
        case NotAllowed(why=why):
            return BatchAnswer(item_id=item_id, outcome="not_allowed", said=why)
        case TooLate(why=why):
            return BatchAnswer(item_id=item_id, outcome="too_late", said=why)
        case Unfit(why=why):
            return BatchAnswer(item_id=item_id, outcome="unfit", said=why)
        case Missing(what=what):
            return BatchAnswer(item_id=item_id, outcome="missing", said=f"There is no such {what}.")
