"""What a worker process does besides its jobs, and how each such thing goes on: a failure is told, and tried again.

Each of them looks, pauses and looks again until asked to stop. An outage of the database is waited out in one line of
the process's log; anything else that a look raises is a defect, told with its trace, and stops neither the next look
nor the jobs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from psycopg import OperationalError
from sqlalchemy.exc import DBAPIError

from app.errors import DatabaseError
from graph.vault import MasterKeyWithheld

log = logging.getLogger(__name__)

DATABASE_IS_AWAY: Final = (OperationalError, DBAPIError, DatabaseError)
"""What is raised where the database cannot be reached, or went away in the middle."""


class Beside(Protocol):
    """Something that a worker process does besides its jobs."""

    async def run(self) -> None:
        """Do it until the worker stops."""


async def keep_looking(
    what: str,
    tenant_ids: Iterable[str],
    look: Callable[[str], Awaitable[object]],
    *,
    every_s: float,
    stopping: asyncio.Event,
) -> None:
    """Look at each tenant in turn, pause, and begin again until asked to stop. `what`: as in "the queue"."""
    while not stopping.is_set():
        for tenant_id in tenant_ids:
            await attempt(f"{what} of {tenant_id}", look(tenant_id))
        await pause(stopping, every_s)


async def attempt(what: str, work: Awaitable[object]) -> None:
    """Do one piece of work, and tell where it fails. `what` is its name in the log, such as "the queue of shop"."""
    try:
        await work
    except DATABASE_IS_AWAY as error:
        log.warning("%s waits for the database (%s)", what, type(error).__name__)
    except MasterKeyWithheld as error:
        log.warning("%s waits for the master key: %s", what, error)
    except Exception:
        log.exception("%s failed", what)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait this long, or until asked to stop."""
    try:
        await asyncio.wait_for(stopping.wait(), timeout=seconds)
    except TimeoutError:
        return
