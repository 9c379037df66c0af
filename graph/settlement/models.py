"""Tables of the settlement and the constraints that make over-refunding impossible, whatever the code does."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, bytes_field, json_field, utc_field


class EffectKind(StrEnum):
    """What changes outside."""

    REFUND = "refund"
    CANCEL_PAYMENT = "cancel_payment"
    CANCEL_SUBSCRIPTION = "cancel_subscription"
    ZENDESK_UPDATE = "zendesk_update"


class EffectState(StrEnum):
    """Where an effect stands."""

    HELD = "held"  # reserved; waits for `due_at`; a person, a new message or a switch can still stop it
    # sending | unknown -> held, once: Stripe definitely never had it, and it is to be sent anew
    SENDING = "sending"  # held -> sending: key, body and first_sent_at are committed; the socket may open
    UNKNOWN = "unknown"  # sending -> unknown: may or may not have happened; the reservation stays
    SETTLED = "settled"  # sending | unknown | human -> settled: the vendor confirmed it
    RELEASED = "released"  # sending | unknown | human -> released: it definitely did not happen; reservation given back
    STOPPED = "stopped"  # held -> stopped: before anything was sent
    HUMAN = "human"  # sending | unknown -> human: cannot be resolved by asking; the reservation stays
    REVERSED = "reversed"  # settled -> reversed: the refund failed later; the ledger took it back


class Effect(TenantRow, table=True):
    """One intended change outside, from its reservation to its end."""

    __tablename__ = "effect"
    __table_args__ = (
        Index(
            "effect_business_key",
            "tenant_id",
            "business_key",
            unique=True,
            postgresql_where=text("state NOT IN ('released', 'stopped')"),
        ),
        Index("effect_due", "due_at", postgresql_where=text("state IN ('held', 'sending', 'unknown')")),
        Index("effect_reversed", "tenant_id", "run_id", postgresql_where=text("state = 'reversed'")),
        Index("effect_run", "tenant_id", "run_id"),
        Index("effect_queued", "tenant_id", "created_at", postgresql_where=text("state IN ('held', 'human')")),
        Index("effect_vendor_object", "tenant_id", "vendor_object"),
        CheckConstraint(
            "kind <> 'refund' OR (amount_minor > 0 AND currency IS NOT NULL AND charge_id IS NOT NULL)",
            name="refund_has_money",
        ),
        CheckConstraint(
            "state NOT IN ('sending', 'unknown', 'settled') OR first_sent_at IS NOT NULL", name="sent_time"
        ),
        CheckConstraint("reissues BETWEEN 0 AND 1", name="reissued_once"),
    )

    effect_id: str = Field(primary_key=True)
    run_id: str
    ticket_id: str
    cycle: int
    kind: str
    business_key: str
    state: str = EffectState.HELD.value
    tool: str
    charge_id: str | None = None
    item_key: str | None = None
    customer_id: str | None = None
    subscription_id: str | None = None
    amount_minor: int | None = Field(default=None, sa_type=BigInteger)
    currency: str | None = None
    idempotency_key: str
    body: str | None = None  # as it goes over the wire, byte for byte; personal text is in sealed_body instead
    sealed_body: bytes | None = bytes_field(default=None, nullable=True)
    subject_id: str | None = None
    approval_id: str | None = None
    policy_hash: str | None = None
    decision_digest: str | None = None
    ticket_stamp: str | None = None  # the ticket's version that it was decided on
    charge_disputed: bool | None = None  # whether the charge was disputed then
    actor: str
    credential: str | None = None
    created_at: datetime = utc_field()
    due_at: datetime = utc_field()
    put_off_since: datetime | None = utc_field(default=None, nullable=True)  # due, and what it rests on cannot be read
    first_sent_at: datetime | None = utc_field(default=None, nullable=True)
    last_sent_at: datetime | None = utc_field(default=None, nullable=True)
    settled_at: datetime | None = utc_field(default=None, nullable=True)
    attempts: int = 0
    absent_since: datetime | None = utc_field(default=None, nullable=True)
    reissues: int = 0  # times that it was given a new key, because the vendor definitely never had it
    resolve_only: bool = False  # INVARIANT: once true, nothing is sent for this effect again; only looking decides
    fence: int = Field(default=0, sa_type=BigInteger)
    leased_until: datetime | None = utc_field(default=None, nullable=True)  # database time
    vendor_object: str | None = None
    vendor_status: str | None = None
    reason: str | None = None  # code of its last change, such as `conflict` or `switched_off`
    detail: str | None = None
    watched: dict[str, str | None] | None = json_field(default=None, nullable=True)  # what breakers know it by
    before: dict[str, object] | None = json_field(default=None, nullable=True)  # the ticket's values, for an undo


class ChargeLedger(TenantRow, table=True):
    """What was captured, refunded and reserved on one charge."""

    __tablename__ = "charge_ledger"
    __table_args__ = (
        CheckConstraint("refunded_minor >= 0 AND reserved_minor >= 0", name="no_negative_money"),
        CheckConstraint("refunded_minor + reserved_minor <= captured_minor", name="never_above_captured"),
    )

    charge_id: str = Field(primary_key=True)
    customer_id: str | None = None
    currency: str
    captured_minor: int = Field(sa_type=BigInteger)
    refunded_minor: int = Field(default=0, sa_type=BigInteger)
    reserved_minor: int = Field(default=0, sa_type=BigInteger)
    refreshed_at: datetime = utc_field()


class ForeignRefund(TenantRow, table=True):
    """A refund that we did not make, imported once: it uses up its charge, and the limits, like one of ours."""

    __tablename__ = "foreign_refund"
    __table_args__ = (
        Index("foreign_refund_charge", "tenant_id", "charge_id"),
        Index("foreign_refund_made", "tenant_id", "made_at"),
    )

    refund_id: str = Field(primary_key=True)
    charge_id: str
    customer_id: str | None = None  # whose limits it uses up; known once we had to do with the charge
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    status: str  # the vendor's word, never moved back by an older event
    claimed_intent: str | None = None  # what its metadata says made it, where we know no such intent
    made_at: datetime = utc_field()
    imported_at: datetime = utc_field()


class Reservation(TenantRow, table=True):
    """What an effect draws on one limit, from its reservation until it is released, stopped or reversed.

    `used_minor` and `used_count` are what the limit holds with this one, over the `window_s` seconds before it: summed
    by a trigger under a lock, whatever the caller wrote, and refused by the constraints beyond the cap. What has not
    gone out yet counts in every window; what has gone out, and what was refunded by hand, for `window_s` from then on.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        Index("reservation_of_limit", "tenant_id", "limit_id", "scope_key", "spent_at"),
        CheckConstraint("amount_minor > 0 AND window_s > 0", name="draws_something"),
        CheckConstraint("cap_minor IS NULL OR used_minor <= cap_minor", name="within_cap"),
        CheckConstraint("cap_count IS NULL OR used_count <= cap_count", name="within_count"),
    )

    effect_id: str = Field(primary_key=True)
    limit_id: str = Field(primary_key=True)
    scope_key: str  # the customer, or `tenant`
    currency: str
    amount_minor: int = Field(sa_type=BigInteger)
    window_s: int = Field(sa_type=BigInteger)
    cap_minor: int | None = Field(default=None, sa_type=BigInteger)
    cap_count: int | None = None
    used_minor: int = Field(sa_type=BigInteger)
    used_count: int = Field(sa_type=BigInteger)
    reserved_at: datetime = utc_field()
    spent_at: datetime | None = utc_field(default=None, nullable=True)


