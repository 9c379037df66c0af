"""A process that has imported and loaded everything, and forks workers: `python -m evals.trials.nursery`.

A worker needs many seconds to import the embedding model, so thousands of them can only be born by fork. Promises: no
connection, event loop or second thread exists when a child is made; every child is ended when the parent goes. Orders
come as lines of JSON on standard input, answers go out the same way.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import uvicorn

import app.worker
from app.listening import listen
from app.runtime import open_advancer
from app.sandboxed import LOOPBACK
from app.settings import Settings
from app.storage import Storage
from app.web.app import create_app
from evals.trials.births import DOOR, WORKER, Birth, settings_of
from evals.trials.interpose import Tracer, install, labelled
from graph.models.embedding import Embedder, load_embedder
from graph.models.local.model import load_local_model

QUIET: Final = ("httpx", "httpcore", "urllib3", "sentence_transformers", "pgqueuer", "stripe", "alembic", "zenpy")
ORIGINS: Final = {
    "advance": "work",
    "failed": "work",
    "send": "work",
    "after_effect": "work",
    "take_in": "stripe",
    "look_out": "look",
}
"""The worker's own names for what it calls, and what their touches are put down to; the rest is the queue's."""


def main() -> None:
    """Load, say so, and serve orders until standard input ends."""
    warnings.simplefilter("ignore")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its threads would not survive a fork
    embedder = load_embedder(threads=1)
    load_local_model(embedder).triage("Charged twice", "I was charged twice for order 1042, please refund one.")
    children: set[int] = set()
    _answer({"ready": True})
    try:
        for line in sys.stdin:
            _obey(json.loads(line), children, embedder)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _obey(order: Mapping[str, Any], children: set[int], embedder: Embedder) -> None:
    if "start" in order:
        child = os.fork()
        if child == 0:
            _live(Birth(**order["start"]), embedder)
        children.add(child)
        _answer({"pid": child})
    elif "kill" in order:
        child = int(order["kill"])
        if child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            children.discard(child)
        _answer({})
    else:
        ended = [child for child in children if os.waitpid(child, os.WNOHANG)[0] == child]
        children.difference_update(ended)
        _answer({"ended": ended})


def _answer(said: Mapping[str, Any]) -> None:
    print(json.dumps(said), flush=True)  # noqa: T201 - the protocol


def _live(birth: Birth, embedder: Embedder) -> None:
    """A child's whole life; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)  # a key typed at a terminal is for the parent
        _say_into(birth.log)
        _watch(birth)
        settings = settings_of(Path(birth.folder), birth.database_url, birth.settings)
        roles: dict[str, Callable[[], None]] = {
            WORKER: lambda: asyncio.run(_work(settings, birth.database_url, embedder)),
            DOOR: lambda: _open_door(settings, birth.database_url),
        }
        roles[birth.role]()
        status = 0
    except BaseException:
        logging.getLogger(__name__).exception("the %s ended", birth.role)
    finally:
        os._exit(status)


def _say_into(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for noisy in QUIET:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _watch(birth: Birth) -> None:
    if not birth.trace:
        return
    trace = os.open(birth.trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    install(Tracer(trace, birth.kill_at, birth.kill_nth))
    for name, origin in ORIGINS.items():
        setattr(app.worker, name, labelled(origin, getattr(app.worker, name)))


async def _work(settings: Settings, database_url: str, embedder: Embedder) -> None:
    """What `countersign worker` does, with the model that was loaded before the fork."""
    storage = Storage(app_url=database_url, admin_url=database_url, is_embedded=False)
    async with open_advancer(settings, storage, embedder=embedder) as (advancer, database):
        await app.worker.Worker(advancer, database, settings, database_url, asyncio.Event()).run()


def _open_door(settings: Settings, database_url: str) -> None:
    """What `countersign serve` does."""
    listener = listen(LOOPBACK, settings.port)
    config = uvicorn.Config(
        create_app(settings, database_url), log_config=None, access_log=False, loop="asyncio", http="httptools"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
