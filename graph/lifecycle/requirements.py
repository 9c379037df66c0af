"""What a change needs before it may decide: passing gates for exactly its text, and a second person. Or nothing.

Only what loosens needs them, measured against the version that decides now. A yes holds for one version instead of one
other, so it is worth nothing once something else decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.lifecycle.change import Change
from graph.lifecycle.models import GateResult, PolicyApproval
from graph.rulebook import PolicyVersion

REQUIRED_GATES: Final = ("cases", "analysis")
"""Gates that must have passed. A further one, such as a look at the history, only has to not have failed."""

SHOWN_HASH: Final = 12


@dataclass(frozen=True, slots=True)
class Lacking:
    """One thing that is missing: `second_person`, or the name of a gate. `words` say how to get it."""

    what: str
    words: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a version has: its newest result of each gate, and who said yes to letting it replace the base."""

    gates: Mapping[str, bool]
    approvers: tuple[str, ...]


async def standing(session: AsyncSession, tenant_id: str, policy_hash: str, base_hash: str | None) -> Standing:
    """What gates and people have said about the version."""
    results = await newest_results(session, tenant_id, policy_hash)
    approvers = await session.execute(
        select(col(PolicyApproval.approver))
        .where(
            col(PolicyApproval.tenant_id) == tenant_id,
            col(PolicyApproval.policy_hash) == policy_hash,
            col(PolicyApproval.base_hash) == (base_hash or ""),
        )
        .order_by(col(PolicyApproval.approved_at)),
    )
    gates = {name: row.passed for name, row in results.items()}
    return Standing(gates, tuple(approvers.scalars()))


async def newest_results(session: AsyncSession, tenant_id: str, policy_hash: str) -> dict[str, GateResult]:
    """The newest result of each gate about the version, by the gate."""
    query = (
        select(GateResult)
        .where(col(GateResult.tenant_id) == tenant_id, col(GateResult.policy_hash) == policy_hash)
        .order_by(col(GateResult.at), col(GateResult.result_id))
    )
    return {row.gate: row for row in (await session.execute(query)).scalars()}


def lacking(version: PolicyVersion, change: Change, has: Standing) -> tuple[Lacking, ...]:
    """What the version lacks to decide instead of the one it was compared with; nothing where it loosens nothing."""
    if not change.loosens:
        return ()
    short = version.policy_hash[:SHOWN_HASH]
    gates = [*REQUIRED_GATES, *sorted(name for name, passed in has.gates.items() if not passed)]
    missing = [_gate(gate, short, has) for gate in dict.fromkeys(gates) if not has.gates.get(gate, False)]
    if not any(approver != version.author for approver in has.approvers):
        words = f"a second person, not {version.author}: `countersign policy approve {short} --why WHY`"
        missing.append(Lacking("second_person", words))
    return tuple(missing)


def _gate(gate: str, short: str, has: Standing) -> Lacking:
    state = "did not pass" if gate in has.gates else "has not been run"
    return Lacking(gate, f"gate {gate!r} {state}: `countersign evals gate --policy {short}`")
