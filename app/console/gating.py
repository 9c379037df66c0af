"""Putting a stored version through the gates that need nothing but its text and its cases, and writing down the result.

The cases of a tenant stand beside the policy file that its settings name; where a version changes what they expect, the
author hands over others, and the result keeps their digest. `countersign evals gate` does the same, and runs the suites
besides.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from app.policy_files import SHIPPED_CASES
from graph.lifecycle.desk import Desk
from graph.lifecycle.gates import record
from graph.lifecycle.publishing import Act
from graph.rulebook import PolicyVersion, load_policy
from policies.document import Policy
from policies.gates.analysis import prove
from policies.gates.cases import GATE as CASES
from policies.gates.cases import CaseFile, CaseFileError, read_cases, try_cases
from policies.gates.verdict import GateVerdict
from policies.shelf import library


def cases_text(policy_file: str) -> tuple[str, str]:
    """The text and the name of the cases of the policy file that a tenant's settings name.

    Raises:
        CaseFileError: there are none.
    """
    shipped = SHIPPED_CASES.get(policy_file)
    path = Path(policy_file).expanduser().with_suffix(".cases.yaml")
    try:
        return (library() / shipped if shipped is not None else path).read_text(encoding="utf-8"), shipped or path.name
    except (OSError, UnicodeDecodeError) as error:
        raise CaseFileError(
            f"no file of cases {path.name!r} beside the policy file of the settings: write the cases here, or run "
            "`countersign evals gate --policy HASH --cases FILE`; docs/policies.md shows how"
        ) from error


async def put_through(desk: Desk, version: PolicyVersion, cases: str, name: str, act: Act) -> Sequence[GateVerdict]:
    """What the gates find about a version, each written down in a transaction of its own.

    Raises:
        CaseFileError: the text of the cases cannot be used; nothing was written down.
    """
    file = read_cases(cases, name=name)
    async with desk.sessions() as session:
        policy = await load_policy(session, desk.tenant_id, version.policy_hash)
    verdicts = await asyncio.to_thread(_found, policy, file, act)
    digest = hashlib.sha256(cases.encode()).hexdigest()
    for one in verdicts:
        figures = {**one.figures, **({"cases_sha256": digest} if one.gate == CASES else {})}
        async with desk.sessions() as session:
            await record(session, desk.tenant_id, version.policy_hash, one.gate, figures, act, passed=one.passed)
    return verdicts


def _found(policy: Policy, cases: CaseFile, act: Act) -> Sequence[GateVerdict]:
    return [try_cases(policy, cases, now=act.now), prove(policy)]
