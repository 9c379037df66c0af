"""The baseline of a run: a LangGraph graph that does nothing but be durable, as its documentation shows it.

As many nodes in a row as the run has, a state of as many ids, `AsyncPostgresSaver` on its own pool,
`durability="sync"`.
https://docs.langchain.com/oss/python/langgraph/durable-execution
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

POOL_SIZE = 4


ID: Final = "art_0123456789abcdef0123456789abcdef"
BEGINNING: Final = ("tenant", "run", "ticket", "policy")


@asynccontextmanager
async def bare_graph(url: str, nodes: int) -> AsyncIterator[Callable[[str], Any]]:
    """A function that runs the graph once under a fresh thread id and awaits to its seconds."""
    pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[dict[str, Any]],
        min_size=1,
        max_size=POOL_SIZE,
        open=False,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    await pool.open(wait=True)
    try:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        names = [f"node_{number}" for number in range(nodes)]
        # What a run carries: ids from its start, where it goes, and the id of what each node left elsewhere.
        state = TypedDict("state", dict.fromkeys([*BEGINNING, "route", *names], str), total=False)  # type: ignore[misc]  # made
        graph = StateGraph(state)
        for name in names:
            graph.add_node(name, _node(name))
        for before, after in zip([START, *names], [*names, END], strict=True):
            graph.add_edge(before, after)
        compiled: Any = graph.compile(checkpointer=saver)

        async def run(thread_id: str) -> float:
            config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
            started = time.perf_counter()
            await compiled.ainvoke(dict.fromkeys(BEGINNING, ID), config, durability="sync")
            return time.perf_counter() - started

        yield run
    finally:
        await pool.close()


def _node(name: str) -> Any:  # noqa: ANN401 - LangGraph's own, for a state that was made
    async def leave(_: Any) -> dict[str, str]:  # noqa: ANN401 - the state, of which it needs nothing
        return {"route": name, name: ID}

    return leave
