"""Cells and moves as values for a program and as lines for a person. Nothing is looked up or changed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from app.autonomy.deciding import Decided
from app.autonomy.models import AutonomyCell, AutonomyMove


class CellForm(BaseModel):
    """A cell of the matrix. Shares are in ten-thousandths; `lacks` says what keeps it from being proposed."""

    intent: str
    segment: str = Field(description="empty where the policy has none")
    action: str
    tier: str
    mode: str
    above: str | None = Field(description="the tier on the next rung")
    decided: int = Field(description="decisions that the next rung would take from people")
    asked: int
    agreed: int
    certain_bp: int = Field(description="agreement that is certain at 95 %")
    upper_asked: int
    upper_certain_bp: int
    done_alone: int
    judged: int = Field(description="of those done alone, judged afterwards")
    judged_agreed: int
    stopped: int
    suites: str | None = Field(description="mode that a recorded report of the suites carries")
    lacks: str | None
    looked_at: datetime


class MoveForm(BaseModel):
    """A move of a cell: proposed, accepted, applied, declined, or down by itself."""

    move_id: str
    state: str
    direction: str
    intent: str
    segment: str
    action: str
    from_tier: str
    to_tier: str
    raises_money: bool
    reason: str
    evidence: dict[str, object]
    accepted_by: list[str]
    policy_hash: str | None
    base_hash: str
    made_at: datetime
    made_by: str
    ended_at: datetime | None
    note: str | None


class AutonomyForm(BaseModel):
    """Cells as they were looked at last, and the newest moves."""

    cells: list[CellForm]
    moves: list[MoveForm]


class DecidedForm(BaseModel):
    """What came of a yes or a no."""

    move: MoveForm
    said: str
    lacking: list[str]


def cell_form(row: AutonomyCell) -> CellForm:
    """A cell as it is kept."""
    own = {name: getattr(row, name) for name in ("intent", "segment", "action", "tier", "mode", "looked_at")}
    figures = {name: row.figures[name] for name in CellForm.model_fields if name in row.figures}
    return CellForm.model_validate({**own, **figures})


def move_form(move: AutonomyMove) -> MoveForm:
    """A move as it is kept."""
    return MoveForm.model_validate({name: getattr(move, name) for name in MoveForm.model_fields})


def decided_form(decided: Decided) -> DecidedForm:
    """What came of a yes or a no."""
    return DecidedForm(move=move_form(decided.move), said=decided.said, lacking=list(decided.lacking))


def lines(cells: Sequence[AutonomyCell], moves: Sequence[AutonomyMove]) -> Iterator[str]:
    """What there is, for a person."""
    if not cells:
        yield "nothing was decided yet, or nobody has looked: `countersign autonomy propose` looks"
    for cell in map(cell_form, cells):
        name = " x ".join(part for part in (cell.intent, cell.segment, cell.action) if part)
        up = f"{cell.agreed} of {cell.asked} agreed, certain {_percent(cell.certain_bp)}"
        alone = f"; alone {cell.done_alone}, judged {cell.judged_agreed} of {cell.judged}, stopped {cell.stopped}"
        yield f"{name}: {cell.tier} ({cell.mode}); {up}{alone if cell.done_alone else ''}"
        yield f"    {'earned ' + str(cell.above) if cell.lacks is None else 'lacks ' + cell.lacks}"
    yield from (move_line(move) for move in moves)


def move_line(move: AutonomyMove) -> str:
    """A move, for a person."""
    name = " x ".join(part for part in (move.intent, move.segment, move.action) if part)
    money = ", money without a person: two must say yes" if move.raises_money else ""
    return (
        f"{move.move_id}  {move.state:8} {move.direction:4}  {name}: {move.from_tier} -> {move.to_tier}{money}  "
        f"({move.made_at:%Y-%m-%d %H:%M UTC}) {move.reason}"
    )


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:.1f} %"
