"""One update of a ticket as one stored body: comment, tags, fields, status and the marker that finds it again.

A comment has no idempotency key, so the body carries two protections: `safe_update` with the ticket's stamp, which
makes a second send fail with a conflict, and a marker in the audit's metadata, which is looked for before anything is
sent again.
https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.outcome import Refused, Unknown
from connectors.zendesk.transport import NoAnswer, VendorAnswer
from connectors.zendesk.wire import AuditView, TicketView

MARKER: Final = "countersign_marker"
"""The key of the marker in an update's metadata, shown by Zendesk as `metadata.custom` of audit and comment."""
STATUSES: Final = frozenset({"open", "pending", "hold", "solved"})
_MAX_MARKER: Final = 200

FieldValue = str | int | bool | None


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to write, as plain text. `public` is always said: left out, Zendesk takes the first comment's."""

    body: str
    public: bool


@dataclass(frozen=True, slots=True)
class UpdateView:
    """The ticket after an update, and the update's audit; no audit means that nothing was different."""

    ticket: TicketView
    audit: AuditView | None


def update_body(  # noqa: PLR0913 - the parts of one update, all by name
    ticket: TicketView,
    *,
    marker: str,
    comment: NewComment | None = None,
    add_tags: Iterable[str] = (),
    remove_tags: Iterable[str] = (),
    custom_fields: Mapping[int, FieldValue] | None = None,
    status: str | None = None,
    group_id: int | None = None,
    assignee_id: int | None = None,
) -> str:
    """The body of one update, as canonical JSON to be stored before it is sent.

    Tags are sent as the complete new list: `additional_tags` is documented for bulk updates only, and `safe_update`
    sees that nobody else's tag is lost, save for a change within the same second as the read.

    Args:
        ticket: as read just now; its stamp guards the update.
        marker: unique to this update. Zendesk keeps it only if the update changes something, as a comment always does.
        comment: at most one per update.
        add_tags: lower case, without blanks.
        remove_tags: taken away where present.
        custom_fields: field id -> value; `None` empties a field.
        status: open, pending, hold or solved.
        group_id: the group to hand to.
        assignee_id: the agent to hand to.

    Raises:
        ValueError: an unknown status, an empty comment, a tag with a blank, or a marker that is empty or too long.
    """
    if not 0 < len(marker) <= _MAX_MARKER:
        raise ValueError(f"marker {marker!r} is empty or longer than {_MAX_MARKER} characters: give a short one")
    if status is not None and status not in STATUSES:
        raise ValueError(f"status {status!r} is none of {', '.join(sorted(STATUSES))}: give one of these")
    if comment is not None and not comment.body.strip():
        raise ValueError("the comment is empty: leave it out or say something")
    change: dict[str, object] = {
        "metadata": {MARKER: marker},
        "safe_update": True,
        "updated_stamp": ticket.updated_stamp,
    }
    if comment is not None:
        change["comment"] = {"body": comment.body, "public": comment.public}
    tags = _tags(ticket.tags, add_tags, remove_tags)
    if tags != sorted(ticket.tags):
        change["tags"] = tags
    if custom_fields:
        change["custom_fields"] = [{"id": key, "value": value} for key, value in sorted(custom_fields.items())]
    optional = {"status": status, "group_id": group_id, "assignee_id": assignee_id}
    change.update({name: value for name, value in optional.items() if value is not None})
    return json.dumps({"ticket": change}, sort_keys=True, separators=(",", ":"))


def refusal(answer: VendorAnswer) -> Refused | Unknown:
    """What an answer other than 2xx means for an update.

    `conflict`: the ticket is newer than the body. `closed`: it can never be changed again. `not_found`: deleted or
    never there. `access_denied`: the credential or its scope. `invalid`: anything else that Zendesk will not take.
    """
    retry_after_s, request_id = answer.retry_after_s, answer.request_id
    if answer.status in _DOUBTFUL or answer.status >= 500:  # noqa: PLR2004 - HTTP's own border
        why = _DOUBTFUL.get(answer.status, "server_error")
        return Unknown(why, str(answer), answer.status, retry_after_s, request_id=request_id)
    code = _REFUSED.get(answer.status, "invalid")
    if answer.status == _UNPROCESSABLE and "closed prevents" in answer.detail.lower():
        code = "closed"
    return Refused(code, f"{answer.code}: {answer.detail}", answer.status, request_id)


def silence(error: NoAnswer) -> Unknown:
    """What it means for an update that no answer came: it may have been made."""
    return Unknown(error.why, error.detail)


_UNPROCESSABLE: Final = 422
_DOUBTFUL: Final = {408: "timeout", 429: "throttled"}
_REFUSED: Final = {401: "access_denied", 403: "access_denied", 404: "not_found", 409: "conflict", 410: "not_found"}


def _tags(present: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> list[str]:
    wanted = set(added)
    bad = sorted(tag for tag in wanted if not tag or tag != "".join(tag.split()).lower())
    if bad:
        raise ValueError(f"tag {bad[0]!r} is empty, has a blank or upper case: Zendesk would change it")
    return sorted((set(present) | wanted) - set(removed))
