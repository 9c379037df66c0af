"""How each connector stands, and what the agent can and cannot do with it. Reads our own tables and the log only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.connections.checking import CONNECTORS
from app.connections.models import ConnectorCheck
from app.review.words import ACTIONS
from graph.breakers.trips import tripped
from graph.rulebook import deciding, load_policy
from graph.settlement.models import ConnectorState
from graph.settlement.switches import read_switches
from policies.document import Policy
from policies.explain import amount_text
from policies.locked import HUMAN_ONLY
from policies.rungs import ACTS_ALONE
from policies.tools import READS, TOOL_OF_ACTION
from policies.vocabulary import ActionKind, Tool, Verdict

_HEALTH_WINDOW: Final = timedelta(hours=1)
_NEWEST: Final = 2_000
"""Newest calls that the last success and the last failure are looked for among."""

_CALLS: Final = text(
    """
    SELECT split_part(subject, '.', 1) AS connector, sum(total) AS total, sum(bad) AS bad FROM tally
     WHERE tenant_id = :tenant AND measure = 'tool_errors' AND minute > :since GROUP BY 1
    UNION ALL
    SELECT 'models', sum(total), sum(bad) FROM tally
     WHERE tenant_id = :tenant AND measure = 'model_errors' AND minute > :since HAVING count(*) > 0
    """
)
_LAST: Final = text(
    """
    SELECT CASE WHEN kind = 'model.called' THEN 'models' ELSE split_part(body ->> 'tool', '.', 1) END AS connector,
           body ->> 'outcome' IN ('done', 'settled') OR kind = 'effect.settled' AS is_done, max(at) AS at
      FROM (SELECT kind, body, at FROM audit_event
             WHERE tenant_id = :tenant AND kind IN ('tool.called', 'model.called', 'effect.settled')
             ORDER BY seq DESC LIMIT :newest) AS newest
     GROUP BY 1, 2
    """
)
_CREDENTIALS: Final = text(
    """
    SELECT DISTINCT ON (body ->> 'credential') body ->> 'credential' AS name, body ->> 'after' AS after, at
      FROM audit_event WHERE tenant_id = :tenant AND kind = 'credential.changed'
     ORDER BY body ->> 'credential', seq DESC
    """
)
_NEEDS: Final[Mapping[Tool, tuple[str, ...]]] = {
    Tool.STRIPE_REFUND: ("refund charges",),
    Tool.STRIPE_CANCEL_SUBSCRIPTION: ("cancel subscriptions",),
    Tool.STRIPE_CANCEL_PAYMENT: ("cancel payment intents",),
    Tool.STRIPE_READ: ("read customers", "read charges", "read refunds"),
    Tool.ZENDESK_READ: ("users.read (users:read)", "tickets.read (tickets:read)"),
    Tool.ZENDESK_REPLY: ("tickets.write (tickets:write)",),
    Tool.ZENDESK_UPDATE: ("tickets.write (tickets:write)",),
}
"""What a tool needs of the credential, in the words of the check."""


@dataclass(frozen=True, slots=True)
class ConnectorSight:
    """One connector. Counts are of the last hour; None is what is not known, because nobody asked or nothing was."""

    connector: str
    is_configured: bool
    is_draft_only: bool
    reason: str | None
    changed_at: datetime | None
    calls: int
    errors: int
    last_success: datetime | None
    last_failure: datetime | None
    credential_since: datetime | None
    check: ConnectorCheck | None


@dataclass(frozen=True, slots=True)
class Ability:
    """One thing, whether the agent can do it (`alone`, `asked`, `reads`, `no`), and why."""

    name: str
    can: str
    why: str


async def connectors(
    session: AsyncSession, tenant_id: str, configured: frozenset[str], now: datetime
) -> list[ConnectorSight]:
    """Every connector as it stands; `configured` are those that the settings name."""
    found = await session.execute(select(ConnectorState).where(col(ConnectorState.tenant_id) == tenant_id))
    states = {row.connector: row for row in found.scalars()}
    checks = await checked(session, tenant_id)
    values = {"tenant": tenant_id, "since": now - _HEALTH_WINDOW, "newest": _NEWEST}
    calls = {row.connector: (int(row.total), int(row.bad)) for row in await session.execute(_CALLS, values)}
    last = {(row.connector, row.is_done): row.at for row in await session.execute(_LAST, values)}
    since = await _credentials(session, tenant_id)
    return [
        ConnectorSight(
            connector=name,
            is_configured=name in configured,
            is_draft_only=name in states and states[name].is_draft_only,
            reason=states[name].reason if name in states else None,
            changed_at=states[name].changed_at if name in states else None,
            calls=calls.get(name, (0, 0))[0],
            errors=calls.get(name, (0, 0))[1],
            last_success=last.get((name, True)),
            last_failure=last.get((name, False)),
            credential_since=since.get(name),
            check=checks.get(name),
        )
        for name in CONNECTORS
    ]


async def _credentials(session: AsyncSession, tenant_id: str) -> dict[str, datetime]:
    """Since when the log knows each connector's credentials as they are: the newest change of one of them counts."""
    since: dict[str, datetime] = {}
    for row in await session.execute(_CREDENTIALS, {"tenant": tenant_id}):
        name = row.name.partition(".")[0]
        if row.after is not None and not row.name.endswith("webhook_secrets"):
            since[name] = max(row.at, since.get(name, row.at))
    return since


