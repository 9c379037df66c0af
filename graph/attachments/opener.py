"""Opens one file of a stranger's, in a process of its own: bytes on standard input, one JSON object on standard output.

It is run by its path and imports nothing of ours, so that it holds no secret, no connection and no environment. It
lowers its own limits first; whoever started it kills it after a time.
INVARIANT: what it prints is bounded by `MAX_CHARACTERS`, whatever it is given.
"""

from __future__ import annotations

import io
import json
import logging
import re
import resource
import sys
import warnings
from typing import Any, Final

from PIL import ExifTags, Image, UnidentifiedImageError
from pypdf import PdfReader
from pypdf.errors import LimitReachedError, PyPdfError
from pypdf.generic import TextStringObject

MAX_PAGES: Final = 20
MAX_CHARACTERS: Final = 50_000
"""Of all pages together, in code points."""
MEMORY_BYTES: Final = 1024 * 1024 * 1024
CPU_S: Final = 5
MAX_PIXELS: Final = 50_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is opened at all: each further decoder is one more way in."""
SMALLEST_PT: Final = 2.0
"""Type below this size cannot be read on a page."""
PALEST: Final = 0.95
"""Grey from 0 (black) to 1 (white): type as pale as this does not stand out on paper."""

_SHOWS: Final = frozenset({b"Tj", b"TJ", b"'", b'"'})
_UNSEEN_MODES: Final = frozenset({3, 7})
"""Text rendering modes that paint nothing: ISO 32000-1, table 106."""
_INVISIBLE: Final = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_MARKUP: Final = re.compile(r"\s*(?:<\?xml|<!doctype|<html|<svg|\{\\rtf)", re.IGNORECASE)
_COLOURS: Final = frozenset({b"g", b"rg", b"k", b"sc", b"scn"})


class _Sight:
    """The part of the graphics state that decides whether a text can be seen, kept while a page is walked.

    Not followed: what is drawn over a text, clipping, and layers that are switched off.
    """

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box
        self.pale, self.mode, self.size = False, 0, 12.0
        self.saved: list[tuple[bool, int, float]] = []
        self.hidden = 0

    def before(self, operator: bytes, operands: list[Any], cm: list[float], tm: list[float]) -> None:
        """Pypdf's visitor: follow the state, and empty what is shown unseen before it is extracted."""
        if operator == b"q":
            self.saved.append((self.pale, self.mode, self.size))
        elif operator == b"Q" and self.saved:
            self.pale, self.mode, self.size = self.saved.pop()
        elif operator == b"Tr" and operands:
            self.mode = int(operands[0])
        elif operator == b"Tf" and len(operands) > 1:
            self.size = abs(float(operands[1]))
        elif operator == b"cs":
            self.pale = False
        elif operator in _COLOURS:
            self.pale = _is_pale([float(one) for one in operands if isinstance(one, int | float)])
        elif operator in _SHOWS and operands and not self._is_seen(cm, tm):
            self._empty(operands)

    def _is_seen(self, cm: list[float], tm: list[float]) -> bool:
        if self.pale or self.mode in _UNSEEN_MODES:
            return False
        a, b, c, d, e, f = _times(tm, cm)
        height = self.size * (c * c + d * d) ** 0.5
        width = self.size * (a * a + b * b) ** 0.5
        left, bottom, right, top = self.box
        return min(width, height) >= SMALLEST_PT and left <= e <= right and bottom <= f <= top

    def _empty(self, operands: list[Any]) -> None:
        shown = operands[-1]
        if isinstance(shown, list):
            self.hidden += sum(len(one) for one in shown if isinstance(one, str | bytes))
            shown.clear()
        elif isinstance(shown, str | bytes):
            self.hidden += len(shown)
            operands[-1] = TextStringObject("")


def _is_pale(values: list[float]) -> bool:
    if len(values) == 4:  # noqa: PLR2004 - cyan, magenta, yellow, black: ink, so that none is white
        return max(values) <= 1 - PALEST
    return bool(values) and min(values) >= PALEST


def _times(first: list[float], second: list[float]) -> tuple[float, float, float, float, float, float]:
    """The product of two matrices as PDF writes them: the first is applied first."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def pdf(content: bytes) -> dict[str, Any]:
    """The visible text of the first pages."""
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        return {"kind": "pdf", "outcome": "encrypted"}
    count, left, hidden = len(reader.pages), MAX_CHARACTERS, 0
    pages = []
    for number in range(1, min(count, MAX_PAGES) + 1):
        page = reader.pages[number - 1]
        box = page.cropbox
        sight = _Sight((float(box.left), float(box.bottom), float(box.right), float(box.top)))
        text, unseen = visible(page.extract_text(visitor_operand_before=sight.before))
        hidden += sight.hidden + unseen
        if text:
            pages.append({"number": number, "text": text[:left]})
            left -= len(text[:left])
        if left <= 0:
            break
    outcome = "read" if pages else "no_text"
    return {"kind": "pdf", "outcome": outcome, "pages": pages, "page_count": count, "hidden_characters": hidden}


def picture(content: bytes) -> dict[str, Any]:
    """What a picture says of itself: format, size, the day and the program; no place, and no free text."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        width, height = opened.size
        if width * height > MAX_PIXELS:
            return {"kind": "picture", "outcome": "too_large"}
        said = [f"{opened.format} picture, {width} x {height} pixels"]
        exif = opened.getexif()
        taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        if isinstance(taken, str) and re.fullmatch(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", taken.strip("\0 ")):
            said.append(f"dated {taken[:10].replace(':', '-')} by itself")
        if isinstance(program := exif.get(ExifTags.Base.Software), str):
            said.append(f"written by {visible(program)[0][:60]}")
    return {"kind": "picture", "outcome": "read", "pages": [{"number": 1, "text": "; ".join(said)}], "page_count": 1}


def plain(content: bytes) -> dict[str, Any]:
    """The words of a text file. What is markup is no plain text: it can hide words."""
    try:
        text = content.decode("utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    except UnicodeDecodeError:
        return {"kind": "other", "outcome": "unsupported"}
    if "\0" in text or _MARKUP.match(text):
        return {"kind": "other", "outcome": "unsupported"}
    seen, hidden = visible(text)
    pages = [{"number": 1, "text": seen[:MAX_CHARACTERS]}] if seen else []
    outcome = "read" if pages else "no_text"
    return {"kind": "text", "outcome": outcome, "pages": pages, "page_count": 1, "hidden_characters": hidden}


def visible(text: str) -> tuple[str, int]:
    """The text without the signs that cannot be seen, and how many there were."""
    seen, hidden = _INVISIBLE.subn("", text)
    return _CONTROL.sub("", seen).strip(), hidden


def opened(content: bytes) -> dict[str, Any]:
    """What a file says; one that is not what it begins like is broken, whatever its parser thinks of it."""
    kind = "pdf" if b"%PDF-" in content[:1024] else "picture"
    try:
        if kind == "pdf":
            return pdf(content)
        try:
            return picture(content)
        except UnidentifiedImageError:
            return plain(content)
    except (MemoryError, LimitReachedError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"kind": kind, "outcome": "too_large"}
    except (PyPdfError, OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        return {"kind": kind, "outcome": "broken"}
    except (RecursionError, SyntaxError, AssertionError, NotImplementedError):
        return {"kind": kind, "outcome": "broken"}


def main() -> None:
    """Lower the limits, read, answer."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(what, (limit, limit))
    logging.disable()
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    json.dump(opened(sys.stdin.buffer.read()), sys.stdout)


if __name__ == "__main__":
    main()
