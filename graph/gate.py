"""The gate that every call outside passes, reads included.

It knows who calls (actor), with which credential, under which switch, scope and budget; it lets the call through or
not, and keeps a record of its decision that the node writes into the log in its own transaction. A 401 or 403 makes
the connector draft-only for the tenant, and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from opentelemetry.trace import SpanKind
from sqlalchemy import select
from sqlmodel import col

from connectors.errors import AccessDenied, ConnectorError, VendorRefused
from graph.breakers.tally import Happened, count
from graph.errors import BudgetExhausted, ToolForbidden, ToolSwitchedOff
from graph.runtime import Runtime, Tenant
from graph.settlement.draft_only import set_draft_only
from graph.settlement.models import ConnectorState
from graph.settlement.switches import read_switches
from graph.spending import Spending
from graph.tracing import spanning
from policies.breakers import Measure
from policies.tools import ToolRules
from policies.vocabulary import Tool

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What the gate decided about one call and how it went. Values are references, never personal data."""

    tool: str
    operation: str
    reference: str
    credential: str
    decision: str
    outcome: str
    latency_ms: int
    detail: str | None = None

    def body(self) -> dict[str, object]:
        """The record as the public part of an event."""
        fields = ("tool", "operation", "reference", "credential", "decision", "outcome", "latency_ms", "detail")
        return {name: value for name in fields if (value := getattr(self, name)) is not None}


@dataclass(slots=True)
class Gate:
    """The gate of one step of one run. `records` grow with each call; `spending` counts over the whole run."""

    runtime: Runtime
    tenant: Tenant
    actor: str
    spending: Spending = field(default_factory=Spending)
    tools: ToolRules = field(default_factory=ToolRules)
    records: list[CallRecord] = field(default_factory=list)
    switches: dict[str, str] | None = None
    draft_only: set[str] = field(default_factory=set)

    async def read(self, tool: Tool, operation: str, reference: str, call: Callable[[], Answer]) -> Answer:
        """Make one blocking read in a thread.

        Args:
            tool: what switches and scopes name.
            operation: the vendor's operation, for the log (`charges.list`).
            reference: what it is about, an id and nothing personal.
            call: the adapter's method, bound to its arguments.

        Raises:
            BudgetExhausted: the run may not call again.
            ToolForbidden: the policy's lists of tools do not let it be read.
            ToolSwitchedOff: a kill switch stops the tool.
            ConnectorError: what the adapter raised.
        """
        await self._admit(tool, operation, reference)
        started = time.perf_counter()
        try:
            with spanning(
                f"execute_tool {tool.value}",
                SpanKind.CLIENT,
                **{
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": tool.value,
                    "gen_ai.tool.type": "datastore",
                    "countersign.operation": operation,
                },
            ):
                answer = await asyncio.to_thread(call)
        except AccessDenied as error:
            self._record(tool, operation, reference, "allowed", "access_denied", started, str(error))
            await self._fall_back(tool, str(error))
            await self._count_error(tool)
            raise
        except ConnectorError as error:
            self._record(tool, operation, reference, "allowed", type(error).__name__, started, str(error))
            if not isinstance(error, VendorRefused):
                await self._count_error(tool)
            raise
        self._record(tool, operation, reference, "allowed", "done", started)
        return answer

    async def switched_off(self, tool: Tool) -> str | None:
        """Why a kill switch stops the tool, or None where it may be used.

        Once a step is soon enough for reading; what changes something outside reads its switch as it reserves.
        """
        if self.switches is None:
            async with self.runtime.sessions(self.tenant.tenant_id) as session:
                self.switches = await read_switches(session, self.tenant.tenant_id)
        return self.switches.get(tool.value)

    async def _admit(self, tool: Tool, operation: str, reference: str) -> None:
        refusal = self.tools.refusal_to_read(tool)
        if refusal is not None:
            self._refuse(tool, operation, reference, "policy")
            raise ToolForbidden(tool.value, refusal)
        reason = await self.switched_off(tool)
        if reason is not None:
            self._refuse(tool, operation, reference, "switched_off")
            raise ToolSwitchedOff(tool.value, reason)
        try:
            self.spending.admit_tool_call()
        except BudgetExhausted:
            self._refuse(tool, operation, reference, "budget")
            raise

    def _refuse(self, tool: Tool, operation: str, reference: str, why: str) -> None:
        self.records.append(
            CallRecord(tool.value, operation, reference, self._credential(tool), f"refused:{why}", "not_called", 0),
        )

    def _record(
        self,
        tool: Tool,
        operation: str,
        reference: str,
        decision: str,
        outcome: str,
        started: float,
        detail: str | None = None,
    ) -> None:
        latency_ms = round((time.perf_counter() - started) * 1000)
        if outcome != "done":
            self.spending.used["tool_errors"] += 1
        credential = self._credential(tool)
        self.records.append(
            CallRecord(tool.value, operation, reference, credential, decision, outcome, latency_ms, detail),
        )

    def _credential(self, tool: Tool) -> str:
        return self.tenant.credentials.get(tool.value.split(".")[0], "none")

    async def _count_error(self, tool: Tool) -> None:
        """For breakers, and at once: the step that called may come to nothing. A plain refusal is an answer."""
        async with self.runtime.sessions(self.tenant.tenant_id) as session:
            happened = Happened(Measure.TOOL_ERRORS, is_bad=True, subject=tool.value)
            await count(session, self.tenant.tenant_id, [happened], now=self.runtime.now())

    async def _fall_back(self, tool: Tool, reason: str) -> None:
        connector = tool.value.split(".")[0]
        self.draft_only.add(connector)
        async with self.runtime.sessions(self.tenant.tenant_id) as session:
            await set_draft_only(
                session,
                self.tenant.tenant_id,
                connector,
                reason=reason,
                actor=self.actor,
                now=self.runtime.now(),
                new_id=self.runtime.new_id,
            )


async def draft_only_connectors(runtime: Runtime, tenant_id: str) -> frozenset[str]:
    """The connectors of the tenant that have fallen back to draft-only."""
    async with runtime.sessions(tenant_id) as session:
        rows = await session.execute(
            select(col(ConnectorState.connector)).where(
                col(ConnectorState.tenant_id) == tenant_id,
                col(ConnectorState.is_draft_only).is_(True),
            ),
        )
    return frozenset(rows.scalars())
