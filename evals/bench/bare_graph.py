"""The baseline of a run: a LangGraph graph that does nothing but be durable, as its documentation shows it.

As many nodes in a row as the run has, `AsyncPostgresSaver` on its own pool, `durability="sync"`.
https://docs.langchain.com/oss/python/langgraph/durable-execution
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

POOL_SIZE = 4


class BareState(TypedDict, total=False):
    """As little as a chain of nodes needs."""

    count: int


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
        graph = StateGraph(BareState)
        names = [f"node_{number}" for number in range(nodes)]
        for name in names:
            graph.add_node(name, _node)
        for before, after in zip([START, *names], [*names, END], strict=True):
            graph.add_edge(before, after)
        compiled = graph.compile(checkpointer=saver)

        async def run(thread_id: str) -> float:
            config: RunnableConfig = {"configurable": {"thread_id": thread_id}}
            started = time.perf_counter()
            await compiled.ainvoke(BareState(count=0), config, durability="sync")
            return time.perf_counter() - started

        yield run
    finally:
        await pool.close()


async def _node(state: BareState) -> BareState:
    return BareState(count=state["count"] + 1)
