"""A slice of the fuzzed policy files, and that the harness can fail."""

from __future__ import annotations

from random import Random

import pytest

from evals.fuzz_policies import Failed, Tally, attempt, fuzz, made, seeds
from evals.policies_at_random import random_policy
from policies.document import Policy
from policies.parse import parse_policy
from policies.standalone import policy_source


def test_files_that_nobody_would_write_are_read_or_refused_with_a_line() -> None:
    tally = fuzz(700, seed=20261121)
    assert tally.read + tally.refused == 700
    assert tally.read > 20
    assert tally.problems >= tally.refused


def test_policies_drawn_at_random_are_written_as_they_were_read() -> None:
    for number in range(60):
        policy = random_policy(Random(number))
        assert parse_policy(policy_source(policy), name="written.yaml") == policy


def test_a_seed_repeats_its_files_and_another_one_makes_others() -> None:
    corpus = seeds()
    first = [made(Random(f"1:{number}"), corpus) for number in range(20)]
    assert first == [made(Random(f"1:{number}"), corpus) for number in range(20)]
    assert first != [made(Random(f"2:{number}"), corpus) for number in range(20)]


def test_a_reader_that_breaks_a_promise_is_found_out() -> None:
    def crashes(_text: str) -> Policy:
        raise RecursionError("too deep")

    with pytest.raises(Failed, match="RecursionError: too deep"):
        attempt("policy: x\n", "this file", Tally(), parse=crashes)
