"""The baseline of a what-if: which actions the shipped policy takes alone, as one writes that filter by hand in Polars.

It knows one policy, and only the question whether nobody is asked. `policy_whatif` checks that it answers that question
as the policy does, for every row.
"""

# ruff: noqa: PLR2004 - the numbers are those of the policy, as somebody who writes a filter by hand writes them

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from polars import col

YOUNG_DAYS, NEW_CARD_DAYS, RISKY, TROUBLE = 14, 7, 50, 8


def counted(history: pl.DataFrame, at_most: Mapping[str, int]) -> pl.DataFrame:
    """Decisions and money by recorded verdict, new answer and currency.

    Args:
        history: recorded decisions.
        at_most: the threshold of the shop, in minor units by currency.
    """
    return (
        history.lazy()
        .select("verdict", "action.currency", "action.amount_minor", alone=_is_alone(at_most).fill_null(value=False))
        .group_by("verdict", "alone", "action.currency")
        .agg(pl.len(), col("action.amount_minor").sum())
        .collect()
    )


def is_alone(history: pl.DataFrame, at_most: Mapping[str, int]) -> pl.Series:
    """Whether nobody is asked, for each row."""
    return history.select(_is_alone(at_most).fill_null(value=False)).to_series()


def _is_alone(at_most: Mapping[str, int]) -> pl.Expr:
    anything = (
        (col("request.sensitive_topic") == "none")
        & ~col("request.injection_suspected")
        & ~col("run.draft_only")
        & col("request.language").is_in(["en", "und"])
        & (col("request.confidence_percent") >= 60)
    )
    kind = col("action.kind")
    return anything & (
        ((kind == "refund") & _is_refunded(at_most))
        | ((kind == "cancel_subscription") & _is_ended())
        | ((kind == "reply") & _is_answered())
    )


def _is_answered() -> pl.Expr:
    intent = col("request.intent")
    return (col("run.missing_documents") < 1) & (
        intent.is_in(["policy_question", "invoice_or_receipt", "payment_problem", "account_access"])
        | (intent.is_in(["order_status", "refund_status"]) & col("requester.verified"))
    )


def _is_ended() -> pl.Expr:
    in_grace = (col("subscription.days_into_period") <= 7) & ~col("subscription.used_since_renewal")
    return (
        col("requester.verified")
        & (col("run.tool_errors") < TROUBLE)
        & (col("run.retries") < TROUBLE)
        & col("subscription.known")
        & ((col("action.timing") == "period_end") | ((col("action.timing") == "now") & in_grace))
    )


def _is_refunded(at_most: Mapping[str, int]) -> pl.Expr:
    amount, currency = col("action.amount_minor"), col("action.currency")
    small = pl.any_horizontal([(currency == code) & (amount <= bound) for code, bound in at_most.items()])
    return small & _is_harmless(amount) & _is_due()


def _is_harmless(amount: pl.Expr) -> pl.Expr:
    risk = (
        (col("requester.account_age_days") < YOUNG_DAYS).cast(pl.Int32) * 15
        + (col("customer.disputes_365d") >= 1).cast(pl.Int32) * 35
        + (col("charge.risk_level") == "elevated").cast(pl.Int32) * 20
        + (col("charge.risk_level") == "highest").cast(pl.Int32) * 50
        + (col("charge.card_first_seen_days") < NEW_CARD_DAYS).cast(pl.Int32) * 10
        + (col("customer.refunds_90d") >= 1).cast(pl.Int32) * 10
    )
    return (
        (amount > 0)
        & (amount <= col("charge.refundable_minor"))
        & (col("charge.currency") == col("action.currency"))
        & (col("requester.segment") != "wholesale")
        & col("requester.verified")
        & col("charge.owned_by_requester")
        & ~col("charge.disputed")
        & ~col("charge.early_fraud_warning")
        & (col("customer.early_fraud_warnings") < 1)
        & (col("customer.open_disputes") < 1)
        & (col("customer.refunds_90d") < 2)
        & (col("charge.refunds") < 1)
        & ~col("charge.refund_in_flight")
        & (col("charge.prior_refusals") < 1)
        & ~col("request.photo_repeated").fill_null(value=False)
        & ~col("requester.address_shared")
        & (col("requester.mail_authentication") == "no_doubt")
        & col("order.owned_by_requester").fill_null(value=True)
        & ~col("claim.unauthorised")
        & (col("run.tool_errors") < TROUBLE)
        & (col("run.retries") < TROUBLE)
        & (risk < RISKY)
    )


def _is_due() -> pl.Expr:
    intent, fulfilment, since = col("request.intent"), col("order.fulfilment"), col("order.days_since_delivered")
    whole = col("action.scope") == "whole"
    returned = (
        (since <= 30) & col("item.return_received") & ~col("item.final_sale") & (col("item.category") == "physical")
    )
    unsent = whole & fulfilment.is_in(["unfulfilled", "cancelled"])
    kept = ~col("item.final_sale").fill_null(value=False)
    renewed = (
        whole
        & col("charge.is_renewal")
        & (col("subscription.days_into_period") <= 7)
        & ~col("subscription.used_since_renewal")
    )
    duplicate = (
        whole
        & (col("charge.status") == "succeeded")
        & col("charge.has_twin")
        & col("charge.is_later_twin")
        & (col("charge.age_days") <= 90)
    )
    return (
        ((intent == "duplicate_charge") & duplicate)
        | (
            (intent == "item_not_received")
            & fulfilment.is_in(["unfulfilled", "shipped"])
            & (col("order.days_past_promised") >= 10)
        )
        | ((intent == "item_damaged_or_wrong") & (since <= 14) & col("claim.photo_attached"))
        | ((intent == "return_or_exchange") & returned)
        | ((intent == "refund_request") & (returned | (unsent & kept)))
        | ((intent == "cancel_order") & unsent)
        | ((intent == "cancel_subscription") & renewed)
    )