async def checked(session: AsyncSession, tenant_id: str) -> dict[str, ConnectorCheck]:
    """The last check of each connector."""
    found = await session.execute(select(ConnectorCheck).where(col(ConnectorCheck.tenant_id) == tenant_id))
    return {row.connector: row for row in found.scalars()}


async def abilities(session: AsyncSession, tenant_id: str, sights: Sequence[ConnectorSight]) -> list[Ability]:
    """What the agent can and cannot do at this moment, and why."""
    decides = (await deciding(session, tenant_id)).published
    if decides is None:
        return [Ability("everything", "no", "no policy is published")]
    policy = await load_policy(session, tenant_id, decides)
    switches = await read_switches(session, tenant_id)
    broken = [one.breaker_id for one in await tripped(session, tenant_id)]
    by_name = {one.connector: one for one in sights}
    found = [_of_tool(tool, policy, switches, by_name, broken) for tool in Tool]
    never = [Ability(ACTIONS.get(kind, kind.value.replace("_", " ")), "no", _NEVER) for kind in sorted(HUMAN_ONLY)]
    return [*found, *never]


_NEVER: Final = "only a person may do this, whatever a policy says"


def _of_tool(
    tool: Tool,
    policy: Policy,
    switches: Mapping[str, str],
    sights: Mapping[str, ConnectorSight],
    broken: Sequence[str],
) -> Ability:
    """One tool: the first thing that is in its way, else what the policy lets it do."""
    sight = sights.get(tool.value.partition(".")[0])
    obstacle = _obstacle(tool, policy, switches, sight)
    if obstacle is not None:
        return Ability(tool.value, "no", obstacle)
    if tool in READS:
        return Ability(tool.value, "reads", "allowed")
    if sight is not None and sight.is_draft_only:
        return Ability(tool.value, "asked", f"drafts only: {sight.reason or 'the vendor denied access'}")
    alone = sorted({bound for kind, of in TOOL_OF_ACTION.items() if of is tool for bound in _alone(policy, kind)})
    if alone and not broken:
        return Ability(tool.value, "alone", "; ".join(alone))
    why = f"a breaker has tripped: {', '.join(broken)}" if alone else "a person says yes first"
    return Ability(tool.value, "asked", why)


def _obstacle(tool: Tool, policy: Policy, switches: Mapping[str, str], sight: ConnectorSight | None) -> str | None:
    """Why the tool cannot be used at all; None where it can."""
    if tool.value in switches:
        return f"switched off: {switches[tool.value]}"
    if sight is not None and not sight.is_configured:
        return f"{sight.connector} is not configured"
    denied = _denied(tool, sight)
    if denied is not None or tool in READS:
        return denied or policy.tools.refusal_to_read(tool)
    answer = policy.tools.answer(tool)
    return answer.entry if answer is not None and answer.verdict is Verdict.DENY else None


def _denied(tool: Tool, sight: ConnectorSight | None) -> str | None:
    """What the last check found missing for the tool."""
    if sight is None or sight.check is None:
        return None
    missing = [need for need in _NEEDS.get(tool, ()) if sight.check.may.get(need) == "denied"]
    return f"the credential may not: {', '.join(missing)}" if missing else None


def _alone(policy: Policy, kind: ActionKind) -> set[str]:
    """Under which tiers the action is done without a person somewhere in the matrix."""
    tiers = policy.tiers
    named = {cell.tier for cell in policy.autonomy.matrix if cell.action in {kind, None}}
    return {
        f"{kind.value.replace('_', ' ')} under tier {name}"
        + (f", up to {_amounts(tiers[name].at_most or {})}" if tiers[name].at_most else "")
        for name in named
        if tiers[name].mode in ACTS_ALONE
    }


def _amounts(amounts: Mapping[str, int]) -> str:
    return ", ".join(amount_text(minor, currency) for currency, minor in sorted(amounts.items())[:3])
