"""Every measure: what it means, how it is computed, in which unit, and which events it rests on. The one place.

The page, the API, the file, Prometheus and `docs/measures.md` take names, words and formulas from here. Runs count by
the day on which they began, once they have ended; runs of a policy that only watches count nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.measures.cost_measures import COST_MEASURES
from app.measures.service_measures import SERVICE_MEASURES

MEASURES: Final = (*SERVICE_MEASURES, *COST_MEASURES)
BY_ID: Final = {one.id: one for one in MEASURES}
LEDGER: Final = {
    "confirmed": "resolved, and the customer said so: rated good, or wrote back and asked for nothing more",
    "assumed": "resolved, and seven days passed without a word",
    "too_early": "resolved less than seven days ago",
    "came_back": "resolved, and it did not stand: asked again, rated bad, money came back, or judged wrong",
    "escalated": "given to a person",
}
"""What became of each request; every one is in exactly one of these."""


def definition_lines() -> Iterator[str]:
    """The definitions as tables of Markdown, for `docs/measures.md`."""
    for group in dict.fromkeys(one.group for one in MEASURES):
        yield f"### {group.value}"
        yield ""
        yield "| measure | what it means | how it is computed | from |"
        yield "| --- | --- | --- | --- |"
        for one in MEASURES:
            if one.group is group:
                kinds = ", ".join(f"`{kind}`" for kind in one.kinds)
                yield f"| `{one.id}` | {one.means} | {one.formula} ({one.unit.value}) | {kinds} |"
        yield ""
