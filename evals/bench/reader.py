"""Somebody who looks at pages, for a bench: an account with some roles, signed in as with a password."""

from __future__ import annotations

from datetime import timedelta

import httpx

from app.ambient import new_id, new_token
from app.db import Database
from app.identity import accounts
from app.identity.accounts import Act, NewAccount
from app.identity.roles import Role
from app.identity.sessions import Lifetimes, Way, open_session
from app.settings import machine_clock
from evals.bench.place import TENANT, Place

DAY = timedelta(hours=24)


async def signed_in_reader(database: Database, *roles: Role) -> str:
    """The token of the session of a new person with those roles."""
    token, act = new_token(), Act("bench", machine_clock(), new_id)
    async with database.tenant(TENANT) as session:
        reader = await accounts.create(session, TENANT, NewAccount("lead@shop.example", "Lea", roles), act)
    async with database.tenant(TENANT) as session:
        await open_session(session, reader, way=Way.PASSWORD, token=token, lifetimes=Lifetimes(DAY, DAY), act=act)
    return token


def reading(place: Place, token: str, *, at_once: int = 100) -> httpx.AsyncClient:
    """A client of the place's web process with the person's cookie, so many connections at once."""
    base, cookies = f"http://127.0.0.1:{place.web_port}", {f"countersign-{TENANT}": token}
    limits = httpx.Limits(max_connections=at_once)
    return httpx.AsyncClient(base_url=base, cookies=cookies, trust_env=False, limits=limits, timeout=60)
