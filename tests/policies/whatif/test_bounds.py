"""The bound is the exact one of Clopper and Pearson, as SciPy's beta distribution has it."""

from __future__ import annotations

import pytest
from scipy.stats import beta

from policies.whatif.bounds import fewest_trials, lower_bound, upper_bound


@pytest.mark.parametrize("trials", [1, 2, 7, 50, 333, 5_000, 2_000_000])
def test_bounds_are_those_of_the_beta_distribution(trials: int) -> None:
    for successes in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
        low = 0.0 if successes == 0 else beta.ppf(0.05, successes, trials - successes + 1)
        high = 1.0 if successes == trials else beta.ppf(0.95, successes + 1, trials - successes)
        assert lower_bound(successes, trials) == pytest.approx(low, abs=1e-9)
        assert upper_bound(successes, trials) == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("floor", [0.5, 0.9, 0.97, 0.99, 0.999])
def test_the_fewest_trials_are_the_first_that_reach_the_floor(floor: float) -> None:
    needed = fewest_trials(floor)
    assert lower_bound(needed, needed) >= floor
    assert lower_bound(needed - 1, needed - 1) < floor


def test_no_sample_is_enough_for_certainty() -> None:
    assert fewest_trials(1.0) == 0
