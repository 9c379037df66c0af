"""Appending to the tenant's log, in the transaction of the change that the event tells of.

Numbers have no gap: the counter row is locked from the append to the commit. Append last in a transaction, because
every other append of the tenant waits for it, and a lock taken after it can deadlock with a transaction that appends.
Erasable values never enter the event: it carries their salted commitments, and the values lie sealed beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.canonical import canonical_json
from graph.audit.errors import AuditError
from graph.audit.models import AuditEvent, AuditPrivate
from graph.vault import SubjectKey, Vault


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append. `body` is public and kept for ever; `private` is sealed for `subject_id` and erasable."""

    event_id: str
    at: datetime
    kind: str
    actor: str
    run_id: str | None = None
    ticket_id: str | None = None
    body: Mapping[str, object] = field(default_factory=dict)
    private: Mapping[str, object] = field(default_factory=dict)
    subject_id: str | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """The public fields that a leaf hash covers."""

    tenant_id: str
    seq: int
    event_id: str
    at: datetime
    kind: str
    actor: str
    run_id: str | None
    ticket_id: str | None
    body: Mapping[str, object]
    commitments: Mapping[str, str]

    def digest(self) -> bytes:
        """SHA-256 of 0x00 and the canonical JSON: a leaf of RFC 6962 section 2.1.

        https://www.rfc-editor.org/rfc/rfc6962#section-2.1
        """
        return hashlib.sha256(b"\x00" + canonical_json({**self._fields(), "at": spelled(self.at), "v": 1})).digest()

    def columns(self) -> dict[str, object]:
        """The row of `audit_event`, its leaf hash included."""
        return {**self._fields(), "leaf_hash": self.digest()}

    def _fields(self) -> dict[str, object]:
        return {
            "tenant_id": self.tenant_id,
            "seq": self.seq,
            "event_id": self.event_id,
            "at": self.at,
            "kind": self.kind,
            "actor": self.actor,
            "run_id": self.run_id,
            "ticket_id": self.ticket_id,
            "body": dict(self.body),
            "commitments": dict(self.commitments),
        }


def spelled(at: datetime) -> str:
    """The one spelling of a time: UTC, always six decimals, `Z`.

    Raises:
        AuditError: a time without its zone.
    """
    if at.tzinfo is None:
        raise AuditError(f"time {at!r} has no zone: give an aware time")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def append(  # noqa: PLR0913 - an event has that many fields, all named
    session: AsyncSession,
    *,
    tenant_id: str,
    at: datetime,
    kind: str,
    actor: str,
    new_id: Callable[[str], str],
    run_id: str | None = None,
    ticket_id: str | None = None,
    body: Mapping[str, object] | None = None,
    private: Mapping[str, object] | None = None,
    subject_id: str | None = None,
    vault: Vault | None = None,
) -> int:
    """Append one event in the session's transaction; its number. See `append_all`."""
    event = NewEvent(new_id("evt"), at, kind, actor, run_id, ticket_id, body or {}, private or {}, subject_id)
    (seq,) = await append_all(session, tenant_id, (event,), vault=vault)
    return seq


async def append_all(
    session: AsyncSession,
    tenant_id: str,
    events: Sequence[NewEvent],
    *,
    vault: Vault | None = None,
) -> list[int]:
    """Append events in their order, under one lock and with one insert; their numbers.

    Raises:
        NotCanonicalError: a value that has no canonical JSON.
        AuditError: private values without a subject or a vault.
        SubjectErased: private values for a person who was erased.
    """
    if not events:
        return []
    sealed = await _seal_all(session, tenant_id, events, vault)
    rows: list[dict[str, object]] = []
    private_rows: list[dict[str, object]] = []
    first = await _take_numbers(session, tenant_id, len(events))
    for seq, (event, values) in enumerate(zip(events, sealed, strict=True), start=first):
        leaf = Leaf(
            tenant_id=tenant_id,
            seq=seq,
            event_id=event.event_id,
            at=event.at,
            kind=event.kind,
            actor=event.actor,
            run_id=event.run_id,
            ticket_id=event.ticket_id,
            body=event.body,
            commitments={name: commitment for name, (commitment, _) in values.items()},
        )
        rows.append(leaf.columns())
        private_rows += [
            {"tenant_id": tenant_id, "seq": seq, "field": name, "subject_id": event.subject_id, "sealed": value}
            for name, (_, value) in values.items()
        ]
    await session.execute(insert(AuditEvent), rows)
    if private_rows:
        await session.execute(insert(AuditPrivate), private_rows)
    return list(range(first, first + len(events)))


def private_purpose(event_id: str, name: str) -> str:
    """What a private value is sealed for: the field of that event."""
    return f"audit/{event_id}/{name}"


async def _take_numbers(session: AsyncSession, tenant_id: str, count: int) -> int:
    """The first of `count` numbers. The row lock holds until the transaction ends, so that a rollback leaves no gap."""
    size = await session.execute(
        text(
            """
            INSERT INTO audit_head (tenant_id, size) VALUES (:tenant_id, :count)
            ON CONFLICT (tenant_id) DO UPDATE SET size = audit_head.size + EXCLUDED.size
            RETURNING size
            """,
        ),
        {"tenant_id": tenant_id, "count": count},
    )
    return int(size.scalar_one()) - count


async def _seal_all(
    session: AsyncSession,
    tenant_id: str,
    events: Sequence[NewEvent],
    vault: Vault | None,
) -> list[dict[str, tuple[str, bytes]]]:
    """Commitment and sealed value of every private field, before the counter is locked."""
    keys: dict[str, SubjectKey] = {}
    sealed: list[dict[str, tuple[str, bytes]]] = []
    for event in events:
        values: dict[str, tuple[str, bytes]] = {}
        if event.private:
            if vault is None or event.subject_id is None:
                raise AuditError(f"event {event.kind!r} has private values but no subject or vault: give both")
            if event.subject_id not in keys:
                keys[event.subject_id] = await vault.key(
                    session,
                    tenant_id=tenant_id,
                    subject_id=event.subject_id,
                    now=event.at,
                )
            for name, value in event.private.items():
                content, salt = canonical_json(value), vault.new_salt()
                purpose = private_purpose(event.event_id, name)
                values[name] = (vault.commit(content, salt), keys[event.subject_id].seal(purpose, salt + content))
        sealed.append(values)
    return sealed
