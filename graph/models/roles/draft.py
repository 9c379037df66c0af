"""Role `draft`: a reply that says what code decided, in words that suit the customer, as a `WrittenDraft`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from pydantic import Field

from graph.models.drafts import MAX_NOTE, MAX_TEXT, Brief, WrittenDraft, problems
from graph.models.question import Closed, Question, Unreadable, checked, turn_of
from policies.vocabulary import ModelRole

MAX_TOKENS: Final = 3_000
MAX_MESSAGE: Final = 4_000
"""Characters of the customer's message that are shown: the tone is heard in the beginning."""
MAX_SECTION: Final = 2_000


class DraftForm(Closed):
    """How a model answers."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    text: Annotated[str, Field(max_length=MAX_TEXT)]
    cites: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=10)]
    note: Annotated[str, Field(max_length=MAX_NOTE)]


def draft_question(brief: Brief, message: str) -> Question[WrittenDraft]:
    """Ask for the words of a reply. The message is redacted already, and the brief holds names of slots, not values."""
    turn = turn_of(
        language=brief.language,
        points=[{"say": point.text, "cites": point.cites} for point in brief.points],
        slots=[{"slot": f"{{{slot.name}}}", "kind": slot.kind.value, "is": slot.meaning} for slot in brief.slots],
        sections=[
            {"id": section.section_id, "heading": section.heading, "text": section.text[:MAX_SECTION]}
            for section in brief.sections
        ],
        customer_message=message[:MAX_MESSAGE],
    )
    return Question(ModelRole.DRAFT, turn, DraftForm, partial(read_draft, brief), MAX_TOKENS)


def read_draft(brief: Brief, answer: object) -> WrittenDraft:
    """The draft that an answer says.

    Raises:
        Unreadable: it is none, or `drafts.problems` finds something; the message says what.
    """
    form = checked(DraftForm, answer)
    draft = WrittenDraft(form.language, form.text, tuple(dict.fromkeys(form.cites)), form.note)
    found = problems(draft, brief)
    if found:
        raise Unreadable(f"draft: {found[0][:120]}")
    return draft
