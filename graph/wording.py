"""From paragraphs to a brief that a model may put into words, and from its words back to a reply. Pure.

A brief holds no value: each slot of each paragraph gets a name of its own, and what a template would say with its slots
open is a point. The words come back with the slots still open, so that the same words are filled anew once the
settlement has said what really happened. Where that changed which paragraphs there are, the words no longer fit and the
templates speak.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from graph.drafting import Draft, Paragraph, draft_of, first_name
from graph.models.drafts import Brief, OfferedSection, OfferedSlot, Point, SlotKind, WrittenDraft, filled, problems
from graph.replies.render import BANK_TIME, Frame, bank_time, framed, open_text, spoken, written
from graph.replies.templates import SlotValue
from graph.sections import Sections
from policies.money import Money

_SLOT: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
QUOTE: Final = "quote"
"""The slot that holds a section's own words."""


def brief_of(said: Sequence[Paragraph], sections: Sections, *, language: str) -> Brief:
    """What a reply of these paragraphs says, without any value."""
    language = spoken(language)
    points: list[Point] = []
    slots: list[OfferedSlot] = []
    for number, paragraph in enumerate(said, start=1):
        text = open_text(paragraph.template, language, paragraph.slots)
        points.append(Point(_SLOT.sub(rf"{{\1_{number}}}", text), paragraph.cites))
        for name in dict.fromkeys(_SLOT.findall(text)):
            meaning = f"{name.replace('_', ' ')} of point {number}"
            slots.append(OfferedSlot(f"{name}_{number}", _kind(name, paragraph.slots.get(name, "")), meaning))
    named = dict.fromkeys(point.cites for point in points if point.cites is not None)
    offered = [_offered(section_id, sections) for section_id in named]
    return Brief(language, tuple(points), tuple(slots), tuple(offered))


def worded(
    draft: WrittenDraft, said: tuple[Paragraph, ...], sections: Sections, *, language: str, name: str, shop: str
) -> Draft | None:
    """The reply in these words with the paragraphs' values; None where the words are not for these paragraphs."""
    brief = brief_of(said, sections, language=language)
    if problems(draft, brief):
        return None
    values = {
        f"{slot}_{number}": written(value, brief.language)
        for number, paragraph in enumerate(said, start=1)
        for slot, value in {**paragraph.slots, BANK_TIME: bank_time(brief.language)}.items()
    }
    frame = Frame(first_name(name), shop, draft.cites)
    by_templates = draft_of(said, language=brief.language, name=name, shop=shop)
    return replace(by_templates, text=framed(filled(draft, values), frame, brief.language))


def _kind(name: str, value: SlotValue) -> SlotKind:
    if isinstance(value, Money):
        return SlotKind.MONEY
    if isinstance(value, date):
        return SlotKind.DATE
    return SlotKind.QUOTE if name == QUOTE else SlotKind.TEXT


def _offered(section_id: str, sections: Sections) -> OfferedSection:
    """The section as it was found; one that only a rule names is offered by its id."""
    section = sections.named(section_id)
    return OfferedSection(section_id, section.heading if section else "", section.text if section else "")
