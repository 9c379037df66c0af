"""Everything that was read about a requester for one ticket, exactly as the vendors said it, with when and how.

A dossier is sealed as one artifact and loaded by id. It decides nothing: `graph.casefile` turns it into the facts of
one candidate action.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connectors.orders.wire import OrderView
from connectors.stripe.wire import (
    ChargeView,
    CustomerView,
    DisputeView,
    EarlyFraudWarningView,
    RefundView,
    SubscriptionView,
)


class Identity(StrEnum):
    """Why a requester counts as verified, or does not. Only the first may ever lead to an automatic action."""

    VERIFIED = "verified"
    UNVERIFIED_EMAIL = "unverified_email"
    UNAUTHENTICATED_MAIL = "unauthenticated_mail"
    FLAGGED_COMMENT = "flagged_comment"
    CARBON_COPIED = "carbon_copied"
    SHARED_ADDRESS = "shared_address"
    NO_CUSTOMER = "no_customer"
    SEVERAL_CUSTOMERS = "several_customers"


class MailAuthentication(StrEnum):
    """What Zendesk records of a message's sender."""

    NOT_MAIL = "not_mail"  # it came another way
    NO_DOUBT = "no_doubt"  # nothing is recorded against it, which is no proof of it
    FAILED = "failed"  # it may not have been sent from where it says
    SUSPENDED = "suspended"  # it was suspended, and somebody let it through


@dataclass(frozen=True, slots=True)
class ChargeHistory:
    """What belongs to one charge. None where it was not asked for or could not be read, which means unknown."""

    disputes: tuple[DisputeView, ...] | None = None
    warnings: tuple[EarlyFraudWarningView, ...] | None = None
    refunds: tuple[RefundView, ...] | None = None
    refund_in_flight: bool = False
    reserved_minor: int = 0
    prior_refusals: int = 0


@dataclass(frozen=True, slots=True)
class Dossier:
    """What was read. An empty tuple is a vendor's answer "there are none"; None is "not known"."""

    read_at: datetime
    identity: Identity
    mail: MailAuthentication | None = None
    is_address_shared: bool | None = None
    photo_repeated: bool | None = None
    segment: str | None = None
    customer: CustomerView | None = None
    charges: tuple[ChargeView, ...] | None = None
    history: dict[str, ChargeHistory] = field(default_factory=dict)
    orders: tuple[OrderView, ...] | None = None
    subscriptions: tuple[SubscriptionView, ...] | None = None
    refunds_90d: int | None = None
    refunded_90d_minor: dict[str, int] = field(default_factory=dict)
    draft_only: tuple[str, ...] = ()

    @property
    def is_verified(self) -> bool:
        """Whether the requester is who they seem to be."""
        return self.identity is Identity.VERIFIED

    def order_of(self, charge: ChargeView) -> OrderView | None:
        """The order that the charge paid for, where a source says so."""
        for order in self.orders or ():
            if order.charge_ids and charge.charge_id in order.charge_ids:
                return order
        named = charge.metadata.get("order_id")
        return next((order for order in self.orders or () if named is not None and order.id == named), None)
