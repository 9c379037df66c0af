"""The baseline of a webhook: a Starlette route with one committed insert, `python -m evals.bench.bare_web URL PORT`.

As fast as one writes it by hand: psycopg's own pool, autocommit, the same server options as ours.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.bench.place import LOOPBACK

POOL_SIZE = 8
CREATE = (
    "CREATE TABLE IF NOT EXISTS event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL, "
    "received_at timestamptz NOT NULL DEFAULT now())"
)
INSERT = "INSERT INTO event (body) VALUES (%s)"


def create(url: str) -> Starlette:
    """The application."""
    pool = AsyncConnectionPool(url, min_size=POOL_SIZE, max_size=POOL_SIZE, open=False, kwargs={"autocommit": True})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await pool.open(wait=True)
        async with pool.connection() as connection:
            await connection.execute(CREATE)
        yield
        await pool.close()

    async def receive(request: Request) -> Response:
        body = await request.body()
        async with pool.connection() as connection:
            await connection.execute(INSERT, (body,))
        return JSONResponse({"received": "stored"}, 202)

    return Starlette(routes=[Route("/", receive, methods=["POST"])], lifespan=lifespan)


def main(url: str, port: str) -> None:
    """Serve until stopped."""
    options = {"log_config": None, "access_log": False, "server_header": False, "loop": "uvloop", "http": "httptools"}
    uvicorn.run(create(url), host=LOOPBACK, port=int(port), **options)  # type: ignore[arg-type]  # options are of several types


if __name__ == "__main__":
    main(*sys.argv[1:])
