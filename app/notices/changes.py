"""Noticing that models or prompts are others than before: settings change them, and the log says so at the next start.

Compared is what the last event of the kind said, so nothing else has to be kept. A policy's changes are events already.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.identity.accounts import Act
from app.settings import ModelSettings, Provider
from graph.audit.log import append
from graph.audit.models import AuditEvent
from graph.models.prompts import SHIPPED, Prompts
from policies.vocabulary import ModelRole

KIND: Final = "models.changed"
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('models/' || :tenant_id, 0))")


def models_form(models: ModelSettings) -> dict[str, object]:
    """Which models are asked in which order, and with which prompts, by their hashes."""
    if models.provider is Provider.LOCAL:
        return {"provider": models.provider.value, "models": {}, "prompts": {}}
    prompts = Prompts(models.prompts)
    return {
        "provider": models.provider.value,
        "models": {role.value: list(models.order(role)) for role in ModelRole},
        "prompts": {role: prompts.named(name).digest for role, name in sorted(SHIPPED.items())},
    }


async def note_models(session: AsyncSession, tenant_id: str, models: ModelSettings, act: Act) -> bool:
    """Tell the log where models or prompts are others than it last said, in the session's transaction."""
    # Of several workers that start at once one tells it.
    await session.execute(_LOCK, {"tenant_id": tenant_id})
    query = (
        select(AuditEvent)
        .where(col(AuditEvent.tenant_id) == tenant_id, col(AuditEvent.kind) == KIND)
        .order_by(col(AuditEvent.seq).desc())
        .limit(1)
    )
    last = (await session.execute(query)).scalar_one_or_none()
    before = last.body.get("now") if last is not None else None
    now = models_form(models)
    if before == now:
        return False
    body = {"now": now, **({"before": before} if before is not None else {})}
    await append(session, tenant_id=tenant_id, at=act.now, kind=KIND, actor=act.actor, new_id=act.new_id, body=body)
    return True
