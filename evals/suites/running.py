"""Playing many scenarios at once: one database server, forked processes with the model loaded, a place in each.

Promises the results in the order of the scenarios whoever was faster, and that a process that dies ends the run with an
error instead of a hole in it. Nothing listens or runs a second thread when a process is forked.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Self

import psycopg
from psycopg.sql import SQL, Identifier

from app.embedded import EmbeddedServer
from app.migrate import migrate
from evals.suites.files import Filed
from evals.suites.place import (
    Place,
    Remembering,
    Variant,
    opened_place,
    opened_stage,
    prepare_folder,
    shop_documents,
)
from evals.suites.play import play
from evals.suites.results import TrialResult
from evals.suites.scoring import score
from graph.models.embedding import Embedder, load_embedder
from graph.models.local.model import load_local_model
from kb.vectors import section_vectors

TEMPLATE: Final = "prepared"
QUIET: Final = ("httpx", "httpcore", "urllib3", "sentence_transformers", "stripe", "alembic", "zenpy")


@dataclass(frozen=True, slots=True)
class Order:
    """One trial to be played: which scenario of the list, the how-manieth time."""

    position: int
    trial: int

    @property
    def tenant(self) -> str:
        """The tenant that the trial is."""
        return f"s{self.position}-t{self.trial}"


@dataclass(slots=True)
class Hall:
    """What is made once for any number of runs: the loaded model, the server, a migrated database."""

    folder: Path
    server: EmbeddedServer
    embedder: Embedder
    embed: Remembering
    opened: int = 0

    def play(
        self,
        filed: Sequence[Filed],
        *,
        trials: int,
        seed: int,
        workers: int,
        variant: Variant,
        progress: Callable[[TrialResult], None],
    ) -> list[TrialResult]:
        """Play every scenario so many times, in processes that are forked now and end with it.

        Args:
            filed: what to play.
            trials: how many times each; every trial has ids and faults of its own.
            seed: of everything.
            workers: processes.
            variant: how they are played.
            progress: told of each trial as it ends.

        Raises:
            RuntimeError: a process died.
        """
        orders = [Order(position, trial) for trial in range(trials) for position in range(len(filed))]
        names = self._databases(min(workers, len(orders)))
        with ExitStack() as stack:
            crew = [
                stack.enter_context(_Worker(duty, self.embedder, self.embed))
                for duty in (
                    _Duty(self.folder / name, self.server.app_url(name), tuple(filed), trials, seed, variant)
                    for name in names
                )
            ]
            found = dict(_played(crew, orders, progress))
        self._drop(names)
        return [found[order] for order in sorted(orders, key=lambda one: (one.position, one.trial))]

    def _databases(self, number: int) -> list[str]:
        names = [f"suite_{self.opened}_{one}" for one in range(number)]
        self.opened += 1
        with psycopg.connect(self.server.admin_url("postgres"), autocommit=True) as admin:
            for name in names:
                admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(TEMPLATE)))
        return names

    def _drop(self, names: Sequence[str]) -> None:
        with psycopg.connect(self.server.admin_url("postgres"), autocommit=True) as admin:
            for name in names:
                admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@contextmanager
def _unwound_when_terminated() -> Iterator[None]:
    """Let a SIGTERM unwind the stack like an interrupt; by itself it would leave the database server running."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def opened_hall() -> Iterator[Hall]:
    """A hall for as long as the block lasts. Takes some seconds, most of them for loading the model."""
    with ExitStack() as stack:
        stack.enter_context(_unwound_when_terminated())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True)))
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads would not survive a fork
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries' own deprecations at import
            embedder = load_embedder(threads=1)
            load_local_model(embedder)
        embed = Remembering(embedder.embed)
        _read_shop(embed)
        server = stack.enter_context(EmbeddedServer(folder, durable=False))
        with psycopg.connect(server.admin_url("postgres"), autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(TEMPLATE)))
        migrate(server.admin_url(TEMPLATE))
        gc.collect()
        gc.freeze()  # what is loaded by now stays; looking through it again and again takes a fifth of the time
        yield Hall(folder, server, embedder, embed)


