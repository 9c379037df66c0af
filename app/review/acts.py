"""What a reviewer may do about a run, each in one transaction: answer, take over, stop, undo, remember.

Panel, queue and API call these and nothing below them. Each says what came of it as a value; what was not done says
why. Nothing leaves from here: an act changes our tables and wakes the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from rapidfuzz.distance import Levenshtein
from sqlalchemy.ext.asyncio import AsyncSession

from app.identity.accounts import accounts_of_requester, names_of
from app.identity.sessions import Visitor
from app.review.card import Card
from app.review.compose import Reader, card_of, effect_named
from app.review.reading import Review, read_review
from app.review.wording import Looked, look, told
from app.review.words import REASON_CODES
from connectors.errors import ConnectorError
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.wire import TicketView
from graph.audit.log import append
from graph.intake.models import Disposition
from graph.intake.receive import Arrival, receive
from graph.intake.recognise import TAKEN_OVER
from graph.lifecycle.authors import authors_of_loosening
from graph.preferences import UnknownPreference, forget, remember
from graph.queue import enqueue_effects, enqueue_tickets
from graph.runs.models import RunState
from graph.settlement.approvals import decide
from graph.settlement.models import Approval, Effect, EffectKind, EffectState
from graph.settlement.questions import Answer, AwaitsAnother, Decided, Forbidden, NotPending, Reply, Reviewer
from graph.settlement.requests import AlreadyIntended, Reserved, SwitchedOff
from graph.settlement.reserve import Means, body_purpose, reserve
from graph.settlement.stop import stop_run
from graph.subjects import customer_of
from graph.tenancy import Sessions
from graph.undoing import undo_request
from graph.vault import SubjectErased, Vault


@dataclass(frozen=True, slots=True)
class Acted:
    """It was done; `said` tells what happens now."""

    said: str


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such thing in this tenant."""

    what: str
    name: str


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """This person may not. Nothing was changed."""

    why: str


@dataclass(frozen=True, slots=True)
class TooLate:
    """It stands otherwise by now. Nothing was changed."""

    why: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """What was given cannot be taken. Nothing was changed."""

    why: str


