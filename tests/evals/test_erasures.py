"""A slice of what `python -m evals.erasures` does with 1,000 people, and that it notices an address that was left."""

from __future__ import annotations

import psycopg

from app.db import Database
from evals.bench.place import TENANT
from evals.erasures import _guessed, email, holds, work


async def test_who_is_erased_is_not_guessed_back_and_every_proof_holds(database: Database, admin_url: str) -> None:
    found = await work(database, admin_url, 12)
    assert holds(found, 12), found
    assert found["events"] == 24
    with psycopg.connect(admin_url) as owner:
        owner.execute(
            "INSERT INTO pace (tenant_id, task, done_at) VALUES (%s, %s, now())", [TENANT, f"left by {email(3)}"]
        )
    assert _guessed(admin_url, 12) == (0, [email(3)])
