"""What surrounds a real installation: its clock, fresh ids and keys, and the vault with its master key.

Time, ids and chance are arguments everywhere else; this is where they come from. Business time is the machine's clock,
except beside a sandbox, whose clock the doubles and every process of the data folder share.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from app.keys.ring import OwnKeys, masters_of, own_master_of
from app.settings import SANDBOX_FILE, Environment, Settings, machine_clock
from connectors.sandbox.clock import SandboxClock
from graph.vault import Vault

CLOCK_FILE: Final = "clock.json"


def new_id(prefix: str) -> str:
    """A fresh id, such as `run_0b5c...`."""
    return f"{prefix}_{uuid.uuid4().hex}"


def new_key() -> str:
    """A fresh idempotency key: random, as Stripe recommends. https://docs.stripe.com/api/idempotent_requests ."""
    return str(uuid.uuid4())


def new_token() -> str:
    """A fresh token for a bearer: 256 random bits in letters that fit an address."""
    return secrets.token_urlsafe(32)


def business_clock(settings: Settings) -> Callable[[], datetime]:
    """The clock of this installation: the sandbox's where one belongs to the data folder, else the machine's."""
    return sandbox_clock(settings.data_dir).now if is_sandboxed(settings) else machine_clock


def is_sandboxed(settings: Settings) -> bool:
    """Whether a sandbox belongs to the data folder. Never in production."""
    return settings.environment is not Environment.PROD and (settings.data_dir / SANDBOX_FILE).exists()


def sandbox_clock(data_dir: Path) -> SandboxClock:
    """The clock that a sandbox and all processes of its data folder share."""
    return SandboxClock(data_dir / CLOCK_FILE)


def vault_of(settings: Settings) -> Vault:
    """What seals personal data here: under the tenant's own master key where it has one."""
    shared = masters_of(settings)
    own = {
        name: OwnKeys(own_master_of(settings.data_dir, name, tenant.kms), shared)
        for name, tenant in settings.tenants.items()
        if tenant.kms is not None
    }
    return Vault(shared, own=own)
