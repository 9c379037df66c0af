"""Another tenant's data is nothing to anybody: not by a route, not by a function that reads, not by a statement.

Tenant `demo` has a run with words of its customer, a question, an account, an event; people of `other` try to get at
them with the right ids. Each drive is shown to be no blank: the same requests and calls as `demo` find the words.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier
from sqlalchemy.ext.asyncio import AsyncSession

import app
import graph
import kb
from app.ambient import new_id, vault_of
from app.api.access import TENANT_HEADER, Called
from app.db import Database
from app.identity.roles import Role
from app.schema import EXEMPT_TABLES
from app.tables import metadata
from app.web.access import FORM_HEADER, Declared, Signed, declared
from app.web.app import create_app
from graph.audit.log import append
from tests.app.identity.test_matrix import NAMES
from tests.app.web.door import Door, settings_of
from tests.app.web.people import Person, a_person
from tests.app.web.waiting import a_waiting_run

OWNER, STRANGER = "demo", "other"
CANARY = "canary-words-of-a-customer"
ORIGIN = "http://127.0.0.1:8080"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OWN_ROWS = "tenant_id = current_setting'countersign.tenant', true"
ROWS_OF_EVERYONE = ("rows_of_everyone", "SELECT", "tenant_id = '*'")
STATEMENTS = (
    "SELECT count(*) FROM {} WHERE tenant_id = %(owner)s",
    "WITH gone AS (DELETE FROM {} WHERE tenant_id = %(owner)s RETURNING 1) SELECT count(*) FROM gone",
    "WITH won AS (UPDATE {} SET tenant_id = %(own)s WHERE tenant_id = %(owner)s RETURNING 1) SELECT count(*) FROM won",
)


@dataclass
class House:
    """The web process of both tenants, and a person of each role in each."""

    app: FastAPI
    client: httpx.AsyncClient
    folder: Path
    people: dict[str, dict[Role, Person]]
    names: dict[str, str]

    async def asks(self, route: Declared, tenant: str, role: Role) -> httpx.Response:
        """Ask in one's own tenant for what the ids of `demo` name."""
        person, names = self.people[tenant][role], {**NAMES, "tenant_id": tenant, **self.names}
        headers = {"accept": "text/html", "origin": ORIGIN, TENANT_HEADER: tenant, FORM_HEADER: person.form_token}
        form = {"decision": "approve", "reason": "x", "csrf": person.form_token}
        is_form = route.method != "GET" and not isinstance(route.access, Called)
        self.client.cookies.clear()
        self.client.cookies.update(person.cookies)
        path = route.path.replace(":path}", "}").format(**names)
        return await self.client.request(route.method, path, headers=headers, data=form if is_form else None)


@pytest.fixture
async def house(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    web = create_app(settings_of(tmp_path, OWNER, STRANGER), database_url)
    people = {
        tenant: {role: await a_person(database.tenant, tenant, role, email=f"{role}@{tenant}.example") for role in Role}
        for tenant in (OWNER, STRANGER)
    }
    async with (
        web.router.lifespan_context(web),
        httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url=ORIGIN) as client,
    ):
        await a_waiting_run(Door(client, web, database), tmp_path, CANARY)
        async with database.tenant(OWNER) as session:
            body = {"reason": CANARY, "tool": CANARY}
            await append(session, tenant_id=OWNER, at=NOW, kind="switch.off", actor="test", new_id=new_id, body=body)
        account = people[OWNER][Role.CS_LEAD].account.account_id
        names = {"run_id": "run_1", "approval_id": "apr_1", "item_id": "apr_1", "ticket_id": "7", "account_id": account}
        yield House(web, client, tmp_path, people, {**names, "token": "t", "token_id": "t", "section_id": "s"})


def rows_of(admin_url: str, tenant: str) -> dict[str, list[str]]:
    """All that a tenant has, but for the sessions' last use."""
    with psycopg.connect(admin_url) as owner:
        return {
            name: sorted(
                str(row[0])
                for row in owner.execute(
                    SQL("SELECT to_jsonb(t) - 'seen_at' FROM {} AS t WHERE tenant_id = %s").format(Identifier(name)),
                    [tenant],
                )
            )
            for name in metadata().tables
        }


async def test_no_route_shows_or_changes_what_another_tenant_has(house: House, admin_url: str) -> None:
    before = rows_of(admin_url, OWNER)
    asked = 0
    for route in declared(house.app):
        if isinstance(route.access, Signed):
            continue
        for role in [one for one in Role if route.access.may(one)][:1]:
            answer = await house.asks(route, STRANGER, role)
            assert CANARY not in answer.text, (route, role)
            assert answer.status_code < 500, (route, role)
            asked += 1
    assert asked > 60
    assert rows_of(admin_url, OWNER) == before
    reading = [route for route in declared(house.app) if route.method == "GET" and not isinstance(route.access, Signed)]
    shown = {
        route.path
        for route in reading
        for role in (Role.ADMIN, Role.CS_LEAD)
        if route.access.may(role) and CANARY in (await house.asks(route, OWNER, role)).text
    }
    assert len(shown) >= 5, shown  # its own people see it


