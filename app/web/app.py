"""The web process: webhooks, the pages people sign in to, and whether it is well."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from app.adapters import zendesk_adapter
from app.alerts import page as alerts_page
from app.alerts.tending import rules_of as alerts_of
from app.ambient import business_clock, is_sandboxed, new_id, new_key, new_token, vault_of
from app.api import alerts as api_alerts
from app.api import autonomy as api_autonomy
from app.api import connectors as api_connectors
from app.api import controls as api_controls
from app.api import corrections as api_corrections
from app.api import document
from app.api import measures as api_measures
from app.api import people as api_people
from app.api import policies as api_policies
from app.api import queue as api_queue
from app.api import review as api_review
from app.api import runs as api_runs
from app.api import thresholds as api_thresholds
from app.autonomy import page as autonomy_page
from app.autonomy.tending import rules_of as autonomy_of
from app.connections import page as connectors_page
from app.console import controls_page, policy_page, thresholds_page
from app.console.ahead import work_ahead
from app.console.past import Pasts
from app.corrections import page as corrections_page
from app.db import Database
from app.errors import DatabaseError, SettingsError
from app.identity.passwords import Passwords
from app.identity.sessions import Lifetimes
from app.identity.sign_in import SignIn
from app.identity.sso import IdentityProvider
from app.log_keys import signer_here
from app.measures.asking import Asking
from app.review.acts import Desk, Shop
from app.review.macros import Macros
from app.settings import Settings, machine_clock
from app.tenants import TenantSettings
from app.trace import page as traces
from app.waiting import page as queue_page
from app.waiting.answering import Answering
from app.waiting.upkeep import rules_of
from app.web import embedding, entry, metrics, pages, panel, sso, webhooks
from app.web import measures as measures_page
from app.web import people as people_page
from app.web.access import Guard, add, declared
from app.web.confirming import Confirming
from app.web.embedding import Embedding
from app.web.entry import Entry
from app.web.front import Front
from app.web.live import Pulse
from app.web.pages import Pages
from app.web.panel import Panel
from app.web.places import Places
from app.web.rendering import Renderer
from app.web.shield import Shield, answer_refusals
from app.web.sso import Sso
from app.zendesk_app.sight import TicketSight
from app.zendesk_app.signed import Installation
from connectors.errors import ConfigurationError
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.signing import check_secrets


def create_app(settings: Settings, app_url: str) -> FastAPI:
    """The application for some settings and a migrated database.

    Raises:
        SettingsError: a tenant's webhook secret is missing or the public test secret.
        UndeclaredRoute: a route does not say who may use it.
    """
    database, now = Database(app_url, pool_size=8), business_clock(settings)
    lifetimes = Lifetimes(timedelta(seconds=settings.sign_in.idle_s), timedelta(seconds=settings.sign_in.lifetime_s))
    places, renderer = Places(settings.public_url), Renderer(now)
    adapters = {name: one for name, tenant in settings.tenants.items() if (one := _zendesk(tenant, now)) is not None}
    tickets = TicketSight(adapters, now)
    guard = Guard(database.tenant, frozenset(settings.tenants), now, lifetimes, places, tickets)
    pulse, pasts = Pulse(database.tenant), Pasts(database.tenant, now)
    files = {name: tenant.policy for name, tenant in settings.tenants.items()}
    policies = api_policies.PolicyCalls(guard, pasts, new_id, files)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if settings.pages:
            pasts.begin(settings.tenants, partial(work_ahead, policies))
        yield
        await pulse.close()
        await pasts.close()
        await database.close()
        for adapter in adapters.values():
            adapter.close()

    app = Front(webhooks.routes(webhooks.Door(database.tenant, _secrets(settings), now, new_id)), lifespan)
    answer_refusals(app, renderer)
    parts = [_health(guard), _metrics(settings, guard)]
    if settings.pages:
        sign_in = SignIn(database.tenant, Passwords(), now, new_id, new_token, lifetimes)
        # The provider's clock is the world's, also beside a sandbox.
        providers = {
            name: IdentityProvider(tenant.sso, machine_clock) for name, tenant in settings.tenants.items() if tenant.sso
        }
        doors = Entry(guard, sign_in, renderer, frozenset(providers))
        parts.append(entry.routes(doors, is_demo=is_sandboxed(settings)))
        parts.append(sso.routes(Sso(doors, providers)))
        above = {name: tenant.confirm_above for name, tenant in settings.tenants.items()}
        confirming, vault = Confirming(sign_in, above, now), vault_of(settings)
        shops = {name: _shop(name, tenant, adapters.get(name)) for name, tenant in settings.tenants.items()}
        desk = Desk(database.tenant, vault, now, new_id, new_key, shops)
        parts.append(pages.routes(Pages(guard, renderer, database.tenant, vault, desk, confirming)))
        beside = Panel(guard, renderer, database.tenant, desk, pulse, confirming, Macros(shops, now))
        parts.append(panel.routes(beside))
        installed = {name: place for name, tenant in settings.tenants.items() if (place := _installation(tenant))}
        sdks = {name: f"{place.origin}/zaf_sdk.js" for name, place in installed.items() if is_sandboxed(settings)}
        parts.append(embedding.routes(Embedding(guard, renderer, sign_in, installed, sdks)))
        parts += _work(settings, guard, renderer, Answering(desk, confirming.is_needed), policies)
    # The routes themselves: `include_router` would make each anew, and it is most of the time that a start takes.
    app.router.routes.extend(route for part in parts for route in part.routes)
    declared(app)
    app.add_middleware(
        Shield,
        renderer=renderer,
        new_nonce=lambda: secrets.token_urlsafe(16),
        is_encrypted=(settings.public_url or "").startswith("https://"),
    )
    return app


def _work(
    settings: Settings, guard: Guard, renderer: Renderer, answering: Answering, policies: api_policies.PolicyCalls
) -> list[APIRouter]:
    """The queue, the trace, the accounts, the ops lead's pages, and the API with all of them."""
    vault, signer = answering.desk.vault, signer_here(settings)
    rules = {name: rules_of(tenant.review) for name, tenant in settings.tenants.items()}
    base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
    runs = api_runs.Runs(guard, vault, new_id, signer)
    queues = api_queue.Queues(guard, vault, rules, answering)
    accounts = api_people.People(guard, new_id, new_token, base_url)
    measures = api_measures.MeasureCalls(guard, _asking(settings, guard))
    earned = {name: autonomy_of(tenant.autonomy) for name, tenant in settings.tenants.items()}
    autonomy = api_autonomy.Autonomy(guard, earned, new_id)
    watched = {name: alerts_of(tenant.alerts) for name, tenant in settings.tenants.items()}
    alerts = api_alerts.Alerts(guard, watched, new_id)
    connectors = api_connectors.Connectors(guard, settings, new_id)
    corrections = api_corrections.Corrections(guard, vault, new_id)
    thresholds = api_thresholds.ThresholdCalls(guard, policies.pasts)
    controls = api_controls.ControlCalls(guard, new_id)
    reviews = api_review.Reviews(guard, answering.desk)
    api = [
        api_runs.routes(runs),
        api_review.routes(reviews),
        api_queue.routes(queues),
        api_people.routes(accounts),
        api_autonomy.routes(autonomy),
        api_alerts.routes(alerts),
        api_connectors.routes(connectors),
        api_corrections.routes(corrections),
        api_thresholds.routes(thresholds),
        api_policies.routes(policies),
        api_controls.routes(controls),
        api_measures.routes(measures),
    ]
    return [
        alerts_page.routes(alerts_page.AlertsPage(alerts, renderer)),
        connectors_page.routes(connectors_page.ConnectorsPage(connectors, renderer)),
        corrections_page.routes(corrections_page.CorrectionsPage(corrections, renderer)),
        autonomy_page.routes(autonomy_page.AutonomyPage(autonomy, renderer)),
        api_runs.files(runs),
        traces.routes(traces.Traces(guard, renderer, vault, signer)),
        queue_page.routes(queue_page.QueuePage(queues, renderer)),
        people_page.routes(people_page.PeoplePage(accounts, renderer)),
        thresholds_page.routes(thresholds_page.ThresholdsPage(thresholds, policies, renderer)),
        policy_page.routes(policy_page.PolicyPage(policies, renderer)),
        controls_page.routes(controls_page.ControlsPage(controls, renderer)),
        measures_page.routes(measures_page.MeasurePage(measures, renderer)),
        *api,
        document.routes(guard, api),
    ]