class ApprovalState(StrEnum):
    """Where a question to a person stands. Every change is a compare-and-set on `pending`."""

    PENDING = "pending"
    APPROVED = "approved"  # pending -> approved
    REJECTED = "rejected"  # pending -> rejected
    ASKED = "asked"  # pending -> asked: the reviewer asks the customer something instead, in `sealed_reply`
    EXPIRED = "expired"  # pending | approved -> expired: nobody answered, or nobody acted on the answer, in time
    STALE = "stale"  # pending | approved -> stale: the ticket, the charge or the policy changed
    USED = "used"  # approved -> used: its effects were reserved; it cannot be used again


class Approval(TenantRow, table=True):
    """A question to a person, bound to the digest of the exact actions, the policy version and the evidence."""

    __tablename__ = "approval"
    __table_args__ = (
        Index("approval_waiting", "tenant_id", "requested_at", postgresql_where=text("state = 'pending'")),
        Index("approval_decided", "tenant_id", "decided_at"),
    )

    approval_id: str = Field(primary_key=True)
    run_id: str
    ticket_id: str
    cycle: int
    state: str = ApprovalState.PENDING.value
    action_digest: str
    policy_hash: str
    evidence_digest: str
    approvers: list[str] = json_field(default_factory=list)
    required: int = 1
    approved_by: list[str] = json_field(default_factory=list)
    requested_at: datetime = utc_field()
    expires_at: datetime = utc_field()
    reminded_at: datetime | None = utc_field(default=None, nullable=True)  # once, before it expires
    decided_at: datetime | None = utc_field(default=None, nullable=True)
    decided_by: str | None = None
    reason_code: str | None = None
    subject_id: str | None = None
    sealed_comment: bytes | None = bytes_field(default=None, nullable=True)
    sealed_reply: bytes | None = bytes_field(default=None, nullable=True)  # the reply as the reviewer edited it


class Switch(TenantRow, table=True):
    """A kill switch. A row of tenant `*` holds for every tenant."""

    __tablename__ = "switch"

    tool: str = Field(primary_key=True)
    is_off: bool = True
    reason: str
    actor: str
    changed_at: datetime = utc_field()


class ConnectorState(TenantRow, table=True):
    """Whether a connector may still act, or has fallen back to draft-only, and why."""

    __tablename__ = "connector_state"

    connector: str = Field(primary_key=True)
    is_draft_only: bool = False
    reason: str | None = None
    scopes: list[str] = json_field(default_factory=list)
    changed_at: datetime = utc_field()
