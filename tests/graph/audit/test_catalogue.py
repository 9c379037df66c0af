"""The catalogue says what there is, and its page says what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graph.audit.catalogue import KINDS, page, problems

ROOT = Path(__file__).parent.parent.parent.parent
LITERAL = re.compile(r'kind="([a-z_]+\.[a-z_]+)"')


def test_the_page_is_written_from_the_catalogue() -> None:
    assert (ROOT / "docs" / "audit-events.md").read_text() == page()


def test_every_kind_that_is_spelled_out_in_the_code_is_in_the_catalogue() -> None:
    spelled = {
        kind
        for package in ("app", "graph", "kb")
        for path in (ROOT / package).rglob("*.py")
        for kind in LITERAL.findall(path.read_text())
    }
    assert len(spelled) > 5
    assert spelled - KINDS.keys() == set()


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("switch.off", {"tool": "stripe.refund", "reason": "drill"}, []),
        ("switch.off", {"tool": "stripe.refund"}, ["switch.off lacks 'reason'"]),
        ("switch.off", {"tool": 1, "reason": "drill"}, ["switch.off has 1 for 'tool', which is a text"]),
        (
            "switch.off",
            {"tool": "t", "reason": "r", "by": "x"},
            ["switch.off has 'by', which the catalogue does not know"],
        ),
        ("run.ended", {"outcome": "resolved", "reason": None}, []),
        ("nothing.known", {}, ["kind 'nothing.known' is not in the catalogue: declare it in graph/audit/catalogue.py"]),
    ],
)
def test_an_event_is_held_against_its_kind(kind: str, body: dict[str, object], told: list[str]) -> None:
    assert list(problems(kind, body)) == told
