"""Classes of facts: what records can say about a requester, as far as any rule of the shop tells them apart.

Each class is a small value, and `dossier_of` writes the records that belong to it. The oracle reads the class, the
product reads the records, so that neither can borrow the other's mistakes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

from connectors.orders.wire import Category, Fulfilment, ItemView, OrderView, SubscriptionPeriodView
from connectors.stripe.wire import (
    CardView,
    ChargeView,
    CustomerView,
    DisputeView,
    EarlyFraudWarningView,
    SubscriptionItemView,
    SubscriptionView,
)
from connectors.stripe.words import DisputeStatus, RiskLevel, SubscriptionStatus
from graph.dossier import ChargeHistory, Dossier, Identity
from policies.money import Money

NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OWNER: Final = "cus_requester"
STRANGER: Final = "cus_stranger"
MAIN, TWIN, OTHER, FOREIGN, RENEWAL = "ch_main", "ch_twin", "ch_other", "ch_foreign", "ch_renewal"
ORDER: Final = "1042"
CRATE: Final = "sub_crate"


class Payment(Enum):
    """The charge that the ticket is most likely about: minor units and currency, and its state."""

    SMALL = (2490, "usd")
    AT_BOUND = (5000, "usd")
    ABOVE_BOUND = (5001, "usd")
    LARGE = (60_000, "usd")
    EURO_AT_BOUND = (4600, "eur")
    EURO_ABOVE_BOUND = (4601, "eur")
    UNLISTED_CURRENCY = (100, "isk")
    OLD = (2490, "usd", "old")
    DISPUTED = (2490, "usd", "disputed")
    DISPUTE_WON = (2490, "usd", "dispute won")
    PARTLY_REFUNDED = (2490, "usd", "partly refunded")
    REFUNDED = (2490, "usd", "refunded")
    UNCAPTURED = (2490, "usd", "uncaptured")

    @property
    def money(self) -> Money:
        """What was charged."""
        return Money(self.value[0], self.value[1])


class Parcel(Enum):
    """What the shop knows of the order: state, days past its promised date, days since delivery."""

    UNKNOWN = auto()
    WAITING = auto()
    WAITING_TOO_LONG = auto()
    ON_ITS_WAY = auto()
    LOST = auto()
    DELIVERED = auto()
    DELIVERED_LONG_AGO = auto()
    RETURNED = auto()
    RETURNED_FINAL_SALE = auto()
    CALLED_OFF = auto()


class Past(Enum):
    """What speaks for looking twice."""

    CLEAN = auto()
    TWO_REFUNDS = auto()
    FRAUD_WARNING = auto()
    REFUSED_BEFORE = auto()
    REFUND_UNDER_WAY = auto()


class Company(Enum):
    """Which other charge stands beside it."""

    NONE = auto()
    TWIN = auto()  # an equal one, a quarter of an hour earlier
    OTHER = auto()  # another one of the requester's
    FOREIGN = auto()  # one of somebody else's, which no vendor should have listed


class Crate(Enum):
    """The requester's subscription."""

    NONE = auto()
    JUST_RENEWED = auto()
    RENEWED_LONG_AGO = auto()


@dataclass(frozen=True, slots=True)
class Record:
    """One class of facts."""

    identity: Identity
    segment: str
    payment: Payment
    parcel: Parcel
    past: Past
    company: Company
    crate: Crate
    has_photo: bool


IDENTITIES: Final = (Identity.VERIFIED, Identity.UNVERIFIED_EMAIL, Identity.CARBON_COPIED)
SEGMENTS: Final = ("standard", "wholesale")


def records() -> list[Record]:
    """Every class."""
    product: Iterator[tuple[Identity, str, Payment, Parcel, Past, Company, Crate, bool]] = itertools.product(
        IDENTITIES, SEGMENTS, Payment, Parcel, Past, Company, Crate, (False, True)
    )
    return [Record(*values) for values in product]


def dossier_of(record: Record) -> Dossier:
    """The records of a class, as the vendors would have told them."""
    charges = tuple(_charges(record))
    fraud = record.past is Past.FRAUD_WARNING
    history = {charge.charge_id: ChargeHistory(disputes=(), warnings=(), refunds=()) for charge in charges}
    history[MAIN] = ChargeHistory(
        disputes=_disputes(record.payment),
        warnings=(
            EarlyFraudWarningView(
                "issfr_1", MAIN, is_actionable=True, fraud_type="fraudulent", created_at=_ago(days=1)
            ),
        )
        if fraud
        else (),
        refunds=(),
        refund_in_flight=record.past is Past.REFUND_UNDER_WAY,
        prior_refusals=int(record.past is Past.REFUSED_BEFORE),
    )
    return Dossier(
        read_at=NOW,
        identity=record.identity,
        segment=record.segment,
        customer=CustomerView(OWNER, "ana@customers.example", "Ana Ruiz", _ago(days=400), {}),
        charges=charges,
        history=history,
        orders=tuple(_orders(record)),
        subscriptions=() if record.crate is Crate.NONE else (_crate(record.crate),),
        refunds_90d=2 if record.past is Past.TWO_REFUNDS else 0,
    )


