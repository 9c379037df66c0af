"""Role `plan`: which of the candidates that code listed the customer means, as a `Choice`: an index, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from graph.models.question import Closed, Question, Unreadable, checked, turn_of
from graph.models.roles.triage import MAX_CHARACTERS
from policies.proposal import Choice
from policies.vocabulary import Intent, ModelRole

MAX_TOKENS: Final = 1_000


class ChoiceForm(Closed):
    """How a model answers."""

    option: int | None
    needs_human: bool


def plan_question(intent: Intent, message: str, described: Sequence[str]) -> Question[Choice]:
    """Ask which candidate is meant.

    Args:
        intent: what is asked for.
        message: the redacted newest message.
        described: the candidates in words that code wrote.
    """
    turn = turn_of(
        request=intent.value,
        options=[f"{number}: {text}" for number, text in enumerate(described)],
        newest_message=message[:MAX_CHARACTERS],
    )
    return Question(ModelRole.PLAN, turn, ChoiceForm, partial(read_choice, intent, len(described)), MAX_TOKENS)


def read_choice(intent: Intent, options: int, answer: object) -> Choice:
    """The choice that an answer says among so many options.

    Raises:
        Unreadable: it is none, or not one of them.
    """
    form = checked(ChoiceForm, answer)
    if form.option is not None and not 0 <= form.option < options:
        raise Unreadable("option: not one of the options")
    return Choice(intent, form.option, needs_human=form.needs_human)
