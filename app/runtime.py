"""The composition root: settings in, the working parts of a worker or a web process out. Only it knows them all.

Business time is the machine's clock, except beside a sandbox, whose clock the doubles and every process of the data
folder share. Nothing is sent while parts are put together.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from app.adapters import orders_adapter, stripe_adapter, zendesk_adapter
from app.ambient import business_clock, new_id, new_key, vault_of
from app.db import Database
from app.errors import SettingsError
from app.settings import Environment, ModelSettings, Provider, Settings
from app.storage import Storage
from app.tenants import TenantSettings
from graph.build import build
from graph.knowledge.refresh import Librarian
from graph.models.embedding import Embedder, load_embedder
from graph.models.gateway import Gateway
from graph.models.local.model import load_local_model
from graph.models.prompts import Prompts
from graph.models.reranking import RerankerError, load_reranker
from graph.runs.advance import Advancer
from graph.runtime import Runtime, Tenant
from graph.tenancy import Sessions
from kb.search import Rerank
from policies.vocabulary import ModelRole

if TYPE_CHECKING:
    from graph.models.claude import ClaudeModel
    from graph.models.kept import KeptAnswers
    from graph.models.outside import Outside

CHECKPOINT_MODULES: Final = None
"""No type of ours is in a checkpoint, so none may be brought to life from one."""


def tenant_of(
    tenant_id: str,
    settings: TenantSettings,
    now: Callable[[], datetime],
    environment: Environment = Environment.DEV,
) -> Tenant:
    """A tenant's adapters.

    Raises:
        SettingsError: the tenant lacks Zendesk or Stripe, or its Stripe key is of another stage.
    """
    if settings.zendesk is None or settings.stripe is None:
        raise SettingsError(
            [
                (
                    f"tenant {tenant_id!r} needs both zendesk and stripe to work tickets; "
                    "`countersign doctor` says what is missing"
                )
            ]
        )
    zendesk, stripe, orders = settings.zendesk, settings.stripe, settings.orders
    return Tenant(
        tenant_id=tenant_id,
        zendesk=zendesk_adapter(zendesk, now=now),
        stripe=stripe_adapter(stripe, environment),
        orders=orders_adapter(orders) if orders is not None else None,
        order_mapping=orders.mapping if orders is not None else None,
        credentials={
            "zendesk": f"oauth client {zendesk.client_id}" if zendesk.client_id else f"api token of {zendesk.email}",
            "stripe": f"key {stripe.api_key.get_secret_value()[:8]}...",
            "orders": "bearer token",
        },
        shop_name=settings.brand or settings.title or tenant_id,
        currency=settings.currency or "usd",
        review_group_id=zendesk.review_group_id,
        brand_ids=frozenset(zendesk.brand_ids),
        segments=dict(settings.segments),
        default_segment=settings.default_segment,
        reissues_lost_refunds=stripe.reissue_lost_refunds,
        help_center=zendesk.help_center,
        hold_out_percent=settings.measures.hold_out_percent,
    )


def librarians_of(settings: Settings, runtime: Runtime) -> list[Librarian]:
    """Who keeps the knowledge of each tenant in step, for the tenants whose Help Center is a source."""
    return [
        Librarian(runtime.sessions, name, runtime.tenant(name).zendesk, runtime.embed, runtime.now, runtime.new_id)
        for name, tenant in settings.tenants.items()
        if tenant.zendesk is not None and tenant.zendesk.help_center
    ]


def gateway_of(settings: Settings, embedder: Embedder, sessions: Sessions, now: Callable[[], datetime]) -> Gateway:
    """The models by role, as the settings name them. `sessions` are those in which answers are kept on file."""
    models = settings.models
    if models.provider is Provider.LOCAL:
        return Gateway(load_local_model(embedder), None)
    from graph.models.kept import KeptAnswers  # noqa: PLC0415 - as below

    keep = timedelta(seconds=models.keep_answers_s)
    kept = KeptAnswers(sessions, vault_of(settings), now, keep) if keep else None
    return Gateway(load_local_model(embedder), outside_of(models, kept))


def outside_of(models: ModelSettings, kept: KeptAnswers | None = None) -> Outside:
    """The models outside of this process, by role, as the settings name them.

    Raises:
        SettingsError: no key is configured.
    """
    from graph.models.outside import Limits, Outside  # noqa: PLC0415 - as below

    return Outside(
        claude_of(models),
        {role: models.order(role) for role in ModelRole},
        prompts=Prompts(models.prompts),
        kept=kept,
        limits=Limits(pause_s=models.retry_wait_s, whole_s=models.timeout_s),
    )


def claude_of(models: ModelSettings) -> ClaudeModel:
    """Claude as the settings name it.

    Raises:
        SettingsError: no key is configured.
    """
    # Imported here, because the vendor's SDK takes more than a second that an installation without it need not pay.
    from connectors.claude.client import ClaudeAdapter  # noqa: PLC0415
    from graph.models.claude import ClaudeModel  # noqa: PLC0415

    if models.api_key is None:
        raise SettingsError(["claude has no key: set COUNTERSIGN_MODELS__API_KEY, or use the local provider"])
    adapter = ClaudeAdapter(models.api_key.get_secret_value(), base_url=models.base_url, timeout_s=models.timeout_s)
    return ClaudeModel(adapter)


def rerank_of(settings: Settings) -> Rerank | None:
    """The cross-encoder that the settings name; None where they name none.

    Raises:
        SettingsError: it cannot be used.
    """
    folder = settings.models.reranker
    if folder is None:
        return None
    try:
        return load_reranker(folder).score
    except RerankerError as error:
        raise SettingsError([f"models.reranker: {error}"]) from error


@asynccontextmanager
async def open_advancer(
    settings: Settings,
    storage: Storage,
    *,
    pool_size: int = 10,
    embedder: Embedder | None = None,
) -> AsyncIterator[tuple[Advancer, Database]]:
    """What a worker works with, for the life of its event loop.

    Loads the embedding model, which takes some seconds, where the caller has not loaded one.

    Raises:
        SettingsError: no tenant is configured, one lacks a connector, or the cross-encoder cannot be used.
        DatabaseError: the database cannot be reached.
    """
    if not settings.tenants:
        raise SettingsError(["no tenant is configured; see docs/settings.md, or run `countersign demo`"])
    now = business_clock(settings)
    tenants = {name: tenant_of(name, tenant, now, settings.environment) for name, tenant in settings.tenants.items()}
    # One, where nothing is said: workers are added by the process, and threads of several would fight for the cores.
    embedder = embedder or load_embedder(threads=settings.models.threads or 1)
    database = Database(storage.app_url, pool_size=pool_size)
    try:
        savers = await _savers(database, tenants)
        runtime = Runtime(
            sessions=database.tenant,
            now=now,
            new_id=new_id,
            new_key=new_key,
            vault=vault_of(settings),
            tenant=tenants.__getitem__,
            gateway=gateway_of(settings, embedder, database.tenant, now),
            embed=embedder.embed,
            rerank=rerank_of(settings),
            worker_id=f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}",
            lease_s=settings.worker.lease_s,
        )
        machines = {name: build(runtime, saver) for name, saver in savers.items()}
        yield Advancer(runtime, machines), database
    finally:
        await database.close()


async def _savers(database: Database, tenants: Mapping[str, Tenant]) -> dict[str, AsyncPostgresSaver]:
    serializer = JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINT_MODULES)
    return {name: AsyncPostgresSaver(await database.checkpoint_pool(name), serde=serializer) for name in tenants}
