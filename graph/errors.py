"""Errors of the graph package.

GraphError
├── BudgetExhausted     the run used up one of its budgets; the run is handed to a person
├── ToolForbidden       the policy's lists of tools do not let it be read; the run is handed to a person
├── ToolSwitchedOff     a kill switch stops the tool; the run is handed to a person
├── LeaseLost           another worker holds the ticket or the effect now; stop without writing anything
├── DatabaseAway        the database did not answer and nothing was done; the same call may succeed later
├── TicketGone          the ticket was deleted or merged meanwhile; the run ends as ignored
└── PolicyMissing       the tenant has no published policy; tell whoever installs it
"""

from __future__ import annotations


class GraphError(Exception):
    """Root of this package's errors."""


class BudgetExhausted(GraphError):
    """The run used up a budget. `budget` names it."""

    def __init__(self, budget: str, used: int, limit: int) -> None:
        super().__init__(f"the run used {used} of {limit} {budget}: a person takes over")
        self.budget = budget


class ToolForbidden(GraphError):
    """The policy's lists of tools do not let it be read."""

    def __init__(self, tool: str, entry: str) -> None:
        super().__init__(f"tool {tool!r} is not open to the agent ({entry}): a person takes over")
        self.tool = tool


class ToolSwitchedOff(GraphError):
    """A kill switch stops the tool."""

    def __init__(self, tool: str, reason: str) -> None:
        super().__init__(f"tool {tool!r} is switched off ({reason}): `countersign switch on {tool}` allows it again")
        self.tool = tool


class LeaseLost(GraphError):
    """Another worker holds the ticket or the effect now."""


class DatabaseAway(GraphError):
    """The database did not answer; nothing was done."""


class TicketGone(GraphError):
    """The ticket was deleted or merged meanwhile."""


class PolicyMissing(GraphError):
    """The tenant has no published policy."""
