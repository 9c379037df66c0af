"""`countersign policy` as a person and as a program use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from policies.commands import app
from policies.facts import CATALOGUE
from policies.shelf import from_library, library
from tests.policies.shipped import NOW, base_facts
from tests.policies.writing import rule

TIME = NOW.isoformat()


@dataclass(frozen=True)
class Clock:
    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment


def run(*arguments: str, given: str | bytes | None = None, clock: object = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), input=given, obj=clock)
    return result.exit_code, result.stdout, result.stderr


def facts_file(folder: Path, **changes: object) -> str:
    file = folder / "facts.json"
    file.write_text(json.dumps(base_facts(**changes)), encoding="utf-8")
    return str(file)


def decided(*arguments: str, given: str | None = None) -> dict[str, Any]:
    status, out, err = run("decide", *arguments, "--now", TIME, "--json", given=given)
    assert (status, err) == (0, "")
    form = json.loads(out)
    assert isinstance(form, dict)
    return form


def test_decide_prints_what_a_program_relies_on(tmp_path: Path) -> None:
    form = decided("--policy", "shipped", "--facts", facts_file(tmp_path, action__amount_minor=5001))
    assert {key: form[key] for key in ("verdict", "mode", "rule", "section", "approvers")} == {
        "verdict": "needs_approval",
        "mode": "approve",
        "rule": "autonomy.auto",
        "section": "refund-policy#8.1",
        "approvers": ["cs_lead"],
    }
    assert form["reasons"][0]["margin"] == "0.01 USD above the bound of 50.00 USD"
    assert form["reasons"][0]["threshold"] == {
        "fact": "action.amount",
        "value": 5001,
        "side": "at_most",
        "bound": 5000,
        "unit": "minor",
        "currency": "usd",
        "gap": 1,
    }
    assert form["acts_alone"] is False


def test_decide_prints_the_limits_of_what_acts_alone(tmp_path: Path) -> None:
    form = decided("--facts", facts_file(tmp_path, requester__account_age_days=2))
    assert form["acts_alone"] is True
    assert {limit["id"] for limit in form["limits"]} == {"customer-90d", "shop-day", "shop-hour"}
    assert form["risk_contributions"] == [{"factor": "young-account", "points": 15}]


def test_a_proposal_says_what_would_be_done(tmp_path: Path) -> None:
    proposal = tmp_path / "proposal.json"
    proposal.write_text(json.dumps({"kind": "refund", "amount_minor": 5000, "currency": "usd"}), encoding="utf-8")
    assert decided("--facts", facts_file(tmp_path), "--proposal", str(proposal))["mode"] == "auto"
    proposal.write_text(json.dumps({"kind": "refund", "iban": "DE00"}), encoding="utf-8")
    status, out, err = run("decide", "--proposal", str(proposal), "--now", TIME)
    assert (status, out) == (2, "")
    assert "unknown key 'iban'" in err


def test_decide_reads_facts_from_standard_input_and_tells_them_in_words() -> None:
    facts = base_facts(action__amount_minor=200_001, requester__account_age_days=2)
    facts["action.type"] = facts.pop("action.kind")
    status, out, _ = run("decide", "--facts", "-", "--now", TIME, given=json.dumps(facts))
    assert status == 0
    assert out.startswith("needs_approval under refund-policy#8.1 (rule autonomy.auto), mode approve")
    assert "waits for: ops_lead, two people" in out
    assert "risk 15: young-account +15" in out
    allowed = run("decide", "--facts", "-", "--now", TIME, given=json.dumps(base_facts()))[1]
    assert "waits 600 s before money moves" in allowed
    assert "87 days below it" in allowed
    watched = run("decide", "--facts", "-", "--now", TIME, "--policy", "shipped", given="{}")[1]
    assert "(rule" in watched


def test_the_clock_of_the_application_tells_the_time_where_nobody_does(tmp_path: Path) -> None:
    assert run("decide", "--facts", facts_file(tmp_path), clock=Clock())[0] == 0
    status, _, err = run("decide", "--facts", facts_file(tmp_path))
    assert (status, "no time" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (["--now", "yesterday"], "{}", "is not a time"),
        (["--now", "2026-11-21T09:00:00"], "{}", "has no zone"),
        (["--now", TIME], "[1]", "must hold one JSON object"),
        (["--now", TIME], "{", "is not JSON"),
        (["--now", TIME], "[" * 200_000, "is not JSON"),
        (["--now", TIME], b"\xff", "is not UTF-8"),
        (["--now", TIME], '{"charge.colour": 1}', "unknown fact 'charge.colour'"),
        (["--now", TIME], '{"charge.age_days": "old"}', "cannot be 'old'"),
        (["--now", TIME, "--policy", "nowhere.yaml"], "{}", "cannot read 'nowhere.yaml'"),
    ],
)
def test_bad_input_is_one_clear_line_and_status_2(arguments: list[str], given: str | bytes, message: str) -> None:
    status, out, err = run("decide", "--facts", "-", *arguments, given=given)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_broken_policy_is_told_by_its_first_mistake(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("policy: x\nrulez: []\n", encoding="utf-8")
    status, _, err = run("decide", "--policy", str(file), "--now", TIME)
    assert status == 2
    assert f"{file}:2:1: unknown key 'rulez'" in err
    file.write_text("policy: x\nrulez: []\ntitel: y\n", encoding="utf-8")
    assert "(and 1 more:" in run("explain", "--policy", str(file))[2]


def test_check_is_silent_about_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("policy: x\nrulez: []\n", encoding="utf-8")
    status, out, _ = run("check", "shipped", str(broken), "--json")
    form = json.loads(out)
    assert (status, form["ok"], form["findings"]) == (1, False, [])
    (error,) = form["errors"]
    assert (error["line"], error["column"], error["nearest"]) == (2, 1, "rules")
    status, out, _ = run("check", str(broken))
    assert (status, "error: " in out) == (1, True)


def test_check_of_a_fine_file_ends_with_0(tmp_path: Path) -> None:
    status, out, _ = run("check", "shipped", "--json")
    form = json.loads(out)
    assert (status, form["ok"], form["errors"], form["findings"]) == (0, True, [], [])
    assert "fine: larkspur-refunds" in run("check", "shipped")[1]
    starter = tmp_path / "starter.yaml"
    starter.write_text("policy: quiet\n", encoding="utf-8")
    status, out, _ = run("check", str(starter))
    assert status == 0
    assert "drafts_only" in out


def test_a_policy_finds_its_neighbours_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("policy: base\ntitle: Ours\n", encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text("extends: base.yaml\n", encoding="utf-8")
    assert "fine: base" in run("check", str(child))[1]
    child.write_text("extends: ../base.yaml\n", encoding="utf-8")
    assert "no policy file '../base.yaml' to extend" in run("check", str(child))[1]
    child.write_text("extends: shipped\npolicy: ours\n", encoding="utf-8")
    assert "fine: ours, 5" in run("check", str(child))[1]


def test_explain_shows_every_rule_that_could_speak(tmp_path: Path) -> None:
    status, out, _ = run("explain", "--facts", facts_file(tmp_path, charge__refunds=None), "--now", TIME)
    assert status == 0
    assert "yes  allow: duplicate-charge [refund-policy#3.2]" in out
    assert "charge.age_days is at most 90 days (is 3)" in out
    assert "unknown  charge.refunds is at least 1 count (is unknown)" in out
    form = json.loads(run("explain", "--facts", facts_file(tmp_path), "--now", TIME, "--json")[1])
    assert {entry["rule"] for entry in form["rules"]} >= {"duplicate-charge", "disputed-charge"}


def test_explain_without_facts_reads_the_policy_aloud() -> None:
    out = run("explain", "--policy", "shipped")[1]
    assert "allow: duplicate-charge [refund-policy#3.2]" in out
    assert "duplicate_charge x * x refund x *: auto" in out
    assert "anything else: draft" in out


def test_explain_puts_every_kind_of_condition_into_words(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    block = """
      any:
        - {action.amount: {at_most: {usd: 5, eur: 4}}}
        - {action.amount: {above: 0}, charge.refunded: 0}
        - {not: {request.intent: {none_of: [other, complaint]}}}
        - {charge.age_days: {between: [1, 2]}, order.age_days: 7, item.known: true}
