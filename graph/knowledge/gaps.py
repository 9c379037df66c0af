"""Gaps: what customers asked that went to a person and that no section answers, together with what to write.

Promises: a ticket counts only where today's knowledge still has nothing near enough, so a gap closes when somebody
writes the section. Only redacted words are read and shown. Refuses to write the section: the outline says what it has
to answer, and a person who knows the answer writes it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import TfidfVectorizer
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from graph.runs.artifacts import ArtifactMissing, load
from graph.runtime import Embed
from graph.snapshot import Snapshot
from graph.vault import SubjectErased, Vault
from kb.documents import sentences, slug
from kb.search import Filters, Hit, search
from policies.vocabulary import Reason

ANSWERS: Final = 0.5
"""Cosine similarity from which a section is taken to answer; the bar of a search is lower and keeps strangers out."""
MOST_TICKETS: Final = 2_000
APART: Final = 0.5
"""Cosine distance from which two tickets ask about different things."""
QUESTIONS: Final = 4
WORDS: Final = 4
_MAX_CHARACTERS: Final = 1_000
_WORD: Final = r"(?u)\b[^\W\d_]{3,}\b"

KNOWLEDGE_MIGHT_HELP: Final = frozenset(
    {
        Reason.OUT_OF_SCOPE,
        Reason.LOW_CONFIDENCE,
        Reason.AMBIGUOUS_REQUEST,
        Reason.MISSING_DATA,
        Reason.POLICY_DENIED,
        Reason.NEEDS_APPROVAL,
        Reason.SENSITIVE_TOPIC,
        Reason.VERIFICATION_FAILED,
    }
)
"""Reasons of a hand-off that a section could have spared; a switch or an outage is none."""

_HANDED_OFF: Final = text(
    """
    SELECT DISTINCT ON (run.ticket_id) run.run_id, run.ticket_id, run.intents, artifact.artifact_id
    FROM run
    JOIN artifact ON artifact.tenant_id = run.tenant_id AND artifact.run_id = run.run_id AND artifact.kind = 'snapshot'
    WHERE run.tenant_id = :tenant_id AND run.outcome = 'handed_off' AND run.reason IN :reasons
      AND run.ended_at >= :since
    ORDER BY run.ticket_id, run.ended_at DESC, artifact.created_at DESC
    LIMIT :most
    """
).bindparams(bindparam("reasons", expanding=True))
_MONEY: Final = text(
    """
    SELECT run_id, currency, max(amount_minor) AS amount_minor FROM decision
    WHERE tenant_id = :tenant_id AND run_id IN :runs AND amount_minor IS NOT NULL
    GROUP BY run_id, currency
    """
).bindparams(bindparam("runs", expanding=True))


@dataclass(frozen=True, slots=True)
class Nearest:
    """The section that comes nearest to a gap, and where the new one may stand."""

    section_id: str
    heading: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Outline:
    """What the missing section has to say: a name, the questions it answers, and the section it may follow."""

    section_id: str
    heading: str
    questions: tuple[str, ...]
    intents: tuple[str, ...]
    nearest: Nearest | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Tickets that ask about the same thing. `money_minor` sums what each asked for, by currency."""

    tickets: tuple[str, ...]
    money_minor: Mapping[str, int]
    outline: Outline


@dataclass(frozen=True, slots=True)
class _Asked:
    ticket_id: str
    run_id: str
    intents: tuple[str, ...]
    words: str
    nearest: Nearest | None


async def gaps(
    session: AsyncSession, *, tenant_id: str, vault: Vault, embed: Embed, since: datetime, now: datetime
) -> list[Gap]:
    """The gaps of the hand-offs since then, those with the most tickets first, and of these the most money.

    Args:
        session: of the tenant; nothing is written.
        tenant_id: whose tickets are looked at.
        vault: opens what the runs stored; a person who was erased counts no more.
        embed: the model that embedded the sections.
        since: hand-offs before it do not count.
        now: aware time; sections in force on its day can answer.
    """
    asked, vectors = await _unanswered(session, tenant_id, vault, embed, since, now)
    if not asked:
        return []
    money = await _money(session, tenant_id, [one.run_id for one in asked])
    groups = _clusters(vectors)
    names = _names([[asked[place].words for place in group] for group in groups])
    found = [
        _gap([asked[place] for place in group], vectors[group], heading, money, embed)
        for group, heading in zip(groups, names, strict=True)
    ]
    return sorted(found, key=lambda gap: (-len(gap.tickets), -sum(gap.money_minor.values()), gap.tickets))


