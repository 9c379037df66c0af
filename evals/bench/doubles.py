"""The vendors' doubles for a bench, in a process of their own: `python -m evals.bench.doubles CONFIG PORT`.

They tell nobody of what happens, so that no delivery competes with what is measured.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from app.sandboxed import CLAUDE_KEY
from app.settings import Settings
from connectors.sandbox.claude.clerk import clerk
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.composition import SandboxConfig, serve_sandbox
from connectors.sandbox.faults import Faults
from evals.bench.place import SUBDOMAIN, TENANT


def main(config_path: str, port: str) -> None:
    """Serve until stopped."""
    settings = Settings(**tomllib.loads(Path(config_path).read_text("utf-8")))
    tenant = settings.tenants[TENANT]
    zendesk, stripe, orders = tenant.zendesk, tenant.stripe, tenant.orders
    assert zendesk is not None
    assert stripe is not None
    assert orders is not None
    assert zendesk.client_id is not None
    assert zendesk.client_secret is not None
    assert orders.token is not None
    config = SandboxConfig(
        stripe_keys={stripe.api_key.get_secret_value(): frozenset({"*"})},
        stripe_webhook_secret=stripe.webhook_secrets[0].get_secret_value(),
        zendesk_subdomain=SUBDOMAIN,
        zendesk_oauth_clients={
            zendesk.client_id: (zendesk.client_secret.get_secret_value(), "bot@bench.example"),
        },
        zendesk_webhook_secret=zendesk.webhook_secrets[0].get_secret_value(),
        orders_token=orders.token.get_secret_value(),
        claude_keys=frozenset({CLAUDE_KEY}),
        claude_responder=clerk,
    )
    # No file, no offset: the machine's clock, which the product reads in this folder, too.
    clock = SandboxClock(settings.data_dir / "no-clock.json")
    serve_sandbox(config, port=int(port), clock=clock, faults=Faults())


if __name__ == "__main__":
    main(*sys.argv[1:])
