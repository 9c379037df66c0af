"""A trace in words: the outcome in one sentence, what a step is, how long something took. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from app.run_words import words
from app.trace.reading import Trace
from app.trace.steps import Step, StepKind
from graph.audit.catalogue import KINDS
from graph.runs.models import Run
from graph.settlement.models import Effect, EffectKind, EffectState
from policies.money import Money

NODES: Final[Mapping[str, str]] = {
    "intake": "The ticket was read",
    "triage": "The request was understood",
    "gather": "Facts were read",
    "retrieve": "Policy sections were found",
    "plan": "What could be done was listed",
    "decide": "The policy decided",
    "draft": "The reply was drafted",
    "verify": "The draft was checked",
    "review": "A person's answer was taken up",
    "act": "Money was set aside and the effect written down",
    "settle": "The effect came to its end",
    "answer": "The reply was handed to Zendesk",
    "deliver": "Zendesk took the reply",
    "wait": "The customer's answer was taken up",
    "hand_off": "The ticket was handed to a person",
    "close": "The run was closed",
}
"""What each node does, for somebody who has never seen the machine."""
WAITS: Final[Mapping[str, str]] = {
    "review": "Waited for a person",
    "settlement": "Waited for what changes outside",
    "customer": "Waited for the customer",
    "vendor": "Waited for a vendor",
    "key": "Waited for the master key, which was withheld",
}
_DONE: Final[Mapping[str, str]] = {
    EffectKind.REFUND.value: "refunded {amount}",
    EffectKind.CANCEL_PAYMENT.value: "cancelled the payment",
    EffectKind.CANCEL_SUBSCRIPTION.value: "cancelled the subscription",
}
_OUTCOMES: Final[Mapping[str | None, str]] = {
    "resolved": "Resolved",
    "waiting_for_review": "Waits for a person",
    "waiting_for_customer": "Waits for the customer",
    "handed_off": "Handed to a person",
    "ignored": "Nothing to do",
    None: "Under way",
}
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86400


def sentence(trace: Trace) -> str:
    """The outcome in one sentence, with what changed outside and on which ground."""
    return outcome_of(trace.run, trace.story.page.effects)


def outcome_of(run: Run, effects: Sequence[Effect]) -> str:
    """The same from the rows."""
    settled = [one for one in effects if one.state == EffectState.SETTLED.value]
    done = list(dict.fromkeys(_done(settled)))
    if run.reply_sent:
        done.append("answered the customer")
    told = _OUTCOMES.get(run.outcome, words(run.outcome or run.state).capitalize())
    if run.reason is not None:
        told += f" ({words(run.reason)})"
    if done:
        told += f": {_list(done)}"
    sections = list(dict.fromkeys(str(one["section"]) for one in run.actions if one.get("section")))
    if sections:
        told += f", under {_list(sections)}"
    return f"{told}."


def title(step: Step) -> str:
    """A step in words."""
    if step.kind is StepKind.NODE:
        return NODES.get(step.name, words(step.name).capitalize())
    if step.kind is StepKind.WAIT:
        return WAITS.get(step.name, f"Waited for {words(step.name)}")
    if step.kind is StepKind.EFFECT:
        state = step.main.kind.partition(".")[2]
        return f"{words(step.name).capitalize()}: {state}"
    known = KINDS.get(step.main.kind)
    text = known.means if known is not None else words(step.name)
    return text[:1].upper() + text[1:]


def span(latency: timedelta) -> str:
    """How long something took, in the two largest units.

    >>> [span(timedelta(milliseconds=ms)) for ms in (3, 1_250, 95_000, 7_500_000, 190_000_000)]
    ['3 ms', '1.2 s', '1 min 35 s', '2 h 5 min', '2 d 4 h']
    """
    milliseconds = round(latency.total_seconds() * 1000)
    if milliseconds < 1000:  # noqa: PLR2004 - a second
        return f"{milliseconds} ms"
    seconds = milliseconds // 1000
    if seconds < 10:  # noqa: PLR2004 - below, a tenth of a second says something
        return f"{milliseconds // 1000}.{milliseconds % 1000 // 100} s"
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S} s"
    if seconds < DAY_S:
        return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} min"
    return f"{seconds // DAY_S} d {seconds % DAY_S // HOUR_S} h"


def _done(effects: Sequence[Effect]) -> Iterator[str]:
    for effect in effects:
        if effect.kind in _DONE:
            has_money = effect.amount_minor is not None and effect.currency is not None
            amount = str(Money(effect.amount_minor or 0, effect.currency or "usd")) if has_money else ""
            yield _DONE[effect.kind].format(amount=amount)


def _list(parts: Sequence[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
