"""What `countersign doctor` says about the master keys that tenants have to themselves. Nothing is made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from app.db import Database
from app.errors import AppError
from app.findings import Check, note, ok, wrong
from app.keys.ring import KmsRing, own_file, own_master_of
from app.settings import Settings
from app.storage import Storage
from app.tenants import TenantSettings
from graph.vault import VaultError, wrapped_under


def own_key_findings(name: str, tenant: TenantSettings, settings: Settings) -> Iterator[Check]:
    """Whether the tenant's own master key, where it is to have one, is given out."""
    if tenant.kms is None:
        return
    subject, path = f"{name} master key", settings.data_dir / own_file(name)
    if not path.exists():
        yield note(subject, f"will be made in {str(path)!r} at the first start", "copy it to each machine then")
        return
    try:
        ring = own_master_of(settings.data_dir, name, tenant.kms)
        ring.ask(ring.current)
    except (AppError, VaultError) as error:
        yield wrong(subject, str(error), "nothing of this tenant is opened, stored or sent until then")
        return
    yield ok(subject, f"its own, wrapped by KMS, key {tenant.kms.key_id!r}")


def data_key_findings(settings: Settings, storage: Storage) -> Iterator[Check]:
    """Whether what a tenant with an own master key has sealed can still be opened with the installation's."""
    rings = {
        name: own_master_of(settings.data_dir, name, tenant.kms)
        for name, tenant in sorted(settings.tenants.items())
        if tenant.kms is not None and (settings.data_dir / own_file(name)).exists()
    }
    for name, count in asyncio.run(_elsewhere(storage, rings)).items():
        if count:
            told = f"{count} data keys are not under its present master key, so revoking that does not close them"
            yield note(f"{name} data keys", told, f"`countersign --tenant {name} keys rotate --own --rewrap-only`")


async def _elsewhere(storage: Storage, rings: dict[str, KmsRing]) -> dict[str, int]:
    """How many of a tenant's data keys another master key wraps than the present one of its own."""
    database, found = Database(storage.app_url, pool_size=1), {}
    try:
        for name, ring in rings.items():
            async with database.tenant(name) as session:
                counts = await wrapped_under(session, name)
            found[name] = sum(count for key_id, count in counts.items() if key_id != ring.current)
    finally:
        await database.close()
    return found
