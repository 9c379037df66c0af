"""A run's trace as it is read: its steps, what they were given and stored, what changed outside, and the proof.

What was sealed is opened for whoever may read runs; a part whose person was erased is left out and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.run_story import Judged, Story, read_story
from app.trace.changes import Changed, changed
from app.trace.proof import Proof, proof_of
from app.trace.steps import Step, steps_of, worked_ms
from graph.audit.sequence import Signer
from graph.runs.artifacts import load
from graph.runs.models import Artifact, Run
from graph.settlement.claim import body_of
from graph.settlement.models import Effect
from graph.vault import SubjectErased, Vault


@dataclass(frozen=True, slots=True)
class Stored:
    """What a step stored: its kind, the commitment in the log, and the value where it can be read."""

    kind: str
    commitment: str
    value: Any = None
    is_erased: bool = False
    by: int = 0  # the number of the step


@dataclass(frozen=True, slots=True)
class Trace:
    """One run, whole."""

    story: Story
    steps: Sequence[Step]
    stored: Mapping[str, Stored]
    changes: Sequence[Changed]
    proof: Proof

    @property
    def run(self) -> Run:
        """The run's row."""
        return self.story.run

    @property
    def worked_ms(self) -> int:
        """How long it worked, without what it waited."""
        return worked_ms(self.steps)

    def outputs(self, step: Step) -> list[Stored]:
        """What the step stored."""
        return [self.stored[one] for one in step.outputs.values() if one in self.stored]

    def inputs(self, step: Step) -> list[Stored]:
        """What the step was given: of each kind that it reads, the newest that was stored before it."""
        found: list[Stored] = []
        for kind in step.reads:
            before = [one for one in self.stored.values() if one.kind == kind and one.by < step.number]
            if before:
                found.append(max(before, key=lambda one: one.by))
        return found

    def judged(self, step: Step) -> tuple[Judged, ...]:
        """The decisions that were made in the step, with the facts they rest on; of the last cycle only."""
        decides = [one for one in self.steps if one.name == "decide"]
        return self.story.judged if decides and decides[-1] is step else ()

    @property
    def models(self) -> list[str]:
        """Every model that was asked, with the version of its prompt."""
        asked = [call.body for step in self.steps for call in step.models]
        named = [
            f"{body.get('model')}" + (f" (prompt {str(body['prompt_hash'])[:8]})" if body.get("prompt_hash") else "")
            for body in asked
        ]
        return list(dict.fromkeys(named))


async def read_trace(
    session: AsyncSession, vault: Vault, tenant_id: str, run_id: str, signer: Signer | None
) -> Trace | None:
    """The trace of a run; None where there is no such run.

    Raises:
        VaultError: a sealed part was altered, or sealed under a key that this installation was not given.
    """
    story = await read_story(session, vault, tenant_id, run_id)
    if story is None:
        return None
    steps = steps_of(story.page.events)
    stored = await _stored(session, vault, story.run, steps)
    changes = [await _changed(session, vault, effect, story) for effect in story.page.effects]
    count = len(story.page.events)
    proof = await proof_of(session, tenant_id, story.run.ticket_id, run_id, count, signer)
    return Trace(story, steps, stored, changes, proof)


async def _stored(session: AsyncSession, vault: Vault, run: Run, steps: Sequence[Step]) -> dict[str, Stored]:
    query = select(col(Artifact.artifact_id), col(Artifact.commitment)).where(
        col(Artifact.tenant_id) == run.tenant_id, col(Artifact.run_id) == run.run_id
    )
    ids = {row.commitment: row.artifact_id for row in await session.execute(query)}
    found: dict[str, Stored] = {}
    for step in steps:
        for kind, commitment in step.outputs.items():
            value, is_erased = None, commitment not in ids
            if not is_erased:
                try:
                    value = await load(session, vault, run.tenant_id, ids[commitment], object)
                except SubjectErased:
                    is_erased = True
            found[commitment] = Stored(kind, commitment, value, is_erased, step.number)
    return found


async def _changed(session: AsyncSession, vault: Vault, effect: Effect, story: Story) -> Changed:
    try:
        body = await body_of(session, effect, vault)
    except SubjectErased:
        body = None
    return changed(effect, body, story.page.snapshot, story.dossier)
