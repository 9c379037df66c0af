"""Reading a tenant's log block by block and hashing every leaf again: what checking and signing both rest on.

A leaf is spelled from the columns that queries read, so a value that was changed in any of them gives another hash. A
block arrives as one long value for each column instead of 256 rows, which costs a fraction. Where a value would need an
escape, or anything does not fit, the database spells the leaves of that block one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.canonical import canonical_json
from graph.audit.tree import HASH_BYTES

BLOCK: Final = 256
"""Events of one block of the tree; a power of two."""

_LEAF: Final = """
    concat('{"actor":', to_json(actor),
           ',"at":"', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
           'Z","body":', body, ',"commitments":', commitments,
           ',"event_id":', to_json(event_id), ',"kind":', to_json(kind),
           ',"run_id":', coalesce(to_json(run_id)::text, 'null'), ',"seq":', seq,
           ',"tenant_id":', to_json(tenant_id), ',"ticket_id":', coalesce(to_json(ticket_id)::text, 'null'), ',"v":1}')
"""
_WORDS: Final = ("actor", "event_id", "kind")
_MAYBE: Final = ("run_id", "ticket_id")
_ABSENT_VALUE: Final = r"E'\x01'"
"""In SQL: stands where a value must not be missing, and is one that no leaf has. So each event is at least a line."""
_LINES: Final = {
    "at": f"""coalesce(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), {_ABSENT_VALUE})""",
    "body": f"coalesce(body::text, {_ABSENT_VALUE})",
    "commitments": f"coalesce(commitments::text, {_ABSENT_VALUE})",
    **{name: f"coalesce({name}, {_ABSENT_VALUE})" for name in _WORDS},
    **{name: f"""coalesce('"' || {name} || '"', 'null')""" for name in _MAYBE},
}
_COLUMNS: Final = ", ".join(
    f"convert_to(string_agg({spelled}, E'\\n' ORDER BY seq), 'UTF8') AS {name}" for name, spelled in _LINES.items()
)
_BLOCKS: Final = f"""
    SELECT start, least(start + {BLOCK}, %(end)s), part.*
      FROM generate_series(%(first)s::bigint, %(end)s::bigint - 1, {BLOCK}) AS start
     CROSS JOIN LATERAL (
       SELECT count(DISTINCT seq) AS events, string_agg(leaf_hash, ''::bytea ORDER BY seq) AS hashes, {_COLUMNS}
         FROM audit_event
        WHERE tenant_id = %(tenant)s AND seq >= start AND seq < least(start + {BLOCK}, %(end)s)
     ) AS part
     ORDER BY start
"""  # noqa: S608 - constants of this file
_CONTROL: Final = bytes(one for one in range(0x20) if one != ord("\n"))
"""What JSON escapes. A line feed ends a line, so that a value with one makes too many of them."""
_ROWS: Final = f"""
    SELECT seq, convert_to({_LEAF}, 'UTF8'), leaf_hash FROM audit_event
     WHERE tenant_id = %(tenant)s AND seq >= %(first)s AND seq < %(end)s ORDER BY seq
"""  # noqa: S608

_ABSENT: Final = bytes(HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Broken:
    """One event that does not hold. `why` is `altered`, `missing` or `beyond_head`."""

    seq: int
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """Events of the log, at most a block, beginning where a block begins.

    Args:
        first: the number of the first event.
        hashes: the stored leaf hash of each, zeros where there is no event.
        broken: the events whose hash is not that of their fields.
    """

    first: int
    hashes: tuple[bytes, ...]
    broken: tuple[Broken, ...]

    @property
    def events(self) -> int:
        """How many events are there."""
        return len(self.hashes) - sum(one.why == "missing" for one in self.broken)


async def scan(session: AsyncSession, tenant_id: str, first: int, end: int) -> list[Part]:
    """The log from event `first`, where a block must begin, to the one before `end`, in the session's transaction."""
    assert first % BLOCK == 0
    found = await _fetch(session, _BLOCKS, {"tenant": tenant_id, "first": first, "end": end})
    tenant, parts = canonical_json(tenant_id), []
    for start, stop, events, hashes, *columns in found:
        digests = _digests(tenant, range(start, stop), columns) if events == stop - start else None
        if digests is not None and b"".join(digests) == hashes:
            parts.append(Part(start, digests, ()))
        else:
            parts.append(await _one_by_one(session, tenant_id, start, stop))
    return parts


def _digests(tenant: bytes, numbers: range, columns: Sequence[bytes | None]) -> tuple[bytes, ...] | None:
    """The hash of each leaf of a block; None where a column has not a line for each of them, or one wants an escape."""
    whole = {name: column or b"" for name, column in zip(_LINES, columns, strict=True)}
    lines = {name: column.split(b"\n") if column else [] for name, column in whole.items()}
    if any(len(column) != len(numbers) for column in lines.values()):
        return None
    words = b"\n".join([whole[name] for name in _WORDS])
    maybe = b"\n".join([whole[name] for name in _MAYBE])
    quotes = 2 * (len(_MAYBE) * len(numbers) - sum(lines[name].count(b"null") for name in _MAYBE))
    spelled = words + maybe
    if b'"' in words or maybe.count(b'"') != quotes or b"\\" in spelled:
        return None
    if len(spelled.translate(None, _CONTROL)) != len(spelled):
        return None
    # The fields in the order of RFC 8785.
    leaf = (
        b'\0{"actor":"%b","at":"%bZ","body":%b,"commitments":%b,"event_id":"%b","kind":"%b","run_id":%b,"seq":%d,'
        b'"tenant_id":' + tenant.replace(b"%", b"%%") + b',"ticket_id":%b,"v":1}'
    )
    order = ("actor", "at", "body", "commitments", "event_id", "kind", "run_id")
    fields = zip(*(lines[name] for name in order), numbers, lines["ticket_id"], strict=True)
    return tuple([sha256(leaf % values).digest() for values in fields])


async def _one_by_one(session: AsyncSession, tenant_id: str, first: int, end: int) -> Part:
    """The part in which something is wrong, with what it is."""
    hashes, broken = [_ABSENT] * (end - first), []
    seen: set[int] = set()
    for seq, content, stored in await _fetch(session, _ROWS, {"tenant": tenant_id, "first": first, "end": end}):
        if seq in seen or sha256(b"\x00" + (content or b"")).digest() != stored:
            broken.append(Broken(seq, "altered"))
        seen.add(seq)
        hashes[seq - first] = stored[:HASH_BYTES].ljust(HASH_BYTES, b"\0")
    broken += [Broken(seq, "missing") for seq in range(first, end) if seq not in seen]
    return Part(first, tuple(hashes), tuple(sorted(broken, key=lambda one: one.seq)))


async def _fetch(session: AsyncSession, query: str, values: dict[str, object]) -> list[Any]:
    """Rows of the session's own connection, whose long values arrive as bytes instead of as hexadecimal text."""
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    async with driver.cursor(binary=True) as cursor:
        await cursor.execute(query, values)
        rows: list[Any] = await cursor.fetchall()
        return rows