def _asking(settings: Settings, guard: Guard) -> Asking:
    return Asking(guard.sessions, {name: tenant.measures for name, tenant in settings.tenants.items()})


def _metrics(settings: Settings, guard: Guard) -> APIRouter:
    token = settings.metrics.token
    shown = metrics.Metrics(guard, _asking(settings, guard), settings.metrics.tenant_label)
    return metrics.routes(shown, token.get_secret_value() if token is not None else None)


def _health(guard: Guard) -> APIRouter:
    async def healthz() -> Response:
        for tenant_id in sorted(guard.tenants):
            try:
                async with guard.sessions(tenant_id):
                    pass
            except DatabaseError as error:
                return JSONResponse({"ok": False, "error": str(error)}, 503)
        return JSONResponse({"ok": True})

    router = APIRouter()
    add(router, "GET", "/healthz", healthz, guard.open("says whether the database answers"))
    return router


def _zendesk(tenant: TenantSettings, now: Callable[[], datetime]) -> ZendeskAdapter | None:
    return zendesk_adapter(tenant.zendesk, now=now) if tenant.zendesk is not None else None


def _shop(name: str, tenant: TenantSettings, zendesk: ZendeskAdapter | None) -> Shop:
    credential = f"oauth client {tenant.zendesk.client_id}" if tenant.zendesk and tenant.zendesk.client_id else None
    return Shop(tenant.brand or tenant.title or name, zendesk, credential)


def _installation(tenant: TenantSettings) -> Installation | None:
    zendesk = tenant.zendesk
    if zendesk is None or zendesk.app is None:
        return None
    origin = zendesk.base_url or f"https://{zendesk.subdomain}.zendesk.com"
    return Installation(origin, zendesk.app.public_key, zendesk.app.installation_id)


def _secrets(settings: Settings) -> dict[str, webhooks.Secrets]:
    secrets_of: dict[str, webhooks.Secrets] = {}
    for name, tenant in settings.tenants.items():
        zendesk = tuple(one.get_secret_value() for one in tenant.zendesk.webhook_secrets) if tenant.zendesk else ()
        stripe = tuple(one.get_secret_value() for one in tenant.stripe.webhook_secrets) if tenant.stripe else ()
        try:
            check_secrets(zendesk)
        except ConfigurationError as error:
            raise SettingsError([f"tenant {name!r}: {error}"]) from error
        secrets_of[name] = webhooks.Secrets(zendesk, stripe)
    return secrets_of
