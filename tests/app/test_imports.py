"""What a process loads before it does anything: a module too many is seconds at the start and megabytes for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from app.schema import MIGRATIONS, newest_version

ROOT: Final = Path(__file__).parent.parent.parent

HELP: Final = "from app.cli import build\nbuild(['--help'])"
WEB: Final = "import app.commanding, app.listening, app.storage, uvicorn\nfrom app.web.app import create_app"

MODELS: Final = {"torch", "transformers", "sentence_transformers", "sklearn", "scipy", "onnxruntime"}
MACHINE: Final = {"langgraph", "langchain_core", "langsmith", "anthropic"}
REPORTS: Final = {"matplotlib", "pandas", "hypothesis", "evals"}
VENDORS: Final = {"stripe", "zenpy", "httpx"}
WORK: Final = {"sqlalchemy", "psycopg", "pydantic", "fastapi", "numpy", "polars", "rich", "alembic"}


def loaded(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after the code."""
    report = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", report], check=True, capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "never", "some"),
    [
        pytest.param(HELP, MODELS | MACHINE | REPORTS | VENDORS | WORK, {"typer"}, id="countersign --help"),
        # The database of a web process is as its code needs it, but for the first start: so nothing that migrates.
        pytest.param(WEB, MODELS | MACHINE | REPORTS | {"alembic"}, {"fastapi", "sqlalchemy"}, id="the web process"),
    ],
)
def test_a_process_loads_only_what_it_uses(code: str, never: set[str], some: set[str]) -> None:
    found = loaded(code)
    assert some <= found
    assert found & never == set()


def test_the_newest_version_is_read_off_the_names_of_the_steps() -> None:
    steps = {path.stem[1:5]: path.read_text() for path in (MIGRATIONS / "versions").glob("m[0-9]*.py")}
    assert all(f'revision = "{number}"' in step for number, step in steps.items())
    assert newest_version() == max(steps)