Outcome = Acted | Missing | NotAllowed | TooLate | Unfit


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: which, and with it the reply as edited, a reason code, words for colleagues."""

    answer: Answer
    reply: str | None = None
    reason_code: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Shop:
    """What acts need of one tenant: who signs, its Zendesk, and the name of the credential that writes there."""

    name: str
    zendesk: ZendeskAdapter | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Desk:
    """The acts, for all tenants of an installation."""

    sessions: Sessions
    vault: Vault
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    new_key: Callable[[], str]
    shops: Mapping[str, Shop] = field(default_factory=dict)

    async def card(self, visitor: Visitor, run_id: str) -> Card | None:
        """The card of a run for this reader; None where there is no such run."""
        async with self.sessions(visitor.tenant_id) as session:
            return await self.card_in(session, visitor, run_id)

    async def card_in(self, session: AsyncSession, visitor: Visitor, run_id: str) -> Card | None:
        """The same in a transaction of the reader's tenant that is open."""
        review = await self._review(session, visitor.tenant_id, run_id)
        if review is None:
            return None
        reader = Reader(visitor.actor, visitor.roles, await _barred(session, review))
        names = await names_of(session, visitor.tenant_id, (one.set_by for one in review.preferences))
        return card_of(review, reader, names=names, now=self.now())

    async def answer(self, visitor: Visitor, approval_id: str, said: Said) -> Outcome:
        """Approve, approve an edited reply, reject, or have the customer asked first.

        An edited reply passes the same checks as the agent's before it counts; it is checked again when it leaves.
        """
        tenant_id = visitor.tenant_id
        async with self.sessions(tenant_id) as session:
            approval = await session.get(Approval, (tenant_id, approval_id))
            review = await self._review(session, tenant_id, approval.run_id) if approval is not None else None
            if approval is None or review is None:
                return Missing("question", approval_id)
            said = _as_meant(said, review)
            shop = self._shop(visitor).name
            looked = await self._looked(said, review, shop)
            unfit = _unfit(said, looked)
            if unfit is not None or looked is None:
                return unfit or Unfit(_UNREADABLE)
            words = Reply(said.comment, said.reply, tuple((one.check, one.reason) for one in looked.remarks))
            made = await decide(
                session,
                approval_id,
                said.answer,
                Reviewer(visitor.actor, frozenset(role.value for role in visitor.roles)),
                tenant_id=tenant_id,
                now=self.now(),
                new_id=self.new_id,
                vault=self.vault,
                reason_code=said.reason_code,
                reply=None if words == Reply() else words,
                subject_id=review.run.subject_id,
                barred=await _barred(session, review),
                edit_permille=_edit_permille(said, review),
            )
            if isinstance(made, Decided | AwaitsAnother):
                await enqueue_tickets(session, tenant_id, [approval.ticket_id])
        match made:
            case Decided():
                return Acted(f"{_TOLD[said.answer]}{_remarked(looked)}")
            case AwaitsAnother(missing=missing):
                return Acted(f"Your yes counts. {missing} more must say yes.{_remarked(looked)}")
            case NotPending(state=state):
                return TooLate(f"This question is {state.value} already; nothing was changed.")
            case Forbidden(why=why):
                return NotAllowed(f"Not allowed: {why}.")

    async def look(self, visitor: Visitor, run_id: str, reply: str) -> Looked | Missing | Unfit:
        """What checks would say if the run's reply were approved so. Changes nothing."""
        async with self.sessions(visitor.tenant_id) as session:
            review = await self._review(session, visitor.tenant_id, run_id)
        if review is None:
            return Missing("run", run_id)
        said = _as_meant(Said(Answer.APPROVE, reply), review)
        looked = await self._looked(said, review, self._shop(visitor).name)
        return Unfit(_UNREADABLE) if looked is None else looked

    async def take_over(self, visitor: Visitor, run_id: str) -> Outcome:
        """Hand the ticket to this person: what waits is withdrawn, what is held is stopped, a note says what is known.

        It goes through the inbox like any other news of the ticket, so that a step under way ends first.
        """
        tenant_id = visitor.tenant_id
        async with self.sessions(tenant_id) as session:
            review = await self._review(session, tenant_id, run_id)
            if review is None:
                return Missing("run", run_id)
            run = review.run
            if run.state == RunState.ENDED.value:
                return TooLate("This run has ended already; nothing was changed.")
            arrival = Arrival(
                source="review",
                event_id=f"{TAKEN_OVER}:{run_id}:{run.cycle}:{visitor.account_id}",
                kind=TAKEN_OVER,
                ticket_id=run.ticket_id,
                details={"account": visitor.actor},
                disposition=Disposition.PENDING,
            )
            now = self.now()
            await receive(session, tenant_id, arrival, now=now, new_id=self.new_id)
            await enqueue_tickets(session, tenant_id, [run.ticket_id])
            await append(
                session,
                tenant_id=tenant_id,
                at=now,
                kind="run.taken_over",
                actor=visitor.actor,
                new_id=self.new_id,
                run_id=run_id,
                ticket_id=run.ticket_id,
                body={"was": run.wait_for or run.state},
            )
        return Acted("It is yours. A note with all that was found out goes onto the ticket.")

    async def stop(self, visitor: Visitor, run_id: str) -> Outcome:
        """Stop everything of the run that is still held. What was sent cannot be stopped."""
        tenant_id = visitor.tenant_id
        async with self.sessions(tenant_id) as session:
            review = await self._review(session, tenant_id, run_id)
            if review is None:
                return Missing("run", run_id)
            ticket_id = review.run.ticket_id
            stopped = await stop_run(
                session,
                tenant_id,
                run_id,
                reason="stopped_by_person",
                actor=visitor.actor,
                now=self.now(),
                new_id=self.new_id,
                detail=f"{visitor.name} stopped it",
            )
            if stopped:
                await enqueue_tickets(session, tenant_id, [ticket_id])
        if not stopped:
            return TooLate("Nothing is held any more, so nothing could be stopped.")
        return Acted("Stopped before anything was sent. The ticket goes to a colleague with a note.")

    async def undo(self, visitor: Visitor, run_id: str, effect_id: str) -> Outcome:
        """Put back what an update of ours changed on the ticket, as far as it still stands. Reads the ticket first."""
        async with self.sessions(visitor.tenant_id) as session:
            review = await self._review(session, visitor.tenant_id, run_id)
        effect = effect_named(review, effect_id) if review is not None else None
        if effect is None or effect.kind != EffectKind.ZENDESK_UPDATE.value or effect.sealed_body is None:
            return Missing("change", effect_id)
        if effect.state != EffectState.SETTLED.value:
            return TooLate("This change is not made, so there is nothing to undo.")
        ticket = await self._ticket(visitor, effect.ticket_id)
        return ticket if isinstance(ticket, TooLate | Unfit) else await self._put_back(visitor, effect, ticket)

    async def _ticket(self, visitor: Visitor, ticket_id: str) -> TicketView | TooLate | Unfit:
        """The ticket as it stands, if it can still be changed."""
        zendesk = self._shop(visitor).zendesk
        if zendesk is None:
            return Unfit("No Zendesk is configured here, so the ticket cannot be read.")
        try:
            ticket = await asyncio.to_thread(zendesk.ticket, int(ticket_id))
        except ConnectorError:
            return TooLate("Zendesk does not answer now, so nothing was changed. Try again in a moment.")
        if ticket.is_closed:
            return TooLate("The ticket is closed, and Zendesk changes a closed ticket no more.")
        return ticket

    async def _put_back(self, visitor: Visitor, effect: Effect, ticket: TicketView) -> Outcome:
        """Intend the update that undoes another, in one transaction."""
        assert effect.sealed_body is not None
        assert effect.subject_id is not None
        tenant_id, credential = effect.tenant_id, self._shop(visitor).credential
        async with self.sessions(tenant_id) as session:
            purpose, sealed = body_purpose(effect.effect_id), effect.sealed_body
            body = await self.vault.open(
                session, tenant_id=tenant_id, subject_id=effect.subject_id, purpose=purpose, sealed=sealed
            )
            wanted = undo_request(
                effect, body.decode(), ticket, actor=visitor.actor, by=visitor.name, credential=credential
            )
            if wanted is None:
                return TooLate("Nothing of it stands any more: somebody changed it since.")
            means = Means(now=self.now(), new_id=self.new_id, new_key=self.new_key, vault=self.vault)
            answer = await reserve(session, wanted, means)
            if isinstance(answer, Reserved | AlreadyIntended):
                await enqueue_effects(session, tenant_id, [answer.effect_id])
                return Acted("It is being put back.")
        why = f": {answer.reason}" if isinstance(answer, SwitchedOff) else ""
        return NotAllowed(f"Changes of tickets are switched off{why}.")

    async def remember(self, visitor: Visitor, run_id: str, *, name: str, value: str, expires_at: datetime) -> Outcome:
        """Write down what the customer of a run prefers; an empty value takes it away."""
        tenant_id, now = visitor.tenant_id, self.now()
        async with self.sessions(tenant_id) as session:
            review = await self._review(session, tenant_id, run_id)
            if review is None or review.run.subject_id is None:
                return Missing("customer of run", run_id)
            subject_id = review.run.subject_id
            who = {"tenant_id": tenant_id, "subject_id": subject_id, "name": name, "actor": visitor.actor}
            if not value:
                gone = await forget(session, **who, now=now, new_id=self.new_id)
                return Acted("Forgotten.") if gone else TooLate("It was forgotten already.")
            try:
                await remember(
                    session, self.vault, **who, value=value, now=now, expires_at=expires_at, new_id=self.new_id
                )
            except UnknownPreference as error:
                return Unfit(f"Not remembered: {error}.")
            except SubjectErased:
                return TooLate("The person was erased; nothing is remembered of them.")
        return Acted("Remembered. It counts from the next draft on.")

    async def _review(self, session: AsyncSession, tenant_id: str, run_id: str) -> Review | None:
        return await read_review(session, self.vault, tenant_id, run_id, now=self.now())

    async def _looked(self, said: Said, review: Review, shop: str) -> Looked | None:
        """What checks say of the person's words; in a thread, because the first look loads what tells languages."""
        if said.reply is None:
            return Looked()
        return await asyncio.to_thread(look, said.reply, said.answer, review, shop)

    def _shop(self, visitor: Visitor) -> Shop:
        return self.shops.get(visitor.tenant_id, Shop(visitor.tenant_id))


