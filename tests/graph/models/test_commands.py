"""The commands `triage` and `redact`, over their own wire: JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.errors import SettingsError
from app.runtime import claude_of
from app.settings import ModelSettings
from graph.commands import redact, triage

cli = typer.Typer()
cli.command()(triage)
cli.command()(redact)


def test_redact_answers_every_good_line_and_names_the_bad_ones() -> None:
    lines = (
        '{"id": "a", "text": "mail x@y.org"}\nnot json\n[1]\n{"id": "b", "subject": "s", "body": "fine"}\n{"text": 5}\n'
    )
    ran = CliRunner().invoke(cli, ["redact"], input=lines)
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert answers[0] == {"id": "a", "text": "mail [EMAIL_1]", "events": [{"class": "email", "start": 5, "end": 12}]}
    assert answers[1]["text"] == "s\n\nfine"
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == ["line 2", "line 3", "line 5"]
    assert ran.exit_code == 2


def test_redact_takes_what_is_known_of_the_requester() -> None:
    line = json.dumps({"id": 1, "text": "Ana Ruiz here", "known": {"names": ["Ana Ruiz"]}})
    assert json.loads(CliRunner().invoke(cli, ["redact"], input=line).stdout)["text"] == "[NAME_1] here"


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli, ["redact", str(tmp_path / "none.jsonl")])
    assert (ran.exit_code, len(ran.stderr.splitlines())) == (2, 1)


def test_triage_refuses_an_unknown_provider() -> None:
    ran = CliRunner().invoke(cli, ["triage", "--provider", "oracle"], input="")
    assert ran.exit_code == 2
    assert "unknown provider 'oracle': write 'local' or 'claude'" in ran.stderr


def test_triage_with_claude_says_what_to_set_where_there_is_no_key() -> None:
    with pytest.raises(SettingsError, match="claude has no key: set COUNTERSIGN_MODELS__API_KEY"):
        claude_of(ModelSettings())
