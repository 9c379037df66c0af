"""Credentials that do not fit: one of another stage is refused, one that may do too much does nothing by itself.

A live key of Stripe's works in `prod` and nowhere else, and a test key everywhere but there. A credential that may do
more than the agent needs makes its connector draft-only: people decide, until it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlmodel import col

from app.errors import SettingsError
from app.settings import Environment
from app.tenants import StripeSettings, TenantSettings
from graph.settlement.draft_only import set_draft_only
from graph.settlement.models import ConnectorState
from graph.tenancy import Sessions

ACTOR: Final = "settings"
_BEGINS: Final = "over-scoped: "
"""How the reason begins, by which it is known when the credential was replaced."""

_TOO_WIDE: Final = frozenset({"write", "impersonate"})
"""Scopes of Zendesk's that reach everything.

https://developer.zendesk.com/documentation/api-basics/authentication/using-oauth-to-authenticate-zendesk-api-requests-in-a-web-app/
"""


def check_stage(settings: StripeSettings, environment: Environment) -> None:
    """Refuse a key of another stage.

    Raises:
        SettingsError: a live key outside of `prod`, or a test key of the real Stripe in it.
    """
    is_live = "_live_" in settings.api_key.get_secret_value()
    if is_live and environment is not Environment.PROD:
        raise SettingsError([f"a live key of Stripe's in environment {environment.value!r}; use a test key here"])
    if not is_live and environment is Environment.PROD and settings.base_url is None:
        raise SettingsError(["a test key of Stripe's in environment 'prod'; use a live key here"])


def over_scoped(tenant: TenantSettings) -> dict[str, str]:
    """The connectors of a tenant whose credential may do more than is needed, each with what to do."""
    found = {}
    if tenant.stripe is not None and tenant.stripe.api_key.get_secret_value().startswith("sk_"):
        found["stripe"] = "a secret key may do everything; make a restricted key (rk_...)"
    zendesk = tenant.zendesk
    if zendesk is not None and zendesk.client_id is None:
        found["zendesk"] = "an API token may do all that its user may; make an OAuth client and set client_id"
    elif zendesk is not None and (wide := sorted(_TOO_WIDE & set(zendesk.scope.split()))):
        found["zendesk"] = f"the scope {wide[0]!r} reaches everything; ask for `read tickets:write`"
    return found


async def hold_back(
    sessions: Sessions,
    tenants: Mapping[str, TenantSettings],
    now: Callable[[], datetime],
    new_id: Callable[[str], str],
) -> None:
    """Make connectors with such a credential draft-only, and let those act again whose credential was replaced.

    Each change is an event. One transaction for each tenant.
    """
    for tenant_id, tenant in tenants.items():
        wide = over_scoped(tenant)
        async with sessions(tenant_id) as session:
            query = select(ConnectorState).where(
                col(ConnectorState.tenant_id) == tenant_id, col(ConnectorState.is_draft_only).is_(True)
            )
            held = {one.connector for one in (await session.execute(query)).scalars() if _is_ours(one.reason)}
            reasons: dict[str, str | None] = {name: _BEGINS + why for name, why in wide.items()}
            reasons |= dict.fromkeys(held - wide.keys())
            for connector, reason in sorted(reasons.items()):
                await set_draft_only(
                    session, tenant_id, connector, reason=reason, actor=ACTOR, now=now(), new_id=new_id
                )


def _is_ours(reason: str | None) -> bool:
    return reason is not None and reason.startswith(_BEGINS)
