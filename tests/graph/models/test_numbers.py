"""Amounts, order numbers, days and dates in customers' words."""

from __future__ import annotations

from datetime import date

import pytest

from graph.models.local.dates import find_dates
from graph.models.local.language import language_of
from graph.models.local.newest import newest_message, sentences
from graph.models.local.numbers import find_amounts, find_days_since_purchase, find_orders, number_in_words


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        ("I paid $24.90", 2490, "usd"),
        ("it was 1.234,50 \u20ac", 123450, "eur"),
        ("EUR 218,40 in all", 21840, "eur"),
        ("12,400\u5186\u3067\u3059", 12400, "jpy"),
        ("nineteen quid", 1900, "gbp"),
        ("two hundred and five dollars fifty", 20550, "usd"),
        ("two of 44.50 on my card", 4450, "usd"),
    ],
)
def test_amounts_are_read_exactly(text: str, minor: int, currency: str) -> None:
    (found,) = find_amounts(text, "usd")
    assert (found.amount.minor, found.amount.currency) == (minor, currency)


def test_a_bare_amount_has_no_currency_where_the_shop_names_none() -> None:
    (found,) = find_amounts("two of 44.50", None)
    assert found.amount.currency is None


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("order 1042 please", "1042"),
        ("cancel 5503, keep 5502", "5503"),
        ("Bestellnr. 4032", "4032"),
        ("\u6ce8\u6587\u756a\u53f77781", "7781"),
        ("about #W1092119", "#W1092119"),
        ("receipt for 2075", "2075"),
    ],
)
def test_the_order_number_is_found(text: str, order: str) -> None:
    assert find_orders(text, [])[0].order_id == order


@pytest.mark.parametrize(
    "text", ["call 555-0142", "in 2021", "order 00000", "4242 4242 4242 4242", "my zip is CA 94607"]
)
def test_other_numbers_are_no_orders(text: str) -> None:
    assert find_orders(text, []) == []


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("I ordered it six days ago", 6),
        ("Five weeks. No parcel.", 35),
        ("bought yesterday", 1),
        ("I just ordered this morning", 0),
        ("hice el pedido hace 3 semanas", 21),
        ("returned it 4 days ago", None),
        ("within 30 days of purchase", None),
    ],
)
def test_days_since_the_purchase(text: str, days: int | None) -> None:
    found = find_days_since_purchase(text)
    assert (found.days if found else None) == days


def test_only_dates_that_cannot_be_misread_are_taken() -> None:
    found = [stated.day for stated in find_dates("2026-03-05, March 7th, 2026, 03/04/2026, 31 Feb 2026")]
    assert found == [date(2026, 3, 5), date(2026, 3, 7)]


def test_numbers_in_words() -> None:
    assert number_in_words("one thousand two hundred and six") == 1206
    assert number_in_words("plenty") is None


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("New words\n\n> old words", "New words"),
        ("New words\n\n-----Original Message-----\nFrom: a\nold", "New words"),
        ("New words\n-- \nJo, Director", "New words"),
        ("New words\nSent from my phone", "New words"),
        ("<p>New&nbsp;words</p><blockquote>old</blockquote>", "New words"),
        ("Am 3. M\u00e4rz schrieb Shop:\n> alt\n\nNew words", "New words"),
        ("> only quoted", "> only quoted"),
    ],
)
def test_the_newest_message_is_what_was_written_now(body: str, left: str) -> None:
    newest = newest_message(body)
    assert " ".join(newest.text.split()) == left
    assert len(newest.text) == len(body)


def test_sentences_keep_their_place() -> None:
    text = "Hello there.  Order 1.5 kg of it!\nThanks"
    assert [text[one.start : one.end] for one in sentences(text)] == ["Hello there.", "Order 1.5 kg of it!", "Thanks"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("refund pls", "en"),
        ("Ich h\u00e4tte gern eine Rechnung f\u00fcr meine Bestellung", "de"),
        ("\u8fd4\u91d1\u3057\u3066\u304f\u3060\u3055\u3044", "ja"),
        ("[EMAIL_1] 42", "und"),
    ],
)
def test_the_language_is_told(text: str, language: str) -> None:
    assert language_of(text) == language