def readers() -> Iterator[Callable[..., Any]]:
    """Every function of the product that takes a session and a tenant."""
    for package in (app, graph, kb):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" in module.name:
                continue
            for _, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
                given = inspect.signature(function).parameters
                if function.__module__ == module.name and {"session", "tenant_id"} <= given.keys():
                    yield function


def filled(function: Callable[..., Any], known: dict[str, Any]) -> dict[str, Any] | None:
    """Arguments for all that the function requires; None where something is not known."""
    given = inspect.signature(function).parameters.values()
    needed = [one.name for one in given if one.default is inspect.Parameter.empty]
    optional = [one.name for one in given if one.name in {"run_id", "ticket_id"}]
    return {name: known[name] for name in {*needed, *optional}} if all(name in known for name in needed) else None


async def told(function: Callable[..., Any], values: dict[str, Any], session: AsyncSession) -> str:
    """What a function answers, or how it refuses; whatever it wrote is taken back."""
    place = await session.begin_nested()
    try:
        answer = function(**{**values, "session": session})
        if inspect.isasyncgen(answer):
            return repr([one async for one in answer])
        return repr(await answer if inspect.isawaitable(answer) else answer)
    except Exception as error:  # noqa: BLE001 - a refusal is an answer
        return f"refused: {type(error).__name__} {error}"
    finally:
        if place.is_active:
            await place.rollback()


async def test_no_function_that_reads_finds_what_another_tenant_has(house: House, database: Database) -> None:
    known: dict[str, Any] = {
        **house.names, "session": None, "tenant_id": OWNER, "vault": vault_of(settings_of(house.folder)), "now": NOW,
        "since": NOW - timedelta(days=30), "limit": 10, "size": 1, "name": "7", "actor": "test", "first": 0, "end": 1,
        "subject_id": "zendesk/user/11", "email": f"{Role.ADMIN}@{OWNER}.example", "sinks": [], "tool": "stripe.refund",
        "charge_id": "ch_1", "policy_hash": "0" * 64, "effect_id": "eff_1", "new_id": new_id, "reason": "x",
    }  # fmt: skip
    driven, found = 0, set()
    for function in readers():
        values = filled(function, known)
        if values is None:
            continue
        driven += 1
        where = f"{function.__module__}.{function.__qualname__}"
        async with database.tenant(STRANGER) as session:
            answer = await told(function, values, session)
            assert CANARY not in answer, where
            assert house.people[OWNER][Role.ADMIN].account.account_id not in answer, where
        async with database.tenant(OWNER) as session:
            if CANARY in await told(function, values, session):
                found.add(where)
    assert driven >= 60, driven
    assert len(found) >= 5, found


def plain(rule: str) -> str:
    """A rule as PostgreSQL spells it, without its brackets and casts."""
    return re.sub(r"[()]|::(text|character varying)", "", rule)


async def test_no_statement_reaches_the_rows_of_another_tenant(house: House, database_url: str, admin_url: str) -> None:
    del house  # for its rows
    before = rows_of(admin_url, OWNER)
    assert sum(bool(rows) for rows in before.values()) >= 7
    with psycopg.connect(admin_url) as owner:
        tables = [row[0] for row in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        policies = owner.execute(
            "SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies"
        ).fetchall()
    guarded = {name: [one for one in policies if one[0] == name] for name in tables if name not in EXEMPT_TABLES}
    libraries = {name: guarded.pop(name) for name in guarded.keys() - metadata().tables}
    assert libraries.keys() == {"checkpoints", "checkpoint_blobs", "checkpoint_writes"}
    assert all("current_setting('countersign.tenant'" in rule[5] for rules in libraries.values() for rule in rules)
    assert all(libraries.values())
    for name, rules in guarded.items():
        own = [rule for rule in rules if rule[1] == "own_rows"]
        assert [rule[2:5] for rule in own] == [("PERMISSIVE", "{public}", "ALL")], name
        assert plain(own[0][5]) == plain(own[0][6]) == OWN_ROWS, own[0]
        for rule in rules:
            assert rule is own[0] or (rule[1], rule[4], plain(rule[5])) == ROWS_OF_EVERYONE, rule
    with psycopg.connect(database_url) as stranger:
        stranger.execute("SELECT set_config('countersign.tenant', %s, false)", [STRANGER])
        for name, statement in product(guarded, STATEMENTS):
            with suppress(InsufficientPrivilege), stranger.transaction(force_rollback=True):
                row = stranger.execute(SQL(statement).format(Identifier(name)), {"owner": OWNER, "own": STRANGER})
                assert row.fetchone() == (0,), (name, statement)
    assert rows_of(admin_url, OWNER) == before
