"""Where scenarios are played in one process: a database, the web process and the vendors' doubles over HTTP, a worker.

Each scenario is a tenant of its own on one database and finds doubles of its own behind one address, so none has to be
cleaned away. Webhooks travel signed from the doubles to the web process; the worker is moved by hand, so that it never
waits for anything but the work. Business time begins at the same moment for every scenario and moves when nothing else
does.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from numpy.typing import NDArray
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.ambient import CLOCK_FILE, new_id, sandbox_clock, vault_of
from app.db import Database
from app.listening import free_port
from app.models import Tenant as TenantRow
from app.runtime import CHECKPOINT_MODULES, gateway_of, rerank_of, tenant_of
from app.sandboxed import BOT_EMAIL, LOOPBACK, SHOP, STRIPE_PERMISSIONS, SUBDOMAIN
from app.settings import SANDBOX_FILE, ModelSettings, Provider, Settings
from app.tenants import TenantSettings
from app.web.app import create_app
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.composition import Sandbox, SandboxConfig, create_sandbox
from connectors.sandbox.faults import Faults
from connectors.sandbox.server import serve
from connectors.sandbox.world.parts import Article
from evals.suites.errors import SuiteError
from evals.suites.files import Filed
from evals.suites.scenario import SHIPPED_POLICY, Scenario
from evals.trials.ground import Switchboard
from graph.build import build
from graph.models.embedding import Embedder
from graph.rulebook import PolicyVersion, publish
from graph.runs.advance import Advancer, Machine
from graph.runtime import Runtime, Tenant
from graph.settlement.switches import change_switch
from kb.documents import ParsedDocument
from kb.ingest import ingest
from kb.markdown import read_markdown
from kb.sources import read_documents
from kb.vectors import Embed

START: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
"""When every scenario begins: a Saturday morning, so that nothing depends on the day somebody runs it."""

_CLIENT: Final = "countersign"
_CLIENT_SECRET: Final = "suite-client-secret-0001"  # noqa: S105 - these open the doubles and nothing else
_ZENDESK_SECRET: Final = "suite-zendesk-secret-0001"  # noqa: S105
_STRIPE_KEY: Final = "rk_test_suite00000000000001"
_STRIPE_SECRET: Final = "whsec_suite000000000000001"  # noqa: S105
_ORDERS_TOKEN: Final = "suite-orders-token-0001"  # noqa: S105


class Customers(StrEnum):
    """Who speaks for simulated customers."""

    SCRIPT = "script"  # the lines of the scenario; needs no key
    MODEL = "model"  # a model, where the scenario states a goal


@dataclass(frozen=True, slots=True)
class Variant:
    """How scenarios are played: what two runs of the same scenarios may differ in, besides the commit.

    Args:
        models: which provider understands, chooses and words, with which models and prompts.
        sections_found: of the knowledge, for one ticket.
        customers: who speaks for simulated customers.
    """

    models: ModelSettings
    sections_found: int = 5
    customers: Customers = Customers.SCRIPT


def speakers(name: str, models: ModelSettings) -> Customers:
    """Who speaks for simulated customers, by the word of a command.

    Raises:
        SuiteError: no such word, or a model is meant and none is configured.
    """
    if name not in set(Customers):
        raise SuiteError((f"--customers {name!r}: not known: write {' or '.join(Customers)}",))
    if name == Customers.MODEL and models.provider is not Provider.CLAUDE:
        sentence = "--customers model: no model outside: set COUNTERSIGN_MODELS__PROVIDER=claude and its key"
        raise SuiteError((sentence,))
    return Customers(name)


@dataclass(slots=True)
class _Ids:
    """Ids that look random and follow from the seed and the tenant of the present trial."""

    word: str = ""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def begin(self, seed: int, tenant: str) -> None:
        """Begin anew."""
        self.word, self.numbers = f"{seed}:{tenant}", itertools.count()

    def new_id(self, prefix: str) -> str:
        """A fresh id."""
        return f"{prefix}_{self._drawn()}"

    def new_key(self) -> str:
        """A fresh idempotency key."""
        return f"key-{self._drawn()}"

    def _drawn(self) -> str:
        return hashlib.sha256(f"{self.word}:{next(self.numbers)}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Place:
    """What one process has for all its scenarios."""

    settings: Settings
    database: Database
    clock: SandboxClock
    switchboard: Switchboard
    runtime: Runtime
    machine: Machine
    ids: _Ids
    tenants: dict[str, Tenant]
    customers: Customers
    policies: dict[str, PolicyVersion] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """What one trial of a scenario has for itself."""

    tenant: str
    scenario: Scenario
    database: Database
    sandbox: Sandbox
    clock: SandboxClock
    advancer: Advancer
    policy_hash: str
    customers: Customers

    @property
    def runtime(self) -> Runtime:
        """What the worker works with."""
        return self.advancer.runtime


def prepare_folder(folder: Path) -> None:
    """Make the folder of a place, whose clock is the doubles'."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SANDBOX_FILE).touch()


