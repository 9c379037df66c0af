"""What an approval is bound to: the exact actions, and the figures and rules they rest on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.stripe.wire import ChargeView
from graph.settlement import approvals
from graph.verdicts import Verdicts


def of_actions(tenant_id: str, verdicts: Verdicts) -> str:
    """Digest of the exact actions: kind, charge, item, amount, currency, subscription, timing."""
    return approvals.action_digest(
        tenant_id,
        [
            {
                "kind": one.candidate.kind.value,
                "charge": one.candidate.charge_id,
                "item": one.candidate.item_key,
                "amount_minor": one.candidate.amount.minor if one.candidate.amount else None,
                "currency": one.candidate.amount.currency if one.candidate.amount else None,
                "subscription": one.candidate.subscription_id,
                "timing": one.candidate.timing,
            }
            for one in verdicts.decided
        ],
    )


def of_evidence(tenant_id: str, verdicts: Verdicts, charges: Iterable[ChargeView], *, comment_id: int) -> str:
    """Digest of what the decisions rest on: the newest message, the charges' figures, the rules that decided.

    Ages are left out: a day more since the purchase does not make a person's yes worthless, a refund meanwhile does.
    """
    acted_on = {one.candidate.charge_id for one in verdicts.decided}
    return approvals.evidence_digest(
        tenant_id,
        {
            "comment_id": comment_id,
            "charges": {
                charge.charge_id: [charge.captured_amount.minor, charge.refunded.minor, charge.is_disputed]
                for charge in charges
                if charge.charge_id in acted_on
            },
            "decisions": [[one.decision.rule, one.decision.verdict.value] for one in verdicts.decided],
        },
    )
