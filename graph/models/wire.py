"""A triage as JSON, for commands and for programs that read them.

Confidence is a fraction between 0 and 1 here, and whole percent inside the product.
"""

from __future__ import annotations

from typing import Any

from graph.models.triage import Claims, Triage


def triage_as_json(triage: Triage) -> dict[str, Any]:
    """Keys in the order in which a reader asks for them: what, how sure, what is claimed, who should look."""
    return {
        "intents": [score.intent.value for score in triage.intents],
        "confidence": triage.confidence / 100,
        "confidences": {score.intent.value: score.confidence / 100 for score in triage.intents},
        "claims": _claims(triage.claims),
        "language": triage.language,
        "needs_person": triage.needs_person,
        "person_reasons": [reason.value for reason in triage.person_reasons],
        "sensitive_topic": triage.sensitive_topic.value,
        "injection_suspected": triage.injection_suspected,
        "urgency": triage.urgency.value,
        "evidence": [
            {"start": item.start, "end": item.end, "claim": item.claim.value, "part": item.part.value}
            for item in triage.evidence
        ],
    }


def _claims(claims: Claims) -> dict[str, Any]:
    return {
        "order_id": claims.order_ids[0] if claims.order_ids else None,
        "order_ids": list(claims.order_ids),
        "amounts": [{"minor": amount.minor, "currency": amount.currency} for amount in claims.amounts],
        "dates": [day.isoformat() for day in claims.dates],
        "delivered": claims.delivered,
        "days_since_purchase_stated": claims.days_since_purchase_stated,
        "not_received": claims.not_received,
        "damaged": claims.damaged,
        "wrong_item": claims.wrong_item,
        "unauthorised": claims.unauthorised,
        "duplicate": claims.duplicate,
        "unopened": claims.unopened,
        "wants": claims.wants.value if claims.wants is not None else None,
        "photo_attached": claims.photo_attached,
    }
