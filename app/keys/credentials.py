"""Telling the log which credentials an installation works with, and when one was changed; never what they are.

A credential stands in the log by a pseudonym under the tenant's own key, so nobody can guess it from there, and the
same credential is recognised when it comes back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from app.tenants import TenantSettings
from graph.audit.log import append
from graph.tenancy import Sessions
from graph.vault import MasterKeyWithheld, Vault

log = logging.getLogger(__name__)

KIND: Final = "credential.changed"
ACTOR: Final = "settings"
SUBJECT: Final = "installation/credentials"

_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('credentials/' || :tenant, 0))")
_KNOWN: Final = text(
    """
    SELECT DISTINCT ON (body ->> 'credential') body ->> 'credential' AS name, body ->> 'after' AS after
      FROM audit_event WHERE tenant_id = :tenant AND kind = :kind
     ORDER BY body ->> 'credential', seq DESC
    """
)


async def tell_of_credentials(
    sessions: Sessions, vault: Vault, settings: Settings, now: Callable[[], datetime], new_id: Callable[[str], str]
) -> list[str]:
    """Append an event for each credential that is new, another or gone since the last start; their names.

    One transaction for each tenant; two processes that start together tell of it once. A tenant whose own master key is
    withheld is told of at a later start, because nothing of it works until then and the others go on.

    Raises:
        VaultError: the installation's master key is not there or not given out, so nothing may start.
    """
    changed = []
    for tenant_id, tenant in settings.tenants.items():
        present = dict(credentials_of(settings, tenant))
        try:
            async with sessions(tenant_id) as session:
                changed += await _told(session, vault, tenant_id, present, now, new_id)
        except MasterKeyWithheld as error:
            if tenant.kms is None:
                raise
            log.warning("%s waits for its master key: %s", tenant_id, error)
    return changed


async def _told(
    session: AsyncSession,
    vault: Vault,
    tenant_id: str,
    secrets: Mapping[str, str],
    now: Callable[[], datetime],
    new_id: Callable[[str], str],
) -> list[str]:
    await session.execute(_ONE_AT_A_TIME, {"tenant": tenant_id})
    rows = await session.execute(_KNOWN, {"tenant": tenant_id, "kind": KIND})
    known: dict[str, str | None] = {row.name: row.after for row in rows}
    key = await vault.key(session, tenant_id=tenant_id, subject_id=SUBJECT, now=now())
    present = {name: key.pseudonym(secret) for name, secret in secrets.items()}
    changed = [name for name in sorted(known.keys() | present.keys()) if known.get(name) != present.get(name)]
    for name in changed:
        body = {"credential": name, "before": known.get(name), "after": present.get(name)}
        await append(session, tenant_id=tenant_id, at=now(), kind=KIND, actor=ACTOR, new_id=new_id, body=body)
    return changed


def credentials_of(settings: Settings, tenant: TenantSettings) -> Iterator[tuple[str, str]]:
    """Each credential that a tenant's work uses, by its setting; several of a list as one."""
    yield from _secrets(tenant, "")
    if settings.models.api_key is not None:
        yield "models.api_key", settings.models.api_key.get_secret_value()


def _secrets(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, SecretStr):
        yield name, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets(getattr(value, field), f"{name}.{field}".lstrip("."))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _secrets(one, f"{name}.{key}")
    elif isinstance(value, tuple) and value and isinstance(value[0], SecretStr):
        yield name, "\n".join(one.get_secret_value() for one in value)
