"""The web process: webhooks, the pages, and whether it is well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from app.ambient import business_clock, new_id, vault_of
from app.db import Database
from app.errors import DatabaseError, SettingsError
from app.settings import Environment, Settings
from app.web import pages, webhooks
from connectors.errors import ConfigurationError
from connectors.zendesk.signing import check_secrets
from graph.vault import Vault


@dataclass(frozen=True, slots=True)
class Web:
    """What the web process works with."""

    database: Database
    settings: Settings
    now: Callable[[], datetime]
    vault: Vault


def create_app(settings: Settings, app_url: str) -> FastAPI:
    """The application for some settings and a migrated database.

    Raises:
        SettingsError: a tenant's webhook secret is missing or the public test secret.
    """
    web = Web(Database(app_url, pool_size=8), settings, business_clock(settings), vault_of(settings))
    door = webhooks.Door(web.database.tenant, _secrets(settings), web.now, new_id)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await web.database.close()

    app = FastAPI(title="Countersign", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(webhooks.routes(door))
    if settings.pages is True or (settings.pages is None and settings.environment is Environment.DEV):
        # Nobody signs in yet, so the pages are for the machine itself. Elsewhere they are asked for by name, because a
        # proxy on the same machine would make strangers look local.
        app.include_router(pages.routes(pages.Pages(web.database.tenant, web.vault, web.now, tuple(settings.tenants))))

    @app.get("/healthz")
    async def healthz() -> Response:
        for tenant_id in settings.tenants:
            try:
                async with web.database.tenant(tenant_id):
                    pass
            except DatabaseError as error:
                return JSONResponse({"ok": False, "error": str(error)}, 503)
        return JSONResponse({"ok": True})

    return app


def _secrets(settings: Settings) -> dict[str, webhooks.Secrets]:
    secrets: dict[str, webhooks.Secrets] = {}
    for name, tenant in settings.tenants.items():
        zendesk = tuple(one.get_secret_value() for one in tenant.zendesk.webhook_secrets) if tenant.zendesk else ()
        stripe = tuple(one.get_secret_value() for one in tenant.stripe.webhook_secrets) if tenant.stripe else ()
        try:
            check_secrets(zendesk)
        except ConfigurationError as error:
            raise SettingsError([f"tenant {name!r}: {error}"]) from error
        secrets[name] = webhooks.Secrets(zendesk, stripe)
    return secrets
