"""Answers of models on file: the same question about the same person is not asked, or paid for, twice.

A node that runs again after a crash, a ticket that is read anew and a text that is sent twice ask what was asked
before. An answer is sealed for the person whose text it was made from, is found only for that person, ends after a
while, and goes when the person is erased. INVARIANT: model, prompt, form and every text are in the key, so that only
exactly the same question finds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Index, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from graph.models.prompts import Prompt
from graph.models.question import Question, schema_of
from graph.tenancy import TenantRow, bytes_field, utc_field
from graph.vault import SubjectErased, Vault, VaultError

Sessions = Callable[[str], AbstractAsyncContextManager[AsyncSession]]

_FIND: Final = text(
    """
    SELECT sealed FROM model_answer
     WHERE tenant_id = :tenant_id AND subject_id = :subject_id AND question = :question AND expires_at > :now
    """,
)
_KEEP: Final = text(
    """
    INSERT INTO model_answer (tenant_id, subject_id, question, role, sealed, created_at, expires_at)
    VALUES (:tenant_id, :subject_id, :question, :role, :sealed, :now, :expires_at)
    ON CONFLICT (tenant_id, subject_id, question) DO UPDATE
    SET sealed = excluded.sealed, created_at = excluded.created_at, expires_at = excluded.expires_at
    """,
)
_FORGET: Final = text("DELETE FROM model_answer WHERE tenant_id = :tenant_id AND expires_at <= :now")


class ModelAnswer(TenantRow, table=True):
    """One answer, for one person and one question."""

    __tablename__ = "model_answer"
    __table_args__ = (Index("model_answer_expiry", "tenant_id", "expires_at"),)

    subject_id: str = Field(primary_key=True)
    question: str = Field(primary_key=True)  # hex SHA-256 of everything that was asked
    role: str
    sealed: bytes = bytes_field()
    created_at: datetime = utc_field()
    expires_at: datetime = utc_field()


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """The file of answers.

    Args:
        sessions: opens a transaction of a tenant.
        vault: seals for a person.
        now: business time.
        keep: how long an answer holds.
    """

    sessions: Sessions
    vault: Vault
    now: Callable[[], datetime]
    keep: timedelta

    async def find(self, tenant_id: str, subject_id: str, key: str) -> object | None:
        """The answer on file, or None. One transaction."""
        values = {"tenant_id": tenant_id, "subject_id": subject_id, "question": key, "now": self.now()}
        async with self.sessions(tenant_id) as session:
            sealed = (await session.execute(_FIND, values)).scalar_one_or_none()
            if sealed is None:
                return None
            try:
                opened = await self.vault.open(
                    session, tenant_id=tenant_id, subject_id=subject_id, purpose=_purpose(key), sealed=bytes(sealed)
                )
            except VaultError:
                return None  # it is asked anew; a person who was erased has no answers
        answer: object = json.loads(opened)
        return answer

    async def put(self, tenant_id: str, subject_id: str, key: str, role: str, answer: object) -> None:
        """Keep an answer. One transaction; for a person who was erased nothing is kept."""
        now = self.now()
        async with self.sessions(tenant_id) as session:
            try:
                sealed = await self.vault.seal(
                    session,
                    tenant_id=tenant_id,
                    subject_id=subject_id,
                    purpose=_purpose(key),
                    plaintext=json.dumps(answer).encode(),
                    now=now,
                )
            except SubjectErased:
                return
            values: Mapping[str, Any] = {
                "tenant_id": tenant_id,
                "subject_id": subject_id,
                "question": key,
                "role": role,
                "sealed": sealed,
                "now": now,
                "expires_at": now + self.keep,
            }
            await session.execute(_KEEP, values)


def key_of(question: Question[Any], model: str, prompt: Prompt) -> str:
    """What stands for exactly this question to exactly this model."""
    parts = [question.role.value, model, prompt.digest, question.turn, schema_of(question.form), question.effort]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


async def forget(session: AsyncSession, tenant_id: str, *, now: datetime) -> None:
    """Drop what has ended, in the session's transaction."""
    await session.execute(_FORGET, {"tenant_id": tenant_id, "now": now})


def _purpose(key: str) -> str:
    return f"model_answer/{key}"