_TOLD: Final[Mapping[Answer, str]] = {
    Answer.APPROVE: "Approved. It is being carried out.",
    Answer.REJECT: "Rejected. The ticket goes to a colleague with a note.",
    Answer.ASK: "The customer is asked. Their answer brings the ticket back.",
}


def _remarked(looked: Looked) -> str:
    """What whoever edited should know of their words, and what is written down about them."""
    if not looked.remarks:
        return ""
    return f" The agent would not have been let write this: {told(looked.remarks)}. It counts as yours."


def _as_meant(said: Said, review: Review) -> Said:
    """The answer without what says nothing: a reply that is as the agent wrote it is no edit."""
    reply = said.reply.replace("\r\n", "\n").strip() if said.reply is not None else ""
    is_same = review.draft is not None and reply == review.draft.text.strip()
    keeps = said.answer is Answer.ASK or (said.answer is Answer.APPROVE and not is_same)
    comment = said.comment.strip() if said.comment is not None else ""
    return replace(
        said,
        reply=reply if reply and keeps else None,
        reason_code=said.reason_code or None,
        comment=comment if comment and review.run.subject_id is not None else None,
    )


def _edit_permille(said: Said, review: Review) -> int | None:
    """How much of the agent's draft an edit changed, in thousandths of the longer text (Levenshtein's distance)."""
    if said.answer is not Answer.APPROVE or said.reply is None or review.draft is None:
        return None
    return round(1000 * Levenshtein.normalized_distance(review.draft.text.strip(), said.reply))


