"""Sections of the shop's policy as a run found them: versions, so that what was cited can be read for ever."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A section version as it was found; the text is the stored one."""

    section_id: str
    version: int
    heading: str
    text: str
    url: str | None
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Sections:
    """What was found for a run, best first."""

    found: tuple[Section, ...]

    def named(self, section_id: str | None) -> Section | None:
        """The section with that id, where it was found."""
        return next((one for one in self.found if one.section_id == section_id), None)