@asynccontextmanager
async def opened_place(
    folder: Path, database_url: str, tenants: Sequence[str], embedder: Embedder, embed: Embed, variant: Variant
) -> AsyncIterator[Place]:
    """The web process serving, for as long as the block lasts.

    Args:
        folder: of this process, prepared: its clock and master key.
        database_url: of a migrated database.
        tenants: of every trial that may be played here.
        embedder: loaded already.
        embed: the same, for documents and questions; may remember.
        variant: how scenarios are played.
    """
    vendors_port, web_port = free_port(), free_port()
    tenant = _tenant_settings(f"http://{LOOPBACK}:{vendors_port}")
    settings = Settings(
        data_dir=folder, port=web_port, pages=False, models=variant.models, tenants=dict.fromkeys(tenants, tenant)
    )
    clock, switchboard, ids = sandbox_clock(folder), Switchboard(), _Ids()
    present: dict[str, Tenant] = {}
    database = Database(database_url, pool_size=4)
    runtime = Runtime(
        sessions=database.tenant,
        now=clock.now,
        new_id=ids.new_id,
        new_key=ids.new_key,
        vault=vault_of(settings),
        tenant=present.__getitem__,
        gateway=gateway_of(settings, embedder, database.tenant, clock.now),
        embed=embed,
        worker_id="suite",
        rerank=rerank_of(settings),
        sections_found=variant.sections_found,
    )
    try:
        with serve(switchboard, port=vendors_port), serve(create_app(settings, database_url), port=web_port):
            yield Place(
                settings, database, clock, switchboard, runtime, build(runtime, None), ids, present, variant.customers
            )
    finally:
        await database.close()


def _tenant_settings(address: str) -> TenantSettings:
    return TenantSettings.model_validate(
        {
            "title": SHOP,
            "brand": SHOP,
            "currency": "usd",
            "policy": SHIPPED_POLICY,
            "zendesk": {
                "subdomain": SUBDOMAIN,
                "base_url": address,
                "client_id": _CLIENT,
                "client_secret": _CLIENT_SECRET,
                "webhook_secrets": [_ZENDESK_SECRET],
            },
            "stripe": {"api_key": _STRIPE_KEY, "base_url": address, "webhook_secrets": [_STRIPE_SECRET]},
            "orders": {"base_url": address, "token": _ORDERS_TOKEN},
        }
    )


@asynccontextmanager
async def opened_stage(place: Place, filed: Filed, tenant: str, *, seed: int) -> AsyncIterator[Stage]:
    """A tenant with its policy and documents, and doubles without a world yet, for as long as the block lasts."""
    _set_clock(place.settings.data_dir)
    place.ids.begin(seed, tenant)
    vendors = create_sandbox(_config(place.settings, tenant, seed=seed), place.clock, Faults(seed=seed))
    place.switchboard.app, sandbox = vendors, vendors.state.sandbox
    parts = place.tenants[tenant] = tenant_of(tenant, place.settings.tenants[tenant], place.clock.now)
    try:
        policy_hash = await _prepared(place, filed, tenant)
        async with place.database.checkpoint_connection(tenant) as connection:
            saver = AsyncPostgresSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=CHECKPOINT_MODULES))
            machine = place.machine.copy({"checkpointer": saver})
            advancer = Advancer(place.runtime, {tenant: machine})
            yield Stage(
                tenant, filed.scenario, place.database, sandbox, place.clock, advancer, policy_hash, place.customers
            )
    finally:
        sandbox.deliveries.close()
        parts.zendesk.close()
        parts.stripe.close()
        if parts.orders is not None:
            parts.orders.close()
        del place.tenants[tenant]


