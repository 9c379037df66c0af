"""Fields that a policy keeps back are gone where they would pass."""

from __future__ import annotations

from dataclasses import replace

from graph.withholding import WITHHELD, loggable, readable_charge, readable_customer, readable_entries, shows_models
from policies.document import Privacy
from tests.graph.cases import a_charge, a_dossier

KEEPS = Privacy(
    never_read=("charge.description", "charge.metadata.iban", "customer.metadata"),
    never_model=("order.id",),
    never_log=("call.detail", "request.language"),
)


def test_metadata_and_descriptions_that_are_never_read_are_dropped() -> None:
    charge = replace(a_charge(), metadata={"iban": "DE00", "order_id": "1042"}, description="Order 1042")
    assert readable_charge(charge, Privacy()) == charge
    kept = readable_charge(charge, KEEPS)
    assert (dict(kept.metadata), kept.description) == ({"order_id": "1042"}, None)
    customer = a_dossier(charge).customer
    assert customer is not None
    assert readable_customer(replace(customer, metadata={"segment": "vip"}), KEEPS).metadata == {}
    assert readable_entries({"7": "a"}, KEEPS, "ticket.custom_fields") == {"7": "a"}


def test_a_model_sees_what_is_not_kept_from_it() -> None:
    assert shows_models(KEEPS, "charge.amount")
    assert not shows_models(KEEPS, "order.id")


def test_what_is_never_logged_leaves_a_word_and_nothing_else() -> None:
    body = {"reference": "ch_1", "detail": "HTTP 500", "language": "en"}
    assert loggable("tool.called", body, KEEPS) == {**body, "detail": WITHHELD}
    assert loggable("node.completed", {"language": "en", "sensitive_topic": None}, KEEPS) == {
        "language": WITHHELD,
        "sensitive_topic": None,
    }
    assert loggable("run.started", body, KEEPS) == body
