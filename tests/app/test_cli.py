"""The command line loads what it is asked for, and every error is one clear line and status 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import APPLICATION_COMMANDS, SUMMARIES, asked_command, registered
from app.commanding import Commanding
from app.errors import UsageError
from kb.commands import CommandRuntime

ROOT = Path(__file__).parent.parent.parent
RUN = "from app.cli import main; main()"
NEWEST = max(page.stem[1:5] for page in (ROOT / "app" / "migrations" / "versions").glob("m*.py"))


class Place:
    """A folder with the settings of a test, and commands that run in it as processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, str] = {}
        self.path = [str(ROOT)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        environment |= {"COUNTERSIGN_DATA_DIR": str(self.folder / "d"), "PYTHONPATH": ":".join(self.path)}
        return subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=90,
            cwd=self.folder,
            env=environment | self.settings,
        )

    def complaint(self, *arguments: str) -> str:
        """The only line on standard error of a command that must fail with status 2."""
        done = self.run(*arguments)
        assert done.returncode == 2, done
        (line,) = done.stderr.splitlines()
        assert done.stdout == ""
        return line

    def register(self, name: str, code: str) -> None:
        """Install a package that registers one command, the way packages do."""
        site = self.folder / "site"
        (site / f"{name}-1.dist-info").mkdir(parents=True)
        (site / f"{name}_commands.py").write_text(code)
        (site / f"{name}-1.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (site / f"{name}-1.dist-info" / "entry_points.txt").write_text(
            f"[countersign.commands]\n{name} = {name}_commands:command\n"
        )
        self.path.append(str(site))


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True) as name:
        yield Place(Path(name))


def test_help_lists_every_command_and_loads_none(place: Place) -> None:
    place.register("broken", "raise RuntimeError('loaded')")
    done = place.run("--help")
    assert done.returncode == 0, done.stderr
    for name in ("broken", *APPLICATION_COMMANDS):
        assert f"\n  {name}" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['countersign', '--help']\ntry:\n    from app.cli import main; main()\nfinally:\n"
    code += "    print(sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv_heavy)))"
    heavy = ["sqlalchemy", "langgraph", "torch", "pydantic", "psycopg", "alembic", "stripe", "rich"]
    done = subprocess.run(
        [sys.executable, "-c", code.replace("sys.argv_heavy", repr(heavy))],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_registered_function_becomes_a_command(place: Place) -> None:
    place.register("greet", "def command(name: str) -> None:\n    print('hello', name)\n")
    assert place.run("greet", "you").stdout == "hello you\n"


def test_a_registered_application_becomes_a_group_of_commands(place: Place) -> None:
    code = "import typer\ncommand = typer.Typer()\n@command.callback()\ndef root(): pass\n"
    place.register(
        "many", f"{code}@command.command('one')\ndef one(ctx: typer.Context):\n    print(ctx.obj.tenant_id)\n"
    )
    assert place.run("--tenant", "acme", "many", "one").stdout == "acme\n"
    assert place.run("many", "one").stdout == "demo\n"


def test_an_unknown_command_is_named_with_the_nearest_one(place: Place) -> None:
    done = place.run("docter")
    assert done.returncode == 2
    assert "Did you mean 'doctor'?" in done.stderr


def test_a_command_that_cannot_be_loaded_says_so(place: Place) -> None:
    place.register("half", "import no_such_module_anywhere")
    assert "the command 'half' cannot be loaded" in place.complaint("half")


def test_a_defect_is_one_line_and_a_traceback_only_on_demand(place: Place) -> None:
    place.register("buggy", "def command() -> None:\n    raise KeyError('x')\n")
    assert "unexpected KeyError: 'x'; this is a defect" in place.complaint("buggy")
    assert "Traceback" in place.run("--debug", "buggy").stderr


def test_an_error_of_ours_is_one_line(place: Place) -> None:
    place.settings["COUNTERSIGN_DATABASE_URL"] = "postgresql://a:hunter2@127.0.0.1:1/x"
    line = place.complaint("migrate")
    assert line.startswith("countersign: the database at 'postgresql://a:***@127.0.0.1:1/x' cannot be used")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("COUNTERSIGN_DATABSE_URL", "x", "did you mean 'COUNTERSIGN_DATABASE_URL'?"),
        ("COUNTERSIGN_DATABASE_URL", "nonsense", "a database address that cannot be read"),
        ("COUNTERSIGN_DATABASE_ADMIN_URL", "postgresql://x", "set COUNTERSIGN_DATABASE_URL too"),
        ("COUNTERSIGN_DATA_DIR", "/proc/nobody", "set COUNTERSIGN_DATA_DIR to a folder you may write to"),
        ("COUNTERSIGN_CONFIG", "nowhere.toml", "no settings file at 'nowhere.toml'"),
        ("COUNTERSIGN_PORT", "http", "setting 'port' input should be a valid integer"),
    ],
)
def test_bad_settings_are_one_clear_line(place: Place, name: str, value: str, expected: str) -> None:
    place.settings[name] = value
    assert expected in place.complaint("migrate")


def test_every_problem_of_the_settings_is_a_line(place: Place) -> None:
    place.settings |= {"COUNTERSIGN_PORT": "http", "COUNTERSIGN_WORKER__LEASE_S": "0"}
    done = place.run("migrate")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)


def test_migrate_makes_the_embedded_database_and_says_so(place: Place) -> None:
    assert json.loads(place.run("migrate", "--json").stdout) == {"before": None, "after": NEWEST, "changed": True}
    assert place.run("migrate").stdout == f"nothing to do: the schema has version {NEWEST}\n"


def test_settings_are_listed_for_programs(place: Place) -> None:
    listed = json.loads(place.run("settings", "--json").stdout)
    assert "COUNTERSIGN_DATA_DIR" in {entry["variable"] for entry in listed}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], None),
        (["--help"], None),
        (["kb", "search"], "kb"),
        (["--tenant", "kb", "runs", "list"], "runs"),
        (["--tenant=kb", "--debug", "runs"], "runs"),
        (["--tenant"], None),
    ],
)
def test_the_command_is_found_among_the_options(arguments: list[str], name: str | None) -> None:
    assert asked_command(arguments) == name


def test_every_registered_command_has_a_summary() -> None:
    assert set(registered()) <= set(SUMMARIES)


def test_a_command_runtime_is_what_the_knowledge_commands_ask_for() -> None:
    runtime: CommandRuntime = Commanding(tenant="acme")
    assert runtime.tenant_id == "acme"
    assert callable(typing.cast("object", runtime.embed))


def test_several_tenants_ask_for_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path))
    for name in ("ACME", "OTHER"):
        monkeypatch.setenv(f"COUNTERSIGN_TENANTS__{name}__TITLE", name.title())
    with pytest.raises(UsageError, match="there are tenants acme, other; name one"):
        _ = Commanding().tenant_id
