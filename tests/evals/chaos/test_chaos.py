"""What a storm's figures are made of. The storm itself runs on demand: `countersign chaos`."""

from __future__ import annotations

from evals.chaos.count import percentiles
from evals.chaos.storm import REQUEST_FAULTS, WEBHOOK_FAULTS


def test_one_call_in_four_goes_wrong_and_as_many_webhooks() -> None:
    for shares in (REQUEST_FAULTS, WEBHOOK_FAULTS):
        fine = 1.0
        for share in shares.values():
            fine *= 1.0 - share
        assert 0.23 < 1.0 - fine < 0.27


def test_recovery_is_told_as_median_95_percent_and_longest() -> None:
    assert percentiles([]) == {}
    assert percentiles([3.0, 1.0, 2.0]) == {"n": 3, "p50": 2.0, "p95": 3.0, "max": 3.0}
