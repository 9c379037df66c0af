"""The page of the thresholds: a slider over the histogram of real refunds, and the way from a value to what decides.

Everything works by links and forms; the script asks for the figures of another value while the slider moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.api.policies import PolicyCalls, PublishWish
from app.api.thresholds import ThresholdCalls, Thresholds
from app.console.thresholds import BANDS, Answer, Wanted, deciding_version
from app.console.words import done_text, major_text, money_text, percent_text, sentence
from app.identity.accounts import names_of
from app.identity.roles import OVERSEERS, STEERERS
from app.review.words import INTENTS, intent
from app.web.access import Refused, add, signed_in
from app.web.formats import Formats, formats_of
from app.web.forms import moment_of, read
from app.web.rendering import Renderer, static
from policies.errors import MoneyError
from policies.money import Money, exponent
from policies.whatif.bounds import CONFIDENCE
from policies.whatif.own_amounts import is_own, own_name, text_with_own_threshold
from policies.whatif.thresholds import ThresholdError, text_with_threshold, threshold_of

KEPT: Final = {"Cache-Control": "max-age=300"}
WIDTH: Final = 480
HEIGHT: Final = 110
"""Of the histogram, in its own units."""


class MoveForm(BaseModel):
    """What the form of a value sends."""

    tier: str = ""
    currency: str = ""
    intent: str = ""
    segment: str = ""
    at_most: str = ""
    act: str = ""
    why: str = ""
    share: str = ""
    starts_at: str = ""
    ends_at: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the histogram: where it stands, and the height of its three parts."""

    left: float
    width: float
    alone: float
    asked: float
    refused: float
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The histogram, and where the present value and the other one lie in it."""

    bars: tuple[Bar, ...]
    now: float | None
    then: float


@dataclass(frozen=True, slots=True)
class ThresholdsPage:
    """The handlers."""

    thresholds: ThresholdCalls
    policies: PolicyCalls
    renderer: Renderer

    async def script(self) -> Response:
        """The script of the ops lead's pages."""
        return Response(static("console.js"), media_type="text/javascript", headers=KEPT)

    async def style(self) -> Response:
        """The style of the ops lead's pages."""
        return Response(static("console.css"), media_type="text/css", headers=KEPT)

    async def show(self, tenant_id: str, request: Request) -> Response:
        """A threshold at a value; `part=figures` is the part that changes with it, alone."""
        visitor, asked = signed_in(request), dict(request.query_params)
        listed = await self.thresholds.list_thresholds(request)
        told, answer = asked.get("said", "")[:400], None
        name = asked.get("of") or (f"{listed.items[0].tier}.{listed.items[0].currency}" if listed.items else "")
        tier, _, currency = name.rpartition(".")
        f = formats_of(request, self.thresholds.guard.now())
        wrong = ""
        if name:
            try:
                at_most = _amount(asked.get("at_most", ""), currency)
            except MoneyError as error:
                wrong, at_most = f"That is no amount: {error}.", None
            wanted = Wanted(tier, currency, asked.get("intent") or None, asked.get("segment") or None, at_most)
            answer = await self.thresholds.answer(tenant_id, wanted)
        template = "thresholds_figures.html" if asked.get("part") == "figures" else "thresholds.html"
        return self.renderer.page(
            request,
            template,
            tenant_id=tenant_id,
            listed=listed,
            publisher=await self._publisher(tenant_id, listed),
            a=answer,
            of=name,
            asked=asked,
            told=told,
            wrong=wrong,
            picture=None if answer is None else _picture(answer, f),
            width=WIDTH,
            height=HEIGHT,
            may_steer=bool(visitor.roles & STEERERS),
            intents={one.value: words for one, words in INTENTS.items()},
            intent=intent,
            f=f,
            money=lambda minor: money_text(f, minor, currency),
            major=lambda minor: major_text(minor, currency),
            decimals=0 if answer is None else exponent(currency),
            percent=percent_text,
            confidence=f"{CONFIDENCE:.0%}",
            with_=lambda **changes: _query(asked, **changes),
        )

    async def move(self, tenant_id: str, request: Request, form: Annotated[MoveForm, Form()]) -> Response:
        """Make the value a version of the policy and, as asked, let it decide: now, for a share, or from a time on."""
        visitor = signed_in(request)
        if form.act not in {"publish", "canary", "schedule", "draft"}:
            raise Refused(HTTPStatus.BAD_REQUEST, "Not accepted", "Choose publish, canary, schedule or draft.")
        text, tier = await self._text(tenant_id, form)
        version = await self.policies.store(visitor, text)
        there = f"/t/{quote(tenant_id)}/policy/{version.policy_hash}"
        if form.act == "draft":
            return RedirectResponse(
                f"{there}?{urlencode({'said': 'Stored as a draft. It decides nothing yet.'})}", HTTPStatus.SEE_OTHER
            )
        wanted = read(
            PublishWish,
            why=form.why,
            full=form.act == "publish",
            share_percent=(form.share or "10") if form.act == "canary" else None,
            starts_at=moment_of(form.starts_at) if form.act == "schedule" else None,
            ends_at=moment_of(form.ends_at) if form.act == "schedule" else None,
        )
        try:
            done = await self.policies.publish_version(version.policy_hash, wanted, request)
        except Refused as refused:
            if refused.status is not HTTPStatus.CONFLICT:
                raise
            told = "Stored, and nothing decides otherwise yet: what loosens needs what is listed below first."
            return RedirectResponse(f"{there}?{urlencode({'said': told})}", HTTPStatus.SEE_OTHER)
        told = done_text(changed=done.changed, share=done.share_percent, is_scheduled=done.schedule is not None)
        back = {"of": f"{tier}.{form.currency}", "intent": form.intent, "segment": form.segment, "said": told}
        return RedirectResponse(f"/t/{quote(tenant_id)}/thresholds?{urlencode(back)}", HTTPStatus.SEE_OTHER)

    async def _text(self, tenant_id: str, form: MoveForm) -> tuple[str, str]:
        """The published file with the amount in its place, and the tier that states it there.

        Raises:
            Refused: the amount is none, or cannot be set this way.
        """
        async with self.thresholds.guard.sessions(tenant_id) as session:
            found = await deciding_version(session, tenant_id)
        try:
            value = _amount(form.at_most, form.currency)
            if found is not None and value is not None:
                narrowed = {"intent": form.intent or None, "segment": form.segment or None}
                threshold = threshold_of(found[1], f"{form.tier}.{form.currency}", **narrowed)
                if is_own(found[1], threshold):
                    return text_with_threshold(found[0].source_text, threshold, value), form.tier
                return text_with_own_threshold(found[0].source_text, threshold, value), own_name(threshold)
        except (MoneyError, ThresholdError) as error:
            text = f"{sentence(error)} Nothing was stored."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Not accepted", text) from error
        text = "There is nothing to change: publish a policy first, and write an amount."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Not accepted", text)

    async def _publisher(self, tenant_id: str, listed: Thresholds) -> str:
        by = listed.published_by or ""
        async with self.thresholds.guard.sessions(tenant_id) as session:
            return (await names_of(session, tenant_id, [by])).get(by, by)


