"""What a message says: the event in words, the ticket and where to look, and nothing about a person. Pure."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from graph.audit.catalogue import KINDS
from graph.audit.log import spelled
from graph.audit.models import AuditEvent

SLACK_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""https://docs.slack.dev/messaging/formatting-message-text/#escaping"""


_CHANGES: Final = frozenset(
    {"policy.published", "policy.canary_started", "policy.rolled_back", "policy.expired", "policy.scheduled"}
)
_BACK: Final = {"policy.rolled_back": "publish", "policy.expired": "publish"}
"""The command that undoes it, where it is not a rollback."""
_SHOWN_HASH: Final = 12
_PAGES: Final = {"alert": "alerts", "breaker": "alerts", "connector": "alerts", "autonomy": "autonomy"}
"""Where to look, by the first part of the kind; else at the queue."""


def body_of(event: AuditEvent, form: str, base_url: str | None) -> bytes:
    """The body of the message about an event; `base_url` is where people reach the pages."""
    link = _link(event, base_url)
    if form == "slack":
        return _json({"text": _slack(event, link)})
    told = {
        "type": f"countersign.{event.kind}",
        "timestamp": spelled(event.at),
        "data": {
            "event_id": event.event_id,
            "seq": event.seq,
            "kind": event.kind,
            "means": _means(event),
            "tenant_id": event.tenant_id,
            "run_id": event.run_id,
            "ticket_id": event.ticket_id,
            "actor": event.actor,
            "link": link,
        },
    }
    return _json(told)


def mail_of(event: AuditEvent, base_url: str | None) -> tuple[str, str]:
    """Subject and text of the e-mail about an event."""
    said = _means(event)
    about = f", ticket {event.ticket_id}" if event.ticket_id else ""
    link = _link(event, base_url)
    lines = [
        f"{said[:1].upper()}{said[1:]}.",
        "",
        *([link, ""] if link is not None else []),
        f"{event.kind}, event {event.seq} of {event.tenant_id}{about}, {spelled(event.at)}",
    ]
    return f"[Countersign {event.tenant_id}] {event.kind}{about}", "\n".join(lines) + "\n"


def _slack(event: AuditEvent, link: str | None) -> str:
    about = f"ticket {event.ticket_id}: " if event.ticket_id else ""
    text = f"{about}{_means(event)}"
    for letter, escaped in SLACK_ESCAPES.items():
        text = text.replace(letter, escaped)
    return f"{text} <{link}|open>" if link else text


def _means(event: AuditEvent) -> str:
    """What happened; of an alert what it says, which names figures and never a person."""
    means = KINDS[event.kind].means if event.kind in KINDS else event.kind
    said = event.body.get("said") if event.kind.startswith(("alert.", "digest.")) else _change(event)
    return f"{means}: {said}" if isinstance(said, str) else means


def _change(event: AuditEvent) -> str | None:
    """Of a change of policy or models: which, in which direction, what its gates said, and the way back."""
    body = event.body
    if event.kind == "models.changed":
        return "the way back is the settings as they were"
    if event.kind not in _CHANGES or not isinstance(body.get("policy_hash"), str):
        return None
    told = [str(body["policy_hash"])[:_SHOWN_HASH], *([str(body["direction"])] if body.get("direction") else [])]
    gates = body.get("gates")
    if isinstance(gates, dict):
        told += [f"gate {name} {'passed' if passed else 'did not pass'}" for name, passed in sorted(gates.items())]
        told += [] if gates else ["no gate was run"]
    back = body.get("taken_back") or body.get("before")
    is_canary = event.kind == "policy.canary_started"
    if back or is_canary:
        target = "" if is_canary else f" {str(back)[:_SHOWN_HASH]}"
        told.append(f"way back: countersign policy {_BACK.get(event.kind, 'rollback')}{target}")
    return ", ".join(told)


def _link(event: AuditEvent, base_url: str | None) -> str | None:
    if base_url is None:
        return None
    below = f"{base_url}/t/{quote(event.tenant_id)}"
    if event.run_id:
        return f"{below}/runs/{quote(event.run_id)}"
    return f"{below}/{_PAGES.get(event.kind.partition('.')[0], 'queue')}"


def _json(form: object) -> bytes:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()
