"""Checks that a reply must pass before it leaves, whoever wrote it: templates, a model, or a person. Pure.

What is not traceable to a fact, a verdict or a cited section is not said. `CHECKS` is the list that pages and
docs/replies.md show.
"""

from __future__ import annotations

from typing import Final

from graph.checks import figures, manner, privacy, promises, sources
from graph.checks.evidence import Binds, Check, Evidence, Finding, Reading, evidence_of
from graph.checks.manner import MAX_CHARACTERS
from graph.drafting import Draft

__all__ = ["CHECKS", "MAX_CHARACTERS", "Evidence", "Finding", "evidence_of", "remarks", "verify"]

CHECKS: Final[tuple[Check, ...]] = (
    *manner.CHECKS,
    *figures.CHECKS,
    *promises.CHECKS,
    *sources.CHECKS,
    *privacy.CHECKS,
)
"""Every check, in the order in which findings are told."""


def verify(draft: Draft, evidence: Evidence, *, edited: str | None = None) -> tuple[Finding, ...]:
    """All findings; none means that the reply may leave.

    Args:
        draft: as composed.
        evidence: what it may rest on.
        edited: the text as a reviewer rewrote it. A person answers for its words; what harms others or promises money
            that no verdict allows is still refused, see `Binds`.
    """
    if edited is None:
        return _look(Reading(draft.text, draft, evidence), {Binds.EVERYONE, Binds.AGENT})
    return _look(Reading(edited, draft, evidence), {Binds.EVERYONE})


def remarks(draft: Draft, evidence: Evidence, edited: str) -> tuple[Finding, ...]:
    """What the agent would not have been let say. The person who edited it may look again, and may send it."""
    return _look(Reading(edited, draft, evidence), {Binds.AGENT})


def _look(reading: Reading, binds: set[Binds]) -> tuple[Finding, ...]:
    return tuple(finding for check in CHECKS if check.binds in binds for finding in check.look(reading))