"""
    file.write_text(
        f"policy: p\nrules:\n  - id: a\n    effect: allow\n    reason: R.\n    when:{block}", encoding="utf-8"
    )
    out = run("explain", "--policy", str(file))[1]
    assert "action.amount is at most 4.00 EUR or at most 5.00 USD" in out
    assert "(action.amount is above zero and charge.refunded is zero)" in out
    assert "not (request.intent is not one of complaint, other)" in out
    assert "(charge.age_days is between 1 days and 2 days and order.age_days is 7 days and item.known is true)" in out
    facts = {"action.kind": "refund", "action.amount_minor": 400, "item.known": True}
    told = run("explain", "--policy", str(file), "--facts", "-", "--now", TIME, given=json.dumps(facts))[1]
    assert "(is 400 minor units)" in told
    always = tmp_path / "q.yaml"
    always.write_text("policy: q\n" + rule("always"), encoding="utf-8")
    assert "when always" in run("explain", "--policy", str(always))[1]


def test_facts_lists_the_whole_catalogue() -> None:
    form = json.loads(run("facts", "--json")[1])
    assert [entry["name"] for entry in form["facts"]] == list(CATALOGUE)
    assert {"type", "unit", "source", "values", "description"} <= set(form["facts"][0])
    assert run("facts")[1].count("\n") == len(CATALOGUE)


# the shelf


def test_the_flattened_articles_are_refused_with_a_line(tmp_path: Path) -> None:
    for name in ("refund_request_agent", "support_agent"):
        text = from_library(f"{name}.yaml")
        assert text is not None
        flat = tmp_path / f"{name}.yaml"
        flat.write_text("\n".join(line.strip() for line in text.splitlines()), encoding="utf-8")
        status, out, _ = run("check", str(flat), "--json")
        errors = json.loads(out)["errors"]
        assert status == 1
        assert all(error["line"] > 1 for error in errors)


def test_every_shipped_file_can_be_read() -> None:
    files = [file for folder in (library(), library() / "articles") for file in folder.iterdir()]
    names = [file.name for file in files if file.name.endswith(".yaml") and not file.name.endswith(".cases.yaml")]
    assert len(names) >= 6
    for file in files:
        if file.name in names:
            assert run("check", str(file))[0] == 0, file.name


def test_a_name_never_leads_out_of_the_shelf() -> None:
    assert from_library("../parse.py") is None
    assert from_library("nothing.yaml") is None
    assert from_library("shipped") == from_library("refunds.yaml")
    assert yaml.safe_load(from_library("starter.yaml") or "")["policy"] == "starter"


def test_the_worst_day_is_the_smaller_of_what_the_limits_let_through() -> None:
    status, out, _ = run("worst-case", "--json")
    worst = json.loads(out)["within_24h_minor"]
    assert (status, worst["usd"], worst["jpy"]) == (0, 200_000, 300_000)
    assert "usd: at most 2000.00 USD within any 24 hours" in run("worst-case")[1]


def test_without_a_limit_that_names_an_amount_nothing_bounds_a_day(tmp_path: Path) -> None:
    unlimited = tmp_path / "unlimited.yaml"
    unlimited.write_text("policy: unlimited\n" + rule("{action.kind: refund}"), encoding="utf-8")
    status, out, err = run("worst-case", "--policy", str(unlimited))
    assert (status, out, err) == (0, "no limit names an amount, so nothing bounds a day\n", "")
