"""The words of the card: closed lists of codes as colleagues say them. English, as the product is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graph.dossier import Identity
from graph.preferences import Preference
from graph.runs.models import WaitFor
from policies.facts import Source
from policies.vocabulary import ActionKind, Intent, Mode, Verdict

HELD_UP: Final[Mapping[WaitFor, str]] = {
    WaitFor.VENDOR: "Waiting for a system that is away",
    WaitFor.KEY: "Waiting for the key that opens it",
}
INTENTS: Final[Mapping[Intent, str]] = {
    Intent.REFUND_REQUEST: "Refund",
    Intent.DUPLICATE_CHARGE: "Duplicate charge",
    Intent.UNAUTHORIZED_CHARGE: "Charge they did not make",
    Intent.ITEM_NOT_RECEIVED: "Parcel that never came",
    Intent.ITEM_DAMAGED_OR_WRONG: "Damaged or wrong item",
    Intent.RETURN_OR_EXCHANGE: "Return or exchange",
    Intent.CANCEL_ORDER: "Cancel an order",
    Intent.CANCEL_SUBSCRIPTION: "Cancel a subscription",
    Intent.ORDER_STATUS: "Where is my order",
    Intent.REFUND_STATUS: "Where is my refund",
    Intent.CHANGE_ORDER: "Change an order",
    Intent.INVOICE_OR_RECEIPT: "Invoice or receipt",
    Intent.PAYMENT_PROBLEM: "Trouble paying",
    Intent.ACCOUNT_ACCESS: "Access to the account",
    Intent.POLICY_QUESTION: "Question about policy",
    Intent.PRICE_ADJUSTMENT: "Price adjustment",
    Intent.COMPLAINT: "Complaint",
    Intent.TALK_TO_HUMAN: "Wants a person",
    Intent.OTHER: "Something else",
}
ACTIONS: Final[Mapping[ActionKind, str]] = {
    ActionKind.REFUND: "Refund",
    ActionKind.CANCEL_SUBSCRIPTION: "Cancel the subscription",
    ActionKind.CANCEL_PAYMENT: "Release the payment that is not captured yet",
    ActionKind.RETURN_LABEL: "Send a return label",
    ActionKind.REPLACEMENT: "Send a replacement",
    ActionKind.STORE_CREDIT: "Grant store credit",
    ActionKind.REPLY: "Reply",
    ActionKind.ASK_CUSTOMER: "Ask the customer",
    ActionKind.HAND_OFF: "Hand over to a colleague",
}
VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.ALLOW: "Eligible",
    Verdict.NEEDS_APPROVAL: "Needs a person's yes",
    Verdict.DENY: "Not allowed",
}
TIERS: Final[Mapping[Mode, str]] = {
    Mode.SHADOW: "shadow: only watched",
    Mode.SUGGEST: "suggestion only",
    Mode.DRAFT: "draft only",
    Mode.APPROVE: "with approval",
    Mode.EXECUTE_WITH_REVIEW: "done, reviewed afterwards",
    Mode.EXECUTE_WITH_AUDIT: "done, audited",
    Mode.AUTO: "automatic",
    Mode.POLICY_AUTONOMY: "automatic by policy",
}
IDENTITIES: Final[Mapping[Identity, str]] = {
    Identity.VERIFIED: "verified: known address, one Stripe customer",
    Identity.UNVERIFIED_EMAIL: "not verified: the address is not confirmed in Zendesk",
    Identity.FLAGGED_COMMENT: "not verified: Zendesk doubts who wrote this",
    Identity.CARBON_COPIED: "not verified: others are copied on the ticket",
    Identity.NO_CUSTOMER: "not verified: no Stripe customer matches",
    Identity.SEVERAL_CUSTOMERS: "not verified: several Stripe customers match",
}
SOURCES: Final[Mapping[Source, str]] = {
    Source.ZENDESK: "Zendesk",
    Source.STRIPE: "Stripe",
    Source.ORDERS: "Orders",
    Source.LEDGER: "Ledger",
    Source.TICKET: "Customer says",
    Source.RUN: "Run",
}
PREFERENCES: Final[Mapping[Preference, str]] = {
    Preference.REPLY_LANGUAGE: "Reply in",
    Preference.REMEDY: "Would rather have",
}
EFFECTS: Final[Mapping[str, str]] = {
    "refund": "Refund",
    "cancel_payment": "Payment released",
    "cancel_subscription": "Subscription cancelled",
    "zendesk_update": "Ticket",
}
STATES: Final[Mapping[str, str]] = {
    "held": "held, can be stopped",
    "sending": "on its way",
    "unknown": "sent; whether it happened is being found out",
    "settled": "done",
    "released": "did not happen",
    "stopped": "stopped, nothing was sent",
    "human": "a person must look at the vendor",
    "reversed": "taken back by the vendor",
}
ENDED: Final[Mapping[str, str]] = {
    "resolved": "resolved",
    "waiting_for_review": "waits for review",
    "waiting_for_customer": "waits for the customer",
    "handed_off": "handed over",
    "ignored": "nothing to do",
}
STEPS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("read", "Read the ticket", ("intake",)),
    ("understand", "Understand it", ("triage",)),
    ("look_up", "Look up customer and payments", ("gather",)),
    ("find", "Find the policy", ("retrieve",)),
    ("decide", "Decide", ("plan", "decide")),
    ("draft", "Draft and check the reply", ("draft", "verify")),
)
"""The way to a decision, as a reader follows it: name, words, and the nodes that it takes."""

REASON_CODES: Final[Mapping[str, str]] = {
    "wrong_understanding": "It misunderstood the customer",
    "wrong_amount": "The amount is wrong",
    "wrong_policy": "The policy says otherwise",
    "wrong_tone": "The reply is not right",
    "customer_relation": "This customer needs something else",
    "other": "Something else",
}
LANGUAGES: Final[Mapping[str, str]] = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "pt": "Portuguese",
    "ja": "Japanese",
}


def intent(code: str) -> str:
    """An intent in words; what is not in the list as it is, because old runs may name what is no more."""
    known = {one.value: words for one, words in INTENTS.items()}
    return known.get(code, code.replace("_", " "))
