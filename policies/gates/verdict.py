"""What a gate says about one version of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a version passed a gate, and the figures that say why. Figures are JSON without fractions."""

    gate: str
    passed: bool
    figures: Mapping[str, object]
