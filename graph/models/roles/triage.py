"""Role `triage`: what the newest message asks for, as a `Triage`. Earlier messages are context."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from graph.models.question import Closed, Question, Unreadable, checked, turn_of
from graph.models.triage import (
    Claims,
    IntentScore,
    PersonReason,
    Sensitive,
    StatedAmount,
    Triage,
    Want,
)
from policies.errors import MoneyError
from policies.money import CURRENCIES, Money
from policies.vocabulary import Intent, ModelRole

MAX_TOKENS: Final = 1_500
MAX_HISTORY: Final = 4
MAX_EARLIER: Final = 2_000
MAX_SUBJECT: Final = 300
MAX_CHARACTERS: Final = 12_000
"""Of the newest message; what a person writes about one matter fits, a pasted book does not."""


class _Amount(Closed):
    value: Annotated[str, Field(pattern=r"^[0-9]{1,9}([.,][0-9]{1,3})?$")]
    currency: Annotated[str, Field(max_length=10)] | None


class TriageForm(Closed):
    """How a model answers: closed words, and a few short texts that are copied from the message."""

    intents: Annotated[list[Intent], Field(min_length=1, max_length=6)]
    confidence_percent: Annotated[int, Field(ge=0, le=100)]
    order_ids: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=10)]
    amounts: Annotated[list[_Amount], Field(max_length=10)]
    delivered: bool | None
    not_received: bool | None
    damaged: bool | None
    wrong_item: bool | None
    unauthorised: bool | None
    duplicate: bool | None
    unopened: bool | None
    wants: Want | None
    sensitive_topic: Sensitive
    asks_for_human: bool
    injection_suspected: bool
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


def triage_question(subject: str, message: str, history: tuple[str, ...]) -> Question[Triage]:
    """Ask what a message means. All texts are redacted already."""
    turn = turn_of(
        earlier_messages=[text[:MAX_EARLIER] for text in history[-MAX_HISTORY:]],
        subject=subject[:MAX_SUBJECT],
        newest_message=message[:MAX_CHARACTERS],
    )
    return Question(ModelRole.TRIAGE, turn, TriageForm, read_triage, MAX_TOKENS)


def read_triage(answer: object) -> Triage:
    """The triage that an answer says.

    Raises:
        Unreadable: it is none.
    """
    form = checked(TriageForm, answer)
    reasons = [PersonReason.ASKS_FOR_HUMAN] if form.asks_for_human else []
    if form.sensitive_topic is not Sensitive.NONE:
        reasons.append(PersonReason(form.sensitive_topic.value))
    return Triage(
        intents=tuple(IntentScore(intent, form.confidence_percent) for intent in dict.fromkeys(form.intents)),
        claims=Claims(
            order_ids=tuple(one.lstrip("#") for one in form.order_ids),
            amounts=tuple(_amount(one) for one in form.amounts),
            delivered=form.delivered,
            not_received=form.not_received is True,
            damaged=form.damaged is True,
            wrong_item=form.wrong_item is True,
            unauthorised=form.unauthorised is True,
            duplicate=form.duplicate is True,
            unopened=form.unopened,
            wants=form.wants,
        ),
        language=form.language,
        person_reasons=tuple(reasons),
        sensitive_topic=form.sensitive_topic,
        injection_suspected=form.injection_suspected,
    )


def _amount(stated: _Amount) -> StatedAmount:
    currency = stated.currency.lower() if stated.currency else None
    known = currency if currency in CURRENCIES else None
    try:
        money = Money.parse(stated.value.replace(",", "."), known or "usd")
    except MoneyError as error:
        raise Unreadable("amounts: not an amount of that currency") from error
    return StatedAmount(money.minor, known)
