from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app.db import Database
from graph.audit.canonical import canonical_json
from graph.audit.errors import AuditError, NotCanonicalError
from graph.audit.log import Leaf, NewEvent, append, append_all, private_purpose, spelled
from graph.audit.verify import Broken, verify
from graph.vault import Vault
from policies.vocabulary import Intent

NOW = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


def _ids() -> Callable[[str], str]:
    numbers = count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


def _event(number: int, **changes: Any) -> NewEvent:
    fields: dict[str, Any] = {
        "event_id": f"evt_{number}",
        "at": NOW,
        "kind": "node.completed",
        "actor": "agent",
        "run_id": "run_1",
        "ticket_id": "1",
        "body": {"number": number},
    }
    return NewEvent(**{**fields, **changes})


@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        # The sorting example of RFC 8785 section 3.2.3: UTF-16 code units, so the pair of U+1F600 is before U+FB33.
        (
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
            '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}',
        ),
        # Section 3.2.2.2: the shortest escapes, in lower case.
        ('\b\t\n\f\r"\\/\x0f\x7f', '"\\b\\t\\n\\f\\r\\"\\\\/\\u000f\x7f"'),
        ([True, False, None, 0, -1, ("a",)], '[true,false,null,0,-1,["a"]]'),
        ({}, "{}"),
        ([Intent.COMPLAINT], '["complaint"]'),
    ],
)
def test_values_have_the_one_spelling_of_rfc_8785(value: object, canonical: str) -> None:
    assert canonical_json(value).decode() == canonical


@pytest.mark.parametrize(
    "value",
    [1.0, {"a": float("nan")}, 2**53, -(2**53), {1: 2}, {"a": b"x"}, {"a": {1, 2}}, "\ud800", ["a\x00"], {"\x00": 1}],
)
def test_what_has_no_unique_spelling_is_refused(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        canonical_json(value)


@given(JSON.filter(lambda value: "\\u0000" not in json.dumps(value)))
def test_any_json_reads_back_as_it_was(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text("abcé\U0001f600", min_size=1), st.integers(0, 9)))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


def test_the_leaf_hash_is_pinned() -> None:
    leaf = Leaf("demo", 0, "evt_1", NOW, "run.started", "agent", "run_1", None, {"a": 1}, {"email": "00"})
    spelled_out = (
        '{"actor":"agent","at":"2026-11-21T09:00:00.123456Z","body":{"a":1},"commitments":{"email":"00"},'
        '"event_id":"evt_1","kind":"run.started","run_id":"run_1","seq":0,"tenant_id":"demo","ticket_id":null,"v":1}'
    )
    assert leaf.digest() == hashlib.sha256(b"\x00" + spelled_out.encode()).digest()


def test_times_have_one_spelling() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert spelled(elsewhere) == spelled(NOW) == "2026-11-21T09:00:00.123456Z"
    assert spelled(NOW.replace(microsecond=0)) == "2026-11-21T09:00:00.000000Z"
    with pytest.raises(AuditError, match="no zone"):
        spelled(NOW.replace(tzinfo=None))


async def test_events_are_numbered_without_gaps_and_verify(database: Database, tenant: str) -> None:
    new_id = _ids()
    async with database.tenant(tenant) as session:
        first = await append(session, tenant_id=tenant, at=NOW, kind="run.started", actor="agent", new_id=new_id)
        assert await append_all(session, tenant, [_event(7), _event(8)]) == [1, 2]
        assert await append_all(session, tenant, []) == []
    assert first == 0
    async with database.tenant(tenant) as session:
        verification = await verify(session, tenant)
    assert verification.holds
    assert verification.events == 3


