"""The rows of checking and comparing; their figures are `countersign bench policy_check policy_diff`."""

from __future__ import annotations

from evals.bench.policy_analysis import policy_check, policy_diff


def test_checking_and_comparing_200_rules_is_measured() -> None:
    said: list[str] = []
    rows = [*policy_check(is_quick=True, say=said.append), *policy_diff(is_quick=True, say=said.append)]
    assert [(row.name, row.unit, row.goal, row.is_limit) for row in rows] == [
        ("policy_check", "s", 3.0, True),
        ("policy_diff", "s", 3.0, True),
    ]
    assert [row.parts["rules"] for row in rows] == [200.0, 200.0]
    assert rows[1].parts["regions"] >= 1
    assert len(said) == 4
