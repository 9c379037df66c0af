"""Requests over kept connections, written by hand so that the client costs little beside the server it measures.

`as_fast_as_possible` keeps every connection busy and gives requests a second; `at_a_pace` sends on a schedule, whatever
the answers do, and gives latencies from the moment a request was due, so that a stall counts for all who waited.
`offered` does so, too, over as many connections as it takes, and gives every answer, refusals included.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

CONNECTIONS: Final = 16
ACCEPTED: Final = b"HTTP/1.1 202"
PATIENCE_S: Final = 60.0
"""How long an answer is waited for; a sender of webhooks gives up sooner."""


def request_bytes(path: str, port: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request. `status` is 0 where no answer came; seconds count from when it was due."""

    status: int
    seconds: float
    says_when: bool = False
    """Whether a refusal says when to come again."""


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, port: int) -> _Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        return head, await self.reader.readexactly(length)

    async def post(self, request: bytes) -> None:
        head, body = await self.ask(request)
        if not head.startswith(ACCEPTED):
            raise RuntimeError(f"the server did not accept: {head[:40]!r} {body[:200]!r}")

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):  # the server may have closed it first
            await self.writer.wait_closed()


async def as_fast_as_possible(port: int, requests: Sequence[bytes]) -> float:
    """Requests a second, with every connection busy until all are answered."""
    waiting = iter(requests)
    async with _connected(port) as connections:
        started = time.perf_counter()
        async with asyncio.TaskGroup() as busy:
            for connection in connections:
                busy.create_task(_drain(connection, waiting))
        return len(requests) / (time.perf_counter() - started)


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[list[_Connection]]:
    connections: list[_Connection] = []
    try:
        for _ in range(CONNECTIONS):
            connections.append(await _Connection.to(port))  # noqa: PERF401 - what was opened is closed, whatever fails
        yield connections
    finally:
        for connection in connections:
            await connection.close()


async def _drain(connection: _Connection, waiting: Iterator[bytes]) -> None:
    for request in waiting:
        await connection.post(request)


async def at_a_pace(port: int, requests: Sequence[bytes], per_second: float) -> list[float]:
    """Latencies in seconds of requests that are sent so many a second."""
    idle: asyncio.Queue[_Connection] = asyncio.Queue()
    async with _connected(port) as connections:
        for connection in connections:
            idle.put_nowait(connection)
        started = time.perf_counter()

        async def one(number: int, request: bytes) -> float:
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            connection = await idle.get()
            await connection.post(request)
            idle.put_nowait(connection)
            return time.perf_counter() - due

        async with asyncio.TaskGroup() as under_way:
            sent = [under_way.create_task(one(number, request)) for number, request in enumerate(requests)]
        return [task.result() for task in sent]


async def offered(port: int, requests: Sequence[bytes], per_second: float) -> list[Answer]:
    """The answers to requests that are sent so many a second, in order, however long earlier ones take."""
    idle: list[_Connection] = []
    started = time.perf_counter()

    async def one(number: int, request: bytes) -> Answer:
        due = started + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        try:
            async with asyncio.timeout(PATIENCE_S):
                connection = idle.pop() if idle else await _Connection.to(port)
                head, _ = await connection.ask(request)
        except (OSError, EOFError, TimeoutError):
            return Answer(0, time.perf_counter() - due)
        idle.append(connection)
        says_when = b"\r\nretry-after:" in head.lower()
        return Answer(int(head.split(b" ", 2)[1]), time.perf_counter() - due, says_when)

    try:
        async with asyncio.TaskGroup() as under_way:
            sent = [under_way.create_task(one(number, request)) for number, request in enumerate(requests)]
        return [task.result() for task in sent]
    finally:
        for connection in idle:
            await connection.close()
