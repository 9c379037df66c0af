"""What a gate found about a version, written down where publishing looks. Gates are run elsewhere, not here."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from graph.audit.log import append
from graph.lifecycle.models import GateResult
from graph.lifecycle.publishing import Act
from graph.lifecycle.requirements import REQUIRED_GATES, standing
from graph.rulebook import PolicyVersion, VersionState


async def record(
    session: AsyncSession,
    tenant_id: str,
    policy_hash: str,
    gate: str,
    figures: Mapping[str, object],
    act: Act,
    *,
    passed: bool,
) -> None:
    """Write down one result, in the session's transaction. The version must be stored.

    A draft whose required gates have all passed is a checked version from then on, and no longer one where one fails.
    """
    session.add(
        GateResult(
            tenant_id=tenant_id,
            result_id=act.new_id("gat"),
            policy_hash=policy_hash,
            gate=gate,
            passed=passed,
            figures=dict(figures),
            at=act.now,
            actor=act.actor,
        ),
    )
    version = await session.get_one(PolicyVersion, (tenant_id, policy_hash))
    await session.flush()
    if version.state in {VersionState.DRAFT.value, VersionState.CHECKED.value}:
        gates = (await standing(session, tenant_id, policy_hash, None)).gates
        holds = all(gates.get(name, False) for name in REQUIRED_GATES) and all(gates.values())
        version.state = (VersionState.CHECKED if holds else VersionState.DRAFT).value
        await session.flush()
    await append(
        session,
        tenant_id=tenant_id,
        at=act.now,
        kind="policy.gate",
        actor=act.actor,
        new_id=act.new_id,
        body={"policy_hash": policy_hash, "gate": gate, "passed": passed, "figures": dict(figures)},
    )
