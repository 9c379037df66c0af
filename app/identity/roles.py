"""The roles of accounts. A role is what somebody may do here; the policy file orders those that may approve."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from app.errors import UsageError
from app.problems import nearest


class Role(StrEnum):
    """What an account may be."""

    VIEWER = "viewer"
    AGENT = "agent"
    CS_LEAD = "cs_lead"
    OPS_LEAD = "ops_lead"
    ADMIN = "admin"
    AUDITOR = "auditor"
    SERVICE = "service"


PEOPLE: Final = frozenset(Role) - {Role.SERVICE}
"""Everybody who reads pages. A service is a program, and has none."""

ANSWERERS: Final = frozenset({Role.AGENT, Role.CS_LEAD, Role.OPS_LEAD, Role.ADMIN})
"""Who may answer a question; each question narrows it further."""

LEADS: Final = frozenset({Role.CS_LEAD, Role.OPS_LEAD, Role.ADMIN})
"""Who looks after others' work: takes claims over, makes scenarios and proposals of what was corrected."""

STEERERS: Final = frozenset({Role.OPS_LEAD, Role.ADMIN})
"""Who changes what decides, and what stops the agent."""

OVERSEERS: Final = STEERERS | {Role.CS_LEAD, Role.AUDITOR}
"""Who sees them."""


def roles_named(names: Iterable[str]) -> tuple[Role, ...]:
    """The roles with those names, in the order of the list above, each once.

    Raises:
        UsageError: there is no such role, or none was named.
    """
    known = [role.value for role in Role]
    wanted = set(names)
    for name in sorted(wanted):
        if name not in known:
            raise UsageError(f"unknown role {name!r}; {nearest(name, known)}")
    if not wanted:
        raise UsageError(f"an account without a role; name one of {', '.join(known)}")
    return tuple(role for role in Role if role.value in wanted)
