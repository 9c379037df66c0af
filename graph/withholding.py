"""What a policy keeps from being read, from models and from the log, taken away where it would pass. Pure.

A field that is never read is dropped at the door, before anything is stored or looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from connectors.stripe.wire import ChargeView, CustomerView
from policies.document import Privacy
from policies.fields import names_field

WITHHELD: Final = "withheld"
_LABEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_LOGGED: Final = {
    "tool.called": {"reference": "call.reference", "detail": "call.detail"},
    "node.completed": {
        "language": "request.language",
        "segment": "requester.segment",
        "sensitive_topic": "request.sensitive_topic",
    },
}
"""Kinds of events, their keys, and the fields that those hold."""


def named(label: str | None) -> str | None:
    """A label of the shop's as the log may hold it: a short word. What looks otherwise may be about a person."""
    return label if label is None or _LABEL.fullmatch(label) else "other"


def reads(privacy: Privacy, field: str) -> bool:
    """Whether the field may be read."""
    return not names_field(privacy.never_read, field)


def shows_models(privacy: Privacy, field: str) -> bool:
    """Whether a model may see the field."""
    return not names_field(privacy.never_model, field)


def readable_entries(values: Mapping[str, str], privacy: Privacy, kind: str) -> dict[str, str]:
    """The entries that may be read; `kind` is the name of the open field that they are entries of."""
    return {key: value for key, value in values.items() if reads(privacy, f"{kind}.{key}")}


def readable_customer(customer: CustomerView, privacy: Privacy) -> CustomerView:
    """The customer without the metadata that is never read."""
    return replace(customer, metadata=readable_entries(customer.metadata, privacy, "customer.metadata"))


def readable_charge(charge: ChargeView, privacy: Privacy) -> ChargeView:
    """The charge without the metadata and the description that are never read."""
    return replace(
        charge,
        metadata=readable_entries(charge.metadata, privacy, "charge.metadata"),
        description=charge.description if reads(privacy, "charge.description") else None,
    )


def loggable(kind: str, body: Mapping[str, object], privacy: Privacy) -> dict[str, object]:
    """An event's public part, with a word instead of what is never logged."""
    fields = _LOGGED.get(kind, {})
    return {
        key: WITHHELD if value is not None and names_field(privacy.never_log, fields.get(key, "")) else value
        for key, value in body.items()
    }
