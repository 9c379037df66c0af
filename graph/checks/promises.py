"""What a reply says is done or will be: only what a verdict lets happen, and all of what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from graph.checks.evidence import MONEY_BACK, Binds, Check, Finding, Reading
from graph.checks.phrases import expression
from graph.checks.spellings import of_money, places
from graph.redaction.finding import flatten
from graph.replies.templates import MOVES_MONEY
from policies.money import Money
from policies.vocabulary import ActionKind

_SENTENCE: Final = re.compile(
    r"[^.!?\u3002\uff01\uff1f\n]*(?:[.,](?=\S)[^.!?\u3002\uff01\uff1f\n]*)*[.!?\u3002\uff01\uff1f]?"
)
_CHANGES: Final = (ActionKind.CANCEL_SUBSCRIPTION, ActionKind.CANCEL_PAYMENT)


def refunds_without_verdict(reading: Reading) -> Iterator[Finding]:
    """A sentence that gives money back needs a verdict that does, and one of the amounts that it released."""
    evidence, language = reading.evidence, reading.draft.language
    told = evidence.released | evidence.refunded
    may_tell = bool(evidence.refunded) or evidence.allows(*MONEY_BACK)
    for paragraph in reading.draft.paragraphs:
        if paragraph.template in MOVES_MONEY and paragraph.slots.get("amount") not in evidence.released:
            yield Finding("promises", "money is promised that no verdict allows")
    for start, sentence in _claims(reading, "money_back"):
        place = (start, start + len(sentence))
        if not may_tell:
            yield Finding("promises", "money is promised that no verdict allows", place)
        elif _names_money(sentence) and not any(_names(sentence, amount, language) for amount in told):
            yield Finding("promises", "an amount is promised that no verdict allows", place)


def assurances(reading: Reading) -> Iterator[Finding]:
    """Words that bind the shop beyond what was decided."""
    for place in _found(reading, "assurances"):
        yield Finding("assurances", "the reply promises something that no verdict stands for", place)


def offers(reading: Reading) -> Iterator[Finding]:
    """Vouchers, discounts, replacements: nothing that Countersign does by itself."""
    for start, sentence in _claims(reading, "offers"):
        yield Finding("offers", "something is offered that no verdict stands for", (start, start + len(sentence)))


def cancellations(reading: Reading) -> Iterator[Finding]:
    """Something is said to be cancelled that no verdict cancels."""
    if reading.evidence.allows(*_CHANGES):
        return
    for start, sentence in _claims(reading, "cancelled"):
        yield Finding(
            "cancellations", "something is said to be cancelled that no verdict cancels", (start, start + len(sentence))
        )


def left_out(reading: Reading) -> Iterator[Finding]:
    """Money that goes back is told with its amount."""
    if reading.evidence.asks:
        return
    flat = flatten(reading.text)
    for amount in sorted(reading.evidence.released, key=lambda one: (one.currency, one.minor)):
        if not _names(flat, amount, reading.draft.language):
            yield Finding("completeness", "an amount that a verdict releases is not told")


def _found(reading: Reading, name: str) -> Iterator[tuple[int, int]]:
    return places(expression(name, reading.draft.language), flatten(reading.own))


def _claims(reading: Reading, name: str) -> Iterator[tuple[int, str]]:
    """Sentences that say so, without those that deny it, ask for it or set a condition before it."""
    flat, language = flatten(reading.own), reading.draft.language
    said, unsaid = expression(name, language), expression("unsaid", language)
    for match in _SENTENCE.finditer(flat):
        hit = said.search(match.group())
        if hit is None or match.group().rstrip().endswith(("?", "\uff1f")):
            continue
        # In Japanese the verb that denies stands last; elsewhere a denial comes before what it denies.
        scope = match.group() if language == "ja" else match.group()[: hit.end()]
        if not unsaid.search(scope):
            yield match.start(), match.group()


def _names_money(sentence: str) -> bool:
    return bool(
        re.search(
            r"[$\u20ac\u00a3\u00a5\u20b9]\s?\d|\d\s?[$\u20ac\u00a3\u00a5\u5186\u20b9]|\b[A-Z]{3} ?\d|\d ?[A-Z]{3}\b",
            sentence,
        )
    )


def _names(flat: str, amount: Money, language: str) -> bool:
    return any(
        re.search(rf"(?<![\d.,]){re.escape(form)}(?![.,]?\d)", flat, re.IGNORECASE)
        for form in of_money(amount, language)
    )


CHECKS: Final = (
    Check(
        "promises",
        "no refund is promised without a verdict that allows it, nor another amount",
        Binds.EVERYONE,
        refunds_without_verdict,
    ),
    Check("assurances", "nothing is assured beyond what was decided", Binds.AGENT, assurances),
    Check("offers", "no voucher, discount, replacement or gift is offered", Binds.AGENT, offers),
    Check("cancellations", "nothing is said to be cancelled that no verdict cancels", Binds.AGENT, cancellations),
    Check("completeness", "money that goes back is told with its amount", Binds.AGENT, left_out),
)