def _read_shop(embed: Remembering) -> None:
    """Let the model read the shop's documents once, before there are several of it."""
    for document in shop_documents().values():
        contexts = ["\n".join(filter(None, (document.title, *one.heading_path))) for one in document.sections]
        section_vectors(embed, [one.text for one in document.sections], contexts)


def _played(
    crew: Sequence[_Worker], orders: Sequence[Order], progress: Callable[[TrialResult], None]
) -> Iterator[tuple[Order, TrialResult]]:
    """Give each process its next order as soon as it is free."""
    left = list(reversed(orders))
    busy: dict[Connection, _Worker] = {}
    for worker in crew:
        if left:
            worker.give(left.pop())
            busy[worker.ours] = worker
    while busy:
        for ready in wait(list(busy)):
            worker = busy[ready]  # type: ignore[index]  # only our connections are waited for
            order, result = worker.result()
            progress(result)
            yield order, result
            if left:
                worker.give(left.pop())
            else:
                del busy[worker.ours]


@dataclass(frozen=True, slots=True)
class _Duty:
    """What a process must know."""

    folder: Path
    database_url: str
    filed: tuple[Filed, ...]
    trials: int
    seed: int
    variant: Variant


class _Worker:
    """A forked process that plays one order at a time."""

    def __init__(self, duty: _Duty, embedder: Embedder, embed: Remembering) -> None:
        self.ours, theirs = multiprocessing.Pipe()
        self._order: Order | None = None
        context = multiprocessing.get_context("fork")
        self._process: BaseProcess = context.Process(target=_serve, args=(duty, theirs, embedder, embed), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.ours.send(None)
        self.ours.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def give(self, order: Order) -> None:
        """Let it play an order."""
        self._order = order
        self.ours.send(order)

    def result(self) -> tuple[Order, TrialResult]:
        """What it has played.

        Raises:
            RuntimeError: it died, or could not play.
        """
        assert self._order is not None
        try:
            answer: TrialResult | str = self.ours.recv()
        except EOFError as error:
            raise RuntimeError(f"a process died while it played {self._order}") from error
        if isinstance(answer, str):
            raise RuntimeError(  # noqa: TRY004 - it is what the process says, and no wrong type
                f"{self._order} could not be played:\n{answer}"
            )
        return self._order, answer


def _serve(duty: _Duty, orders: Connection, embedder: Embedder, embed: Remembering) -> None:
    """A process's whole life: a place, and orders until the other side closes."""
    warnings.simplefilter("ignore")
    prepare_folder(duty.folder)
    logging.basicConfig(level=logging.WARNING, filename=duty.folder / "suite.log")
    for noisy in QUIET:
        logging.getLogger(noisy).setLevel(logging.ERROR)
    asyncio.run(_serve_orders(duty, orders, embedder, embed))


async def _serve_orders(duty: _Duty, orders: Connection, embedder: Embedder, embed: Remembering) -> None:
    names = [Order(position, trial).tenant for position in range(len(duty.filed)) for trial in range(duty.trials)]
    async with opened_place(duty.folder, duty.database_url, names, embedder, embed, duty.variant) as place:
        while True:
            # A word ends it: processes forked later hold this pipe open, too, so its end would not be seen.
            order: Order | None = orders.recv()
            if order is None:
                return
            try:
                orders.send(await _play(place, duty, order))
            except Exception:  # noqa: BLE001 - told to the parent, which ends the run
                orders.send(traceback.format_exc())


async def _play(place: Place, duty: _Duty, order: Order) -> TrialResult:
    filed = duty.filed[order.position]
    seed = duty.seed + 1_000_003 * order.trial + order.position
    async with opened_stage(place, filed, order.tenant, seed=seed) as stage:
        ending = await play(stage)
    return TrialResult.of(
        name=filed.scenario.id,
        suite=filed.suite,
        trial=order.trial,
        tags=filed.scenario.tags,
        score=score(filed.scenario, ending),
        ending=ending,
    )
