"""Putting back what an update of ours changed on a ticket: tags, status, group and fields, and withdrawing a note.

Only what still stands as we left it is put back: what somebody changed since is theirs. A public comment has reached
the customer and a card refund has left, so neither can be undone, and nothing here pretends to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.zendesk.update import NewComment, update_body
from connectors.zendesk.wire import TicketView
from graph.settlement.models import Effect, EffectKind
from graph.settlement.requests import EffectRequest
from policies.vocabulary import Tool


def values_of(ticket: TicketView) -> dict[str, object]:
    """What an update of ours may change, as the ticket has it now."""
    return {"tags": sorted(ticket.tags), "status": ticket.status, "group_id": ticket.group_id}


@dataclass(frozen=True, slots=True)
class Changed:
    """What one update changed: tags added and taken away, and (before, after) of the other values."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    values: tuple[tuple[str, object, object], ...] = ()
    note: str | None = None
    reply: str | None = None

    @property
    def can_be_undone(self) -> bool:
        """Whether anything of it can be put back."""
        return bool(self.added or self.removed or self.values or self.note)


def changed_by(before: Mapping[str, object] | None, body: str) -> Changed:
    """What the stored body of an update changes on a ticket that had these values; unknown values change nothing."""
    change: Mapping[str, Any] = json.loads(body)["ticket"]
    comment = change.get("comment") or {}
    words = comment.get("body")
    note, reply = (None, words) if comment.get("public") else (words, None)
    if before is None:
        return Changed(note=note, reply=reply)
    had = before.get("tags")
    tags = set(had) if isinstance(had, list) else set()
    now = set(change.get("tags", tags))
    values = tuple(
        (name, before.get(name), change[name])
        for name in ("status", "group_id")
        if name in change and change[name] != before.get(name)
    )
    return Changed(tuple(sorted(now - tags)), tuple(sorted(tags - now)), values, note, reply)


def undo_request(
    effect: Effect, body: str, ticket: TicketView, *, actor: str, by: str, credential: str | None
) -> EffectRequest | None:
    """The update that puts back what `effect` changed; None where nothing of it stands any more.

    Asking twice is one update: the key names the effect that is undone.

    Args:
        effect: an update of ours that the vendor confirmed.
        body: what was sent for it, opened.
        ticket: as read just now.
        actor: who undoes it, as the log names them.
        by: who undoes it, as their colleagues know them.
        credential: the name of the credential that will write.
    """
    assert effect.kind == EffectKind.ZENDESK_UPDATE.value
    changed = changed_by(effect.before, body)
    here = set(ticket.tags)
    added = [tag for tag in changed.added if tag in here]
    removed = [tag for tag in changed.removed if tag not in here]
    current = values_of(ticket)
    values = {name: before for name, before, after in changed.values if current[name] == after}
    if not (added or removed or values or changed.note):
        return None
    # A ticket cannot become new again; open is what comes next to it.
    status = {"new": "open"}.get(str(values["status"]), str(values["status"])) if "status" in values else None
    group_id = values.get("group_id")
    withdrawn = " The note that was written with it no longer holds." if changed.note else ""
    words = f"{by} undid a change of Countersign.{withdrawn}"
    return EffectRequest(
        tenant_id=effect.tenant_id,
        run_id=effect.run_id,
        ticket_id=effect.ticket_id,
        cycle=effect.cycle,
        kind=EffectKind.ZENDESK_UPDATE,
        tool=Tool.ZENDESK_UPDATE.value,
        actor=actor,
        item_key=undo_key(effect.effect_id),
        undoes=effect.effect_id,
        subject_id=effect.subject_id,
        is_personal=True,
        policy_hash=effect.policy_hash,
        credential=credential,
        body=lambda effect_id: update_body(
            ticket,
            marker=effect_id,
            comment=NewComment(words, public=False),
            add_tags=removed,
            remove_tags=added,
            status=status,
            group_id=group_id if isinstance(group_id, int) else None,
        ),
    )


def undo_key(effect_id: str) -> str:
    """The item key under which an effect is undone, once."""
    return f"undo:{effect_id}"
