"""The web process in front of a real database, with whoever knocks at its door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from app.db import Database
from app.settings import Settings
from app.web.app import create_app

TENANT = "demo"
ZENDESK_SECRET = "zendesk-hook"
STRIPE_SECRET = "whsec_hook"


def settings_of(folder: Path, *tenants: str) -> Settings:
    """Settings of some tenants with webhooks from Zendesk and Stripe."""
    tenant = {
        "zendesk": {
            "subdomain": "demo",
            "client_id": "countersign",
            "client_secret": "secret",
            "webhook_secrets": [ZENDESK_SECRET],
        },
        "stripe": {"api_key": "rk_test_web", "webhook_secrets": [STRIPE_SECRET]},
    }
    return Settings.model_validate({"data_dir": folder, "tenants": dict.fromkeys(tenants or (TENANT,), tenant)})


def ticket_event(event_id: str = "evt-1", **changes: Any) -> bytes:
    """A customer's comment on ticket 7, as Zendesk tells it."""
    body = {
        "id": event_id,
        "type": "zen:event-type:ticket.comment_added",
        "subject": "zen:ticket:7",
        "time": "2026-11-21T09:00:00Z",
        "detail": {"id": "7", "actor_id": "11", "status": "OPEN"},
        "event": {
            "comment": {
                "id": "70",
                "is_public": True,
                "body": "canary-words",
                "author": {"id": "11", "is_staff": False, "name": "Ana Canary"},
            },
        },
        **changes,
    }
    return json.dumps(body).encode()


def stripe_event(event_id: str = "evt_1", kind: str = "plan.created", subject: Any = None) -> bytes:
    return json.dumps(
        {
            "id": event_id,
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": 1795251600,
            "data": {"object": subject or {"id": "plan_1", "object": "plan"}},
            "livemode": False,
            "request": None,
            "type": kind,
        },
    ).encode()


def zendesk_headers(raw: bytes, *, late_s: float = 0, secret: str = ZENDESK_SECRET) -> dict[str, str]:
    stamp = (datetime.now(UTC) - timedelta(seconds=late_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hmac.new(secret.encode(), stamp.encode() + raw, hashlib.sha256).digest()
    return {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
    }


def stripe_headers(raw: bytes, *, late_s: float = 0, secret: str = STRIPE_SECRET) -> dict[str, str]:
    stamp = str(int(datetime.now(UTC).timestamp() - late_s))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={digest}"}


@dataclass(frozen=True)
class Door:
    """A client of the web process, and the database behind it."""

    client: httpx.AsyncClient
    app: FastAPI
    database: Database

    async def zendesk(self, raw: bytes, tenant: str = TENANT, **signed: Any) -> httpx.Response:
        return await self.knock("zendesk", tenant, raw, zendesk_headers(raw, **signed))

    async def stripe(self, raw: bytes, tenant: str = TENANT, **signed: Any) -> httpx.Response:
        return await self.knock("stripe", tenant, raw, stripe_headers(raw, **signed))

    async def knock(self, vendor: str, tenant: str, raw: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self.client.post(f"/webhooks/{vendor}/{tenant}", content=raw, headers=dict(headers))

    async def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        async with self.database.tenant(TENANT) as session:
            return [dict(row) for row in (await session.execute(text(sql), values)).mappings()]


@asynccontextmanager
async def standing(database: Database, url: str, folder: Path, *, host: str = "127.0.0.1:8080") -> AsyncIterator[Door]:
    """The web process for one tenant, called from `127.0.0.1` under the name `host`."""
    async with opened(settings_of(folder), database, url, host=host) as door:
        yield door


@asynccontextmanager
async def opened(
    settings: Settings, database: Database, url: str, *, host: str = "127.0.0.1:8080"
) -> AsyncIterator[Door]:
    """The web process with these settings."""
    app = create_app(settings, url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client,
    ):
        yield Door(client, app, database)
