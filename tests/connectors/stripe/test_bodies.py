from __future__ import annotations

import json

import pytest

from connectors.stripe.bodies import (
    CancelWhen,
    RefundReason,
    cancel_payment_body,
    cancel_subscription_body,
    form_of,
    refund_body,
)
from policies.money import Money

USD = Money(2490, "usd")


def test_a_refund_body_has_one_spelling() -> None:
    body = refund_body("ch_1", USD, intent_id="int_1", metadata={"ticket": "7"})
    assert body == (
        '{"amount":"2490","charge":"ch_1","metadata[intent_id]":"int_1","metadata[ticket]":"7",'
        '"reason":"requested_by_customer"}'
    )
    assert refund_body("ch_1", USD, metadata={"ticket": "7"}, intent_id="int_1") == body


def test_metadata_cannot_replace_the_intent() -> None:
    body = refund_body("ch_1", USD, intent_id="int_1", metadata={"intent_id": "other"})
    assert json.loads(body)["metadata[intent_id]"] == "int_1"


def test_no_reason_says_fraudulent() -> None:
    assert {reason.value for reason in RefundReason} == {"duplicate", "requested_by_customer"}


@pytest.mark.parametrize("minor", [0, -1])
def test_a_refund_is_positive(minor: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        refund_body("ch_1", Money(minor, "usd"), intent_id="int_1")


@pytest.mark.parametrize("metadata", [{"a[b": "x"}, {"k" * 41: "x"}, {"k": ""}, {"k": "v" * 501}, {"": "x"}])
def test_metadata_that_stripe_refuses_is_refused_here(metadata: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="metadata"):
        refund_body("ch_1", USD, intent_id="int_1", metadata=metadata)


def test_a_stored_body_reads_back() -> None:
    body = refund_body("ch_1", USD, intent_id="int_é\u2028")
    assert form_of(body)["metadata[intent_id]"] == "int_é\u2028"


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '{"amount":2490}', '{"b":"1","a":"2"}', '{"a": "1"}', '{"a":"1","a":"2"}']
)
def test_a_body_that_was_not_written_here_is_not_sent(body: str) -> None:
    with pytest.raises(ValueError, match="stored body"):
        form_of(body)


def test_the_end_of_a_period_cannot_be_prorated() -> None:
    with pytest.raises(ValueError, match="nothing is left to prorate"):
        cancel_subscription_body("sub_1", when=CancelWhen.PERIOD_END, intent_id="int_1", prorate=True)


def test_a_cancellation_now_says_explicitly_what_it_prorates() -> None:
    form = form_of(cancel_subscription_body("sub_1", when=CancelWhen.NOW, intent_id="int_1", prorate=False))
    assert (form["prorate"], form["invoice_now"]) == ("false", "false")


def test_a_payment_is_cancelled_with_a_reason() -> None:
    assert form_of(cancel_payment_body("pi_1")) == {
        "payment_intent": "pi_1",
        "cancellation_reason": "requested_by_customer",
    }
