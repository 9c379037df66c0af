"""On whose behalf a model is asked, and how far that may go. No call leaves without an errand that allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from policies.document import RoleModels

MOST_CALLS: Final = 6
"""Attempts for one question, where no budget bounds them."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What one question may use.

    Args:
        calls: how many attempts may leave this process; with 0 the text stays in it.
        tenant_id: whose run it is.
        subject_id: whose text is shown, as the vault names people; empty keeps no answer on file.
        wishes: models and prompts that the run's policy names instead of the installation's, by role.
    """

    calls: int = MOST_CALLS
    tenant_id: str = ""
    subject_id: str = ""
    wishes: Mapping[str, RoleModels] = field(default_factory=dict)


AT_HOME: Final = Errand(calls=0)
"""Nothing leaves this process."""
