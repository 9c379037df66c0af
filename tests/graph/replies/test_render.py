"""Replies: every template in every language, and every wrong slot refused."""

from __future__ import annotations

from datetime import date

import pytest

from graph.replies.render import LOCALES, Frame, ReplyError, Said, render, reply, spoken
from graph.replies.templates import SLOTS, Closing, Opening, Slots, SlotValue, Template
from policies.money import Money
from policies.vocabulary import Intent

PAID: Slots = {
    "amount": Money(2490, "eur"),
    "paid_on": date(2026, 3, 5),
    "card": "Visa ending in 4242",
    "order": "1042",
}


def _filled(template: Template) -> Slots:
    values: dict[object, SlotValue] = {
        Money: Money(1200, "jpy"),
        date: date(2026, 3, 5),
        str: "1042",
        tuple: ("a", "b"),
    }
    return {name: values[slot.kind] for name, slot in SLOTS[template].items()}


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("template", Template)
def test_every_template_renders_in_every_language_without_leftovers(template: Template, language: str) -> None:
    text = render(template, language, _filled(template))
    assert text
    assert not set("{}[]") & set(text)


@pytest.mark.parametrize("template", Template)
def test_a_missing_slot_and_an_extra_one_are_errors(template: Template) -> None:
    slots = _filled(template)
    with pytest.raises(ReplyError, match="has no slots"):
        render(template, "en", {**slots, "promise": "a refund"})
    for name in slots:
        with pytest.raises(ReplyError, match="lacks the slots"):
            render(template, "en", {key: value for key, value in slots.items() if key != name})


def test_a_slot_of_another_type_is_an_error() -> None:
    with pytest.raises(ReplyError, match="'amount'"):
        render(Template.PAYMENT_CANCELLED, "en", {"amount": "24.90"})


def test_an_empty_slot_is_an_error_unless_its_part_may_be_left_out() -> None:
    with pytest.raises(ReplyError, match="is empty"):
        render(Template.ORDER_NOT_SHIPPED, "en", {"order": ""})
    without = render(Template.REFUND_DONE, "en", {**PAID, "card": "", "order": ""})
    assert "The money is going back the way you paid;" in without
    assert "of March 5, 2026. The" in without


def test_money_and_dates_are_written_as_the_reader_writes_them() -> None:
    assert "24,90\xa0\u20ac" in render(Template.REFUND_DONE, "de", PAID)
    assert "5. M\u00e4rz 2026" in render(Template.REFUND_DONE, "de", PAID)
    assert "Visa-Karte mit den Endziffern 4242" in render(Template.REFUND_DONE, "de", PAID)


def test_a_value_is_never_read_as_a_template() -> None:
    text = render(Template.ANSWER_POLICY, "en", {"heading": "{quote}", "quote": "[[{heading}]]"})
    assert '"{quote}"' in text
    assert text.endswith("[[{heading}]]")


def test_several_requests_get_one_reply_that_says_which_is_which() -> None:
    said = (
        Said(Template.REFUND_DONE, PAID, Intent.REFUND_REQUEST),
        Said(Template.ORDER_NOT_SHIPPED, {"order": "1043"}, Intent.ORDER_STATUS),
        Said(Template.ASK_PHOTO, {}, Intent.ORDER_STATUS),
    )
    frame = Frame("Ana", "Larkspur", ("refunds#3.2",), Opening.SEVERAL, Closing.REFUNDED)
    text = reply(said, frame, "en")
    assert text.count("Hello Ana,") == 1
    assert text.endswith("refunds#3.2.\n\nKind regards,\nLarkspur")
    assert "Your refund: We have refunded" in text
    assert text.count("Your order: Your order 1043") == 1
    assert "\n\nCould you reply with a photo" in text  # the second paragraph of the same request is not announced again
    assert "Your refund:" not in reply(said[:1], frame, "en")


def test_a_reply_without_a_paragraph_is_an_error() -> None:
    with pytest.raises(ReplyError, match="without a paragraph"):
        reply([], Frame("", "Larkspur"), "en")


def test_a_language_without_texts_is_answered_in_english() -> None:
    assert spoken("sv") == "en"
    assert reply([Said(Template.ASK_PHOTO, {})], Frame("", "L"), "sv").startswith("Hello,")


@pytest.mark.parametrize("language", LOCALES)
def test_every_request_opening_and_closing_has_its_words_in_every_language(language: str) -> None:
    for intent in Intent:
        said = [Said(Template.ASK_PHOTO, {}, intent), Said(Template.ASK_PHOTO, {}, Intent.OTHER)]
        for opening in Opening:
            assert "Larkspur" in reply(said, Frame("", "Larkspur", (), opening, Closing.DENIED), language)
