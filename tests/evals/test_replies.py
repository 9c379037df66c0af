"""Checks of replies: no good one is stopped, and each kind of bad one is, by the check that is there for it."""

from __future__ import annotations

from evals.replies.trial import run
from graph.verifying import CHECKS


def test_no_good_reply_is_stopped_and_no_planted_one_passes() -> None:
    result = run(currencies=1)
    assert result.good >= 150
    assert result.stopped == []
    assert result.missed == []
    assert len(result.planted) >= 15
    assert all(result.named[check] for check in result.planted)
    assert set(result.planted) <= {check.id for check in CHECKS}
