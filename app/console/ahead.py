"""What the ops lead's first questions need, worked out when the web process begins and nobody waits yet."""

from __future__ import annotations

from typing import Final

from app.api.policies import PolicyCalls
from app.console.thresholds import deciding_version, stated
from graph.rulebook import VersionState
from policies.whatif.thresholds import Threshold

MOST_VERSIONS: Final = 3
"""Versions that are compared with what decides now: those somebody is likely to open."""
_LIKELY: Final = frozenset({VersionState.DRAFT.value, VersionState.CANARY.value})


async def work_ahead(policies: PolicyCalls, tenant_id: str) -> None:
    """The refunds of the first threshold of each tier, and what the newest drafts would change. Nothing is written."""
    async with policies.guard.sessions(tenant_id) as session:
        found = await deciding_version(session, tenant_id)
    if found is None:
        return
    _, policy = found
    first = {one.tier: one for one in reversed(stated(policy))}
    for one in first.values():
        await policies.pasts.refunds(tenant_id, policy, Threshold(one.tier, one.currency))
    desk = policies.desk(tenant_id)
    likely = [one for one in await desk.versions() if one.state in _LIKELY]
    for version in sorted(likely, key=lambda one: one.created_at, reverse=True)[:MOST_VERSIONS]:
        await desk.compared(version)
        await policies.judge(version, with_remarks=False)
