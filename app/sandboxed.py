"""A data folder with a sandbox beside it: its settings file, its credentials, and the doubles' own process.

The file `sandbox.toml` names the sandbox's tenant like any other one, so that `serve`, `worker` and every other command
of the same data folder work with it by configuration alone. Its credentials are random and good for the sandbox only.
"""

from __future__ import annotations

import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.ambient import sandbox_clock
from app.errors import UsageError
from app.notices.signing import decode_secret
from app.settings import SANDBOX_FILE, Settings
from app.tenants import TenantSettings, ZendeskAppSettings
from connectors.sandbox.claude.clerk import clerk
from connectors.sandbox.composition import SandboxConfig, serve_sandbox
from connectors.sandbox.control import SandboxControl
from connectors.sandbox.faults import Fault, Faults
from connectors.sandbox.world.reading import read_faults, read_setting
from connectors.sandbox.zendesk.apps import AppPlace

TENANT: Final = "demo"
SHOP: Final = "Larkspur Goods"
SUBDOMAIN: Final = "larkspur"
CLIENT: Final = "countersign"
APP_KEY_FILE: Final = "zendesk-app.pem"
STRIPE_PERMISSIONS: Final = frozenset(
    {
        "charge_write",
        "customer_read",
        "dispute_read",
        "payment_intent_write",
        "radar_early_fraud_warning_read",
        "subscription_write",
    }
)
"""What the sandbox's restricted key may do: no more than the agent needs."""
BOT_EMAIL: Final = "countersign@larkspur-goods.example"
WATCHER: Final = "watcher"
"""The place that is told of events by a signed webhook."""
LOOPBACK: Final = "127.0.0.1"
CLAUDE_KEY: Final = "sandbox"
"""The API key that Claude's double accepts."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the two servers of a sandboxed folder listen, on loopback."""

    sandbox: int
    web: int


def write_settings(data_dir: Path, ports: Ports) -> Path:
    """Write `sandbox.toml` with fresh credentials, readable by its owner only."""
    data_dir.mkdir(parents=True, exist_ok=True)
    address = f"http://{LOOPBACK}:{ports.sandbox}"
    path = data_dir / SANDBOX_FILE
    text = f"""# Written by `countersign demo` or `countersign sandbox`.
# These credentials open the local sandbox and nothing else.
host = "{LOOPBACK}"
port = {ports.web}

[tenants.{TENANT}]
title = "{SHOP}"
brand = "{SHOP}"
currency = "usd"
policy = "shipped"

[tenants.{TENANT}.zendesk]
subdomain = "{SUBDOMAIN}"
base_url = "{address}"
client_id = "{CLIENT}"
client_secret = "{secrets.token_urlsafe(24)}"
webhook_secrets = ["{secrets.token_urlsafe(24)}"]

[tenants.{TENANT}.zendesk.app]
installation_id = 1
public_key = "{(data_dir / APP_KEY_FILE).resolve().as_posix()}"

[tenants.{TENANT}.stripe]
api_key = "rk_test_{secrets.token_hex(16)}"
base_url = "{address}"
webhook_secrets = ["whsec_{secrets.token_hex(16)}"]

[tenants.{TENANT}.orders]
base_url = "{address}"
token = "{secrets.token_urlsafe(24)}"

# Who is told of events; {address}/sandbox/notices shows what they were sent.
[tenants.{TENANT}.notices.{WATCHER}]
url = "{address}/hook"
secret = "{b64encode(secrets.token_bytes(24)).decode()}"

[tenants.{TENANT}.notices.slack]
url = "{address}/services/T/B/X"
form = "slack"
"""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")
    return path


def sandbox_tenant(settings: Settings) -> TenantSettings:
    """The tenant that the sandbox stands in for.

    Raises:
        UsageError: this data folder has none.
    """
    tenant = settings.tenants.get(TENANT)
    if tenant is None or tenant.zendesk is None or tenant.stripe is None or tenant.orders is None:
        raise UsageError(f"no sandbox is set up in {str(settings.data_dir)!r}; `countersign demo` sets one up")
    return tenant


def config_of(settings: Settings, *, seed: int) -> SandboxConfig:
    """What the doubles accept and where their webhooks go, from the same settings that the product reads."""
    tenant = sandbox_tenant(settings)
    zendesk, stripe, orders = tenant.zendesk, tenant.stripe, tenant.orders
    assert zendesk is not None
    assert stripe is not None
    assert orders is not None
    assert zendesk.client_id is not None
    assert zendesk.client_secret is not None
    assert orders.token is not None
    web = f"http://{LOOPBACK}:{settings.port}/webhooks"
    watcher = tenant.notices.get(WATCHER)
    signs = watcher.secret.get_secret_value() if watcher is not None and watcher.secret is not None else None
    return SandboxConfig(
        stripe_keys={stripe.api_key.get_secret_value(): STRIPE_PERMISSIONS},
        stripe_webhook_secret=stripe.webhook_secrets[0].get_secret_value(),
        zendesk_subdomain=zendesk.subdomain,
        zendesk_oauth_clients={zendesk.client_id: (zendesk.client_secret.get_secret_value(), BOT_EMAIL)},
        zendesk_webhook_secret=zendesk.webhook_secrets[0].get_secret_value(),
        orders_token=orders.token.get_secret_value(),
        claude_keys=frozenset({CLAUDE_KEY}),
        claude_responder=clerk,
        stripe_webhook_url=f"{web}/stripe/{TENANT}",
        zendesk_webhook_url=f"{web}/zendesk/{TENANT}",
        notices_secret=decode_secret(signs) if signs is not None else None,
        zendesk_app=_app(settings, zendesk.app) if zendesk.app is not None else None,
        seed=seed,
    )


def _app(settings: Settings, app: ZendeskAppSettings) -> AppPlace:
    page_url = f"http://{LOOPBACK}:{settings.port}/t/{TENANT}/zendesk/app"
    return AppPlace(page_url, app.installation_id, app.public_key)


def run_sandbox(
    settings: Settings,
    *,
    port: int,
    seed: int,
    faults: tuple[Fault, ...] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the doubles until stopped.

    Raises:
        ConfigurationError: the port is in use.
    """
    clock = sandbox_clock(settings.data_dir)
    config = config_of(settings, seed=seed)
    serve_sandbox(config, port=port, clock=clock, faults=Faults(faults, seed=seed), ready=ready)


def read_fault_file(path: Path) -> tuple[Fault, ...]:
    """The faults of a file.

    Raises:
        WorldError: it cannot be read; every problem with its line.
    """
    return read_faults(path)


def load_world(url: str, path: Path) -> None:
    """Load a scenario file once the sandbox at `url` answers; its tickets arrive and webhooks fire.

    Runs in a thread, because the sandbox serves in the one that calls.

    Raises:
        WorldError: the file cannot be read; every problem with its line.
    """
    setting = read_setting(path)

    def load() -> None:
        with SandboxControl(url) as control:
            while not control.healthy():
                time.sleep(0.05)
            control.load(setting)

    threading.Thread(target=load, name="world", daemon=True).start()
