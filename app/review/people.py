"""Who asks, and what a reviewer should know about them before money moves. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.review.card import Customer, Signal
from app.review.words import IDENTITIES
from connectors.stripe.words import RiskLevel
from graph.dossier import Dossier
from graph.models.triage import Triage
from graph.snapshot import Snapshot
from policies.money import Money


def customer_of(snapshot: Snapshot | None, dossier: Dossier | None, triage: Triage | None) -> Customer | None:
    """The customer of a run; None until the ticket was read."""
    if snapshot is None:
        return None
    known = dossier.customer if dossier is not None else None
    return Customer(
        name=snapshot.requester_name,
        email=snapshot.requester_email,
        identity=IDENTITIES[dossier.identity] if dossier is not None else "not looked up yet",
        is_verified=dossier is not None and dossier.is_verified,
        segment=dossier.segment if dossier is not None else None,
        since=known.created_at if known is not None else None,
        signals=tuple(_signals(snapshot, dossier, triage)),
    )


def _signals(snapshot: Snapshot, dossier: Dossier | None, triage: Triage | None) -> Iterator[Signal]:
    """Risks first, then what is merely good to know."""
    risks = [*_risks_of_ticket(snapshot, triage), *(_risks_of_payments(dossier) if dossier is not None else ())]
    yield from (Signal(words, source, is_risk=True) for words, source in risks)
    if dossier is None:
        return
    if dossier.refunds_90d is not None:
        amounts = [
            str(Money(minor, currency)) for currency, minor in sorted(dossier.refunded_90d_minor.items()) if minor
        ]
        of = f", {' and '.join(amounts)}" if amounts else ""
        yield Signal(f"{_count(dossier.refunds_90d, 'refund')} in 90 days{of}", "Ledger", is_risk=False)
    if dossier.charges is not None:
        yield Signal(f"{_count(len(dossier.charges), 'payment')} known", "Stripe", is_risk=False)
    for name in dossier.draft_only:
        yield Signal(f"{name} could not be read", "Run", is_risk=True)


def _risks_of_ticket(snapshot: Snapshot, triage: Triage | None) -> Iterator[tuple[str, str]]:
    if snapshot.is_carbon_copied:
        yield "other people are copied on the ticket and would read the reply", "Zendesk"
    if snapshot.flags:
        yield "Zendesk flags the newest message", "Zendesk"
    if triage is not None and triage.injection_suspected:
        yield "the text tries to instruct the agent; it was treated as text", "Ticket"


def _risks_of_payments(dossier: Dossier) -> Iterator[tuple[str, str]]:
    disputes = [one for entry in dossier.history.values() for one in entry.disputes or ()]
    warnings = sum(len(entry.warnings or ()) for entry in dossier.history.values())
    refusals = max((entry.prior_refusals for entry in dossier.history.values()), default=0)
    open_ones = sum(one.is_open for one in disputes)
    if open_ones:
        yield f"{_count(open_ones, 'open dispute')}", "Stripe"
    if len(disputes) > open_ones:
        yield f"{_count(len(disputes) - open_ones, 'earlier dispute')}", "Stripe"
    if warnings:
        yield f"{_count(warnings, 'early fraud warning')}", "Stripe"
    risky = {RiskLevel.ELEVATED, RiskLevel.HIGHEST}
    if any(charge.risk_level in risky for charge in dossier.charges or ()):
        yield "a payment of theirs has a raised risk level", "Stripe"
    if any(entry.refund_in_flight for entry in dossier.history.values()):
        yield "a refund is already under way", "Ledger"
    if refusals:
        yield f"refused {_count(refusals, 'time')} before on the same charge", "Ledger"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
