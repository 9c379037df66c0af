"""`countersign policy diff` as a person and as a program use it."""

from __future__ import annotations

import json
from pathlib import Path

from policies.shelf import shipped_text
from tests.policies.test_commands import run


def raised(folder: Path) -> str:
    file = folder / "raised.yaml"
    file.write_text(shipped_text().replace("usd: 50,", "usd: 60,", 1), encoding="utf-8")
    return str(file)


def test_a_difference_is_told_with_a_case_that_decide_repeats(tmp_path: Path) -> None:
    status, out, err = run("diff", "shipped", raised(tmp_path), "--json")
    assert (status, err) == (0, "")
    form = json.loads(out)
    assert (form["direction"], form["exact"], form["more_regions"]) == ("loosens", True, 0)
    (region,) = form["regions"]
    assert region["conditions"]["action.amount_minor"] == "50.01 to 60.00 USD"
    example = region["example"]
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps(example["facts"]), encoding="utf-8")
    for policy, word in (("shipped", "before"), (raised(tmp_path), "after")):
        more = ("--policy", policy, "--facts", str(facts), "--now", example["now"], "--json")
        decided = json.loads(run("decide", *more)[1])
        assert {key: decided[key] for key in example[word]} == example[word]


def test_a_difference_reads_as_sentences(tmp_path: Path) -> None:
    status, out, _ = run("diff", "shipped", raised(tmp_path))
    assert status == 0
    assert "loosens: refund of" in out
    assert "approve (cs_lead) -> auto after 600 s" in out
    assert "before: needs_approval, mode approve, rule autonomy.auto" in out


def test_loosening_can_be_refused(tmp_path: Path) -> None:
    assert run("diff", "shipped", raised(tmp_path), "--refuse-loosening")[0] == 1
    assert run("diff", raised(tmp_path), "shipped", "--refuse-loosening")[0] == 0


def test_a_policy_does_not_differ_from_itself() -> None:
    status, out, _ = run("diff", "shipped", "shipped")
    assert status == 0
    assert out.endswith("no case is treated otherwise\n")


def test_a_file_that_cannot_be_read_is_one_line_on_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("policy: a\nrule: []\n", encoding="utf-8")
    status, out, err = run("diff", "shipped", str(file))
    assert (status, out) == (2, "")
    assert "wrong.yaml:2:1" in err
