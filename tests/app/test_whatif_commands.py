"""The past on the command line: decided anew under another policy, from a file or the tenant's own decisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.errors import UsageError
from graph.decisions.record import record
from policies.shelf import shipped_text
from tests.app.terminal import NOW, Terminal
from tests.graph.decisions.test_record import decided

UNTIL = "2026-11-21T09:00:00+00:00"


@pytest.fixture
def raised(tmp_path: Path) -> str:
    """The shipped policy with a higher threshold."""
    file = tmp_path / "raised.yaml"
    assert "at_most: {usd: 50," in shipped_text()
    file.write_text(shipped_text().replace("at_most: {usd: 50,", "at_most: {usd: 100,", 1))
    return str(file)


@pytest.fixture
async def history(terminal: Terminal, tmp_path: Path) -> str:
    file = tmp_path / "history.jsonl"
    words = ("--generate", "2000", "--seed", "3", "--until", UNTIL, "--out", str(file))
    done = await terminal.run("policy", "history", *words)
    assert (done.status, done.out) == (0, f"2000 decisions written to {file}\n")
    return str(file)


async def test_a_higher_threshold_shows_what_it_flips(terminal: Terminal, raised: str, history: str) -> None:
    words = ("policy", "whatif", raised, "--history", history, "--flips", "3", "--json")
    done = await terminal.run(*words)
    assert done.json["rows"] == 2000
    assert done.json["loosened"] > 0
    assert done.json["tightened"] == 0
    assert len(done.json["flips"]) == 3
    assert done.json["flips"][0]["after"]["mode"] == "auto"
    before, after = (done.json[side]["courses"]["alone"]["money_minor"]["usd"] for side in ("before", "after"))
    assert before < after
    again = await terminal.run(*words)
    assert again.json["digest"] == done.json["digest"]
    shown = await terminal.run("policy", "whatif", raised, "--history", history)
    assert f"digest {done.json['digest'][:16]}" in shown.out


async def test_the_shipped_policy_flips_nothing_against_itself(terminal: Terminal, raised: str, history: str) -> None:
    done = await terminal.run("policy", "whatif", "shipped", "--history", history, "--json")
    assert done.json["flipped"] == 0
    other = await terminal.run("policy", "whatif", "shipped", "--history", history, "--against", raised, "--json")
    assert other.json["tightened"] > 0
    assert other.json["before"]["worst_day_minor"] == other.json["after"]["worst_day_minor"]


async def test_since_counts_back_from_the_newest_decision(terminal: Terminal, history: str) -> None:
    done = await terminal.run("policy", "whatif", "shipped", "--history", history, "--since", "30", "--json")
    assert 100 < done.json["rows"] < 700


async def test_a_threshold_is_tuned(terminal: Terminal, history: str) -> None:
    words = ("policy", "tune", "shipped", "--threshold", "auto.usd", "--history", history, "--quality", "0.9")
    done = await terminal.run(*words, "--json")
    assert done.json["current_minor"] == 5000
    assert done.json["recommended_minor"] >= 5000
    shares = [point["automation"] for point in done.json["points"]]
    assert shares == sorted(shares)
    shown = await terminal.run(*words)
    assert "recommended for a floor of 90.0%" in shown.out


async def test_the_tenants_own_decisions_are_read_and_exported(terminal: Terminal, raised: str, tmp_path: Path) -> None:
    await terminal.run("policy", "publish", "shipped")
    async with terminal.database.tenant(terminal.tenant) as session:
        await record(
            session,
            (decided(action__amount_minor=9000, charge__amount_minor=9000, charge__refundable_minor=9000),),
            tenant_id=terminal.tenant,
            run_id="run_1",
            ticket_id="77",
            cycle=1,
            now=NOW,
        )
    done = await terminal.run("policy", "whatif", raised, "--json")
    assert (done.json["rows"], done.json["flipped"], done.json["flips"][0]["ticket"]) == (1, 1, "77")
    assert done.json["before"]["worst_day_minor"] == {"usd": 200_000}
    file = tmp_path / "own.jsonl"
    written = await terminal.run("policy", "history", "--out", str(file))
    assert written.status == 0
    assert json.loads(file.read_text())["facts"]["action.amount_minor"] == 9000
    from_file = await terminal.run("policy", "whatif", raised, "--history", str(file), "--json")
    assert from_file.json["digest"] == done.json["digest"]


async def test_a_tenant_without_a_decision_is_told_how_to_make_some_up(terminal: Terminal) -> None:
    done = await terminal.run("policy", "whatif", "shipped")
    assert isinstance(done.error, UsageError)
    assert "no recorded decision; try `countersign policy history --generate" in str(done.error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"ticket": "1"}\n', "past.jsonl:1: {'ticket': '1'} has no object 'facts'"),
        ("", "holds no decision; try"),
    ],
)
async def test_a_history_that_cannot_be_read_is_one_line(
    terminal: Terminal, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "past.jsonl"
    file.write_text(text)
    done = await terminal.run("policy", "whatif", "shipped", "--history", str(file))
    assert isinstance(done.error, UsageError)
    assert said in str(done.error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("whatif", "shipped", "--history", "nowhere.jsonl"), "cannot read 'nowhere.jsonl': no such file or directory"),
        (("tune", "shipped", "--threshold", "atuo.usd"), "did you mean 'auto.usd'?"),
        (("history", "--generate", "5", "--until", "today"), "--until 'today' is not a time"),
        (("history", "--generate", "5", "--until", "2026-11-21"), "--until '2026-11-21' has no zone"),
        (("history", "--generate", "5", "--until", UNTIL, "--out", "no/where"), "cannot write 'no/where'"),
    ],
)
async def test_what_cannot_be_done_is_one_clear_line(terminal: Terminal, words: tuple[str, ...], said: str) -> None:
    done = await terminal.run("policy", *words)
    assert isinstance(done.error, UsageError)
    assert said in str(done.error)
