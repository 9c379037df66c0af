"""Keeping decisions for later, in the transaction of the step that made them. A step may run again.

INVARIANT: no personal data. A fact is an amount, a number, a flag or a word of a closed list; the few open words
(segment, brand, channel, language) are kept only where they look like a label, and are `unlisted` else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from graph.decisions.models import RecordedDecision
from graph.verdicts import Decided
from policies.facts import CATALOGUE, FactType, FactValue

UNLISTED: Final = "unlisted"
_LABEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")


async def record(
    session: AsyncSession,
    decided: Sequence[Decided],
    *,
    tenant_id: str,
    run_id: str,
    ticket_id: str,
    cycle: int,
    now: datetime,
) -> None:
    """Keep the decisions of one cycle, in the session's transaction, instead of what the cycle decided before.

    Its event is the one of the step.
    """
    earlier = (
        col(RecordedDecision.tenant_id) == tenant_id,
        col(RecordedDecision.run_id) == run_id,
        col(RecordedDecision.cycle) == cycle,
    )
    await session.execute(delete(RecordedDecision).where(*earlier))
    rows = [
        {
            "tenant_id": tenant_id,
            "run_id": run_id,
            "cycle": cycle,
            "place": place,
            "ticket_id": ticket_id,
            "decided_at": now,
            **_columns(one),
        }
        for place, one in enumerate(decided)
    ]
    if rows:
        await session.execute(insert(RecordedDecision), rows)


def target_of(charge_id: str | None, item_key: str) -> str | None:
    """The digest that stands for an item of a charge."""
    return None if charge_id is None else hashlib.sha256(f"{charge_id}|{item_key}".encode()).hexdigest()


def without_persons(facts: Mapping[str, FactValue]) -> dict[str, FactValue]:
    """The facts as they may be kept."""
    return {name: _kept(name, value) for name, value in facts.items()}


def _kept(name: str, value: FactValue) -> FactValue:
    is_open = CATALOGUE[name].type is FactType.LABEL
    return UNLISTED if is_open and not _LABEL.fullmatch(str(value)) else value


def _columns(one: Decided) -> dict[str, object]:
    decision, candidate = one.decision, one.candidate
    return {
        "policy_hash": decision.policy_hash,
        "input_hash": decision.input_hash,
        "intent": candidate.intent.value,
        "action": candidate.kind.value,
        "target": target_of(candidate.charge_id, candidate.item_key),
        "amount_minor": candidate.amount.minor if candidate.amount is not None else None,
        "currency": candidate.amount.currency if candidate.amount is not None else None,
        "verdict": decision.verdict.value,
        "mode": decision.mode.value,
        "rule": decision.rule,
        "section": decision.section,
        "approvers": list(decision.approvers),
        "risk_score": decision.risk_score,
        "facts": without_persons(one.facts),
    }
