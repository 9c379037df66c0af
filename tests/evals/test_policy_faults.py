"""Faults that were put into policies are found, and nothing else; the long run is `python -m evals.policy_faults`."""

from __future__ import annotations

import json
from random import Random

import pytest

from evals.policy_faults import main, try_out
from evals.shop_policies import FAULTS, shop_policy, text_of, with_fault
from policies.parse import parse_policy


def test_every_fault_is_found_and_a_file_without_one_gets_no_remark() -> None:
    found = try_out(18, 20)
    assert (found.missed, found.false_alarms) == ([], [])
    assert found.found == found.faults == dict.fromkeys(FAULTS, 3)


def test_the_same_seed_draws_the_same_files() -> None:
    first, second = (text_of(shop_policy(Random(5), 30)) for _ in range(2))
    assert first == second
    assert len(parse_policy(first, name="shop.yaml").rules) >= 30


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_fault_changes_a_copy(kind: str) -> None:
    tree = shop_policy(Random(5), 20)
    before = text_of(tree)
    broken, _ = with_fault(tree, kind, Random(1))
    assert (text_of(tree), text_of(broken) == before) == (before, False)


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "6", "--seed", "2"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["clean"], figures["missed"], figures["false_alarms"]) == (6, 0, 0)
