"""One run decided again: exactly as it was, and with the policy that decides today. Reads only, and asks no model."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, Field

from graph.replay.running import Different, Forked, Identical, NotReplayed, forks, replays
from graph.rulebook import deciding, load_policy
from graph.runs.models import Run
from graph.tenancy import Sessions
from graph.vault import Vault


class FlipForm(BaseModel):
    """One action that another policy decides otherwise. A side is null where the action is not proposed there."""

    cycle: int
    action: str
    intent: str
    charge: str | None
    item: str | None
    before: str | None
    after: str | None
    rule_before: str | None
    rule_after: str | None
    currency: str | None
    pays_alone_before_minor: int = Field(description="what went out without a person")
    pays_alone_minor: int = Field(description="what would go out without a person")


class Replay(BaseModel):
    """What came of deciding a run again."""

    run_id: str
    outcome: Literal["identical", "different", "not_replayed"]
    decided: int = Field(description="how many times the run came to a decision")
    differences: list[str]
    why: str | None = Field(description="why it cannot be decided again")
    policy: str | None = Field(description="the version that decided it")
    policy_today: str | None = Field(description="the version that would decide its ticket now, if any")
    today: list[FlipForm] = Field(description="what that version decides otherwise")


async def replay(sessions: Sessions, vault: Vault, tenant_id: str, run_id: str) -> Replay | None:
    """The run decided again from what it had read; None where there is no such run."""
    async with sessions(tenant_id) as session:
        run = await session.get(Run, (tenant_id, run_id))
        if run is None:
            return None
        today, _ = (await deciding(session, tenant_id)).for_ticket(tenant_id, run.ticket_id)
        policy = await load_policy(session, tenant_id, today) if today is not None else None
    found = await anext(replays(sessions, vault, [run]))
    told = Replay(
        run_id=run_id,
        outcome="identical",
        decided=0,
        differences=[],
        why=None,
        policy=run.policy_hash,
        policy_today=today,
        today=[],
    )
    match found:
        case NotReplayed(why=why):
            return told.model_copy(update={"outcome": "not_replayed", "why": why})
        case Different(differences=differences):
            told = told.model_copy(update={"outcome": "different", "differences": list(differences)})
        case Identical(cycles=cycles):
            told = told.model_copy(update={"decided": cycles})
    if policy is not None and today != run.policy_hash:
        forked = await anext(forks(sessions, vault, [run], policy=policy, gateway=None))
        told.today = [_flip_form(asdict(one)) for one in forked.flips] if isinstance(forked, Forked) else []
    return told


def _flip_form(flip: dict[str, object]) -> FlipForm:
    return FlipForm.model_validate({name: flip[name] for name in FlipForm.model_fields})
