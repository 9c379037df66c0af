"""The bench of the what-if compares like with like: the filter by hand takes the same actions alone as the policy."""

from __future__ import annotations

import pytest

from evals.bench.bare_filter import is_alone
from evals.bench.policy_whatif import GOAL_OF_BARE, THRESHOLD, UNTIL, whatif
from graph.decisions.invented import invented_history
from policies.whatif.deciding import decide_all
from policies.whatif.history import prepared
from policies.whatif.thresholds import with_threshold
from tests.policies.shipped import shipped


def test_the_rows_tell_the_ratio_and_what_a_page_waits_for() -> None:
    said: list[str] = []
    compared, moved, page, tuned = whatif(is_quick=True, say=said.append)
    assert (compared.name, compared.goal, compared.parts["rows"]) == ("whatif", GOAL_OF_BARE, 20_000)
    assert compared.baseline is not None
    assert {(row.unit, row.is_limit) for row in (moved, page, tuned)} == {("ms", True)}
    assert len(said) == 3


@pytest.mark.parametrize("usd", [0, 5000, 10_000])
def test_the_filter_by_hand_is_the_shipped_policy(usd: int) -> None:
    policy = with_threshold(shipped(), THRESHOLD, usd)
    history = invented_history(policy, count=5000, seed=9, until=UNTIL)
    by_hand = is_alone(history, dict(policy.tiers["auto"].at_most or {}))
    assert by_hand.equals(decide_all(policy, prepared(history)).alone)
    assert by_hand.sum() > 500
