"""Grades of replies: those that a person gave to the set beside this file, a model's, and how far the two agree.

A grader is worth what it agrees with people beyond chance. So the share in which they agree, its 95 % interval and
Cohen's kappa stand beside every figure that it makes. https://doi.org/10.1177/001316446002000104
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from evals.suites.statistics import Share, share
from graph.models.roles.grade import Grade

HAND_GRADED: Final = Path(__file__).with_name("hand_graded.yaml")
CRITERIA: Final = tuple(field.name for field in fields(Grade))


class HandGraded(BaseModel):
    """A message, a reply to it, and the criteria of `Grade` that a person found not to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    reply: str
    lacks: tuple[str, ...] = ()

    @property
    def grade(self) -> Grade:
        """What the person said."""
        return Grade(**{name: name not in self.lacks for name in CRITERIA})


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one criterion: in how many replies model and person agree, and kappa; None where one of them never varies."""

    agreed: Share
    kappa: float | None


def hand_graded() -> tuple[HandGraded, ...]:
    """The replies that a person graded."""
    return TypeAdapter(tuple[HandGraded, ...]).validate_python(yaml.safe_load(HAND_GRADED.read_text(encoding="utf-8")))


def agreement(people: Sequence[Grade], model: Sequence[Grade]) -> Mapping[str, Agreement]:
    """By criterion, over the replies that both have graded, in the same order.

    >>> good, bad = Grade(True, True, True, True), Grade(False, True, True, True)
    >>> agreement([good, bad], [good, bad])["is_clear"].kappa
    1.0
    """
    found = {}
    for name in CRITERIA:
        ours, theirs = ([bool(asdict(one)[name]) for one in side] for side in (people, model))
        same = sum(a is b for a, b in zip(ours, theirs, strict=True))
        found[name] = Agreement(share(same, len(ours)), _kappa(ours, theirs, same / len(ours)))
    return found


def _kappa(ours: Sequence[bool], theirs: Sequence[bool], observed: float) -> float | None:
    yes, also = sum(ours) / len(ours), sum(theirs) / len(theirs)
    by_chance = yes * also + (1 - yes) * (1 - also)
    return None if by_chance == 1 else round((observed - by_chance) / (1 - by_chance), 3)
