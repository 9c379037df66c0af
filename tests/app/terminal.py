from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from typer.testing import CliRunner

from app.cli import build
from app.db import Database
from graph.audit.log import append

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_numbers = count()


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    status: int
    out: str
    error: BaseException | None

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Terminal:
    """The command line of an installation whose database is the test's own."""

    database: Database
    tenant: str
    admin_url: str

    async def run(self, *arguments: str, typed: str | None = None) -> Done:
        """Run one command in a thread, because commands bring their own event loop."""
        return await asyncio.to_thread(_invoke, list(arguments), typed)

    async def log(self, kind: str, **body: object) -> None:
        """Append one event to the tenant's log."""
        async with self.database.tenant(self.tenant) as session:
            await append(
                session,
                tenant_id=self.tenant,
                at=NOW,
                kind=kind,
                actor="test",
                new_id=new_id,
                run_id="run_1",
                body=body,
            )


def _invoke(arguments: list[str], typed: str | None) -> Done:
    done = CliRunner().invoke(build(arguments), arguments, input=typed)
    return Done(done.exit_code, done.stdout, done.exception)