def _set_clock(folder: Path) -> None:
    path = folder / CLOCK_FILE
    path.unlink(missing_ok=True)
    offset_s = (START - SandboxClock(path).now()).total_seconds()
    path.write_text(json.dumps({"offset_s": offset_s}), encoding="utf-8")


def _config(settings: Settings, tenant: str, *, seed: int) -> SandboxConfig:
    web = f"http://{LOOPBACK}:{settings.port}/webhooks"
    return SandboxConfig(
        stripe_keys={_STRIPE_KEY: STRIPE_PERMISSIONS},
        stripe_webhook_secret=_STRIPE_SECRET,
        zendesk_subdomain=SUBDOMAIN,
        zendesk_oauth_clients={_CLIENT: (_CLIENT_SECRET, BOT_EMAIL)},
        zendesk_webhook_secret=_ZENDESK_SECRET,
        orders_token=_ORDERS_TOKEN,
        claude_keys=frozenset({"sandbox"}),
        stripe_webhook_url=f"{web}/stripe/{tenant}",
        zendesk_webhook_url=f"{web}/zendesk/{tenant}",
        seed=seed,
    )


async def _prepared(place: Place, filed: Filed, tenant: str) -> str:
    """The tenant's row, policy, documents and switches; the hash of its policy."""
    scenario, now = filed.scenario, place.clock.now()
    async with place.database.tenant(tenant) as session:
        row = insert(TenantRow).values(tenant_id=tenant, title=SHOP, installation_id=new_id("inst"), created_at=now)
        await session.execute(row.on_conflict_do_nothing())
        policy_hash = await _published(place, session, filed.policy_text, tenant, now)
        for tool in scenario.switches_off:
            await change_switch(
                session,
                tenant_id=tenant,
                tool=tool,
                is_off=True,
                reason="a scenario",
                actor="ops",
                now=now,
                new_id=new_id,
            )
        documents = _documents(scenario)
        if documents:
            await ingest(
                session,
                tenant_id=tenant,
                source="scenario",
                documents=documents,
                embed=place.runtime.embed,
                now=now,
            )
    return policy_hash


async def _published(place: Place, session: AsyncSession, text: str, tenant: str, now: datetime) -> str:
    """The text as the tenant's policy. A text that was read before in this process is not read again."""
    known = place.policies.get(text)
    if known is not None:
        session.add(PolicyVersion(**{**known.model_dump(), "tenant_id": tenant}))
        return known.policy_hash
    policy_hash = await publish(session, tenant, text, author="suite", now=now)
    place.policies[text] = await session.get_one(PolicyVersion, (tenant, policy_hash))
    return policy_hash


def _documents(scenario: Scenario) -> list[ParsedDocument]:
    """The shop's documents, as far as the scenario has them, and its own, which take the place of one with their id."""
    known: dict[str, ParsedDocument] = {}
    if scenario.knowledge == "shop" or (scenario.knowledge is None and scenario.policy == SHIPPED_POLICY):
        known = dict(shop_documents())
    for article in scenario.world.articles:
        known[article.id] = article_document(article)
    return list(known.values())


def shop_documents() -> Mapping[str, ParsedDocument]:
    """The demo shop's documents by id."""
    folder = Path(str(files("kb.library") / "demo-shop"))
    return {document.document_id: document for document in read_documents(folder)}


def article_document(article: Article) -> ParsedDocument:
    """An article of a world as the knowledge base takes it."""
    read = read_markdown(article.text, document_id=article.id, language="en")
    return replace(read, document_id=article.id, title=article.title, labels=article.labels)


class Remembering:
    """The embedding model, reading each text once in the life of a process: every scenario has the same documents."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit vector for each text."""
        unknown = [text for text in dict.fromkeys(texts) if text not in self._known]
        if unknown:
            self._known |= dict(zip(unknown, self._embed(unknown), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else self._embed(texts)