async def _unanswered(
    session: AsyncSession, tenant_id: str, vault: Vault, embed: Embed, since: datetime, now: datetime
) -> tuple[list[_Asked], NDArray[np.float32]]:
    values = {"tenant_id": tenant_id, "since": since, "most": MOST_TICKETS}
    rows = (
        await session.execute(_HANDED_OFF, {**values, "reasons": sorted(one.value for one in KNOWLEDGE_MIGHT_HELP)})
    ).all()
    read: list[_Asked] = []
    for row in rows:
        try:
            snapshot = await load(session, vault, tenant_id, row.artifact_id, Snapshot)
        except (SubjectErased, ArtifactMissing):
            continue
        words = f"{snapshot.subject}\n{snapshot.newest}"[:_MAX_CHARACTERS].strip()
        if words:
            read.append(_Asked(row.ticket_id, row.run_id, tuple(row.intents), words, None))
    vectors = await asyncio.to_thread(embed, [one.words for one in read])
    kept: list[_Asked] = []
    places: list[int] = []
    for place, one in enumerate(read):
        hits = await search(
            session,
            tenant_id=tenant_id,
            query=one.words,
            query_vector=vectors[place],
            filters=Filters(on=now.date()),
            k=3,
            floor=-1.0,
        )
        nearest = max(hits, key=lambda hit: hit.similarity, default=None)
        if nearest is None or nearest.similarity < ANSWERS:
            kept.append(_Asked(one.ticket_id, one.run_id, one.intents, one.words, _nearest(nearest)))
            places.append(place)
    return kept, vectors[places]


def _nearest(hit: Hit | None) -> Nearest | None:
    return None if hit is None else Nearest(hit.section_id, hit.heading, round(hit.similarity, 4))


async def _money(session: AsyncSession, tenant_id: str, runs: Sequence[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await session.execute(_MONEY, {"tenant_id": tenant_id, "runs": list(runs)}):
        found[row.run_id][row.currency] = row.amount_minor
    return found


def _clusters(vectors: NDArray[np.float32]) -> list[list[int]]:
    if len(vectors) == 1:
        return [[0]]
    model = AgglomerativeClustering(n_clusters=None, distance_threshold=APART, metric="cosine", linkage="average")
    labels = model.fit_predict(vectors)
    return [[int(place) for place in np.flatnonzero(labels == label)] for label in range(int(labels.max()) + 1)]


def _names(groups: Sequence[Sequence[str]]) -> list[str]:
    """The words that tell each group from the others, the most telling first."""
    texts = [" ".join(group) for group in groups]
    model = TfidfVectorizer(stop_words="english", token_pattern=_WORD, sublinear_tf=True)
    try:
        weights = model.fit_transform(texts).toarray()
    except ValueError:  # nothing but stop words
        return ["Untitled"] * len(texts)
    words = model.get_feature_names_out()
    best = [[str(words[place]) for place in np.argsort(-row)[:WORDS] if row[place] > 0] for row in weights]
    return [" ".join(one).capitalize() or "Untitled" for one in best]


def _gap(
    asked: Sequence[_Asked],
    vectors: NDArray[np.float32],
    heading: str,
    money: Mapping[str, Mapping[str, int]],
    embed: Embed,
) -> Gap:
    total: Counter[str] = Counter()
    for one in asked:
        total.update(money.get(one.run_id, {}))
    centre = vectors.mean(axis=0)
    intents = Counter(intent for one in asked for intent in one.intents[:1])
    nearest = max((one.nearest for one in asked if one.nearest), key=lambda near: near.similarity, default=None)
    return Gap(
        tickets=tuple(sorted(one.ticket_id for one in asked)),
        money_minor=dict(sorted(total.items())),
        outline=Outline(
            section_id=slug(heading),
            heading=heading,
            questions=_questions([one.words for one in asked], centre, embed),
            intents=tuple(intent for intent, _ in intents.most_common()),
            nearest=nearest,
        ),
    )


def _questions(texts: Sequence[str], centre: NDArray[np.float32], embed: Embed) -> tuple[str, ...]:
    """The sentences nearest to the middle of the group, each different; questions before statements."""
    found = list(dict.fromkeys(one for words in texts for one in sentences(words) if len(one.split()) > WORDS))[:200]
    if not found:
        return tuple(dict.fromkeys(texts))[:QUESTIONS]
    near = embed(found) @ centre
    order = sorted(range(len(found)), key=lambda place: (not found[place].endswith("?"), -float(near[place])))
    return tuple(found[place] for place in order[:QUESTIONS])