def _ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def _charges(record: Record) -> Iterator[ChargeView]:
    payment, state = record.payment, record.payment.value[2:] and record.payment.value[2]
    money = payment.money
    none = Money(0, money.currency)
    refunded = {"partly refunded": Money(500, money.currency), "refunded": money}.get(str(state), none)
    is_captured = state != "uncaptured"
    made = _ago(days=91 if state == "old" else 3)
    main = ChargeView(
        charge_id=MAIN,
        customer_id=OWNER,
        payment_intent_id="pi_main",
        amount=money,
        captured_amount=money if is_captured else none,
        refunded=refunded,
        created_at=made,
        is_paid=True,
        is_captured=is_captured,
        is_disputed=state in {"disputed", "dispute won"},
        risk_level=RiskLevel.NORMAL,
        payment_method="card",
        card=CardView("fp_1", "4242", "visa", "credit", "US"),
        billing_email=None,
        description=f"Order {ORDER}",
        metadata={"order_id": ORDER},
    )
    yield main
    plain = replace(main, captured_amount=money, refunded=none, is_captured=True, is_disputed=False)
    if record.company is Company.TWIN:
        yield replace(plain, charge_id=TWIN, payment_intent_id="pi_twin", created_at=made - timedelta(minutes=15))
    if record.company in {Company.OTHER, Company.FOREIGN}:
        is_own = record.company is Company.OTHER
        yield replace(
            plain,
            charge_id=OTHER if is_own else FOREIGN,
            customer_id=OWNER if is_own else STRANGER,
            payment_intent_id="pi_other",
            amount=Money(3000, "usd"),
            captured_amount=Money(3000, "usd"),
            refunded=Money(0, "usd"),
            created_at=_ago(days=20),
            description="Order 2001",
            metadata={"order_id": "2001"},
        )
    if record.crate is not Crate.NONE:
        crate = Money(1900, "usd")
        yield replace(
            plain,
            charge_id=RENEWAL,
            payment_intent_id="pi_renewal",
            amount=crate,
            captured_amount=crate,
            refunded=Money(0, "usd"),
            created_at=_ago(days=_days_into_period(record.crate)),
            description="Larkspur Crate",
            metadata={},
        )


def _disputes(payment: Payment) -> tuple[DisputeView, ...]:
    status = {
        Payment.DISPUTED: DisputeStatus.NEEDS_RESPONSE,
        Payment.DISPUTE_WON: DisputeStatus.WON,
    }.get(payment)
    if status is None:
        return ()
    return (
        DisputeView(
            "dp_1", MAIN, payment.money, "general", status, is_charge_refundable=False, created_at=_ago(days=2)
        ),
    )


_PARCELS: Final = {
    # state, days past the promised date, days since shipping, days since delivery
    Parcel.WAITING: (Fulfilment.UNFULFILLED, -2, None, None),
    Parcel.WAITING_TOO_LONG: (Fulfilment.UNFULFILLED, 12, None, None),
    Parcel.ON_ITS_WAY: (Fulfilment.SHIPPED, 5, 8, None),
    Parcel.LOST: (Fulfilment.SHIPPED, 12, 20, None),
    Parcel.DELIVERED: (Fulfilment.DELIVERED, 5, 8, 5),
    Parcel.DELIVERED_LONG_AGO: (Fulfilment.DELIVERED, 20, 24, 20),
    Parcel.RETURNED: (Fulfilment.DELIVERED, 20, 24, 20),
    Parcel.RETURNED_FINAL_SALE: (Fulfilment.DELIVERED, 20, 24, 20),
    Parcel.CALLED_OFF: (Fulfilment.CANCELLED, -2, None, None),
}


def _orders(record: Record) -> Iterator[OrderView]:
    if record.parcel is not Parcel.UNKNOWN:
        state, late, shipped, delivered = _PARCELS[record.parcel]
        item = ItemView(
            id="i1",
            name="stoneware pitcher",
            amount=record.payment.money,
            quantity=1,
            category=Category.PHYSICAL,
            final_sale=record.parcel is Parcel.RETURNED_FINAL_SALE,
            fulfilment=state,
            shipped_at=None if shipped is None else _ago(days=shipped),
            delivered_at=None if delivered is None else _ago(days=delivered),
            return_received_at=_ago(days=1) if record.parcel in {Parcel.RETURNED, Parcel.RETURNED_FINAL_SALE} else None,
        )
        yield OrderView(
            id=ORDER, charge_ids=(MAIN,), items=(item,), placed_at=_ago(days=30), promised_by=_ago(days=late)
        )
    if record.crate is not Crate.NONE:
        period = SubscriptionPeriodView(
            CRATE, _ago(days=_days_into_period(record.crate)), NOW + timedelta(days=10), used_since_renewal=False
        )
        yield OrderView(id="crate", charge_ids=(), items=(), subscription_periods=(period,))


def _days_into_period(crate: Crate) -> int:
    return 3 if crate is Crate.JUST_RENEWED else 20


def _crate(crate: Crate) -> SubscriptionView:
    begun = _ago(days=_days_into_period(crate))
    item = SubscriptionItemView("si_1", Money(1900, "usd"), 1, "month", 1, begun, begun + timedelta(days=30))
    return SubscriptionView(
        subscription_id=CRATE,
        customer_id=OWNER,
        status=SubscriptionStatus.ACTIVE,
        items=(item,),
        cancel_at_period_end=False,
        cancel_at=None,
        canceled_at=None,
        ended_at=None,
        created_at=_ago(days=200),
        latest_payment_intent_id="pi_renewal",
        metadata={},
    )
