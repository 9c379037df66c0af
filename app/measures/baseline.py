"""What support was like before: a file of old tickets becomes one event of the log, to be compared with.

The file has a line for each ticket and a header. Nothing of a ticket is kept: what enters the log are counts and
medians by intent, so that a baseline can be audited like everything else, and a later file replaces it.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.errors import UsageError
from app.measures.figures import Figure, Measured, NotMeasured, share
from graph.audit.models import AuditEvent
from policies.vocabulary import Intent

KIND: Final = "measures.baseline"
ALL: Final = "*"
"""The row of all intents together."""
COLUMNS: Final = ("intent", "handle_minutes", "resolution_minutes", "reopened", "rating")
_FLAGS: Final = {"": None, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}
_RATINGS: Final = {"": None, "good": True, "bad": False}
_MOST_MINUTES: Final = 10_000_000
NOTHING: Final = "no baseline is imported: `countersign measures import-baseline`"


@dataclass
class _Old:
    """Old tickets of one intent."""

    tickets: int = 0
    handle_s: list[int] = field(default_factory=list)
    resolution_s: list[int] = field(default_factory=list)
    reopened: list[bool] = field(default_factory=list)
    ratings: list[bool] = field(default_factory=list)

    def row(self, intent: str) -> dict[str, object]:
        """What enters the log; what no ticket says is left out."""
        told = {
            "intent": intent,
            "tickets": self.tickets,
            "handle_s": _median(self.handle_s),
            "resolution_s": _median(self.resolution_s),
            "reopened": sum(self.reopened) if self.reopened else None,
            "reopened_known": len(self.reopened) or None,
            "rated_good": sum(self.ratings) if self.ratings else None,
            "rated": len(self.ratings) or None,
        }
        return {name: value for name, value in told.items() if value is not None}


def _median(values: Sequence[int]) -> int | None:
    return sorted(values)[math.ceil(len(values) / 2) - 1] if values else None


def read_file(path: Path) -> dict[str, object]:
    """The body of the event that a file becomes.

    Raises:
        UsageError: the file cannot be read, or a line of it; it names line, column and value.
    """
    try:
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {str(path)!r}: {error}; give a CSV file in UTF-8") from error
    lines = csv.DictReader(content.splitlines())
    unknown = [name for name in lines.fieldnames or () if name not in COLUMNS]
    if "intent" not in (lines.fieldnames or ()) or unknown:
        found = ", ".join(lines.fieldnames or ()) or "nothing"
        raise UsageError(
            f"{path.name}: the header has {found}; write intent, and of {', '.join(COLUMNS[1:])} what is known"
        )
    old: dict[str, _Old] = {ALL: _Old()}
    for number, line in enumerate(lines, start=2):
        _take(old, line, f"{path.name}, line {number}")
    if not old[ALL].tickets:
        raise UsageError(f"{path.name} has no ticket below its header; write a line for each")
    digest = hashlib.sha256(content.encode()).hexdigest()
    rows = [one.row(intent) for intent, one in sorted(old.items())]
    return {"source": f"sha256:{digest}", "tickets": old[ALL].tickets, "rows": rows}


def _take(old: dict[str, _Old], line: Mapping[str, str | None], where: str) -> None:
    said = {name: (line.get(name) or "").strip() for name in COLUMNS}
    intent = said["intent"]
    if intent not in {one.value for one in Intent}:
        known = ", ".join(one.value for one in Intent)
        raise UsageError(f"{where}: intent cannot be {intent[:40]!r}; write one of {known}")
    handle, resolution = _seconds(said, "handle_minutes", where), _seconds(said, "resolution_minutes", where)
    reopened, rating = _one_of(_FLAGS, said, "reopened", where), _one_of(_RATINGS, said, "rating", where)
    for one in (old[ALL], old.setdefault(intent, _Old())):
        one.tickets += 1
        one.handle_s += [] if handle is None else [handle]
        one.resolution_s += [] if resolution is None else [resolution]
        one.reopened += [] if reopened is None else [reopened]
        one.ratings += [] if rating is None else [rating]


def _seconds(said: Mapping[str, str], name: str, where: str) -> int | None:
    if not said[name]:
        return None
    try:
        minutes = float(said[name])
    except ValueError:
        minutes = math.nan
    if not 0 <= minutes <= _MOST_MINUTES:
        raise UsageError(f"{where}: {name} cannot be {said[name][:40]!r}; write minutes as a number, such as 12.5")
    return round(60 * minutes)


def _one_of(known: Mapping[str, bool | None], said: Mapping[str, str], name: str, where: str) -> bool | None:
    if said[name].lower() not in known:
        words = ", ".join(word for word in known if word)
        raise UsageError(f"{where}: {name} cannot be {said[name][:40]!r}; write one of {words}, or nothing")
    return known[said[name].lower()]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The newest baseline: its rows by intent, and `*` for all of them. Empty where none was imported."""

    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tickets: int = 0

    def figures(self, intent: str = ALL) -> dict[str, Figure]:
        """The measures that old tickets know, by the measure's id."""
        row = self.rows.get(intent)
        if row is None:
            return {}
        tickets = row["tickets"]
        time = (
            Measured(row["resolution_s"], tickets) if "resolution_s" in row else NotMeasured("no times were imported")
        )
        hand = Measured(row["handle_s"], tickets) if "handle_s" in row else NotMeasured("no times were imported")
        return {
            "time_to_resolution": time,
            "handle_time": hand,
            "reopen_rate": share(row.get("reopened", 0), row.get("reopened_known", 0), "ticket that says"),
            "csat": share(row.get("rated_good", 0), row.get("rated", 0), "rating"),
        }

    @property
    def handle_minutes(self) -> int | None:
        """Median minutes that a person had a ticket in hand, rounded; None where no ticket said."""
        seconds = self.rows.get(ALL, {}).get("handle_s")
        return None if seconds is None else round(seconds / 60)


async def read_baseline(session: AsyncSession, tenant_id: str) -> Baseline:
    """The baseline that was imported last."""
    query = (
        select(AuditEvent)
        .where(col(AuditEvent.tenant_id) == tenant_id, col(AuditEvent.kind) == KIND)
        .order_by(col(AuditEvent.seq).desc())
        .limit(1)
    )
    event = (await session.execute(query)).scalar_one_or_none()
    if event is None:
        return Baseline()
    rows = event.body["rows"]
    assert isinstance(rows, Iterable)
    by_intent = {row["intent"]: {name: value for name, value in row.items() if name != "intent"} for row in rows}
    return Baseline(by_intent, by_intent[ALL]["tickets"])
