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
MOST_COMPARED: Final = 8
"""Policies whose answers to the past are kept with a snapshot."""


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


async def examined(text: str, base: Policy | None, past: Past | None) -> Examined:
    """What there is to say about a text, beside what decides now."""
    return await asyncio.to_thread(_examined, text, base, past)


async def judged(text: str, policy: Policy, base: Policy | None, past: Past | None, *, with_remarks: bool) -> Examined:
    """The same of a policy that was read from the text before. What is probably not meant takes the longest."""
    return await asyncio.to_thread(_judged, text, policy, base, past, with_remarks=with_remarks)


def _examined(text: str, base: Policy | None, past: Past | None) -> Examined:
    try:
        policy = parse_policy(text, name=NAME, resolve=from_library)
    except PolicyFileError as error:
        return Examined(text, problems=error.problems)
    return _judged(text, policy, base, past, with_remarks=True)


def _judged(text: str, policy: Policy, base: Policy | None, past: Past | None, *, with_remarks: bool) -> Examined:
    return Examined(
        text=text,
        policy=policy,
        remarks=_remarks(text, policy) if with_remarks else None,
        comparison=None if base is None else comparison_between(base, policy),
        past=None if base is None or past is None or not past.count else _whatif(policy, base, past),
    )


def _remarks(text: str, policy: Policy) -> Sequence[Remark]:
    places = places_of(text, name=NAME, resolve=from_library)
    return [Remark(finding, _line(finding, places)) for finding in sorted(remarks(policy), key=lambda one: one.is_note)]


def _whatif(policy: Policy, base: Policy, past: Past) -> WhatIf:
    """Decided once for each pair and snapshot; what was found lives as long as the snapshot."""
    key = (base.content_hash, policy.content_hash)
    if key not in past.compared:
        while len(past.compared) >= MOST_COMPARED:
            past.compared.pop(next(iter(past.compared)))
        past.compared[key] = whatif(policy, past.decisions, current=base, compared_with=base)
    return past.compared[key]


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