def _unfit(said: Said, looked: Looked | None) -> Unfit | None:
    """What keeps the answer from being taken: an unknown code, no words, or words that may not leave."""
    if said.reason_code is not None and said.reason_code not in REASON_CODES:
        return Unfit(f"{said.reason_code[:40]!r} is no reason; choose one of the list.")
    if said.answer is Answer.ASK and said.reply is None:
        return Unfit("There is nothing to ask: write the question first.")
    if looked is None:
        return Unfit(_UNREADABLE)
    if looked.refused:
        return Unfit(f"This reply may not leave: {told(looked.refused)}. Change it and try again.")
    return None


_UNREADABLE: Final = "What the reply may rest on cannot be read any more, so it can only be sent from the ticket."


async def _barred(session: AsyncSession, review: Review) -> frozenset[str]:
    """Who may not answer: the customer's own accounts, and who loosened the rule that allows the action."""
    subject = review.run.subject_id or ""
    zendesk_user_id = customer_of(subject)
    email = review.snapshot.requester_email if review.snapshot is not None else None
    customers = await accounts_of_requester(session, review.run.tenant_id, zendesk_user_id=zendesk_user_id, email=email)
    if review.approval is None:
        return customers
    return customers | await authors_of_loosening(session, review.run.tenant_id, review.approval.policy_hash)
