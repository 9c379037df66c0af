"""Settings of a tenant in, the vendors' adapters out. Nothing is sent when one is made.

Promises: secrets go into the adapter and nowhere else. Refuses nothing that the settings have not refused already;
an address an adapter cannot use is its own `ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from app.scopes import check_stage
from app.settings import Environment
from app.tenants import OrdersSettings, StripeSettings, ZendeskSettings
from connectors.orders.client import OrdersAdapter
from connectors.stripe.client import StripeAdapter
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.credentials import ApiToken, OAuthClient


def zendesk_adapter(settings: ZendeskSettings, *, now: Callable[[], datetime]) -> ZendeskAdapter:
    """The adapter of one Zendesk account; `now` is business time, which decides when tokens end."""
    auth: OAuthClient | ApiToken
    if settings.client_id is not None and settings.client_secret is not None:
        auth = OAuthClient(settings.client_id, settings.client_secret.get_secret_value(), settings.scope)
    else:
        assert settings.email is not None
        assert settings.token is not None
        auth = ApiToken(settings.email, settings.token.get_secret_value())
    return ZendeskAdapter(
        subdomain=settings.subdomain, base_url=settings.base_url, auth=auth, timeout_s=settings.timeout_s, now=now
    )


def stripe_adapter(settings: StripeSettings, environment: Environment = Environment.DEV) -> StripeAdapter:
    """The adapter of one Stripe account.

    Raises:
        SettingsError: a live key outside of `prod`, or a test key in it.
    """
    check_stage(settings, environment)
    return StripeAdapter(
        settings.api_key.get_secret_value(),
        base_url=settings.base_url,
        account=settings.account,
        timeout_s=settings.timeout_s,
    )


def orders_adapter(settings: OrdersSettings) -> OrdersAdapter | None:
    """The adapter of the shop's orders service; None where only a mapping is configured."""
    if settings.base_url is None or settings.token is None:
        return None
    return OrdersAdapter(settings.base_url, settings.token.get_secret_value(), timeout_s=settings.timeout_s)
