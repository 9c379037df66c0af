"""The sinks of a tenant as they are now: those of its settings, and the one that its policy names.

A policy says with `logging.trace_export` where the story of its runs goes. That address is fed like any other sink,
from the first event on, under the profile `pseudonyms`: who writes policies does not decide that customers' ids leave.
Its name follows from the address, so another address begins at the first event. Where a sink of the settings goes
there already, that one serves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from app.exporting.redacting import Redaction
from app.exporting.sinks import Sink, sink_of, sinks_of
from app.tenants import ExportSettings, TenantSettings
from graph.rulebook import deciding, load_policy
from policies.document import Policy

PREFIX: Final = "policy-"


async def sinks_now(
    session: AsyncSession, tenant_id: str, tenant: TenantSettings, now: Callable[[], datetime]
) -> list[Sink]:
    """All sinks of a tenant: of the settings in the order of their names, and then the policy's."""
    policys = await policys_sink(session, tenant_id, tenant, now)
    return [*sinks_of(tenant, now), *([policys] if policys is not None else [])]


async def policys_sink(
    session: AsyncSession, tenant_id: str, tenant: TenantSettings, now: Callable[[], datetime]
) -> Sink | None:
    """The sink that the published policy names; None where it names none, or one that the settings feed already."""
    policy_hash = (await deciding(session, tenant_id)).published
    if policy_hash is None:
        return None
    address = address_of(await load_policy(session, tenant_id, policy_hash), tenant)
    return None if address is None else sink_of(name_of(address), export_of(address), now)


def address_of(policy: Policy, tenant: TenantSettings) -> str | None:
    """Where a policy has the log sent that no sink of the settings sends it to."""
    address = policy.logging.trace_export
    return None if address is None or _is_among(address, tenant.exports.values()) else address


def name_of(address: str) -> str:
    """What the sink at an address is called.

    >>> name_of("s3://audit-logs/agents/")
    'policy-888b7ac4'
    """
    return PREFIX + hashlib.sha256(address.encode()).hexdigest()[:8]


def export_of(address: str) -> ExportSettings:
    """The settings that say the same as an address of a policy.

    >>> export_of("s3://audit-logs/agents/").prefix
    'agents'
    """
    place = urlsplit(address)
    if place.scheme != "s3":
        return ExportSettings(url=address, redaction=Redaction.PSEUDONYMS)
    prefix = place.path.strip("/") or ExportSettings.model_fields["prefix"].default
    return ExportSettings(bucket=place.netloc, prefix=prefix, redaction=Redaction.PSEUDONYMS)


def _is_among(address: str, exports: Iterable[ExportSettings]) -> bool:
    wanted = export_of(address)
    return any((one.url, one.bucket, one.prefix) == (wanted.url, wanted.bucket, wanted.prefix) for one in exports)