async def test_a_rollback_leaves_no_gap(database: Database, tenant: str) -> None:
    async def fail() -> None:
        async with database.tenant(tenant) as session:
            await append_all(session, tenant, [_event(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with database.tenant(tenant) as session:
        assert await append_all(session, tenant, [_event(2)]) == [0]


async def test_appends_at_once_have_consecutive_numbers(database: Database, tenant: str) -> None:
    async def one(number: int) -> list[int]:
        async with database.tenant(tenant) as session:
            return await append_all(session, tenant, [_event(number), _event(number + 100)])

    numbers = await asyncio.gather(*(one(number) for number in range(20)))
    assert sorted(seq for pair in numbers for seq in pair) == list(range(40))
    assert all(second == first + 1 for first, second in numbers)


async def test_tenants_have_logs_of_their_own(database: Database, tenant: str) -> None:
    for name in (tenant, "other"):
        async with database.tenant(name) as session:
            assert await append_all(session, name, [_event(1)]) == [0]


async def test_private_values_enter_as_commitments_and_open_with_their_salt(database: Database, tenant: str) -> None:
    vault = Vault({"k1": b"m" * 32}, "k1")
    events = [
        _event(1, private={"email": "ana@example.com", "name": "Ana"}, subject_id="s1"),
        _event(2, private={"email": "ana@example.com"}, subject_id="s1"),
    ]
    async with database.tenant(tenant) as session:
        await append_all(session, tenant, events, vault=vault)
    async with database.tenant(tenant) as session:
        rows = (await session.execute(text("SELECT commitments FROM audit_event ORDER BY seq"))).scalars().all()
        sealed = (
            await session.execute(text("SELECT sealed FROM audit_private WHERE seq = 0 AND field = 'email'"))
        ).scalar_one()
        opened = await vault.open(
            session,
            tenant_id=tenant,
            subject_id="s1",
            purpose=private_purpose("evt_1", "email"),
            sealed=bytes(sealed),
        )
        assert (await verify(session, tenant)).holds
    assert set(rows[0]) == {"email", "name"}
    assert rows[0]["email"] != rows[1]["email"]  # equal values do not show
    salt, value = opened[:32], opened[32:]
    assert value == b'"ana@example.com"'
    assert Vault.commit(value, salt) == rows[0]["email"]


@pytest.mark.parametrize("missing", ["vault", "subject"])
async def test_private_values_need_a_person_and_a_vault(database: Database, tenant: str, missing: str) -> None:
    vault = None if missing == "vault" else Vault({"k1": b"m" * 32}, "k1")
    event = _event(1, private={"email": "a"}, subject_id=None if missing == "subject" else "s1")
    with pytest.raises(AuditError, match="give both"):
        async with database.tenant(tenant) as session:
            await append_all(session, tenant, [event], vault=vault)


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE audit_event SET body = '{\"number\": 9}' WHERE seq = 3", Broken(3, "altered")),
        ("UPDATE audit_event SET body = '{\"number\": 1.5}' WHERE seq = 3", Broken(3, "altered")),
        ("UPDATE audit_event SET actor = 'someone' WHERE seq = 0", Broken(0, "altered")),
        ("UPDATE audit_event SET at = at + interval '1 microsecond' WHERE seq = 4", Broken(4, "altered")),
        ('UPDATE audit_event SET commitments = \'{"a": "00"}\' WHERE seq = 4', Broken(4, "altered")),
        ("DELETE FROM audit_event WHERE seq = 2", Broken(2, "missing")),
        ("DELETE FROM audit_event WHERE seq = 4", Broken(4, "missing")),
        ("UPDATE audit_head SET size = 4", Broken(4, "beyond_head")),
    ],
)
async def test_every_tampering_is_found(
    database: Database, tenant: str, admin_url: str, tampering: str, broken: Broken
) -> None:
    async with database.tenant(tenant) as session:
        await append_all(session, tenant, [_event(number) for number in range(5)])
    with psycopg.connect(admin_url) as admin:
        admin.execute(tampering.encode())
    async with database.tenant(tenant) as session:
        verification = await verify(session, tenant)
    assert verification.broken == (broken,)
    assert not verification.holds


async def test_swapped_events_are_found(database: Database, tenant: str, admin_url: str) -> None:
    async with database.tenant(tenant) as session:
        await append_all(session, tenant, [_event(number) for number in range(3)])
    with psycopg.connect(admin_url) as admin:
        for old, new in ((0, 9), (1, 0), (9, 1)):
            admin.execute("UPDATE audit_event SET seq = %s WHERE seq = %s", (new, old))
    async with database.tenant(tenant) as session:
        assert (await verify(session, tenant)).broken == (Broken(0, "altered"), Broken(1, "altered"))


@pytest.mark.parametrize("column", ["actor", "event_id", "kind"])
async def test_a_value_that_moves_to_the_next_event_is_found(
    database: Database, tenant: str, admin_url: str, column: str
) -> None:
    async with database.tenant(tenant) as session:
        await append_all(session, tenant, [_event(number) for number in range(3)])
    with psycopg.connect(admin_url) as admin:  # the owner may take any constraint away
        for statement in (
            f"ALTER TABLE audit_event ALTER {column} DROP NOT NULL",
            f"""UPDATE audit_event AS moved SET {column} = concat(kept.{column}, E'\\n', moved.{column})
                  FROM audit_event AS kept WHERE kept.seq = 0 AND moved.seq = 1""",
            f"UPDATE audit_event SET {column} = NULL WHERE seq = 0",
        ):
            admin.execute(statement.encode())
    async with database.tenant(tenant) as session:
        assert (await verify(session, tenant)).broken == (Broken(0, "altered"), Broken(1, "altered"))


async def test_an_empty_log_holds(database: Database, tenant: str) -> None:
    async with database.tenant(tenant) as session:
        assert (await verify(session, tenant)).holds


@given(JSON)
def test_any_body_either_hashes_twice_alike_or_is_refused(value: object) -> None:
    leaf = Leaf("demo", 1, "e", NOW, "k", "a", None, None, {"value": value}, {})
    try:
        first = leaf.digest()
    except NotCanonicalError:
        return
    assert first == leaf.digest()