def routes(page: ThresholdsPage) -> APIRouter:
    """The routes of this module."""
    router, guard = APIRouter(), page.thresholds.guard
    add(router, "GET", "/console.js", page.script, guard.open("the script of the ops lead's pages"))
    add(router, "GET", "/console.css", page.style, guard.open("the style of the ops lead's pages"))
    add(router, "GET", "/t/{tenant_id}/thresholds", page.show, guard.allow(OVERSEERS))
    add(router, "POST", "/t/{tenant_id}/thresholds", page.move, guard.allow(STEERERS))
    return router


def _amount(written: str, currency: str) -> int | None:
    """Minor units of an amount in major ones; None where nothing is written.

    Raises:
        MoneyError: it is no amount of the currency.
    """
    if not written.strip():
        return None
    money = Money.parse(written, currency)
    if money.minor < 0:
        raise MoneyError(f"amount {written!r} is below zero: write 0 or more")
    return money.minor


def _picture(answer: Answer, f: Formats) -> Picture:
    currency = answer.threshold.currency
    tallest = max((one.alone + one.asked + one.refused for one in answer.bands), default=0) or 1
    wide = WIDTH / BANDS

    def across(minor: int) -> float:
        return round(min(minor / answer.most_minor, 1.0) * WIDTH, 1)

    def words(place: int) -> str:
        band = answer.bands[place]
        upper = money_text(f, band.at_most_minor, currency)
        reach = f"above {money_text(f, band.above_minor, currency)}" if place == BANDS - 1 else f"up to {upper}"
        return f"{reach}: {band.alone} alone, {band.asked} asked, {band.refused} refused"

    bars = tuple(
        Bar(
            left=round(place * wide, 1),
            width=round(wide - 1, 1),
            alone=round(one.alone / tallest * HEIGHT, 1),
            asked=round(one.asked / tallest * HEIGHT, 1),
            refused=round(one.refused / tallest * HEIGHT, 1),
            words=words(place),
        )
        for place, one in enumerate(answer.bands)
    )
    current = answer.refunds.current_minor
    return Picture(bars, None if current is None else across(current), across(answer.then.at_most_minor))


def _query(asked: Mapping[str, str], **changes: str) -> str:
    """The address of the page with some of what it asks for changed."""
    kept = {name: value for name, value in {**asked, **changes}.items() if value and name not in {"said", "part"}}
    return f"?{urlencode(kept)}"
