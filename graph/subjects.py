"""How the vault names whose personal data something is: a customer, or the ticket before its customer is known."""

from __future__ import annotations

from typing import Final

_CUSTOMER: Final = "zendesk/user/"
_TICKET: Final = "ticket/"


def of_customer(zendesk_user_id: int | str) -> str:
    """The subject that a Zendesk user is."""
    return f"{_CUSTOMER}{zendesk_user_id}"


def customer_of(subject_id: str) -> str | None:
    """The Zendesk user that the subject is, or None."""
    return subject_id.removeprefix(_CUSTOMER) if subject_id.startswith(_CUSTOMER) else None


def of_ticket(ticket_id: str) -> str:
    """The subject of what was sealed before the run knew its person."""
    return f"{_TICKET}{ticket_id}"


def is_ticket(subject_id: str) -> bool:
    """Whether the subject stands for a ticket."""
    return subject_id.startswith(_TICKET)
