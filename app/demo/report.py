"""What became of the demo's tickets: read from our tables and from the Stripe double's own ledger, and shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.runs.models import Run
from policies.money import Money
from policies.vocabulary import Outcome


@dataclass(frozen=True, slots=True)
class TicketReport:
    """One ticket's end, as the JSON shows it."""

    ticket_id: str
    label: str
    run_id: str | None
    intents: list[str]
    outcome: str | None
    reason: str | None
    actions: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    reply_sent: bool
    seconds: float
    model_calls: int
    cost_usd_micros: int

    def row(self) -> dict[str, Any]:
        """For the JSON."""
        shown = ("kind", "verdict", "section", "mode", "intent", "rule", "amount_minor", "currency")
        return {
            "ticket_id": self.ticket_id,
            "id": self.label,
            "run_id": self.run_id,
            "intents": self.intents,
            "outcome": self.outcome,
            "reason": self.reason,
            "actions": [{name: action.get(name) for name in shown} for action in self.actions],
            "refunds": self.refunds,
            "reply_sent": self.reply_sent,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All tickets, in the order in which they came, and how long it all took."""

    tickets: Sequence[TicketReport]
    seconds: float
    duplicates: int
    strangers: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def summary(self) -> dict[str, Any]:
        """The JSON's summary."""
        outcomes = Counter(ticket.outcome for ticket in self.tickets)
        refunded: Counter[str] = Counter()
        for ticket in self.tickets:
            for refund in ticket.refunds:
                refunded[refund["currency"]] += refund["amount_minor"]
        return {
            **{outcome.value: outcomes.get(outcome.value, 0) for outcome in Outcome},
            "unfinished": outcomes.get(None, 0),
            "refunded_minor": dict(sorted(refunded.items())),
            "duplicate_refunds": self.duplicates,
            "seconds": round(self.seconds, 2),
            "model_calls": sum(ticket.model_calls for ticket in self.tickets),
            "cost_usd": f"{sum(ticket.cost_usd_micros for ticket in self.tickets) / 1_000_000:.6f}",
        }

    def as_json(self) -> dict[str, Any]:
        """The whole, as `--json` prints it."""
        return {"tickets": [ticket.row() for ticket in self.tickets], "summary": self.summary()}


async def newest_runs(session: AsyncSession, tenant_id: str) -> dict[str, Run]:
    """The newest run of each ticket that did something; a later one that only read a thank-you does not hide it."""
    runs = await session.execute(select(Run).where(col(Run.tenant_id) == tenant_id).order_by(col(Run.started_at)))
    newest: dict[str, Run] = {}
    for run in runs.scalars():
        if run.ticket_id not in newest or run.outcome != Outcome.IGNORED.value:
            newest[run.ticket_id] = run
    return newest


def report(
    tickets: Sequence[tuple[str, str]],
    runs: Mapping[str, Run],
    ledger: Sequence[Mapping[str, Any]],
    *,
    known_refunds: frozenset[str],
    seconds: float,
) -> Report:
    """Put runs and ledger together.

    Args:
        tickets: Zendesk's id and the ticket's label, in order of arrival.
        runs: by ticket.
        ledger: every refund that the Stripe double has made.
        known_refunds: ids of refunds that were there before the tickets came.
        seconds: from the first webhook to the last outcome.
    """
    new = [entry for entry in ledger if entry["id"] not in known_refunds]
    by_run: dict[str, list[dict[str, Any]]] = {}
    for entry in new:
        shown = {
            "charge": entry["charge"],
            "amount_minor": entry["amount_minor"],
            "currency": entry["currency"],
            "refund_id": entry["id"],
            "status": entry["status"],
        }
        by_run.setdefault(str(entry["metadata"].get("run_id")), []).append(shown)
    known = {run.run_id for run in runs.values()}
    strangers = [entry for entry in new if entry["metadata"].get("run_id") not in known]
    return Report(
        tickets=[_ticket(ticket_id, label, runs.get(ticket_id), by_run) for ticket_id, label in tickets],
        seconds=seconds,
        duplicates=_duplicates(new),
        strangers=strangers,
    )


def _duplicates(refunds: Sequence[Mapping[str, Any]]) -> int:
    """Refunds beyond the first of one intent, or of one charge and amount, by the double's own ledger."""
    intents = Counter(entry["metadata"].get("intent_id") for entry in refunds)
    charges = Counter((entry["charge"], entry["amount_minor"]) for entry in refunds)
    return max(sum(intents.values()) - len(intents), sum(charges.values()) - len(charges))


def _ticket(ticket_id: str, label: str, run: Run | None, refunds: Mapping[str, list[dict[str, Any]]]) -> TicketReport:
    if run is None:
        return TicketReport(ticket_id, label, None, [], None, None, [], [], False, 0.0, 0, 0)  # noqa: FBT003
    spent = (run.ended_at or run.updated_at) - run.started_at
    return TicketReport(
        ticket_id=ticket_id,
        label=label,
        run_id=run.run_id,
        intents=list(run.intents),
        outcome=run.outcome,
        reason=run.reason,
        actions=list(run.actions),
        refunds=refunds.get(run.run_id, []),
        reply_sent=run.reply_sent,
        seconds=spent.total_seconds(),
        model_calls=run.model_calls,
        cost_usd_micros=run.cost_usd_micros,
    )


def show(found: Report, console: Console) -> None:
    """The table, and the summary below it."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("ticket", "wants", "decided", "refund", "outcome", "time"):
        table.add_column(head, justify="right" if head in {"refund", "time"} else "left", overflow="fold")
    for ticket in found.tickets:
        decided = "\n".join(
            f"{action['kind']} {action['verdict']} {action['section'] or ''}".replace("_", " ")
            for action in ticket.actions
        )
        refunds = "\n".join(str(Money(one["amount_minor"], one["currency"])) for one in ticket.refunds)
        outcome = (ticket.outcome or "unfinished").replace("_", " ")
        reason = f" ({ticket.reason.replace('_', ' ')})" if ticket.reason else ""
        wants = ", ".join(ticket.intents).replace("_", " ")
        table.add_row(ticket.ticket_id, wants, decided, refunds, outcome + reason, f"{ticket.seconds:.1f} s")
    console.print(table)
    summary = found.summary()
    counted = ", ".join(f"{summary[outcome.value]} {outcome.value.replace('_', ' ')}" for outcome in Outcome)
    money = ", ".join(str(Money(minor, currency)) for currency, minor in summary["refunded_minor"].items()) or "nothing"
    console.print(
        f"\n{len(found.tickets)} tickets: {counted}. Refunded {money}; {summary['duplicate_refunds']} duplicates. "
        f"{summary['seconds']} s, {summary['model_calls']} model calls, {summary['cost_usd']} USD.",
    )
