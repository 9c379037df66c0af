"""A written draft holds slots, words and citations, and nothing that only code may say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graph.models.drafts import (
    MAX_TEXT,
    Brief,
    OfferedSection,
    OfferedSlot,
    Point,
    SlotKind,
    WrittenDraft,
    filled,
    problems,
)

BRIEF = Brief(
    "en",
    (Point("{amount} goes back to your card.", "refund-policy#3.2"),),
    (OfferedSlot("amount", SlotKind.MONEY, "the money that is refunded"),),
    (OfferedSection("refund-policy#3.2", "Duplicate charges", "We refund the second charge."),),
)
GOOD = WrittenDraft("en", "Sorry about that. {amount} is on its way back to you.", ("refund-policy#3.2",), "a twin")


def test_a_good_draft_is_filled() -> None:
    assert problems(GOOD, BRIEF) == ()
    assert filled(GOOD, {"amount": "{note}"}) == "Sorry about that. {note} is on its way back to you."


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("Money is on its way.", "slot 'amount' is missing"),
        ("{amount}, yes, {amount}.", "stands there 2 times"),
        ("{amount} and {more}.", "slot 'more' was not offered"),
        ("{amount} and 5 more.", "a figure"),
        ("{amount} and \uff15 more.", "a figure"),
        ("{amount} and ½ more.", "a figure"),
        ("{amount} and ten dollars.", "a currency"),
        ("{amount} at www.example.com", "a link"),
        ("{amount}, write to a@example.com", "a link"),
        ("{amount} [here](x)", "a link"),
        ("{amount} <b>now</b>", "a link"),
        ("{amount} {{x}}", "a brace"),
        ("{amount} {Amount}", "a brace"),
        ("{amount}\u202e", "invisible"),
        ("{amount} " + "x" * MAX_TEXT, "characters"),
    ],
)
def test_what_only_code_may_say_is_a_problem(words: str, problem: str) -> None:
    found = problems(replace(GOOD, text=words), BRIEF)
    assert any(problem in one for one in found), found


def test_japanese_numerals_inside_words_are_words() -> None:
    brief = replace(BRIEF, language="ja")
    assert problems(replace(GOOD, language="ja", text="一度ご確認ください。{amount}を返金しました。"), brief) == ()


def test_citations_are_those_that_were_offered_and_all_that_are_needed() -> None:
    assert problems(replace(GOOD, cites=()), BRIEF) == ("section 'refund-policy#3.2' is not cited",)
    assert problems(replace(GOOD, cites=("refund-policy#3.2", "made-up#1")), BRIEF) == (
        "section 'made-up#1' was not offered",
    )


def test_another_language_is_a_problem() -> None:
    assert problems(replace(GOOD, language="fr"), BRIEF) != ()
