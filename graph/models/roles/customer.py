"""Role `customer`: what a simulated customer writes next. For evaluations only: it is shown invented people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from graph.models.question import Closed, Question, checked, turn_of
from policies.vocabulary import ModelRole

MAX_TOKENS: Final = 700
MAX_MESSAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Played:
    """Who is played: what they want, how they write, and all that they know."""

    goal: str
    manner: str
    knows: tuple[str, ...] = ()


class CustomerForm(Closed):
    """How a model answers."""

    says: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE)] | None


@dataclass(frozen=True, slots=True)
class Utterance:
    """What they write; None where they write no more."""

    text: str | None


def customer_question(played: Played, conversation: Sequence[tuple[str, str]]) -> Question[Utterance]:
    """Ask for the next message.

    Args:
        played: who writes.
        conversation: who wrote (`customer` or `desk`) and what, oldest first.
    """
    turn = turn_of(
        goal=played.goal,
        manner=played.manner,
        knows=list(played.knows),
        conversation=[{"from": who, "text": text[:MAX_MESSAGE]} for who, text in conversation],
    )
    return Question(ModelRole.CUSTOMER, turn, CustomerForm, read_utterance, MAX_TOKENS)


def read_utterance(answer: object) -> Utterance:
    """What an answer says.

    Raises:
        Unreadable: it is no message, and not that there is none.
    """
    return Utterance(checked(CustomerForm, answer).says)
