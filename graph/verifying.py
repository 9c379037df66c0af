"""Checks that a reply must pass before it leaves, each with a name and a reason. Pure.

What is not traceable to a fact, a verdict or a cited section is not said: amounts, links, addresses, promises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from graph.drafting import Draft
from graph.redaction.redact import RedactionError, redact
from graph.replies.templates import Template
from graph.sections import Sections
from graph.verdicts import Verdicts
from policies.document import Domains
from policies.money import Money
from policies.vocabulary import Verdict

MAX_CHARACTERS: Final = 6_000
PROMISES_MONEY: Final = frozenset(
    {Template.REFUND_DONE, Template.REFUND_DONE_DUPLICATE, Template.REFUND_PENDING, Template.PAYMENT_CANCELLED},
)
"""Paragraphs that may be said only about an effect that is allowed."""
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>()\"']+", re.IGNORECASE)
_SLOT: Final = re.compile(r"\$\{?[a-z_]+\}?|\{\{|\}\}")
_INTERNAL: Final = re.compile(r"\b(?:ch|re|pi|cus|sub|run|eff|evt|art|apr)_[A-Za-z0-9]{8,}\b")
_ADMISSION: Final = re.compile(
    r"\b(?:we are liable|our liability|we were negligent|admit fault|legally responsible)\b", re.IGNORECASE
)
_PROMISE: Final = re.compile(r"\b(?:guarantee[ds]?|we will refund|you will be refunded|we promise)\b", re.IGNORECASE)
_AMOUNT: Final = re.compile(r"[$€£¥]\s?\d|\d\s?[$€£¥]|\b[A-Z]{3}\s?\d")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reply may rest on, where it may point, and to whose address it goes."""

    verdicts: Verdicts
    sections: Sections
    domains: Domains
    asks: bool
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed and why."""

    check: str
    reason: str


def verify(draft: Draft, evidence: Evidence, *, edited: str | None = None) -> tuple[Finding, ...]:
    """All findings; none means that the reply may leave.

    Args:
        draft: as composed.
        evidence: what it may rest on.
        edited: the text as a reviewer rewrote it. A person answers for its words; structure is still checked.
    """
    text = draft.text if edited is None else edited
    checks: tuple[Callable[[str, Draft, Evidence], Iterator[Finding]], ...] = (
        _has_shape,
        _has_only_permitted_links,
        _goes_to_a_permitted_address,
        _names_nothing_internal,
        _holds_no_personal_data,
        _makes_no_admission,
    )
    bound: tuple[Callable[[str, Draft, Evidence], Iterator[Finding]], ...] = (
        _promises_only_what_is_allowed,
        _cites_what_was_found,
        _has_only_known_amounts,
    )
    wanted = checks if edited is not None else (*checks, *bound)
    return tuple(finding for check in wanted for finding in check(text, draft, evidence))


def _has_shape(text: str, _draft: Draft, _evidence: Evidence) -> Iterator[Finding]:
    if not text.strip():
        yield Finding("shape", "the reply is empty")
    if len(text) > MAX_CHARACTERS:
        yield Finding("shape", f"the reply has {len(text)} characters, more than {MAX_CHARACTERS}")
    if _SLOT.search(text):
        yield Finding("slots", "a slot is not filled")


def _has_only_permitted_links(text: str, _draft: Draft, evidence: Evidence) -> Iterator[Finding]:
    for link in _LINK.findall(text):
        host = re.split(r"[/?#:\\]", re.sub(r"^https?://", "", link, flags=re.IGNORECASE))[0].lower()
        if not evidence.domains.permits_link(host):
            yield Finding("links", f"a link to {host!r} is not permitted")


def _goes_to_a_permitted_address(_text: str, _draft: Draft, evidence: Evidence) -> Iterator[Finding]:
    if evidence.recipient is None:
        permitted = not evidence.domains.recipients
    else:
        permitted = evidence.domains.permits_recipient(evidence.recipient)
    if not permitted:
        yield Finding("recipients", "the requester's address is in none of the permitted domains")


def _names_nothing_internal(text: str, _draft: Draft, _evidence: Evidence) -> Iterator[Finding]:
    if _INTERNAL.search(text):
        yield Finding("internal", "an internal id stands in the reply")


def _holds_no_personal_data(text: str, _draft: Draft, _evidence: Evidence) -> Iterator[Finding]:
    try:
        events = redact(text).events
    except RedactionError:
        yield Finding("personal_data", "the reply could not be checked for personal data")
        return
    for kind in sorted({event.data_class.value for event in events}):
        yield Finding("personal_data", f"the reply holds personal data of class {kind!r}")


def _makes_no_admission(text: str, _draft: Draft, _evidence: Evidence) -> Iterator[Finding]:
    if _ADMISSION.search(text):
        yield Finding("admission", "the reply admits liability")


def _promises_only_what_is_allowed(text: str, draft: Draft, evidence: Evidence) -> Iterator[Finding]:
    allowed = [one for one in evidence.verdicts.decided if one.decision.verdict is not Verdict.DENY]
    amounts = {one.candidate.amount for one in allowed if one.candidate.amount is not None}
    for paragraph in draft.paragraphs:
        if paragraph.template in PROMISES_MONEY and paragraph.slots.get("amount") not in amounts:
            yield Finding("promises", "money is promised that no verdict allows")
    if _PROMISE.search(_own_words(text, draft)):
        yield Finding("promises", "the reply promises something that no verdict stands for")


def _own_words(text: str, draft: Draft) -> str:
    """The reply without what it quotes: the shop's policy may speak of promises."""
    for paragraph in draft.paragraphs:
        quote = paragraph.slots.get("quote")
        if isinstance(quote, str):
            text = text.replace(quote, "")
    return text


def _cites_what_was_found(_text: str, draft: Draft, evidence: Evidence) -> Iterator[Finding]:
    known = {section.section_id for section in evidence.sections.found}
    known |= {one.decision.section for one in evidence.verdicts.decided if one.decision.section is not None}
    for cited in draft.cites:
        if cited not in known:
            yield Finding("citations", f"section {cited!r} was neither found nor decided on")
    for paragraph in draft.paragraphs:
        quote = paragraph.slots.get("quote")
        section = evidence.sections.named(paragraph.cites)
        if quote is not None and (section is None or quote != section.text.strip()):
            yield Finding("citations", "a quotation is not what the section says")


def _has_only_known_amounts(text: str, draft: Draft, _evidence: Evidence) -> Iterator[Finding]:
    """Every amount of money in the reply's own words was put there by a slot."""
    held = sum(isinstance(value, Money) for one in draft.paragraphs for value in one.slots.values())
    if len(_AMOUNT.findall(_own_words(text, draft))) > held:
        yield Finding("amounts", "an amount stands in the reply that no slot holds")
