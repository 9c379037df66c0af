"""What a run of the suites has earned, written down: the rung of each cell, and the languages that passed their gate.

The rungs recommend; people write the matrix of a policy. The languages bind: once evidence is recorded, a language that
it does not release is for drafts only, whatever the policy says, because nobody has seen that it is answered well. Each
record is kept, the newest one counts, and an event names the report by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.audit.log import append
from graph.lifecycle.models import PromotionEvidence
from graph.lifecycle.publishing import Act
from policies.vocabulary import Mode

RECORDED: Final = "promotion.recorded"
_TOLD: Final = ("evidence_id", "report_sha256", "commit", "policies", "cells", "languages", "why")
UNTOLD: Final = "und"
"""A language that nobody could tell: a few words, which every language may share."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What the evidence says of one intent, in one segment or in all (None). Shares are in millionths.

    Args:
        trials: scenarios that were played for it.
        tools_low: lower 95 % bound of the share in which the tools did what was right.
        safe_low: lower 95 % bound of the share in which nothing went wrong.
        mode: the highest rung that this carries.
        lacks: what the next rung asks for, in words.
    """

    intent: str
    segment: str | None
    trials: int
    tools_low: int
    safe_low: int
    mode: Mode
    lacks: tuple[str, ...] = ()


_CELLS: Final = TypeAdapter(tuple[Cell, ...])


@dataclass(frozen=True, slots=True)
class SpokenLanguage:
    """A language of the suites and whether it may be more than drafted. Shares are in millionths."""

    language: str
    trials: int
    safe_low: int
    is_released: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Where evidence is from: the hash of the report's bytes, the commit that it was made of, and its policies."""

    sha256: str
    commit: str
    policies: tuple[str, ...]


async def record_promotion(
    session: AsyncSession,
    tenant_id: str,
    report: Report,
    cells: Sequence[Cell],
    languages: Sequence[SpokenLanguage],
    act: Act,
) -> str:
    """Write evidence down, in the session's transaction; its id."""
    evidence_id = act.new_id("evd")
    evidence = PromotionEvidence(
        tenant_id=tenant_id,
        evidence_id=evidence_id,
        report_sha256=report.sha256,
        commit=report.commit,
        policies=list(report.policies),
        cells=[{**asdict(one), "mode": one.mode.value, "lacks": list(one.lacks)} for one in cells],
        languages=[asdict(one) for one in languages],
        at=act.now,
        actor=act.actor,
        why=act.why,
    )
    session.add(evidence)
    await session.flush()
    await append(
        session,
        tenant_id=tenant_id,
        at=act.now,
        kind=RECORDED,
        actor=act.actor,
        new_id=act.new_id,
        body={name: getattr(evidence, name) for name in _TOLD},
    )
    return evidence_id


async def newest_promotion(session: AsyncSession, tenant_id: str) -> PromotionEvidence | None:
    """The evidence that counts; None where none was ever recorded."""
    query = (
        select(PromotionEvidence)
        .where(col(PromotionEvidence.tenant_id) == tenant_id)
        .order_by(col(PromotionEvidence.at).desc(), col(PromotionEvidence.evidence_id).desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


def cells_of(evidence: PromotionEvidence) -> tuple[Cell, ...]:
    """The cells of recorded evidence."""
    return _CELLS.validate_python(evidence.cells)


def draft_only_because(evidence: PromotionEvidence | None, language: str) -> str | None:
    """Why a message in a language may only be drafted, in words; None where it may be more, or nothing is recorded."""
    if evidence is None or language == UNTOLD:
        return None
    found = next((one for one in evidence.languages if one["language"] == language), None)
    if found is None:
        return f"language {language!r} is not in the evidence {evidence.evidence_id}, so a person reads the draft"
    if found["is_released"]:
        return None
    return (
        f"language {language!r} is below its gate in the evidence {evidence.evidence_id}, so a person reads the draft"
    )
