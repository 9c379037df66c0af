"""Where a reply says it has something from, and where it points: sections that were found, domains of the shop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.checks.evidence import Binds, Check, Finding, Reading
from graph.redaction.finding import flatten, fold

_LINK: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.)[^\s<>()\"'\u300d\u3001\u3002]+", re.IGNORECASE)
_BARE: Final = re.compile(
    r"(?<![\w@.-])(?:[\w-]+\.)+(?:com|net|org|info|biz|io|co|ai|app|dev|shop|store|online|site|xyz|top|link|click|live|"
    r"me|ly|gl|to|cc|ru|cn|de|fr|es|pt|br|jp|uk|us|eu|example|test|invalid)(?:/[^\s<>()]*|(?![\w-]))"
)
_SCHEME: Final = re.compile(r"\b(?:javascript|data|vbscript|mailto|file|tel):\S+", re.IGNORECASE)
_QUOTED: Final = re.compile(
    '\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201c\u201d\u201e]+)[\u201c\u201d]|\u00ab\\s?([^\u00ab\u00bb]+?)\\s?\u00bb|\u300c([^\u300c\u300d]+)\u300d|"([^"\\n]+)"'
)
_MIN_QUOTED: Final = 12
_WORD: Final = re.compile(r"[^\W\d_]{5,}")
_SHARED: Final = 2


def links(reading: Reading) -> Iterator[Finding]:
    """Every link, also one without a scheme, leads to a permitted domain."""
    text = (
        reading.text.replace(reading.evidence.shop, " " * len(reading.evidence.shop))
        if reading.evidence.shop
        else reading.text
    )
    for match in _SCHEME.finditer(text):
        yield Finding("links", "an address of a kind that is not permitted", match.span())
    seen: list[tuple[int, int]] = []
    for pattern in (_LINK, _BARE):
        for match in pattern.finditer(text):
            if any(start <= match.start() < end for start, end in seen):
                continue
            seen.append(match.span())
            host = _host(match.group())
            if not reading.evidence.domains.permits_link(host):
                yield Finding("links", f"a link to {host!r} is not permitted", match.span())


def _host(link: str) -> str:
    """The host that a browser would ask: what follows the last `@` before the path, without port."""
    rest = re.sub(r"^[a-z][a-z0-9+.-]*://", "", link, flags=re.IGNORECASE)
    authority = re.split(r"[/?#\\]", rest)[0]
    return re.split(r":", authority.rpartition("@")[2])[0].lower().rstrip(".,;!")


def recipients(reading: Reading) -> Iterator[Finding]:
    """The requester's address is one that the policy permits."""
    recipient, domains = reading.evidence.recipient, reading.evidence.domains
    permitted = not domains.recipients if recipient is None else domains.permits_recipient(recipient)
    if not permitted:
        yield Finding("recipients", "the requester's address is in none of the permitted domains")


def citations(reading: Reading) -> Iterator[Finding]:
    """What is cited was found, or decided on, and speaks of what the reply speaks of."""
    evidence = reading.evidence
    decided = {one.decision.section for one in evidence.verdicts.decided if one.decision.section is not None}
    found = {section.section_id for section in evidence.sections.found}
    for cited in reading.draft.cites:
        if cited not in found | decided:
            yield Finding("citations", f"section {cited!r} was neither found nor decided on")
        elif cited not in decided and not _speaks_of(reading, cited):
            yield Finding("citations", f"section {cited!r} does not say what the reply says")


def _speaks_of(reading: Reading, cited: str) -> bool:
    """Whether the reply quotes the section or shares its words. Words of another language cannot be compared."""
    section = reading.evidence.sections.named(cited)
    assert section is not None
    if section.text.strip() in reading.text:
        return True
    theirs = {word[:6] for word in _WORD.findall(fold(f"{section.heading} {section.text}"))}
    ours = {word[:6] for word in _WORD.findall(fold(reading.text))}
    return len(theirs & ours) >= min(_SHARED, len(theirs))


def quotations(reading: Reading) -> Iterator[Finding]:
    """What stands in quotation marks stands so in a section, and a quoting paragraph holds the section's own text."""
    sections = reading.evidence.sections
    stored = " ".join(" ".join(flatten(f"{one.heading} {one.text}").split()) for one in sections.found)
    known = " ".join([stored, *(flatten(one) for one in reading.evidence.ground.words)])
    for match in _QUOTED.finditer(reading.own):
        quoted = " ".join(flatten(next(group for group in match.groups() if group is not None)).split())
        if len(quoted) >= _MIN_QUOTED and quoted.rstrip(".,") not in known:
            yield Finding("quotations", "something is quoted that no section says", match.span())
    for paragraph in reading.draft.paragraphs:
        quote, section = paragraph.slots.get("quote"), sections.named(paragraph.cites)
        if quote is not None and (section is None or quote != section.text.strip()):
            yield Finding("quotations", "a quotation is not what the section says")


CHECKS: Final = (
    Check("links", "every link leads to a domain that the policy permits", Binds.EVERYONE, links),
    Check("recipients", "the reply goes to an address that the policy permits", Binds.EVERYONE, recipients),
    Check("citations", "a cited section exists and speaks of what the reply speaks of", Binds.AGENT, citations),
    Check("quotations", "what is quoted stands so in a section", Binds.AGENT, quotations),
)
