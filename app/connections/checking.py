"""Asking each vendor what the credential may do, as `countersign doctor` does, and keeping what came of it.

Calls have no effect (app/doctor.py). An API that says how much of its limit is left is believed; one that does not,
Stripe's among them, has no head room to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import doctor
from app.adapters import stripe_adapter, zendesk_adapter
from app.connections.models import ConnectorCheck
from app.errors import SettingsError
from app.findings import Check, wrong
from app.identity.accounts import Act
from app.settings import Settings
from app.tenants import OrdersSettings, StripeSettings, TenantSettings, ZendeskSettings
from connectors.errors import ConnectorError
from connectors.stripe.probe import Grant
from connectors.zendesk.probe import probe as probe_zendesk
from graph.audit.log import append

CONNECTORS: Final = ("zendesk", "stripe", "orders", "models")


@dataclass(frozen=True, slots=True)
class Looked:
    """What a check of one connector found. `may` are the vendor's own words for what was asked."""

    connector: str
    checks: tuple[Check, ...]
    may: Mapping[str, str] = field(default_factory=dict)
    rate_limit: int | None = None
    rate_left: int | None = None


def configured(tenant: TenantSettings) -> frozenset[str]:
    """The connectors that the settings name. Some model there always is."""
    named = {"zendesk": tenant.zendesk, "stripe": tenant.stripe, "orders": tenant.orders}
    return frozenset({"models", *(name for name, settings in named.items() if settings is not None)})


def look(settings: Settings, tenant: TenantSettings, now: Callable[[], datetime]) -> list[Looked]:
    """Ask every vendor of a tenant. Takes seconds; one that is away keeps none of the others from being asked."""
    return [
        _zendesk(tenant.zendesk, now),
        _stripe(tenant.stripe, settings),
        _orders(tenant.orders),
        Looked("models", tuple(doctor.models(settings))),
    ]


async def keep(session: AsyncSession, tenant_id: str, found: list[Looked], act: Act) -> None:
    """Keep what was found instead of what was found before, with its event, in the session's transaction."""
    for one in found:
        row = {
            "checks": [asdict(check) for check in one.checks],
            "may": dict(one.may),
            "rate_limit": one.rate_limit,
            "rate_left": one.rate_left,
            "checked_at": act.now,
            "checked_by": act.actor,
        }
        statement = insert(ConnectorCheck).values(tenant_id=tenant_id, connector=one.connector, **row)
        keys = ["tenant_id", "connector"]
        await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=row))
    body = {one.connector: _worst(one) for one in found}
    await append(
        session,
        tenant_id=tenant_id,
        at=act.now,
        kind="connector.checked",
        actor=act.actor,
        new_id=act.new_id,
        body={"states": body},
    )


def _zendesk(settings: ZendeskSettings | None, now: Callable[[], datetime]) -> Looked:
    if settings is None:
        return Looked("zendesk", (wrong("zendesk", "not configured", "set its settings; see docs/connecting.md"),))
    adapter = zendesk_adapter(settings, now=now)
    try:
        found = probe_zendesk(adapter, now=now())
    except ConnectorError as error:
        return Looked("zendesk", (wrong("zendesk", str(error), "check subdomain, credentials and network"),))
    finally:
        limits = adapter.rate_limits()
        adapter.close()
    return Looked(
        "zendesk",
        tuple(doctor.zendesk_found("zendesk", settings, found)),
        {f"{one.name} ({one.scope})": one.access.value for one in found.capabilities},
        limits.limit if limits is not None else None,
        limits.remaining if limits is not None else None,
    )


def _stripe(settings: StripeSettings | None, ours: Settings) -> Looked:
    if settings is None:
        return Looked("stripe", (wrong("stripe", "not configured", "set its settings; see docs/connecting.md"),))
    try:
        adapter = stripe_adapter(settings, ours.environment)
    except SettingsError as error:
        return Looked("stripe", (wrong("stripe", str(error), "nothing is read or sent with it until then"),))
    try:
        found = adapter.probe()
    except ConnectorError as error:
        return Looked("stripe", (wrong("stripe", str(error), "check api_key and network"),))
    finally:
        adapter.close()
    words = {Grant.GRANTED: "allowed", Grant.MISSING: "denied", Grant.UNKNOWN: "unknown"}
    checks = tuple(doctor.stripe_found("stripe", settings, found))
    return Looked("stripe", checks, {need.name: words[need.grant] for need in found.needs})


def _orders(settings: OrdersSettings | None) -> Looked:
    if settings is None:
        return Looked("orders", (doctor.no_orders("orders", "NAME"),))
    return Looked("orders", tuple(doctor.orders("orders", settings)))


def _worst(one: Looked) -> str:
    order = ("wrong", "note", "ok")
    return min((check.state.value for check in one.checks), key=order.index, default="ok")
