"""One run as a story: what was understood, on which facts it was decided, what was done, how it ended.

Read from our own tables, sealed parts included. Promises: facts are shown only where they give exactly the digest that
the decision recorded, so nobody reads facts that did not decide; a part whose person was erased is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.review.shelf import shelf_of
from app.web.reading import RunPage, read_run
from graph.casefile import facts_for
from graph.dossier import Dossier
from graph.models.triage import Triage
from graph.rulebook import load_policy
from graph.runs.models import Run
from graph.snapshot import Snapshot
from graph.vault import Vault
from graph.verdicts import Decided, Verdicts
from policies.document import Policy
from policies.facts import Facts
from policies.report import RuleTrace, trace


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision, its facts, and what the rules with a say compared. Empty where the facts cannot be had again."""

    decided: Decided
    rules: tuple[RuleTrace, ...]
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """All of a run that can be read."""

    page: RunPage
    triage: Triage | None
    judged: tuple[Judged, ...]
    is_erased: bool
    dossier: Dossier | None = None

    @property
    def run(self) -> Run:
        """The run's row."""
        return self.page.run


async def find_run(session: AsyncSession, tenant_id: str, name: str) -> str | None:
    """The id of the run that is called so, or of the newest run of the ticket that is; None where there is neither."""
    query = (
        select(col(Run.run_id))
        .where(col(Run.tenant_id) == tenant_id, (col(Run.run_id) == name) | (col(Run.ticket_id) == name))
        .order_by((col(Run.run_id) == name).desc(), col(Run.started_at).desc(), col(Run.run_id))
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def read_story(session: AsyncSession, vault: Vault, tenant_id: str, run_id: str) -> Story | None:
    """The story of a run; None where there is no such run.

    Raises:
        VaultError: a sealed part was altered, or sealed under a key that this installation was not given.
    """
    page = await read_run(session, vault, tenant_id, run_id)
    if page is None:
        return None
    shelf = await shelf_of(session, vault, page.run)
    triage, verdicts = await shelf.newest("triage", Triage), await shelf.newest("verdicts", Verdicts)
    dossier = await shelf.newest("dossier", Dossier)
    judged: tuple[Judged, ...] = ()
    if verdicts is not None:
        policy = await load_policy(session, tenant_id, page.run.policy_hash or "")
        decided = [one for one in page.events if one.kind == "node.completed" and one.body.get("node") == "decide"]
        evidence = evidence_of(page.snapshot, triage, dossier, verdicts, [one.at for one in reversed(decided)])
        judged = tuple(judge(one, evidence, policy) for one in verdicts.decided)
    return Story(page, triage, judged, shelf.is_erased, dossier)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a decision rested on, and the moments at which it may have been made."""

    snapshot: Snapshot
    triage: Triage
    dossier: Dossier
    run: Mapping[str, int]
    moments: Sequence[datetime]

    def facts(self, one: Decided) -> Facts | None:
        """The facts that give the digest which the decision recorded.

        The very moment is not stored, so the few that are possible are tried.
        """
        for now in self.moments:
            facts = self._at(one, now)
            if facts.digest == one.decision.input_hash:
                return facts
        return None

    def _at(self, one: Decided, now: datetime) -> Facts:
        snapshot = self.snapshot
        return facts_for(
            one.candidate,
            self.dossier,
            self.triage,
            channel=snapshot.channel,
            brand=snapshot.brand,
            run=self.run,
            now=now,
            recipients=snapshot.recipients,
        )


def evidence_of(
    snapshot: Snapshot | None,
    triage: Triage | None,
    dossier: Dossier | None,
    verdicts: Verdicts,
    decided_at: Iterable[datetime],
) -> Evidence | None:
    """What the decisions of a run rested on; None where not all of it can be read. `decided_at`: the newest first."""
    if snapshot is None or triage is None or dossier is None:
        return None
    return Evidence(snapshot, triage, dossier, verdicts.run, (*decided_at, dossier.read_at))


def judge(one: Decided, evidence: Evidence | None, policy: Policy) -> Judged:
    """A decision with the facts it was made on and what its rules compared."""
    facts = evidence.facts(one) if evidence is not None else None
    if facts is None:
        return Judged(one, ())
    spoke = [match.rule for match in one.decision.reasons]
    traces = {rule.rule: rule for rule in trace(policy, facts, spoke)}
    return Judged(one, tuple(traces[name] for name in spoke if name in traces), facts.by_name)
