"""Publishing changes what decides; a file that cannot be read changes nothing and is named by line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import UsageError
from graph.rulebook import published_hash
from policies.parse import parse_policy
from policies.shelf import from_library, shipped_text
from tests.app.terminal import Terminal

OTHER = """
policy: other
extends: shipped
rules:
  - id: nothing
    effect: deny
    reason: Nothing is refunded.
    when: {action.kind: refund}
"""
PASSWORD = "correct horse battery staple 1042"
LOOSER = """
policy: looser
extends: shipped
autonomy:
  tiers:
    auto:
      at_most: {usd: 60}
"""


def hash_of(text: str) -> str:
    return parse_policy(text, name="a policy", resolve=from_library).content_hash


async def deciding(terminal: Terminal) -> str:
    async with terminal.database.tenant(terminal.tenant) as session:
        return await published_hash(session, terminal.tenant)


async def test_a_published_file_decides_and_is_in_the_log(terminal: Terminal) -> None:
    done = await terminal.run("policy", "publish", "shipped", "--json")
    assert done.json | {"changes": []} == {
        "tenant": "demo",
        "policy_hash": hash_of(shipped_text()),
        "before": None,
        "direction": "first",
        "loosens": False,
        "changes": [],
        "changes_total": 0,
        "changed": True,
        "share_percent": None,
    }
    assert await deciding(terminal) == hash_of(shipped_text())
    again = await terminal.run("policy", "publish", "shipped", "--json")
    assert again.json["changed"] is False
    log = await terminal.run("audit", "verify", "--json")
    assert log.json["events"] == 2


async def test_a_policy_of_another_name_takes_over_and_a_rollback_gives_back(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(OTHER)
    await terminal.run("policy", "publish", "shipped")
    published = await terminal.run("policy", "publish", str(file))
    assert (published.status, await deciding(terminal)) == (0, hash_of(OTHER))
    back = await terminal.run("policy", "rollback", "--why", "too strict", "--json")
    assert (back.status, back.json["policy_hash"]) == (0, hash_of(shipped_text()))
    assert await deciding(terminal) == hash_of(shipped_text())
    listed = await terminal.run("policy", "versions", "--json")
    assert [(one["policy_id"], one["state"]) for one in listed.json["versions"]] == [
        ("larkspur-refunds", "published"),
        ("other", "rolled_back"),
    ]


async def test_what_was_taken_back_comes_back_only_by_being_published_anew(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(OTHER)
    await terminal.run("policy", "publish", "shipped")
    await terminal.run("policy", "publish", str(file))
    await terminal.run("policy", "rollback")
    refused = await terminal.run("policy", "rollback", hash_of(OTHER)[:8])
    assert refused.status == 1
    assert "is rolled_back, not retired: publish it" in refused.out
    assert (await terminal.run("policy", "publish", hash_of(OTHER)[:12])).status == 0
    assert await deciding(terminal) == hash_of(OTHER)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("policy: x\nrules: [\n", ":3:1: not valid YAML"),
        ("policy: x\nrulez: []\n", ":2:1: "),
        ("policy: x\nextends: nowhere.yaml\n", ":2:10: no policy file 'nowhere.yaml' to extend"),
    ],
)
async def test_a_broken_file_publishes_nothing_and_is_named_by_line_and_column(
    terminal: Terminal, tmp_path: Path, text: str, place: str
) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    done = await terminal.run("policy", "publish", str(file))
    assert isinstance(done.error, UsageError)
    assert f"{file}{place}" in str(done.error)
    assert len(str(done.error).splitlines()) == 1
    listed = await terminal.run("policy", "versions", "--json")
    assert listed.json == {"versions": []}


async def test_a_file_that_is_not_text_names_the_byte(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(b"policy: x\nrules\xff: []\n")
    done = await terminal.run("policy", "publish", str(file))
    assert f"{file}:2:6: this byte is not UTF-8" in str(done.error)


async def test_a_file_that_leans_on_another_is_stored_as_one_that_stands_alone(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "lower.yaml").write_text(OTHER)
    upper = tmp_path / "upper.yaml"
    upper.write_text("policy: upper\nextends: lower.yaml\n")
    done = await terminal.run("policy", "publish", str(upper), "--json")
    assert done.status == 0
    shown = await terminal.run("policy", "show", done.json["policy_hash"], "--source")
    assert "extends" not in shown.out
    assert hash_of(shown.out) == done.json["policy_hash"]


async def test_a_missing_file_is_one_clear_line(terminal: Terminal) -> None:
    done = await terminal.run("policy", "publish", "nowhere.yaml")
    assert isinstance(done.error, UsageError)
    assert str(done.error).startswith("cannot read 'nowhere.yaml': no such file or directory")


async def test_there_is_nothing_to_roll_back_to_at_first(terminal: Terminal) -> None:
    done = await terminal.run("policy", "rollback")
    assert done.status == 1
    assert "no earlier version" in done.out


async def test_the_policy_packages_own_commands_stay(terminal: Terminal) -> None:
    done = await terminal.run("policy", "check", "shipped", "--json")
    assert done.json["ok"] is True


async def test_loosening_from_the_command_line_says_what_is_missing_and_changes_nothing(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "looser.yaml"
    file.write_text(LOOSER)
    await terminal.run("policy", "publish", "shipped")
    refused = await terminal.run("policy", "publish", str(file), "--why", "fewer reviews")
    assert refused.status == 1
    assert "loosens: " in refused.out
    assert "- gate 'cases' has not been run" in refused.out
    assert "- a second person, not cli:" in refused.out
    assert await deciding(terminal) == hash_of(shipped_text())
    own = await terminal.run("policy", "approve", hash_of(LOOSER)[:12], "--why", "me again")
    assert own.status == 1
    assert "somebody else must approve it" in own.out


async def test_a_gate_is_run_and_recorded_from_the_command_line(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "looser.yaml"
    file.write_text(LOOSER)
    (tmp_path / "looser.cases.yaml").write_text(
        "base: {action.kind: bulk_email}\ncases: [{name: a mail to all, verdict: needs_approval}]\n"
    )
    early = await terminal.run("evals", "gate", "--policy", str(file), "--json")
    assert (early.status, early.json["recorded"]) == (0, False)
    await terminal.run("policy", "publish", "shipped")
    await terminal.run("policy", "draft", str(file))
    done = await terminal.run("evals", "gate", "--policy", str(file), "--json")
    assert (done.status, done.json["recorded"], done.json["gates"][0]["figures"]["cases"]) == (0, True, 1)
    shown = await terminal.run("policy", "show", hash_of(LOOSER)[:12], "--json")
    assert (shown.json["state"], [one["what"] for one in shown.json["lacking"]]) == ("checked", ["second_person"])
    (tmp_path / "looser.cases.yaml").write_text("base: {}\ncases: [{name: nothing, verdict: deny}]\n")
    wrong = await terminal.run("evals", "gate", "--policy", str(file))
    assert wrong.status == 1
    assert "verdict is 'needs_approval', expected 'deny'" in wrong.out


async def test_a_gate_without_cases_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "looser.yaml"
    file.write_text(LOOSER)
    assert (await terminal.run("evals", "gate", "--policy", str(file))).status == 2
    (tmp_path / "looser.cases.yaml").write_text("cases: []\n")
    assert (await terminal.run("evals", "gate", "--policy", str(file))).status == 2


async def test_a_version_is_put_on_the_calendar_and_taken_off(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(OTHER)
    await terminal.run("policy", "publish", "shipped")
    until = await terminal.run("policy", "publish", str(file), "--at", "2099-01-01T00:00:00+00:00", "--json")
    change = until.json["schedule"]["schedule_id"]
    listed = await terminal.run("policy", "schedule", "list")
    assert f"{change}  pending" in listed.out
    gone = await terminal.run("policy", "schedule", "cancel", change, "--json")
    assert gone.json["state"] == "cancelled"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--at", "tomorrow"], "--at 'tomorrow' is no time"),
        (["--until", "2026-11-27T00:00:00"], "has no zone"),
        (["--until", "2001-01-01T00:00:00+00:00"], "is over before the change begins"),
        (["--canary", "5", "--full"], "--canary cannot be combined with"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_one_clear_line(terminal: Terminal, options: list[str], said: str) -> None:
    done = await terminal.run("policy", "publish", "shipped", *options)
    assert isinstance(done.error, UsageError)
    assert said in str(done.error)


async def test_two_accounts_draft_and_approve_and_nobody_says_yes_in_anothers_name(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "looser.yaml"
    file.write_text(LOOSER)
    await terminal.run("policy", "publish", "shipped")
    for email, role in (("ada@shop.example", "ops_lead"), ("bob@shop.example", "admin"), ("eve@shop.example", "agent")):
        await terminal.run("account", "create", email, "--role", role, "--stdin", typed=f"{PASSWORD}\n")
    as_ada = ("--as", "ada@shop.example", "--stdin")
    await terminal.run("policy", "draft", str(file), *as_ada, typed=f"{PASSWORD}\n")
    approve = ("policy", "approve", hash_of(LOOSER)[:12], "--why", "fine")
    unnamed = await terminal.run(*approve)
    assert "has accounts that may approve" in str(unnamed.error)
    wrong = await terminal.run(*approve, "--as", "bob@shop.example", "--stdin", typed="not it\n")
    assert "open no account" in str(wrong.error)
    agent = await terminal.run(*approve, "--as", "eve@shop.example", "--stdin", typed=f"{PASSWORD}\n")
    assert "policies are changed by admin or ops_lead" in str(agent.error)
    own = await terminal.run(*approve, *as_ada, typed=f"{PASSWORD}\n")
    assert own.status == 1
    other = await terminal.run(*approve, "--as", "bob@shop.example", "--stdin", typed=f"{PASSWORD}\n")
    assert (other.status, "you approve of" in other.out) == (0, True)
