"""What must hold when all is quiet, read from the doubles' own books and compared with ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.rows import dict_row

from evals.simulation.stage import Stage, holds_money
from graph.audit.verify import verify
from graph.settlement.reconcile import Drift
from policies.decision import Limit

_EFFECTS: Final = """
    SELECT effect_id, kind, state, business_key, charge_id, amount_minor, ticket_id
      FROM effect WHERE tenant_id = %s ORDER BY effect_id
"""
_CHARGES: Final = (
    "SELECT charge_id, captured_minor, refunded_minor, reserved_minor FROM charge_ledger WHERE tenant_id = %s"
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something promised that did not hold: `double`, `lost`, `drift`, `over` or `log`."""

    kind: str
    detail: str


async def judged(stage: Stage, drift: Drift, *, limit: Limit | None) -> tuple[Finding, ...]:
    """Everything that does not hold. `limit` is one that every refund of ours drew on."""
    effects = await _rows(stage, _EFFECTS)
    refunds = [one for one in stage.stripe.ledger() if holds_money(one)]
    ours = [one for one in refunds if one["metadata"].get("intent_id")]
    found = [*_doubles(effects, ours), *_ends(effects, ours), *_replies(stage, effects)]
    found += _books(effects, refunds, await _rows(stage, _CHARGES))
    if limit is not None:
        found += _over(ours, limit)
    if drift.orphans or drift.missing or drift.unlogged or any(drift.minor.values()):
        found.append(Finding("drift", f"the reconciler says {drift}"))
    async with stage.database.tenant(stage.tenant) as session:
        result = await verify(session, stage.tenant)
    if not result.holds:
        found.append(Finding("log", f"the log does not verify: {result}"))
    return tuple(found)


def _over(ours: Sequence[Row], limit: Limit) -> list[Finding]:
    """No window of the limit's length, however it lies, holds more than its cap."""
    found = []
    for last in ours:
        within = [one for one in ours if last["created"] - limit.window_s < one["created"] <= last["created"]]
        total = sum(one["amount_minor"] for one in within)
        if limit.cap_minor is not None and total > limit.cap_minor:
            found.append(
                Finding("over", f"{total} went out within {limit.window_s} s under a cap of {limit.cap_minor}")
            )
    return found


def _doubles(effects: Sequence[Row], ours: Sequence[Row]) -> list[Finding]:
    """A case is a business key: however many effects it had, its money went out once."""
    case_of = {effect["effect_id"]: effect["business_key"] for effect in effects}
    by_case = Counter(case_of.get(one["metadata"]["intent_id"], one["metadata"]["intent_id"]) for one in ours)
    return [Finding("double", f"{case} was refunded {times} times") for case, times in by_case.items() if times > 1]


def _ends(effects: Sequence[Row], ours: Sequence[Row]) -> list[Finding]:
    """An end is known, and it is what Stripe has."""
    made = {one["metadata"]["intent_id"] for one in ours}
    found = []
    for effect in effects:
        name, state = effect["effect_id"], effect["state"]
        if state in {"held", "sending", "unknown"}:
            found.append(Finding("lost", f"{name} is still {state}"))
        if effect["kind"] == "refund" and (state == "settled") is not (name in made):
            if state == "human" and name not in made:
                continue  # sent, unanswered, and not at Stripe: a person's to decide
            found.append(Finding("drift", f"{name} is {state}, and Stripe {'has' if name in made else 'lacks'} it"))
    return found


def _books(effects: Sequence[Row], refunds: Sequence[Row], charges: Sequence[Row]) -> list[Finding]:
    """The ledger is Stripe's, and nothing stays reserved but what a person must look at."""
    theirs: Counter[str] = Counter()
    for one in refunds:
        theirs[one["charge"]] += one["amount_minor"]
    waiting: Counter[str] = Counter()
    for effect in effects:
        if effect["state"] == "human" and effect["kind"] == "refund":
            waiting[effect["charge_id"]] += effect["amount_minor"]
    found = []
    for charge in charges:
        name = charge["charge_id"]
        if charge["reserved_minor"] != waiting[name]:
            found.append(Finding("drift", f"{name} has {charge['reserved_minor']} reserved, {waiting[name]} in doubt"))
        if not waiting[name] and charge["refunded_minor"] != theirs[name]:
            found.append(Finding("drift", f"{name}: {charge['refunded_minor']} refunded, Stripe has {theirs[name]}"))
        if theirs[name] > charge["captured_minor"]:
            found.append(Finding("over", f"{name}: {theirs[name]} of {charge['captured_minor']} refunded"))
    return found


def _replies(stage: Stage, effects: Sequence[Row]) -> list[Finding]:
    found = []
    for ticket_id in {effect["ticket_id"] for effect in effects if effect["kind"] == "zendesk_update"}:
        said = len(stage.tickets.comments(int(ticket_id))) - 1
        settled = [e for e in effects if e["kind"] == "zendesk_update" and e["ticket_id"] == ticket_id]
        told = sum(effect["state"] in {"settled", "human"} for effect in settled)
        if said > max(told, 1) or said > 1:
            found.append(Finding("double", f"ticket {ticket_id} was answered {said} times"))
    return found


async def _rows(stage: Stage, statement: str) -> list[dict[str, Any]]:
    async with stage.admin.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, [stage.tenant])
        return await cursor.fetchall()
