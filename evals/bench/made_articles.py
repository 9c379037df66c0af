"""A folder of made help articles: `python -m evals.bench.made_articles FOLDER SECTIONS`.

Sentences of a shop's help pages from patterns and lists of words, with numbers, so that sections are about as long and
as many-worded as real ones and hardly two are the same. The same seed gives the same folder. They mean nothing to
anybody: they are for measuring how long ingestion takes, and what memory.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SECTIONS_OF_AN_ARTICLE: Final = 20
SENTENCES: Final = (3, 8)
SEED: Final = 20_261_121

_THINGS: Final = [
    "lamps",
    "carpets",
    "bicycles",
    "kettles",
    "mattresses",
    "headphones",
    "curtains",
    "trainers",
    "coats",
    "printers",
    "cameras",
    "toys",
    "tools",
    "tents",
    "armchairs",
    "blenders",
    "watches",
    "monitors",
    "suitcases",
    "candles",
    "mirrors",
    "ladders",
    "heaters",
    "speakers",
    "plants",
    "paints",
]
_WHO: Final = [
    "customers",
    "members",
    "guests",
    "companies",
    "schools",
    "students",
    "neighbours",
    "subscribers",
    "resellers",
    "families",
]
_WHERE: Final = [
    "your account",
    "the order page",
    "the parcel shop",
    "our warehouse",
    "the service desk",
    "the mobile app",
    "the returns portal",
    "the invoice",
    "the confirmation mail",
    "the shipping label",
    "the payment page",
    "the loyalty programme",
]
_WHEN: Final = [
    "within {n} days of delivery",
    "before the parcel is packed",
    "on working days until {h} o'clock",
    "from {n} euros on",
    "during the first {n} months",
    "once a year",
    "after the {n}th of the month",
    "as long as stock lasts",
    "up to {n} kilograms",
    "for orders of more than {n} pieces",
]
_DO: Final = [
    "return",
    "exchange",
    "track",
    "cancel",
    "insure",
    "repair",
    "collect",
    "reserve",
    "extend",
    "pause",
    "rename",
    "combine",
    "split",
    "print",
    "confirm",
    "compare",
    "rate",
    "recycle",
    "donate",
    "lend",
    "test",
    "inspect",
    "register",
    "transfer",
]
_PATTERNS: Final = (
    "{Who} can {do} {things} {when}.",
    "To {do} {things}, open {where} and choose the line with number {n}.",
    "If {where} does not show the {things}, wait {n} hours and look again.",
    "We {do} {things} {when}, and tell you so on {where}.",
    "For {who} who {do} {things} and {things2}, the fee is {n}.{h} euros.",
    "{Who} need the number on {where} when they {do} or {do2} {things}.",
    "What was paid for {things} goes back {when}; {things2} are left out.",
    "Please do not {do} {things} that were used for more than {n} weeks.",
    "The limit of {n} {things} for each address holds for {who}, too.",
    "A colleague at {where} will {do} the {things} and {do2} them {when}.",
)


def articles(sections: int, seed: int = SEED) -> Iterator[tuple[str, str]]:
    """Names and Markdown texts of so many sections, so many to an article."""
    draw = random.Random(seed)  # noqa: S311 -- made text, no secret
    for number, first in enumerate(range(0, sections, SECTIONS_OF_AN_ARTICLE)):
        count = min(SECTIONS_OF_AN_ARTICLE, sections - first)
        parts = [f"# Help about {draw.choice(_THINGS)}, part {number}"]
        for place in range(count):
            said = " ".join(_sentence(draw) for _ in range(draw.randint(*SENTENCES)))
            parts.append(f"## {draw.choice(_DO).title()} {draw.choice(_THINGS)} {{#{place + 1}}}\n\n{said}")
        yield f"{number // 100:03d}/article-{number:05d}.md", "\n\n".join(parts) + "\n"


def write(folder: Path, sections: int) -> None:
    """Write the articles below the folder, a hundred to a subfolder."""
    for name, text in articles(sections):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _sentence(draw: random.Random) -> str:
    who = draw.choice(_WHO)
    number, hour = draw.randint(2, 90), draw.randint(10, 22)
    return draw.choice(_PATTERNS).format(
        who=who,
        Who=who.title(),
        do=draw.choice(_DO),
        do2=draw.choice(_DO),
        things=draw.choice(_THINGS),
        things2=draw.choice(_THINGS),
        where=draw.choice(_WHERE),
        when=draw.choice(_WHEN).format(n=number, h=hour),
        n=number,
        h=hour,
    )


def main() -> int:
    """Write a folder."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench.made_articles", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sections", type=int)
    given = parser.parse_args()
    try:
        write(given.folder, given.sections)
    except OSError as error:
        sys.stderr.write(f"cannot write {str(given.folder)!r}: {error.strerror}; name a folder that can be written\n")
        return 2
    sys.stdout.write(f"{given.sections} sections below {given.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
