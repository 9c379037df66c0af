"""The tags that tickets get from the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graph.settlement.models import EffectKind

TAG: Final = "countersign"
"""On every ticket that the agent answered or handed to a person."""

HANDED_OFF_TAG: Final = "countersign_handoff"

TAGS: Final[Mapping[str, str]] = {
    EffectKind.REFUND.value: "refunded",
    EffectKind.CANCEL_SUBSCRIPTION.value: "subscription_cancelled",
    EffectKind.CANCEL_PAYMENT.value: "payment_cancelled",
}
"""By what was done."""
