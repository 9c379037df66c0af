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


def _slack(event: AuditEvent, link: str | None) -> str:
    about = f"ticket {event.ticket_id}: " if event.ticket_id else ""
    text = f"{about}{_means(event)}"
    for letter, escaped in SLACK_ESCAPES.items():
        text = text.replace(letter, escaped)
    return f"{text} <{link}|open>" if link else text


def _means(event: AuditEvent) -> str:
    return KINDS[event.kind].means if event.kind in KINDS else event.kind


def _link(event: AuditEvent, base_url: str | None) -> str | None:
    if base_url is None:
        return None
    below = f"{base_url}/t/{quote(event.tenant_id)}"
    return f"{below}/runs/{quote(event.run_id)}" if event.run_id else f"{below}/queue"


def _json(form: object) -> bytes:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()
