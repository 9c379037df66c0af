"""Real workers, killed with SIGKILL around the requests that move money or speak to the customer."""

from __future__ import annotations

import pytest

from evals.crash.sweep import DAY_S, HOUR_S, MINUTE_S, Tally, Watch, points_of, sweep, told
from evals.crash.trial import Kill
from evals.trials.ground import opened_ground

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]

REFUND = "work POST /*/refunds #1"
REPLY = "PUT /api/*/tickets/1.json #1"


def test_workers_killed_around_money_and_words_leave_one_refund_and_one_reply() -> None:
    said: list[str] = []
    with opened_ground() as ground:
        points = points_of(ground, watched=1)
        (reply,) = [point for point in points if REPLY in point and point.endswith(" sent")]
        kills = [
            Kill(f"{REFUND} sent", 25 * HOUR_S),
            Kill(f"{REFUND} before", 8 * DAY_S),
            Kill(reply, 5 * MINUTE_S, again_nth=40),
        ]
        tally = Tally(len(points))
        sweep(ground, tally, kills, Watch(said.append))
    assert not tally.failures, [told(verdict) for verdict in tally.failures]
    assert len(points) > 500
    assert tally.trials == len(kills), f"{tally.missed} kills did not come to their point"
    assert tally.to_person == 1, "what was never sent in a week is a person's to decide"
