"""A ticket as it stood when a run read it: who wrote what, redacted, with the stamp that a later write must match."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from graph.subjects import of_customer


def version_of(ticket_digest: str, latest_comment_id: int) -> str:
    """A ticket's version: what stands in its fields, and anybody's last comment."""
    return f"{ticket_digest} {latest_comment_id}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on the newest message. Its content is never a ground for money."""

    name: str
    content_type: str
    size_bytes: int
    url: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether it says that it is a picture."""
        return self.content_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a run knows of its ticket. `newest` and `history` are redacted; the originals stay in Zendesk.

    `ticket_digest` is that of the ticket's fields (`TicketView.digest`), by which a change is told. `history` holds
    earlier public messages, oldest first. `requester_verified` says that the address is verified that the newest
    message came from. `latest_comment_id` is that of anybody's last comment, private ones included. `is_trusted` and
    `suspension_cause` are Zendesk's word on the newest message, `is_shared_user` and `is_staff` on the requester.
    """

    ticket_id: str
    subject: str
    status: str
    channel: str
    brand: str | None
    requester_id: str
    requester_name: str
    requester_email: str | None
    requester_verified: bool
    requester_tags: tuple[str, ...]
    is_carbon_copied: bool
    flags: tuple[int, ...]
    newest_comment_id: int
    newest: str
    history: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    tags: tuple[str, ...]
    custom_fields: dict[str, str]
    ticket_digest: str
    read_at: datetime
    is_trusted: bool = True
    suspension_cause: int | None = None
    is_shared_user: bool = False
    is_staff: bool = False
    latest_comment_id: int = 0

    @property
    def version(self) -> str:
        """The ticket's version that this is."""
        return version_of(self.ticket_digest, self.latest_comment_id)

    @property
    def recipients(self) -> int | None:
        """How many people a public comment reaches: the requester alone, or unknown where others are copied."""
        return None if self.is_carbon_copied else 1

    @property
    def reaches_requester_only(self) -> bool:
        """Whether a public comment is read by the requester, who is who they seem to be, and by no one else."""
        return self.requester_verified and self.is_trusted and not (self.is_shared_user or self.is_carbon_copied)

    @property
    def subject_id(self) -> str:
        """Whose personal data this is, as the vault names them."""
        return of_customer(self.requester_id)

    @property
    def has_picture(self) -> bool:
        """Whether the newest message carries a picture."""
        return any(one.is_picture for one in self.attachments)
