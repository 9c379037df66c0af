"""All readings of the policy language against `decide`; the long run is `python -m evals.policy_agreement`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from evals.policies_at_random import RandomCase
from evals.policy_agreement import LEGS, SLOW_LEGS, Agreement, Said, agree, main, prove
from evals.policy_z3 import proved_equal
from policies.analysis.answers import answers_of
from policies.analysis.space import Space
from policies.document import Policy
from tests.policies.writing import parsed, rule


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


def test_z3_says_what_decide_says() -> None:
    found = agree(120, 11, [SLOW_LEGS["z3"]()], per_policy=12)
    assert [str(one) for one in found.disagreements] == []
    assert found.answers == {"z3": 120}


def test_z3_finds_no_case_that_the_diagrams_answer_otherwise() -> None:
    found = Agreement()
    prove(6, 5, found)
    assert (found.proved, found.refuted) == (6, [])


def test_z3_finds_the_case_in_which_a_diagram_is_wrong() -> None:
    policy = parsed(rule("{action.kind: reply, charge.age_days: {at_most: 30}}"))
    other = parsed(rule("{action.kind: reply, charge.age_days: {at_most: 31}}"))
    space = Space([policy, other], has_impossible=True)
    assert proved_equal(policy, space, answers_of(policy, space).answer) is None
    case = proved_equal(policy, space, answers_of(other, space).answer)
    assert case is not None
    assert "charge.age_days = 31" in case


def test_a_leg_that_is_wrong_is_found_with_the_facts_to_repeat_it() -> None:
    found = agree(200, 7, [AlwaysAllows()])
    assert found.disagreements
    assert "always allows: verdict is 'allow', decide says" in str(found.disagreements[0])
    assert "action.kind" in str(found.disagreements[0])


def test_the_command_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pairs", "300", "--seed", "3", "--leg", "enumerator", "--prove", "1"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["pairs"], figures["disagreements"], figures["proved"]) == (300, 0, 1)
