"""The vendor's JSON shapes, as in recorded exchanges.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#json-format
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#json-format
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from connectors.sandbox.zendesk.records import (
    Audit,
    Comment,
    Group,
    Json,
    JsonValue,
    Macro,
    Ticket,
    TicketField,
    User,
    Webhook,
    stamp,
)


def via(channel: str, sender: str | None = None) -> Json:
    """Where something came from. A mail shows its sender.

    https://developer.zendesk.com/documentation/ticketing/reference-guides/via-types/
    """
    origin: Json = {} if sender is None else {"address": sender}
    return {"channel": channel, "source": {"from": origin, "to": {}, "rel": None}}


def ids(values: list[int]) -> list[JsonValue]:
    """A list of ids as JSON."""
    return list(values)


def ticket(site: str, record: Ticket) -> Json:
    """A ticket. A soft-deleted one is only ever shown by the export, with the status `deleted`."""
    fields: list[JsonValue] = [{"id": key, "value": value} for key, value in record.custom_fields.items()]
    return {
        "url": f"{site}/api/v2/tickets/{record.ticket_id}.json",
        "id": record.ticket_id,
        "external_id": record.external_id,
        "via": via(record.channel),
        "created_at": stamp(record.created_at),
        "updated_at": stamp(record.updated_at),
        "type": record.kind,
        "subject": record.subject,
        "raw_subject": record.subject,
        "description": record.description,
        "priority": record.priority,
        "status": "deleted" if record.deleted else record.status,
        "recipient": None,
        "requester_id": record.requester_id,
        "submitter_id": record.submitter_id,
        "assignee_id": record.assignee_id,
        "organization_id": record.organization_id,
        "group_id": record.group_id,
        "collaborator_ids": ids(sorted({*record.email_cc_ids, *record.follower_ids})),
        "follower_ids": ids(record.follower_ids),
        "email_cc_ids": ids(record.email_cc_ids),
        "forum_topic_id": None,
        "problem_id": None,
        "has_incidents": False,
        "is_public": any(entry.public for entry in record.comments),
        "due_at": None,
        "tags": list(record.tags),
        "custom_fields": fields,
        "satisfaction_rating": None if record.rating is None else {"score": record.rating},
        "sharing_agreement_ids": [],
        "custom_status_id": None,
        "fields": list(fields),
        "followup_ids": ids(record.followup_ids),
        "ticket_form_id": None,
        "brand_id": record.brand_id,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": record.channel in {"native_messaging", "whatsapp", "facebook"},
    }


def exported_ticket(site: str, record: Ticket) -> Json:
    """A ticket as the incremental export gives it."""
    return {**ticket(site, record), "generated_timestamp": int(record.changed_at.timestamp())}


def html(text: str) -> str:
    """What the vendor makes of a plain body."""
    paragraphs = "".join(f'<p dir="auto">{escape(part, quote=False)}</p>' for part in text.split("\n\n"))
    return f'<div class="zd-comment" dir="auto">{paragraphs}</div>'


def metadata(record: Comment | Audit) -> Json:
    """System data, the custom data of the update, and a comment's flags where it has any.

    https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#comment-flags
    """
    shown: Json = {
        "system": {"client": "Countersign sandbox", "ip_address": "127.0.0.1"},
        "custom": dict(record.custom),
    }
    if isinstance(record, Comment) and record.flags:
        shown["flags"] = list(record.flags)
        shown["flags_options"] = {str(flag): {"trusted": False} for flag in record.flags}
    if isinstance(record, Comment) and (record.flags or record.suspension is not None):
        shown["trusted"] = False
        shown["suspension_type_id"] = record.suspension
    return shown


def comment(site: str, record: Comment) -> Json:
    """A comment as `GET /tickets/{id}/comments` gives it."""
    attachments: list[JsonValue] = [
        {
            "url": f"{site}/api/v2/attachments/{record.comment_id * 10 + place}.json",
            "id": record.comment_id * 10 + place,
            "file_name": entry.file_name,
            "content_url": f"{site}/attachments/token/{record.comment_id}/?name={quote(entry.file_name)}",
            "content_type": entry.content_type,
            "size": entry.size,
            "inline": False,
            "deleted": False,
            "malware_scan_result": "not_scanned",
            "thumbnails": [],
        }
        for place, entry in enumerate(record.attachments, start=1)
    ]
    return {
        "id": record.comment_id,
        "type": "Comment",
        "author_id": record.author_id,
        "body": record.body,
        "html_body": record.html_body,
        "plain_body": record.body,
        "public": record.public,
        "attachments": attachments,
        "audit_id": record.audit_id,
        "via": via(record.channel, record.sender),
        "created_at": stamp(record.created_at),
        "metadata": metadata(record),
    }


def audit(ticket_id: int, record: Audit) -> Json:
    """An audit as the answer to an update and `GET /tickets/{id}/audits` give it."""
    return {
        "id": record.audit_id,
        "ticket_id": ticket_id,
        "created_at": stamp(record.created_at),
        "author_id": record.author_id,
        "metadata": metadata(record),
        "events": list(record.events),
        "via": via(record.channel),
    }


def user(site: str, record: User) -> Json:
    """A user."""
    return {
        "id": record.user_id,
        "url": f"{site}/api/v2/users/{record.user_id}.json",
        "name": record.name,
        "email": record.email,
        "created_at": stamp(record.created_at),
        "updated_at": stamp(record.created_at),
        "time_zone": record.time_zone,
        "iana_time_zone": record.time_zone,
        "phone": record.phone,
        "locale": record.locale,
        "organization_id": record.organization_id,
        "role": record.role,
        "verified": record.verified,
        "external_id": record.external_id,
        "tags": list(record.tags),
        "active": True,
        "suspended": record.suspended,
        "shared": record.shared,
        "ticket_restriction": record.ticket_restriction if record.is_staff else "requested",
        "restricted_agent": not record.is_staff,
        "user_fields": {},
    }


def anonymous_user(site: str) -> Json:
    """What `users/me` answers to a credential that is good for nobody, with status 200."""
    return {
        "id": None,
        "url": f"{site}/api/v2/users/.json",
        "name": "Anonymous user",
        "email": "invalid@example.com",
        "role": "end-user",
        "verified": False,
        "locale": "en-US",
        "tags": [],
        "active": None,
        "suspended": False,
    }


def identity(site: str, record: User) -> Json:
    """The one e-mail identity that the double keeps for a user."""
    identity_id = record.user_id * 10 + 1
    return {
        "id": identity_id,
        "url": f"{site}/api/v2/users/{record.user_id}/identities/{identity_id}.json",
        "user_id": record.user_id,
        "type": "email",
        "value": record.email,
        "verified": record.verified,
        "primary": True,
        "created_at": stamp(record.created_at),
        "updated_at": stamp(record.created_at),
        "undeliverable_count": 0,
        "deliverable_state": "deliverable",
    }


def group(site: str, record: Group) -> Json:
    """A group."""
    return {
        "url": f"{site}/api/v2/groups/{record.group_id}.json",
        "id": record.group_id,
        "is_public": True,
        "name": record.name,
        "description": "",
        "default": False,
        "deleted": False,
        "created_at": stamp(record.created_at),
        "updated_at": stamp(record.created_at),
    }


def macro(site: str, record: Macro) -> Json:
    """A macro."""
    return {
        "url": f"{site}/api/v2/macros/{record.macro_id}.json",
        "id": record.macro_id,
        "title": record.title,
        "raw_title": record.title,
        "active": True,
        "default": False,
        "position": 10000,
        "description": None,
        "actions": [{"field": name, "value": value} for name, value in record.actions],
        "restriction": None,
        "created_at": stamp(record.created_at),
        "updated_at": stamp(record.created_at),
    }


def ticket_field(site: str, record: TicketField) -> Json:
    """A custom ticket field."""
    return {
        "url": f"{site}/api/v2/ticket_fields/{record.field_id}.json",
        "id": record.field_id,
        "type": record.kind,
        "title": record.title,
        "raw_title": record.title,
        "active": True,
        "required": False,
        "removable": True,
    }


def webhook(record: Webhook) -> Json:
    """A webhook."""
    return {
        "id": record.webhook_id,
        "name": record.name,
        "description": "",
        "status": record.status,
        "subscriptions": list(record.subscriptions),
        "created_at": stamp(record.created_at),
        "created_by": "0",
        "endpoint": record.endpoint,
        "http_method": "POST",
        "request_format": "json",
    }
