"""A lease that is renewed for as long as its holder works, so that it may be short: a killed holder's ends soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy.exc import DBAPIError

from graph.errors import DatabaseAway, LeaseLost

RENEWALS: Final = 3
"""Renewals within the life of a lease: one or two may fail."""


@asynccontextmanager
async def renewed(renew: Callable[[], Awaitable[None]], *, lease_s: float) -> AsyncIterator[None]:
    """Renew while the block runs. A lost lease stops the next commit, not this task.

    Args:
        renew: one renewal, in a transaction of its own; raises `LeaseLost` where somebody took over.
        lease_s: how long one renewal lasts.
    """

    async def keep() -> None:
        while True:
            await asyncio.sleep(lease_s / RENEWALS)
            with suppress(DatabaseAway, DBAPIError):  # an outage of the database: the next step meets it, too
                await renew()

    keeper = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError, LeaseLost):
            await keeper
