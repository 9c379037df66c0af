"""Thresholds for programs: what each amount of the policy would have meant at another value, over recorded refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from app.api.access import Called
from app.api.routing import Id, Word, bad, call, conflict, missing
from app.console.past import Pasts
from app.console.thresholds import QUALITY, Answer, Wanted, answered, deciding_version, stated
from app.identity.roles import OVERSEERS, Role
from app.identity.service_tokens import Scope
from app.web.access import Guard, signed_in
from policies.money import MAX_MINOR
from policies.whatif.refunds import Point
from policies.whatif.thresholds import ThresholdError

READERS: Final = OVERSEERS | {Role.SERVICE}
AtMost = Annotated[int | None, Query(ge=0, le=MAX_MINOR, description="the value, in minor units; the present one else")]
Quality = Annotated[float, Query(ge=0.5, le=0.9999, description="the agreement with people that must be certain")]


class ThresholdForm(BaseModel):
    """An amount up to which a tier acts without a person."""

    tier: str
    currency: str
    at_most_minor: int
    has_special_days: bool


class Thresholds(BaseModel):
    """Every threshold of the policy that decides."""

    policy_hash: str
    policy: str
    published_at: datetime | None
    published_by: str | None
    items: list[ThresholdForm]


class PointForm(BaseModel):
    """What a value means. Shares are null where there is nothing to divide by; bounds hold at 95 %."""

    at_most_minor: int
    alone: int
    automation: float | None
    alone_minor: int
    reviewed: int
    agreed: int
    agreement: float | None
    at_least: float | None
    no_at_most: float | None
    paid_alone: int
    stopped: int


class BandForm(BaseModel):
    """A bar of the histogram: refunds above one amount and up to another; the last bar takes all that is larger."""

    above_minor: int
    at_most_minor: int
    alone: int
    asked: int
    refused: int


class TurnedForm(BaseModel):
    """A refund that would go another way. `review` is what a person said to it then."""

    ticket_id: str
    run_id: str | None
    decided_at: datetime
    intent: str | None
    segment: str | None
    amount_minor: int
    review: str | None


class ThresholdAnswer(BaseModel):
    """A threshold at one value, beside the present one, over the decisions between `since` and `taken_at`.

    `worst_day` is in minor units, null where no limit bounds it. `moves` says whether the value pays more or less.
    """

    tier: str
    currency: str
    intent: str | None
    segment: str | None
    policy_hash: str
    since: datetime
    taken_at: datetime
    decisions: int
    refunds: int
    refunds_minor: int
    moves: str = Field(description="`raises`, `lowers` or `stays`")
    now: PointForm | None
    then: PointForm
    worst_day_now: int | None
    worst_day_then: int | None
    turned_tickets: int
    turned: list[TurnedForm]
    recommended_minor: int | None
    reason: str
    quality: float
    histogram: list[BandForm]
    curve: list[PointForm]


@dataclass(frozen=True, slots=True)
class ThresholdCalls:
    """The handlers, which the page uses, too."""

    guard: Guard
    pasts: Pasts

    async def list_thresholds(self, request: Request) -> Thresholds:
        """List the thresholds of the policy that decides."""
        tenant_id = signed_in(request).tenant_id
        async with self.guard.sessions(tenant_id) as session:
            found = await deciding_version(session, tenant_id)
        if found is None:
            raise conflict("No policy is published, so there is no threshold. Publish one first.")
        version, policy = found
        return Thresholds(
            policy_hash=version.policy_hash,
            policy=version.policy_id,
            published_at=version.published_at,
            published_by=version.published_by,
            items=[ThresholdForm.model_validate(one, from_attributes=True) for one in stated(policy)],
        )

    async def move_threshold(
        self,
        tier: Id,
        currency: Id,
        request: Request,
        at_most_minor: AtMost = None,
        intent: Word = None,
        segment: Word = None,
        quality: Quality = QUALITY,
    ) -> ThresholdAnswer:
        """Say what a threshold would have meant at a value; nothing is changed."""
        wanted = Wanted(tier, currency, intent or None, segment or None, at_most_minor, quality)
        return threshold_answer(await self.answer(signed_in(request).tenant_id, wanted))

    async def answer(self, tenant_id: str, wanted: Wanted) -> Answer:
        """The same as values.

        Raises:
            Refused: nothing is published, or there is no such threshold.
        """
        async with self.guard.sessions(tenant_id) as session:
            found = await deciding_version(session, tenant_id)
        if found is None:
            raise missing("threshold", f"{wanted.tier}.{wanted.currency}")
        version, policy = found
        try:
            return await answered(self.pasts, version, policy, wanted)
        except ThresholdError as error:
            if policy.tiers.get(wanted.tier) is None:
                raise missing("threshold", f"{wanted.tier}.{wanted.currency}") from error
            told = str(error)
            raise bad(f"{told[:1].upper()}{told[1:]}.") from error


def threshold_answer(found: Answer) -> ThresholdAnswer:
    """The answer for a program."""
    count, threshold = found.refunds.count, found.threshold
    return ThresholdAnswer(
        tier=threshold.tier,
        currency=threshold.currency,
        intent=threshold.intent,
        segment=threshold.segment,
        policy_hash=found.version.policy_hash,
        since=found.past.since,
        taken_at=found.past.taken_at,
        decisions=found.past.count,
        refunds=count,
        refunds_minor=found.refunds.money_minor,
        moves="raises" if found.raises else "lowers" if found.lowers else "stays",
        now=None if found.now is None else _point(found.now, count),
        then=_point(found.then, count),
        worst_day_now=found.worst_now,
        worst_day_then=found.worst_then,
        turned_tickets=found.turned_tickets,
        turned=[
            TurnedForm(
                ticket_id=one.ticket,
                run_id=found.runs.get((one.ticket, one.at)),
                decided_at=one.at,
                intent=one.intent,
                segment=one.segment,
                amount_minor=one.amount_minor,
                review=one.review,
            )
            for one in found.turned
        ],
        recommended_minor=found.tuning.recommended_minor,
        reason=found.tuning.reason,
        quality=found.tuning.quality,
        histogram=[BandForm.model_validate(one, from_attributes=True) for one in found.bands],
        curve=[_point(one, count) for one in found.tuning.points],
    )


def routes(thresholds: ThresholdCalls) -> APIRouter:
    """The routes of this module."""
    router, access = APIRouter(), Called(thresholds.guard, READERS, Scope.READ)
    call(router, "GET", "/thresholds", thresholds.list_thresholds, access, gives=Thresholds)
    call(router, "GET", "/thresholds/{tier}/{currency}", thresholds.move_threshold, access, gives=ThresholdAnswer)
    return router


def _point(point: Point, count: int) -> PointForm:
    return PointForm(
        at_most_minor=point.at_most_minor,
        alone=point.alone,
        automation=point.alone / count if count else None,
        alone_minor=point.alone_minor,
        reviewed=point.reviewed,
        agreed=point.agreed,
        agreement=point.agreement,
        at_least=point.at_least,
        no_at_most=point.no_at_most,
        paid_alone=point.paid,
        stopped=point.stopped,
    )
