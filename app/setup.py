"""What a tenant has from the start: its row, and a published policy. Safe to repeat by every process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy.dialects.postgresql import insert

from app.ambient import new_id
from app.db import Database
from app.errors import SettingsError
from app.models import Tenant
from app.settings import Settings
from graph.audit.log import append
from graph.errors import PolicyMissing
from graph.rulebook import publish, published_hash
from policies.shelf import SHIPPED, STARTER, from_library


def policy_text(name: str) -> str:
    """The text of a policy file; `starter` and `shipped` come with the product.

    Raises:
        SettingsError: the file cannot be read.
    """
    named = from_library(name) if name in {STARTER, SHIPPED} else None
    if named is not None:
        return named
    try:
        return Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(
            [f"the policy file {name!r} cannot be read: {reason}; correct the tenant's `policy`"]
        ) from error


async def publish_initial_policies(database: Database, settings: Settings, now: Callable[[], datetime]) -> None:
    """Give every tenant its row, and the policy that its settings name where none was ever published.

    Raises:
        SettingsError: a policy file cannot be read.
        PolicyFileError: a policy file is broken; every problem with its line.
    """
    for name, tenant in settings.tenants.items():
        async with database.tenant(name) as session:
            row = insert(Tenant).values(
                tenant_id=name, title=tenant.title or name, installation_id=new_id("inst"), created_at=now()
            )
            await session.execute(row.on_conflict_do_nothing())
            try:
                await published_hash(session, name)
            except PolicyMissing:
                policy_hash = await publish(session, name, policy_text(tenant.policy), author="settings", now=now())
                await append(
                    session,
                    tenant_id=name,
                    at=now(),
                    kind="policy.published",
                    actor="settings",
                    new_id=new_id,
                    body={"policy_hash": policy_hash, "file": Path(tenant.policy).name},
                )
