"""What checks say of a reply as a reviewer writes it. Pure.

Some checks bind everybody: what they find keeps the reply from leaving. Others bind the agent only: what they find is
remarked on, to whoever writes and in the log, and the reply may leave. A person answers for their words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.review.reading import Review
from graph.drafting import Draft
from graph.sections import Sections
from graph.settlement.questions import Answer
from graph.verdicts import Verdicts
from graph.verifying import Evidence, Finding, evidence_of, remarks, verify


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, each once: what keeps the reply here, and what is remarked on."""

    refused: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()


def look(reply: str, answer: Answer, review: Review, shop: str) -> Looked | None:
    """Look at a reply as a person wrote it; None where what it may rest on cannot be read any more.

    Args:
        reply: as it would be sent.
        answer: what is done with it: a question to the customer may rest on less than an answer to them.
        review: the run that it is about.
        shop: who signs.
    """
    if review.policy is None:
        return Looked()
    if review.snapshot is None or review.dossier is None:
        return None
    draft = review.draft if answer is Answer.APPROVE and review.draft is not None else Draft((), "en", reply)
    evidence = evidence_of(
        review.snapshot,
        review.dossier,
        review.verdicts or Verdicts(()),
        review.sections or Sections(()),
        domains=review.policy.domains,
        asks=answer is Answer.ASK,
        shop=shop,
    )
    refused = verify(draft, evidence, edited=reply)
    return Looked(_once(refused), _once(_of_edit(draft, evidence, reply)) if answer is Answer.APPROVE else ())


def told(findings: Iterable[Finding]) -> str:
    """Findings in one line."""
    return "; ".join(one.reason for one in findings)


def _of_edit(draft: Draft, evidence: Evidence, reply: str) -> Iterable[Finding]:
    """What is remarked on in the edit, without what the agent's own text would be remarked on for, too."""
    before = {one.reason for one in remarks(draft, evidence, draft.text)}
    return (one for one in remarks(draft, evidence, reply) if one.reason not in before)


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple({one.reason: one for one in findings}.values())
