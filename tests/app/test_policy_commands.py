"""Publishing changes what decides; a file that cannot be read changes nothing and is named by line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import UsageError
from graph.rulebook import published_hash
from policies.parse import parse_policy
from policies.shelf import shipped_text
from tests.app.terminal import Terminal

OTHER = """
policy: other
rules:
  - id: nothing
    effect: deny
    reason: Nothing is refunded.
    when: {action.kind: refund}
"""


def hash_of(text: str) -> str:
    return parse_policy(text, name="a policy").content_hash


async def deciding(terminal: Terminal) -> str:
    async with terminal.database.tenant(terminal.tenant) as session:
        return await published_hash(session, terminal.tenant)


async def test_a_published_file_decides_and_is_in_the_log(terminal: Terminal) -> None:
    done = await terminal.run("policy", "publish", "shipped", "--author", "ada", "--json")
    assert done.json == {
        "tenant": "demo",
        "policy_hash": hash_of(shipped_text()),
        "before": None,
        "changed": True,
    }
    assert await deciding(terminal) == hash_of(shipped_text())
    again = await terminal.run("policy", "publish", "shipped", "--json")
    assert again.json["changed"] is False
    log = await terminal.run("audit", "verify", "--json")
    assert log.json["events"] == 1


async def test_a_policy_of_another_name_takes_over_and_a_rollback_gives_back(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(OTHER)
    await terminal.run("policy", "publish", "shipped")
    published = await terminal.run("policy", "publish", str(file))
    assert (published.status, await deciding(terminal)) == (0, hash_of(OTHER))
    back = await terminal.run("policy", "rollback", "--json")
    assert (back.status, back.json["policy_hash"]) == (0, hash_of(shipped_text()))
    assert await deciding(terminal) == hash_of(shipped_text())
    listed = await terminal.run("policy", "versions", "--json")
    assert [(one["policy_id"], one["state"]) for one in listed.json["versions"]] == [
        ("larkspur-refunds", "published"),
        ("other", "retired"),
    ]
    chosen = await terminal.run("policy", "rollback", hash_of(OTHER)[:8])
    assert (chosen.status, await deciding(terminal)) == (0, hash_of(OTHER))


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


async def test_a_file_that_leans_on_another_is_not_published(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "lower.yaml").write_text(OTHER)
    upper = tmp_path / "upper.yaml"
    upper.write_text("policy: upper\nextends: lower.yaml\n")
    done = await terminal.run("policy", "publish", str(upper))
    assert isinstance(done.error, UsageError)
    assert "stands alone" in str(done.error)


async def test_a_missing_file_is_one_clear_line(terminal: Terminal) -> None:
    done = await terminal.run("policy", "publish", "nowhere.yaml")
    assert isinstance(done.error, UsageError)
    assert str(done.error).startswith("cannot read 'nowhere.yaml': no such file or directory")


async def test_there_is_nothing_to_roll_back_to_at_first(terminal: Terminal) -> None:
    done = await terminal.run("policy", "rollback")
    assert "no earlier version" in str(done.error)


async def test_the_policy_packages_own_commands_stay(terminal: Terminal) -> None:
    done = await terminal.run("policy", "check", "shipped", "--json")
    assert done.json["ok"] is True
