"""The newest message of a mail: quoted history, signatures, markup and hidden characters out, offsets kept.

Removed parts become spaces, so that an offset in the newest text is an offset in the body that was sent. It promises
the customer's own visible words where mail programs mark the rest; a reply written between quoted lines is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HIDDEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(style|script|head)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_ENTITY: Final = re.compile(r"&(?:nbsp|amp|lt|gt|quot|#39|#160);")
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_BLOCK_QUOTE: Final = re.compile(r"<blockquote\b.*?(?:</blockquote\s*>|\Z)", re.DOTALL | re.IGNORECASE)

_WROTE: Final = re.compile(
    r"^[ \t>]{0,8}(?:On\b|Am\b|Le\b|El\b|Em\b|Il\b|Op\b)[^\n]{4,200}?(?:\n[^\n]{0,120})?"
    r"(?:wrote|schrieb|a \u00e9crit|escribi\u00f3|escreveu|ha scritto|schreef)[^\n]{0,60}:[ \t]*$|"
    r"^[^\n]{4,120}\u306e?\u66f8\u304d\u307e\u3057\u305f[::\uff1a]?$",
    re.MULTILINE,
)
_HISTORY: Final = re.compile(
    r"^[ \t]*(?:-{2,}[ ]?(?:Original Message|Forwarded message|Urspr\u00fcngliche Nachricht|Message d'origine|"
    r"Mensaje original|Mensagem original)[ ]?-{2,}|Begin forwarded message:|_{20,}[ \t]*\n[ \t]*(?:From|Von|De):|"
    r"(?:From|Von|De|\u5dee\u51fa\u4eba):[^\n]{1,200}\n[ \t]*(?:Sent|Date|To|Gesendet|Datum|Envoy\u00e9|Enviado|"
    r"Para|Subject|\u9001\u4fe1\u65e5\u6642):)",
    re.MULTILINE | re.IGNORECASE,
)
_QUOTED_LINE: Final = re.compile(r"^[ \t]*>[^\n]*", re.MULTILINE)
_SIGNATURE: Final = re.compile(r"^-- ?$", re.MULTILINE)
_DEVICE: Final = re.compile(
    r"^[ \t]*(?:Sent from (?:my|a|Mail|Yahoo|Outlook)|Get Outlook for|Von meinem|Envoy\u00e9 de mon|"
    r"Enviado (?:desde|do) (?:mi|meu)|Gesendet mit)[^\n]*",
    re.MULTILINE | re.IGNORECASE,
)
_DISCLAIMER: Final = re.compile(
    r"^[ \t]*(?:this (?:e-?mail|message)(?: and any)?[^\n]{0,60}(?:intended|confidential|privileged)|"
    r"confidentiality notice|"
    r"please consider the environment|diese e-?mail[^\n]{0,40}vertraulich|ce (?:message|"
    r"courriel)[^\n]{0,40}confidentiel)",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Newest:
    """The message in two parts of the body's own length: `text` is new, `history` is quoted; the rest is blank.

    `has_hidden_text` says that the mail carried words its reader does not see.
    """

    text: str
    history: str
    has_hidden_text: bool


def newest_message(body: str) -> Newest:
    """Separate what was written now from what is quoted below or between it.

    Where nothing is left, as in a bare forward, the quoted words are all there is and count as new.
    """
    visible, has_hidden_text = _visible(body)
    history = bytearray(len(body))
    for start, end in _quoted_spans(body, visible):
        history[start:end] = b"\x01" * (end - start)
    new = "".join(" " if history[place] and letter != "\n" else letter for place, letter in enumerate(visible))
    old = "".join(letter if history[place] or letter == "\n" else " " for place, letter in enumerate(visible))
    new = _without_signature(new)
    if not new.strip():
        return Newest(visible, "", has_hidden_text)
    return Newest(new, old, has_hidden_text)


def _visible(body: str) -> tuple[str, bool]:
    hidden = any(re.search(r"\w{3}", match.group()) for match in re.finditer(r"<!--.*?(?:-->|\Z)", body, re.DOTALL))
    invisible = len(_INVISIBLE.findall(body))
    text = _HIDDEN.sub(_blank, body)
    text = _TAG.sub(_break_or_blank, text)
    text = _ENTITY.sub(_blank, text)
    text = _INVISIBLE.sub(" ", text).replace("\r", " ")
    return text, hidden or invisible > len(body) // 50 + 2


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def _break_or_blank(match: re.Match[str]) -> str:
    tag = match.group()
    if re.match(r"</?(?:p|div|br|li|tr|h[1-6]|ul|ol|table)\b", tag, re.IGNORECASE):
        return "\n" + " " * (len(tag) - 1)
    # An address in angle brackets looks like a tag and is the customer's text.
    return tag if "@" in tag else _blank(match)


def _quoted_spans(body: str, visible: str) -> list[tuple[int, int]]:
    spans = [match.span() for match in _BLOCK_QUOTE.finditer(body)]
    spans += [match.span() for match in _QUOTED_LINE.finditer(visible)]
    for match in _WROTE.finditer(visible):
        rest = visible[match.end() :].lstrip()
        # Where the quoted lines are marked, only they are history: the answer may stand below or between them.
        spans.append(match.span() if rest.startswith(">") else (match.start(), len(visible)))
    spans += [(match.start(), len(visible)) for match in _HISTORY.finditer(visible)]
    return spans


def _without_signature(text: str) -> str:
    text = _DEVICE.sub(_blank, text)
    for pattern in (_SIGNATURE, _DISCLAIMER):
        match = pattern.search(text)
        if match:
            text = text[: match.start()] + re.sub(r"[^\n]", " ", text[match.start() :])
    return text


_SENTENCE: Final = re.compile(
    r"[^\n.!?\u3002\uff01\uff1f]*(?:[.!?]+(?!\s|$)[^\n.!?\u3002\uff01\uff1f]*)*[.!?\u3002\uff01\uff1f]*", re.MULTILINE
)
_BROKEN_LINE: Final = re.compile(r"(?<=[a-z,;])\n(?=[a-z])")
_LETTER: Final = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence or line at code points `[start, end)`."""

    start: int
    end: int
    text: str


def sentences(text: str) -> list[Sentence]:
    """Sentences and lines in order; a line broken in mid-sentence by a mail program is joined again."""
    joined = _BROKEN_LINE.sub(" ", text)
    found = []
    for match in _SENTENCE.finditer(joined):
        words = match.group().strip()
        if _LETTER.search(words):
            start = match.start() + len(match.group()) - len(match.group().lstrip())
            found.append(Sentence(start, start + len(words), " ".join(words.split())))
    return found
