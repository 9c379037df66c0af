"""What a run changed outside, as before and after: money on a charge, and each part of a ticket.

Before is what the run read, after is what the effect carries: a reader sees the very bytes that left, taken apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.run_words import STATES
from graph.dossier import Dossier
from graph.settlement.models import Effect, EffectKind
from graph.snapshot import Snapshot
from policies.money import Money


@dataclass(frozen=True, slots=True)
class Part:
    """One thing of an effect. `before` is None where nothing was there, or where it is not known."""

    what: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An effect as a difference outside; `state_text` says whether it happened."""

    effect: Effect
    where: str
    parts: tuple[Part, ...]

    @property
    def state_text(self) -> str:
        """How it stands, in words."""
        return STATES.get(self.effect.state, self.effect.state)


def changed(effect: Effect, body: str | None, snapshot: Snapshot | None, dossier: Dossier | None) -> Changed:
    """What the effect changes; `body` is what is sent, None where its person was erased."""
    if effect.kind == EffectKind.ZENDESK_UPDATE.value:
        return Changed(effect, f"Zendesk ticket {effect.ticket_id}", tuple(_ticket(body, snapshot)))
    if effect.kind == EffectKind.REFUND.value:
        return Changed(effect, f"Stripe charge {effect.charge_id}", tuple(_charge(effect, dossier)))
    what = effect.subscription_id or effect.charge_id or effect.vendor_object or ""
    return Changed(effect, f"Stripe {what}".strip(), (Part("status", None, effect.kind.replace("_", " ")),))


def _ticket(body: str | None, snapshot: Snapshot | None) -> Iterator[Part]:
    if body is None:
        yield Part("comment", None, "erased")
        return
    change: Mapping[str, object] = json.loads(body)["ticket"]
    comment = change.get("comment")
    if isinstance(comment, dict):
        kind = "public reply" if comment.get("public") else "internal note"
        yield Part(kind, None, str(comment.get("body", "")))
    if "status" in change:
        yield Part("status", snapshot.status if snapshot else None, str(change["status"]))
    tags = change.get("tags")
    if isinstance(tags, list):
        before = ", ".join(sorted(snapshot.tags)) if snapshot else None
        yield Part("tags", before, ", ".join(map(str, tags)))
    fields = change.get("custom_fields")
    for field in fields if isinstance(fields, list) else ():
        known = snapshot.custom_fields.get(str(field["id"])) if snapshot else None
        yield Part(f"field {field['id']}", known, str(field["value"]))
    for name in ("group_id", "assignee_id"):
        if name in change:
            yield Part(name.removesuffix("_id"), None, str(change[name]))


def _charge(effect: Effect, dossier: Dossier | None) -> Iterator[Part]:
    assert effect.amount_minor is not None
    assert effect.currency is not None
    charges = dossier.charges or () if dossier is not None else ()
    charge = next((one for one in charges if one.charge_id == effect.charge_id), None)
    amount = Money(effect.amount_minor, effect.currency)
    if charge is None:
        yield Part("refunded", None, f"{amount} more")
        return
    after = Money(charge.refunded.minor + effect.amount_minor, effect.currency)
    yield Part("refunded", str(charge.refunded), f"{after} of {charge.captured_amount}")
