"""All readings of the policy language against `decide`; the long run is `python -m evals.policy_agreement`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from evals.policies_at_random import RandomCase
from evals.policy_agreement import LEGS, Said, agree, main
from policies.document import Policy


class AlwaysAllows:
    """A leg that is wrong."""

    name = "always allows"

    def answers(self, policy: Policy, cases: Sequence[RandomCase]) -> Sequence[Said]:
        assert policy.policy_id == "random"
        return [{"verdict": "allow"} for _ in cases]


def test_every_leg_says_what_decide_says() -> None:
    found = agree(6_000, 7, [make() for make in LEGS.values()], per_policy=150)
    assert [str(one) for one in found.disagreements] == []
    assert found.pairs == 6_000
    assert all(count > 100 for count in found.verdicts.values())


def test_a_leg_that_is_wrong_is_found_with_the_facts_to_repeat_it() -> None:
    found = agree(200, 7, [AlwaysAllows()])
    assert found.disagreements
    assert "always allows: verdict is 'allow', decide says" in str(found.disagreements[0])
    assert "action.kind" in str(found.disagreements[0])


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pairs", "300", "--seed", "3", "--leg", "enumerator"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["pairs"], figures["disagreements"]) == (300, 0)
