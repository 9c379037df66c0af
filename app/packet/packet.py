"""The packet itself: read from the settings, from the policy that decides in each tenant, and from the routes.

Promises: no secret and nothing about a customer is in it; it is the same for the same configuration, but for its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.exporting.named import address_of
from app.packet.contract import contract
from app.packet.controls import CONTROLS
from app.packet.flows import of_policy, parties
from app.packet.sbom import installed
from app.scopes import over_scoped
from app.settings import Settings
from app.tenants import TenantSettings
from app.web.matrix import matrix_form
from graph.rulebook import deciding, load_policy
from graph.settlement.switches import read_switches
from graph.tenancy import Sessions
from policies.document import Policy
from policies.money import Money
from policies.tools import READS
from policies.vocabulary import Tool, Verdict

FORMAT: Final = "countersign security packet 1"
NOTHING_LISTED: Final = "as the rules and tiers of the policy decide for each case"


async def packet(settings: Settings, web: FastAPI, sessions: Sessions, now: Callable[[], datetime]) -> dict[str, Any]:
    """The packet as JSON values. One transaction for each tenant, which reads only."""
    tenants = {}
    for tenant_id, tenant in sorted(settings.tenants.items()):
        async with sessions(tenant_id) as session:
            tenants[tenant_id] = await _of_tenant(session, tenant_id, tenant)
    policys = (of_policy(name, one["log_sent_to"]) for name, one in tenants.items() if one["log_sent_to"])
    flows = [asdict(one) for one in (*parties(settings), *policys)]
    return {
        "format": FORMAT,
        "made_at": now().isoformat(),
        "product": {"name": "Countersign", "version": version("countersign")},
        "environment": settings.environment.value,
        "tenants": tenants,
        "roles": matrix_form(web),
        "data_flows": flows,
        "sub_processors": [one["name"] for one in flows if one["is_processor"]],
        "keys": _keys(settings),
        "retention": _retention(settings, tenants),
        "controls": [asdict(one) for one in CONTROLS],
        "contract": contract(),
        "packages": [f"{one.name}=={one.version}" for one in installed()],
    }


async def _of_tenant(session: AsyncSession, tenant_id: str, tenant: TenantSettings) -> dict[str, Any]:
    policy_hash = (await deciding(session, tenant_id)).published
    policy = await load_policy(session, tenant_id, policy_hash) if policy_hash is not None else None
    switched_off = sorted(await read_switches(session, tenant_id))
    tiers = [] if policy is None else [{"tier": one.name, "mode": one.mode.value} for one in policy.autonomy.tiers]
    return {
        "title": tenant.title or tenant_id,
        "policy": None if policy is None else {"id": policy.policy_id, "hash": policy.content_hash},
        "can": _can(policy, switched_off),
        "cannot": _cannot(policy, switched_off, tenant),
        "limits": [] if policy is None else [limit.limit_id for limit in policy.limits],
        "tiers": tiers,
        "retention_days": 365 if policy is None else policy.logging.retention_days,
        "master_key": "its own, AWS KMS" if tenant.kms is not None else "the installation's",
        "log_sent_to": None if policy is None else address_of(policy, tenant),
    }


def _can(policy: Policy | None, switched_off: list[str]) -> list[dict[str, str]]:
    """Each tool that may be called, and what the lists of the policy say about it."""
    return [
        {"tool": tool.value, "under": _under(policy, tool)}
        for tool in Tool
        if tool.value not in switched_off and not _denies(policy, tool)
    ]


def _cannot(policy: Policy | None, switched_off: list[str], tenant: TenantSettings) -> list[str]:
    denied = [f"{tool.value}: the policy's lists deny it" for tool in Tool if _denies(policy, tool)]
    never = [f"{rule.rule_id}: {rule.reason}" for rule in (policy.rules if policy else ()) if rule.never]
    off = [f"{tool}: switched off" for tool in switched_off]
    wide = [f"nothing automatic at {connector}: {why}" for connector, why in over_scoped(tenant).items()]
    return [*contract()["never"], *never, *denied, *off, *wide]


def _denies(policy: Policy | None, tool: Tool) -> bool:
    if policy is None:
        return tool not in READS
    if tool in READS:
        return policy.tools.refusal_to_read(tool) is not None
    answer = policy.tools.answer(tool, Money(1, "usd"))
    return answer is not None and answer.verdict is Verdict.DENY


def _under(policy: Policy | None, tool: Tool) -> str:
    if policy is None or tool in READS:
        return "read only"
    answer = policy.tools.answer(tool, Money(1, "usd"))
    return NOTHING_LISTED if answer is None else f"{answer.verdict.value} ({answer.entry}), and {NOTHING_LISTED}"


def _keys(settings: Settings) -> dict[str, str]:
    kept = "AWS KMS" if settings.kms else "the settings" if settings.master_key else "a file of the data folder"
    signed = "the settings" if settings.audit.signing_key else "a file of the data folder"
    return {"master_key": kept, "log_signing_key": signed, "cipher": "AES-256-GCM", "signature": "Ed25519"}


def _retention(settings: Settings, tenants: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"what": "checkpoints of the state machine", "stays": "until an hour after their run has ended"},
        {"what": "kept answers of models", "stays": f"{settings.models.keep_answers_s:.0f} seconds"},
        *(
            {"what": f"what runs of {name} stored", "stays": f"{tenant['retention_days']} days from the run's end"}
            for name, tenant in tenants.items()
        ),
        {"what": "the books and the log, without text of a customer's", "stays": "for good"},
    ]
