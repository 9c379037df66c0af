"""Appending to the tenant's log, in the transaction of the change that the event tells of.

Numbers have no gap: the counter row is locked from the append to the commit. Append last in a transaction, because
every other append of the tenant waits for it, and a lock taken after it can deadlock with a transaction that appends.
Erasable values never enter the event: it carries their salted commitments, and the values lie sealed beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.canonical import canonical_json
from graph.audit.errors import AuditError
from graph.audit.models import AuditPrivate
from graph.audit.tree import leaf_hash
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

    def content(self) -> bytes:
        """The canonical JSON that is hashed."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return canonical_json({**fields, "at": spelled(self.at), "v": 1})

    def digest(self) -> bytes:
        """SHA-256 of 0x00 and the canonical JSON: a leaf of RFC 6962 section 2.1.

        https://www.rfc-editor.org/rfc/rfc6962#section-2.1
        """
        return leaf_hash(self.content())


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
    # All that does not need the number is spelled before the counter is locked: others wait for it.
    drafts = [_Draft.of(tenant_id, event, values) for event, values in zip(events, sealed, strict=True)]
    columns = {name: [getattr(draft, name) for draft in drafts] for name in _Draft.__slots__}
    numbered = await session.execute(_APPEND, {"tenant_id": tenant_id, "count": len(events), **columns})
    first = int(numbered.scalar_one()) - len(events)
    private_rows = [
        {"tenant_id": tenant_id, "seq": seq, "field": name, "subject_id": event.subject_id, "sealed": value}
        for seq, (event, values) in enumerate(zip(events, sealed, strict=True), start=first)
        for name, (_, value) in values.items()
    ]
    if private_rows:
        await session.execute(insert(AuditPrivate), private_rows)
    return list(range(first, first + len(events)))


_APPEND: Final = text(
    """
    WITH head AS (
      INSERT INTO audit_head (tenant_id, size) VALUES (CAST(:tenant_id AS text), CAST(:count AS bigint))
      ON CONFLICT (tenant_id) DO UPDATE SET size = audit_head.size + EXCLUDED.size
      RETURNING size
    ), appended AS (
      INSERT INTO audit_event
        (tenant_id, seq, event_id, at, kind, actor, run_id, ticket_id, body, commitments, leaf_hash)
      SELECT CAST(:tenant_id AS text), numbered.seq, event_id, at, kind, actor, run_id, ticket_id,
             CAST(body AS json), CAST(commitments AS json),
             sha256(decode('00', 'hex') || before || convert_to(CAST(numbered.seq AS text), 'UTF8') || after)
        FROM head, unnest(
               CAST(:event_id AS text[]), CAST(:at AS timestamptz[]), CAST(:kind AS text[]), CAST(:actor AS text[]),
               CAST(:run_id AS text[]), CAST(:ticket_id AS text[]), CAST(:body AS text[]),
               CAST(:commitments AS text[]), CAST(:before AS bytea[]), CAST(:after AS bytea[])
             ) WITH ORDINALITY
             AS event (event_id, at, kind, actor, run_id, ticket_id, body, commitments, before, after, place),
             LATERAL (SELECT head.size - CAST(:count AS bigint) + event.place - 1 AS seq) AS numbered
    )
    SELECT size FROM head
    """
)
"""Numbers and rows in one statement. The row lock on the counter holds until the transaction ends, so that a rollback
leaves no gap. The hash covers the bytes that were spelled here, with the number between them."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """An event but for its number: its columns, and the canonical JSON before and after the number."""

    event_id: str
    at: datetime
    kind: str
    actor: str
    run_id: str | None
    ticket_id: str | None
    body: str
    commitments: str
    before: bytes
    after: bytes

    @classmethod
    def of(cls, tenant_id: str, event: NewEvent, sealed: Mapping[str, tuple[str, bytes]]) -> _Draft:
        body = canonical_json(event.body)
        commitments = canonical_json({name: commitment for name, (commitment, _) in sealed.items()})
        # The fields in the order of RFC 8785, so that pieces spelled alone are the spelling of the whole.
        before = b'{"actor":%b,"at":"%b","body":%b,"commitments":%b,"event_id":%b,"kind":%b,"run_id":%b,"seq":' % (
            canonical_json(event.actor),
            spelled(event.at).encode(),
            body,
            commitments,
            canonical_json(event.event_id),
            canonical_json(event.kind),
            canonical_json(event.run_id),
        )
        after = b',"tenant_id":%b,"ticket_id":%b,"v":1}' % (canonical_json(tenant_id), canonical_json(event.ticket_id))
        return cls(
            event.event_id,
            event.at,
            event.kind,
            event.actor,
            event.run_id,
            event.ticket_id,
            body.decode(),
            commitments.decode(),
            before,
            after,
        )


def private_purpose(event_id: str, name: str) -> str:
    """What a private value is sealed for: the field of that event."""
    return f"audit/{event_id}/{name}"


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
