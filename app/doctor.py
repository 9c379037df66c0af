"""Says what is configured, what is missing and what to do next, by looking and asking, never by changing anything.

Promises: one check fails alone, the others are still made; no secret is shown; vendors are asked with calls that
have no effect. An embedded database that was never made is reported as such instead of being made.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from datetime import datetime

from app.adapters import orders_adapter, stripe_adapter, zendesk_adapter
from app.database_checks import database_findings
from app.errors import AppError, SettingsError
from app.findings import Check, State, note, ok, wrong
from app.keys.checks import data_key_findings, own_key_findings
from app.keys.ring import FILE, masters_of
from app.log_checks import key_findings, log_findings
from app.scopes import over_scoped
from app.settings import Environment, Provider, Settings
from app.setup import policy_text
from app.storage import locate
from app.tenants import OrdersSettings, StripeSettings, TenantSettings, ZendeskSettings
from connectors.errors import ConnectorError
from connectors.stripe.probe import Grant
from connectors.stripe.probe import Probe as StripeProbe
from connectors.zendesk.probe import Access
from connectors.zendesk.probe import Probe as ZendeskProbe
from connectors.zendesk.probe import probe as probe_zendesk
from graph.vault import VaultError
from policies.errors import PolicyPackageError
from policies.parse import parse_policy

__all__ = ["Check", "State", "examine"]

Clock = Callable[[], datetime]


def examine(settings: Settings, *, now: Clock) -> list[Check]:
    """Every check, in the order in which to repair."""
    checks = [ok("environment", f"{settings.environment.value}, data in {str(settings.data_dir)!r}")]
    checks += [
        *_master_key(settings),
        *key_findings(settings),
        *_database(settings),
        *_web(settings),
        *models(settings),
    ]
    if not settings.tenants:
        checks.append(
            note("tenants", "none is configured", "try `countersign demo`, or configure one as docs/settings.md says")
        )
    for name, tenant in sorted(settings.tenants.items()):
        checks += _tenant(name, tenant, settings, now)
    return checks


def _master_key(settings: Settings) -> Iterator[Check]:
    path = settings.data_dir / FILE
    if settings.master_key is None and settings.kms is None and not path.exists():
        yield note("master key", f"will be made in {str(path)!r} at the first start", "back it up once it is there")
        return
    try:
        masters = masters_of(settings)
        masters.ask(masters.current)
    except (AppError, VaultError) as error:
        yield wrong("master key", str(error), "")
        return
    if settings.kms is not None:
        yield ok("master key", f"wrapped by KMS, key {settings.kms.key_id!r}")
    elif settings.master_key is not None:
        yield ok("master key", "from the settings")
    elif settings.environment is Environment.PROD:
        yield note("master key", f"in the file {str(path)!r}", "in production, keep it in your secret store instead")
    else:
        yield ok("master key", f"in the file {str(path)!r}")


def _database(settings: Settings) -> Iterator[Check]:
    if settings.database_url is None:
        if settings.environment is Environment.PROD:
            yield wrong("database", "the embedded server, which trusts its socket", "set COUNTERSIGN_DATABASE_URL")
        if not (settings.data_dir / "pg" / "PG_VERSION").exists():
            yield note("database", "embedded, not made yet", "`countersign migrate` makes it, any other start too")
            return
    try:
        with locate(settings) as storage:
            found = list(database_findings(storage))
            yield from found
            if all(one.state is not State.WRONG for one in found):
                yield from data_key_findings(settings, storage)
                yield from log_findings(settings, storage)
    except AppError as error:
        yield wrong("database", str(error), "")


def _web(settings: Settings) -> Iterator[Check]:
    place = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                yield note("web", f"{place} is in use", "fine if `countersign serve` runs; else set COUNTERSIGN_PORT")
            else:
                yield wrong("web", f"{place} cannot be used: {error.strerror}", "correct COUNTERSIGN_HOST and _PORT")
            return
    yield ok("web", f"{place} is free")
    if settings.public_url is None and settings.tenants and settings.environment is not Environment.DEV:
        yield note("web", "no public address", "set COUNTERSIGN_PUBLIC_URL; webhooks are sent there")


def models(settings: Settings) -> Iterator[Check]:
    """What the models' credential may do."""
    wanted = settings.models
    if wanted.provider is Provider.LOCAL:
        yield ok("models", "local: no network, no key")
        return
    # Imported here, because the web process looks, too, and the vendor's SDK takes a second and 40 MB of it.
    from connectors.claude.client import ClaudeAdapter  # noqa: PLC0415

    assert wanted.api_key is not None
    try:
        with ClaudeAdapter(
            wanted.api_key.get_secret_value(), base_url=wanted.base_url, timeout_s=wanted.timeout_s
        ) as claude:
            known = claude.probe()
    except ConnectorError as error:
        yield wrong("models", f"claude: {error}", "check COUNTERSIGN_MODELS__API_KEY")
        return
    absent = sorted(set(wanted.named) - set(known))
    if absent:
        yield wrong("models", f"claude: the key may not use {', '.join(absent)}", f"choose among {', '.join(known)}")
    else:
        yield ok("models", "claude: the key works and may use the models")


