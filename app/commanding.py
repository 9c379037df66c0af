"""What a command may ask for: the settings, a tenant's sessions, the embedder, the clock. Each is made when asked.

Commands of other packages describe what they need as a protocol and get this object as `ctx.obj`, so they import
nothing of `app`. Promises: a command that asks for no database starts none, and does not pay for importing what reaches
one (some seconds); this is why imports stand inside of methods here.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from app.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncSession

    from app.db import Database
    from app.settings import Settings
    from app.storage import Storage
    from graph.models.embedding import Embedder
    from graph.models.outside import Outside
    from kb.search import Rerank

T = TypeVar("T")

DEFAULT_TENANT = "demo"


class Commanding:
    """The runtime of one command.

    Args:
        tenant: the tenant named on the command line; None takes the only one there is, or `demo` where there is none.
    """

    def __init__(self, *, tenant: str | None = None) -> None:
        self._tenant = tenant
        self._open = ExitStack()
        self._database: Database | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings, read at the first use."""
        from app.settings import load_settings

        return load_settings()

    @cached_property
    def storage(self) -> Storage:
        """The database, started and migrated at the first use, left by `close`."""
        from app.storage import open_storage

        return self._open.enter_context(open_storage(self.settings))

    @cached_property
    def tenant_id(self) -> str:
        """The tenant this command is about."""
        if self._tenant is not None:
            return self._tenant
        known = sorted(self.settings.tenants)
        if len(known) > 1:
            raise UsageError(f"there are tenants {', '.join(known)}; name one with `countersign --tenant NAME ...`")
        return known[0] if known else DEFAULT_TENANT

    @asynccontextmanager
    async def tenant_session(self) -> AsyncIterator[AsyncSession]:
        """One transaction of the command's tenant, committed at the end of the block. Only within `run`."""
        from app.db import Database

        if self._database is None:
            storage = await asyncio.to_thread(lambda: self.storage)
            self._database = Database(storage.app_url, pool_size=4)
        async with self._database.tenant(self.tenant_id) as session:
            yield session

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector for each text. The first call loads the model, which takes some seconds."""
        return self.embedder.embed(texts)

    @cached_property
    def rerank(self) -> Rerank | None:
        """The cross-encoder that the settings name, loaded at the first use; None where they name none.

        Raises:
            SettingsError: it cannot be used.
        """
        if self.settings.models.reranker is None:
            return None
        from app.runtime import rerank_of

        return rerank_of(self.settings)

    def outside(self) -> Outside:
        """The models outside of this process as the settings name them, without a file of answers.

        Raises:
            SettingsError: no key is configured.
        """
        from app.runtime import outside_of

        return outside_of(self.settings.models)

    def now(self) -> datetime:
        """Business time, aware and in UTC; that of the sandbox where one belongs to the data folder."""
        return self._clock()

    @property
    def actor(self) -> str:
        """The account of this machine that runs the command, as the log names it."""
        from app.terminal import operator

        return operator()

    @property
    def new_id(self) -> Callable[[str], str]:
        """Makes a fresh id from its prefix."""
        from app.ambient import new_id

        return new_id

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; connections opened on the way are closed."""
        return asyncio.run(self._run(work))

    def close(self) -> None:
        """Leave the database."""
        self._open.close()

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            if self._database is not None:
                await self._database.close()
                self._database = None

    @cached_property
    def _clock(self) -> Callable[[], datetime]:
        from app.ambient import business_clock

        return business_clock(self.settings)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model, loaded at the first use."""
        from graph.models.embedding import load_embedder

        return load_embedder(threads=self.settings.models.threads)
