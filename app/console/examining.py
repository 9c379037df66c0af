"""A policy text looked at before anybody stores it: what is wrong with it, what is probably not meant, what it changes.

Nothing is stored. Reading, proving and deciding the past anew take a second or more of one processor, so they happen in
a thread, and what was proved about a text is remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.console.past import Past
from app.policy_files import standing_alone
from graph.lifecycle.change import comparison_between
from policies.analysis.check import remarks
from policies.analysis.compare import Comparison
from policies.analysis.places import places_of, tier_key
from policies.document import Policy
from policies.errors import PolicyFileError, Problem
from policies.findings import Finding
from policies.language.tree import Place
from policies.parse import parse_policy
from policies.shelf import from_library
from policies.whatif.comparing import WhatIf, whatif

NAME: Final = "policy.yaml"
"""What messages call the text."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is probably not meant, and the line that it is about where there is one."""

    finding: Finding
    line: int | None


@dataclass(frozen=True, eq=False)
class Examined:
    """A text as it was found.

    Args:
        text: as it was given.
        policy: None where the text cannot be read.
        problems: why it cannot, each with line and column; none where it can.
        remarks: faults first, then notes; None where nobody looked for any.
        comparison: with what decides now; None where nothing does.
        past: what would have been otherwise in the recorded decisions; None where nothing decides or nothing is known.
    """

    text: str
    policy: Policy | None = None
    problems: Sequence[Problem] = ()
    remarks: Sequence[Remark] | None = None
    comparison: Comparison | None = None
    past: WhatIf | None = None


async def examined(text: str, base: Policy | None, past: Past | None, *, with_remarks: bool = True) -> Examined:
    """What there is to say about a text, beside what decides now. What is probably not meant takes the longest."""
    return await asyncio.to_thread(_examined, text, base, past, with_remarks=with_remarks)


def _examined(text: str, base: Policy | None, past: Past | None, *, with_remarks: bool) -> Examined:
    try:
        policy = parse_policy(text, name=NAME, resolve=from_library)
        standing_alone(text, name=NAME, resolve=from_library)
    except PolicyFileError as error:
        return Examined(text, problems=error.problems)
    places = places_of(text, name=NAME, resolve=from_library)
    findings = sorted(remarks(policy) if with_remarks else (), key=lambda finding: finding.is_note)
    return Examined(
        text=text,
        policy=policy,
        remarks=[Remark(finding, _line(finding, places)) for finding in findings] if with_remarks else None,
        comparison=None if base is None else comparison_between(base, policy),
        past=None
        if base is None or past is None or not past.count
        else whatif(policy, past.decisions, current=base, compared_with=base),
    )


def _line(finding: Finding, places: Mapping[str, Place]) -> int | None:
    keys = [*finding.rules, *(tier_key(tier) for tier in finding.tiers)]
    return next((places[key].line for key in keys if key in places and places[key].file == NAME), None)


def read_problems(text: str) -> Sequence[Problem]:
    """Why a text cannot be read, and nothing more: quick enough for every pause in typing."""
    try:
        parse_policy(text, name=NAME, resolve=from_library)
    except PolicyFileError as error:
        return error.problems
    return ()
