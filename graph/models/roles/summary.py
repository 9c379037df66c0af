"""Role `summarise`: what a colleague who takes a ticket over should know of it, in a few plain sentences."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import Field

from graph.models.question import Closed, Question, Unreadable, checked, turn_of
from graph.models.roles.triage import MAX_CHARACTERS, MAX_EARLIER, MAX_HISTORY, MAX_SUBJECT
from policies.vocabulary import ModelRole

MAX_TOKENS: Final = 1_000
MAX_SUMMARY: Final = 600
_MARKUP: Final = re.compile(
    "://|\\bwww\\.|\\]\\(|<[^>]*>|[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064]"
)


class SummaryForm(Closed):
    """How a model answers."""

    summary: Annotated[str, Field(min_length=1, max_length=MAX_SUMMARY)]


def summary_question(subject: str, messages: tuple[str, ...]) -> Question[str]:
    """Ask for a summary of the conversation, oldest message first. All texts are redacted already."""
    turn = turn_of(
        subject=subject[:MAX_SUBJECT],
        earlier_messages=[text[:MAX_EARLIER] for text in messages[:-1][-MAX_HISTORY:]],
        newest_message=messages[-1][:MAX_CHARACTERS] if messages else "",
    )
    return Question(ModelRole.SUMMARISE, turn, SummaryForm, read_summary, MAX_TOKENS)


def read_summary(answer: object) -> str:
    """The summary that an answer says, on one line.

    Raises:
        Unreadable: it is none, or holds a link, markup or an invisible sign.
    """
    text = checked(SummaryForm, answer).summary
    if _MARKUP.search(text.replace("\n", " ")):
        raise Unreadable("summary: a link, markup or an invisible sign")
    return " ".join(text.split())
