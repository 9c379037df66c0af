"""Scenario files: what can be read, and one clear line for what cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commanding import Commanding
from evals.command import app
from evals.suites.errors import SuiteError
from evals.suites.files import SHIPPED_SUITES, decided_by, read_suites, sliced
from evals.suites.schema import schema_text
from policies.vocabulary import Outcome

GOOD = """\
id: one
world:
  customers: [{key: ana, name: Ana, email: ana@mailbox.example}]
  charges: [{key: c, customer: ana, amount: 24.90, currency: usd}]
ticket: {requester: ana, comments: [{from: ana, body: hello}]}
expect: {outcome: resolved, refunds: []}
"""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(GOOD + "mood: good\n", 7, "mood: unknown key", id="unknown key"),
        pytest.param(GOOD.replace("outcome:", "outcom:"), 6, "expect.outcom: unknown key", id="unknown key within"),
        pytest.param(
            GOOD.replace("outcome: resolved, refunds: []", ""), 6, "nothing is expected", id="expects nothing"
        ),
        pytest.param(
            GOOD.replace("expect: {outcome: resolved, refunds: []}\n", ""), 1, "nothing could be wrong", id="no expect"
        ),
        pytest.param(
            GOOD.replace("refunds: []", "refunds: [{charge: d, amount: 1.00}]"), 6, "unknown charge 'd'", id="charge"
        ),
        pytest.param(
            GOOD.replace("refunds: []", "refunds: [{charge: c, amount: 24.91}]"),
            6,
            "less than that to refund",
            id="too much",
        ),
        pytest.param(GOOD.replace("refunds: []", "reason: stale"), 6, "resolved has no reason", id="reason of nothing"),
        pytest.param(
            GOOD.replace("requester: ana", "requester: bob"), 5, "unknown customer 'bob'", id="no such customer"
        ),
        pytest.param(
            "id: one\nworld: nowhere\nexpect: {outcome: resolved}\n", 2, "no world 'nowhere'", id="missing world"
        ),
        pytest.param(GOOD + "policy: none.yaml\n", None, "policy: 'none.yaml' cannot be read", id="missing policy"),
        pytest.param("scenarios: []\n", None, "no scenarios in this file", id="empty suite"),
        pytest.param("", None, "the file is empty", id="empty file"),
    ],
)
def test_what_cannot_be_used_is_one_line_with_its_place(
    tmp_path: Path, text: str, line: int | None, words: str
) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        read_suites([path])
    (problem,) = caught.value.problems
    assert words in problem
    assert problem.startswith(f"{path}" if line is None else f"{path}:{line}: ")


def test_the_command_says_the_line_and_leaves_with_two(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["run", str(tmp_path)], obj=Commanding())
    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr == f"{tmp_path}: no scenario files (*.yaml) in this folder: write one, or name another folder\n"


def test_a_suite_shares_worlds_tags_and_a_policy(tmp_path: Path) -> None:
    (tmp_path / "worlds").mkdir()
    (tmp_path / "worlds" / "shop.yaml").write_text("customers: [{key: ana, name: Ana, email: a@mailbox.example}]\n")
    (tmp_path / "suite.yaml").write_text(
        """\
tags: [mine]
policy: starter
worlds:
  paid: {like: worlds/shop.yaml, charges: [{key: c, customer: ana, amount: 5.00, currency: usd}]}
scenarios:
  - id: dearer
    tags: [big]
    world: {like: paid, charges: [{key: c, amount: 50.00}], disputes: [{charge: c, reason: general, status: lost}]}
    ticket: {requester: ana, comments: [{from: ana, body: hello}]}
    expect: {outcome: [handed_off, ignored]}
"""
    )
    (one,) = read_suites([tmp_path])
    assert one.scenario.tags == ("mine", "big", "segment:standard", "language:en")
    assert [(str(charge.amount), charge.currency) for charge in one.scenario.world.charges] == [("50.00", "usd")]
    assert one.scenario.world.disputes[0].charge == "c"
    assert one.scenario.expect.any_outcome == (Outcome.HANDED_OFF, Outcome.IGNORED)
    assert "policy:" in one.policy_text


def test_the_shipped_suites_are_as_many_as_promised_and_each_has_its_reason() -> None:
    filed = read_suites([SHIPPED_SUITES])
    golden, adversarial = ([one for one in filed if kind in one.scenario.tags] for kind in ("golden", "adversarial"))
    assert len(golden) >= 200
    assert len(adversarial) >= 150
    for one in filed:
        scenario = one.scenario
        assert scenario.why, scenario.id
        assert all(scenario.tagged(kind) for kind in ("intent", "segment", "tier", "difficulty")), scenario.id
    open_ended = [one for one in golden if Outcome.RESOLVED not in one.scenario.expect.any_outcome]
    assert len(open_ended) > len(golden) / 3


def test_a_slice_is_even_over_the_suites_and_another_policy_decides_what_the_shipped_one_did(tmp_path: Path) -> None:
    filed = read_suites([SHIPPED_SUITES])
    some = sliced(filed, 60)
    assert some == sliced(filed, 60)
    assert len(some) == 60
    assert {one.suite for one in some} == {one.suite for one in filed}
    policy = tmp_path / "watch.yaml"
    policy.write_text("policy: watch\ntitle: Only watched\nautonomy:\n  default: shadow\n")
    assert {one.policy_text for one in decided_by(some, policy)} == {policy.read_text()}
    with pytest.raises(SuiteError, match=r"none\.yaml: cannot be read"):
        decided_by(some, tmp_path / "none.yaml")


def test_the_published_schema_is_the_one_of_the_models() -> None:
    published = (SHIPPED_SUITES / "scenario.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "run `countersign evals schema evals/scenarios/scenario.schema.json`"
    assert json.loads(published)["$defs"]["Scenario"]["additionalProperties"] is False
