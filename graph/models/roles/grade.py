"""Role `grade`: how a reply reads. For evaluations only; whether it is right is for the end state to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from graph.models.question import Closed, Question, checked, turn_of
from policies.vocabulary import ModelRole

MAX_TOKENS: Final = 400
MAX_CHARACTERS: Final = 6_000


class GradeForm(Closed):
    """How a model answers."""

    is_clear: bool
    is_kind: bool
    is_to_the_point: bool
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Grade:
    """How a reply reads: what holds of it."""

    is_clear: bool
    is_kind: bool
    is_to_the_point: bool
    is_plain: bool


def grade_question(message: str, reply: str) -> Question[Grade]:
    """Ask how a reply to a message reads."""
    turn = turn_of(message=message[:MAX_CHARACTERS], reply=reply[:MAX_CHARACTERS])
    return Question(ModelRole.GRADE, turn, GradeForm, read_grade, MAX_TOKENS)


def read_grade(answer: object) -> Grade:
    """The grade that an answer says.

    Raises:
        Unreadable: it is none.
    """
    form = checked(GradeForm, answer)
    return Grade(form.is_clear, form.is_kind, form.is_to_the_point, form.is_plain)
