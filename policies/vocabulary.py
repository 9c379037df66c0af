"""The closed words of the trade: intents, actions, verdicts, modes, outcomes, reasons. One spelling everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Intent(StrEnum):
    """What a ticket asks for. Several may hold at once."""

    REFUND_REQUEST = "refund_request"
    DUPLICATE_CHARGE = "duplicate_charge"
    UNAUTHORIZED_CHARGE = "unauthorized_charge"
    ITEM_NOT_RECEIVED = "item_not_received"
    ITEM_DAMAGED_OR_WRONG = "item_damaged_or_wrong"
    RETURN_OR_EXCHANGE = "return_or_exchange"
    CANCEL_ORDER = "cancel_order"
    CANCEL_SUBSCRIPTION = "cancel_subscription"
    ORDER_STATUS = "order_status"
    REFUND_STATUS = "refund_status"
    CHANGE_ORDER = "change_order"
    INVOICE_OR_RECEIPT = "invoice_or_receipt"
    PAYMENT_PROBLEM = "payment_problem"
    ACCOUNT_ACCESS = "account_access"
    POLICY_QUESTION = "policy_question"
    PRICE_ADJUSTMENT = "price_adjustment"
    COMPLAINT = "complaint"
    TALK_TO_HUMAN = "talk_to_human"
    OTHER = "other"


class ActionKind(StrEnum):
    """What may be done about a request."""

    REFUND = "refund"
    CANCEL_SUBSCRIPTION = "cancel_subscription"
    CANCEL_PAYMENT = "cancel_payment"
    RETURN_LABEL = "return_label"
    REPLACEMENT = "replacement"
    STORE_CREDIT = "store_credit"
    REPLY = "reply"
    ASK_CUSTOMER = "ask_customer"
    HAND_OFF = "hand_off"
    BULK_EMAIL = "bulk_email"
    DELETE_DATA = "delete_data"
    CHANGE_PERMISSIONS = "change_permissions"


class Verdict(StrEnum):
    """What the policy answers for one action. Never a boolean: compare with `is`."""

    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    DENY = "deny"

    def __bool__(self) -> bool:
        raise TypeError("a verdict is not a boolean: compare it with `is Verdict.ALLOW`")


class Mode(StrEnum):
    """The rung of autonomy a verdict is applied under, from the most to the least restrictive."""

    SHADOW = "shadow"
    SUGGEST = "suggest"
    DRAFT = "draft"
    APPROVE = "approve"
    EXECUTE_WITH_REVIEW = "execute_with_review"
    EXECUTE_WITH_AUDIT = "execute_with_audit"
    AUTO = "auto"
    POLICY_AUTONOMY = "policy_autonomy"


class Outcome(StrEnum):
    """How a run ends, or what it waits for."""

    RESOLVED = "resolved"
    WAITING_FOR_REVIEW = "waiting_for_review"
    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    HANDED_OFF = "handed_off"
    IGNORED = "ignored"


class Reason(StrEnum):
    """Why a run is not simply resolved. The taxonomy is fixed."""

    POLICY_DENIED = "policy_denied"
    NEEDS_APPROVAL = "needs_approval"
    APPROVAL_EXPIRED = "approval_expired"
    AMBIGUOUS_REQUEST = "ambiguous_request"
    MISSING_DATA = "missing_data"
    IDENTITY_NOT_VERIFIED = "identity_not_verified"
    SUSPECTED_ABUSE = "suspected_abuse"
    SENSITIVE_TOPIC = "sensitive_topic"
    LOW_CONFIDENCE = "low_confidence"
    OUT_OF_SCOPE = "out_of_scope"
    UNSUPPORTED_CHANNEL = "unsupported_channel"
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    VERIFICATION_FAILED = "verification_failed"
    BUDGET_EXHAUSTED = "budget_exhausted"
    KILL_SWITCH = "kill_switch"
    BREAKER_TRIPPED = "breaker_tripped"
    TOOL_ERROR = "tool_error"
    UNKNOWN_OUTCOME = "unknown_outcome"
    CUSTOMER_SILENT = "customer_silent"
    STALE = "stale"
    HUMAN_TOOK_OVER = "human_took_over"
    NOT_A_REQUEST = "not_a_request"


class ModelRole(StrEnum):
    """What a model is asked for."""

    TRIAGE = "triage"  # what the newest message asks for
    PLAN = "plan"  # which of several candidates is meant
    DRAFT = "draft"  # the words of a reply
    SUMMARISE = "summarise"  # what a colleague should know
    SAFETY = "safety"  # a second opinion on whether the message is an attack or sensitive
    CUSTOMER = "customer"  # in evaluations: what a simulated customer writes next
    GRADE = "grade"  # in evaluations: how a reply reads


ROLES_OF_RUNS: Final = tuple(role for role in ModelRole if role not in {ModelRole.CUSTOMER, ModelRole.GRADE})
"""The roles that work on tickets; a policy may name models for them. The others only evaluate."""


class Tool(StrEnum):
    """What the agent can call, reads included. Switches, scopes and allow-lists name these."""

    ZENDESK_READ = "zendesk.read"
    ZENDESK_REPLY = "zendesk.reply"
    ZENDESK_UPDATE = "zendesk.update"
    STRIPE_READ = "stripe.read"
    STRIPE_REFUND = "stripe.refund"
    STRIPE_CANCEL_SUBSCRIPTION = "stripe.cancel_subscription"
    STRIPE_CANCEL_PAYMENT = "stripe.cancel_payment"
    ORDERS_READ = "orders.read"
    KB_SEARCH = "kb.search"
    MODEL_CALL = "model.call"
