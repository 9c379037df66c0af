"""Fields that a policy may keep from being read, from being sent to a model, or from the log, each declared once.

What is not listed here is either needed for every decision, or never read, sent or logged in the first place: names and
addresses are redacted before a model sees a text, and the log holds no text of a ticket at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kept(StrEnum):
    """From what a field can be kept. The words are those of the `privacy:` block."""

    NEVER_READ = "never_read"
    NEVER_MODEL = "never_model"
    NEVER_LOG = "never_log"


@dataclass(frozen=True, slots=True)
class DataField:
    """One field. `is_open`: it stands for all of its kind, and `NAME.KEY` for one of them."""

    name: str
    kept_from: frozenset[Kept]
    description: str
    is_open: bool = False


_READ, _MODEL, _LOG = Kept.NEVER_READ, Kept.NEVER_MODEL, Kept.NEVER_LOG

FIELDS: Final = (
    DataField("ticket.subject", frozenset({_MODEL}), "the ticket's subject"),
    DataField("ticket.history", frozenset({_READ, _MODEL}), "earlier messages of the ticket"),
    DataField("ticket.attachments", frozenset({_READ}), "the newest message's attachments: names, types and content"),
    DataField("ticket.tags", frozenset({_READ}), "the ticket's tags"),
    DataField("ticket.custom_fields", frozenset({_READ}), "Zendesk's custom ticket fields, by id", is_open=True),
    DataField("requester.phone", frozenset({_READ}), "the requester's telephone number"),
    DataField("requester.tags", frozenset({_READ}), "the requester's tags, which may name the segment"),
    DataField("customer.metadata", frozenset({_READ}), "metadata of the Stripe customer, by key", is_open=True),
    DataField("charge.metadata", frozenset({_READ}), "metadata of Stripe charges, by key", is_open=True),
    DataField("charge.description", frozenset({_READ}), "descriptions of Stripe charges"),
    DataField("charge.amount", frozenset({_MODEL}), "amounts among the options that a model chooses from"),
    DataField("charge.date", frozenset({_MODEL}), "days among the options that a model chooses from"),
    DataField("order.id", frozenset({_MODEL}), "order numbers among the options that a model chooses from"),
    DataField("request.language", frozenset({_LOG}), "the language that was recognised"),
    DataField("request.sensitive_topic", frozenset({_LOG}), "the sensitive topic that was recognised"),
    DataField("call.reference", frozenset({_LOG}), "the vendor's id that a call was about"),
    DataField("call.detail", frozenset({_LOG}), "what a vendor answered to a call that failed"),
)


def names_kept_from(kept: Kept) -> Iterator[str]:
    """The names that may stand in the list."""
    return (field.name for field in FIELDS if kept in field.kept_from)


def is_field(name: str, kept: Kept) -> bool:
    """Whether the name may stand in the list: a listed one, or one key of an open one."""
    return any(
        kept in field.kept_from and (name == field.name or (field.is_open and name.startswith(f"{field.name}.")))
        for field in FIELDS
    )


def names_field(listed: Iterable[str], name: str) -> bool:
    """Whether the list names the field, itself or as one of its kind.

    >>> names_field(["charge.metadata"], "charge.metadata.iban")
    True
    """
    return any(name == one or name.startswith(f"{one}.") for one in listed)
