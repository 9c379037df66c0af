"""The two measurements: good replies that are stopped, bad ones that are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Final

import yaml
from babel.numbers import format_currency

from evals.replies.benign import MONEY, GoodReply, good_replies
from graph.models.scoring import Tally
from graph.replies.render import LOCALES
from graph.verifying import verify
from policies.money import Money

UNRELEASED: Final = Money(9917, "usd")
"""An amount that nothing in the stories holds."""


_BASES: Final = ("duplicate succeeded", "order delivered")
"""Stories whose replies the planted sentences are put into."""


@dataclass
class Result:
    """Counts, and what went wrong, by name."""

    good: int = 0
    stopped: list[str] = field(default_factory=list)
    planted: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether no good reply was stopped and every bad one was."""
        return not self.stopped and not self.missed

    def lines(self) -> Iterator[str]:
        """The figures, with intervals, and every failure."""
        yield f"good replies stopped: {_share(len(self.stopped), self.good)}"
        total = self.planted.total()
        yield f"bad replies stopped: {_share(self.caught.total(), total)}; by their own check {self.named.total()}"
        for check, count in self.planted.items():
            yield f"  {check:<14} {self.caught[check]}/{count} stopped, {self.named[check]} by this check"
        yield from (f"STOPPED {one}" for one in self.stopped)
        yield from (f"MISSED {one}" for one in self.missed)


def run(currencies: int = len(MONEY)) -> Result:
    """Both measurements over all stories and languages, in so many currencies."""
    result = Result()
    bases: dict[str, GoodReply] = {}
    for one in good_replies(currencies):
        result.good += 1
        findings = verify(one.draft, one.evidence)
        if findings:
            result.stopped.append(f"{one.story}: {', '.join(sorted({finding.check for finding in findings}))}")
        if one.story.startswith(_BASES[: 1 if currencies == 1 else 2]) and ", usd" in one.story:
            bases[one.story] = one
    for story, base in bases.items():
        for check, sentence in _planted(base):
            result.planted[check] += 1
            bad = replace(base.draft, text=_with(base.draft.text, sentence))
            found = {finding.check for finding in verify(bad, base.evidence)}
            result.caught[check] += bool(found)
            result.named[check] += check in found
            if not found:
                result.missed.append(f"{check} in {story}: {sentence}")
    return result


def _with(text: str, sentence: str) -> str:
    """The sentence before the signature."""
    body, _, signature = text.rpartition("\n\n")
    return f"{body}\n\n{sentence}\n\n{signature}"


@cache
def _sentences() -> Mapping[str, Mapping[str, list[str]]]:
    content = (files("evals.replies") / "planted.yaml").read_text(encoding="utf-8")
    by_check: dict[str, dict[str, list[str]]] = yaml.safe_load(content)
    return by_check


def _planted(base: GoodReply) -> Iterator[tuple[str, str]]:
    language = base.draft.language
    amount = format_currency(UNRELEASED.major, "USD", locale=LOCALES[language])
    for check, sentences in _sentences().items():
        for sentence in sentences[language]:
            yield check, sentence.replace("{amount}", amount)


def _share(part: int, whole: int) -> str:
    low, high = Tally(part, whole).interval
    return f"{part}/{whole} (95 % interval {low:.3f}-{high:.3f})"