def _tenant(name: str, tenant: TenantSettings, settings: Settings, now: Clock) -> Iterator[Check]:
    yield from own_key_findings(name, tenant, settings)
    for connector, why in over_scoped(tenant).items():
        yield note(f"{name} {connector}", f"draft-only: {why}", "nothing automatic is done with it until then")
    if tenant.zendesk is None:
        yield wrong(f"{name} zendesk", "not configured", f"set tenants.{name}.zendesk; see docs/settings.md")
    else:
        yield from _zendesk(name, tenant.zendesk, now)
    if tenant.stripe is None:
        yield wrong(f"{name} stripe", "not configured", f"set tenants.{name}.stripe; see docs/settings.md")
    else:
        yield from _stripe(name, tenant.stripe, settings.environment)
    if tenant.orders is None:
        yield no_orders(f"{name} orders", name)
    else:
        yield from orders(f"{name} orders", tenant.orders)
    yield _policy(name, tenant.policy)


def _zendesk(name: str, settings: ZendeskSettings, now: Clock) -> Iterator[Check]:
    subject = f"{name} zendesk"
    try:
        found = probe_zendesk(zendesk_adapter(settings, now=now), now=now())
    except ConnectorError as error:
        yield from zendesk_settings(subject, settings)
        yield wrong(subject, str(error), "check subdomain, credentials and network")
        return
    yield from zendesk_found(subject, settings, found)


def zendesk_settings(subject: str, settings: ZendeskSettings) -> Iterator[Check]:
    """What can be said without asking Zendesk."""
    if not settings.webhook_secrets:
        yield wrong(subject, "no webhook secret, so every webhook is refused", "set its webhook_secrets")
    if settings.token is not None:
        yield note(subject, "an API token, which ends on 2027-04-30", "make an OAuth client and set client_id")


def zendesk_found(subject: str, settings: ZendeskSettings, found: ZendeskProbe) -> Iterator[Check]:
    """What a probe of Zendesk says about its credential."""
    yield from zendesk_settings(subject, settings)
    denied = [f"{one.name} (scope {one.scope})" for one in found.capabilities if one.access is Access.DENIED]
    unknown = [one.name for one in found.capabilities if one.access is Access.UNKNOWN]
    if denied:
        yield wrong(subject, f"acts as {found.bot.name!r} without {', '.join(denied)}", "widen the client's scopes")
    elif unknown:
        yield note(subject, f"acts as {found.bot.name!r}; no clear answer on {', '.join(unknown)}", "ask again later")
    else:
        yield ok(subject, f"acts as {found.bot.name!r} with every scope it needs")
    if not found.is_admin:
        yield wrong(subject, f"{found.bot.name!r} is no admin, so lost webhooks are not found", "make it one")


def _stripe(name: str, settings: StripeSettings, environment: Environment) -> Iterator[Check]:
    subject = f"{name} stripe"
    try:
        found = stripe_adapter(settings, environment).probe()
    except SettingsError as error:
        yield wrong(subject, str(error), "nothing is read or sent with it until then")
        return
    except ConnectorError as error:
        yield from stripe_settings(subject, settings)
        yield wrong(subject, str(error), "check api_key and network")
        return
    yield from stripe_found(subject, settings, found)


def stripe_settings(subject: str, settings: StripeSettings) -> Iterator[Check]:
    """What can be said without asking Stripe."""
    if not settings.webhook_secrets:
        yield wrong(subject, "no webhook secret, so every webhook is refused", "set its webhook_secrets")


def stripe_found(subject: str, settings: StripeSettings, found: StripeProbe) -> Iterator[Check]:
    """What a probe of Stripe says about its key."""
    yield from stripe_settings(subject, settings)
    missing = [need.permission or need.name for need in found.missing]
    unknown = [need.name for need in found.needs if need.grant is Grant.UNKNOWN]
    if missing:
        yield wrong(subject, f"the key may not: {', '.join(missing)}", "widen the restricted key")
    elif unknown:
        yield note(subject, f"no clear answer on: {', '.join(unknown)}", "ask again later")
    else:
        yield ok(subject, f"the key has every permission it needs, API version {found.api_version}")


def orders(subject: str, settings: OrdersSettings) -> Iterator[Check]:
    """Whether the shop's orders service answers."""
    adapter = orders_adapter(settings)
    if adapter is None:
        yield ok(subject, "from a mapping of Stripe metadata and Zendesk fields")
        return
    try:
        with adapter:
            adapter.probe()
    except ConnectorError as error:
        yield wrong(subject, str(error), "check base_url, token and network")
        return
    yield ok(subject, f"the service at {settings.base_url!r} answers")


def no_orders(subject: str, tenant: str) -> Check:
    """That nothing tells of orders."""
    return note(subject, "not configured: order facts are unknown", f"set tenants.{tenant}.orders if you can")


def _policy(name: str, policy: str) -> Check:
    subject = f"{name} policy"
    try:
        parsed = parse_policy(policy_text(policy), name=policy)
    except SettingsError as error:
        return wrong(subject, str(error), f"correct tenants.{name}.policy")
    except PolicyPackageError as error:
        problems = str(error).splitlines()
        return wrong(
            subject, f"{len(problems)} problems, first: {problems[0]}", f"run `countersign policy check {policy}`"
        )
    return ok(subject, f"{policy}, {len(parsed.rules)} rules, {parsed.content_hash[:12]}")
