"""The bench's own installation: a folder, the embedded PostgreSQL with fsync on, a tenant, and a bare database.

Everything lies in a temporary folder and is gone afterwards. Both sides of a comparison use the same server.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg

from app.settings import CONFIG_VARIABLE, Settings
from app.storage import Storage, open_storage
from connectors.sandbox.control import SandboxControl

TENANT: Final = "bench"
BARE_DATABASE: Final = "bare"
LOOPBACK: Final = "127.0.0.1"
SUBDOMAIN: Final = "bench"
CLIENT: Final = "countersign"
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bench runs."""

    settings: Settings
    storage: Storage
    config_path: Path
    doubles_port: int
    web_port: int

    @property
    def bare_url(self) -> str:
        """The database of the bare programs, on the same server."""
        return self.storage.admin_url.replace("/countersign?", f"/{BARE_DATABASE}?")

    @property
    def doubles_url(self) -> str:
        """Where the vendors' doubles answer."""
        return f"http://{LOOPBACK}:{self.doubles_port}"


@contextmanager
def opened_place() -> Iterator[Place]:
    """An installation with one tenant, migrated, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="cs-bench-", ignore_cleanup_errors=True) as name:
        doubles_port, web_port = free_port(), free_port()
        config_path = Path(name) / "bench.toml"
        config_path.write_text(_config(Path(name), doubles_port, web_port), encoding="utf-8")
        settings = Settings(**tomllib.loads(config_path.read_text("utf-8")))
        with open_storage(settings) as storage:
            place = Place(settings, storage, config_path, doubles_port, web_port)
            with psycopg.connect(storage.admin_url, autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {BARE_DATABASE}")
            yield place


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*arguments: str, config: Path | None, log: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """A Python process that runs for as long as the block lasts.

    Args:
        arguments: of the interpreter, such as `-m app.main serve`.
        config: its settings file, where it reads one.
        log: gets its output.
        answers: whether it is ready.

    Raises:
        RuntimeError: it ended, or did not answer in time; the last line of its log is named.
    """
    environment: Mapping[str, str] = {"PATH": "/usr/bin:/bin"}
    if config is not None:
        environment = {**environment, CONFIG_VARIABLE: str(config)}
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not answers():
                if child.poll() is not None or time.monotonic() > deadline:
                    lines = log.read_text("utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
                    raise RuntimeError(f"{' '.join(arguments[:3])} did not start: {lines[-1]}")
                time.sleep(0.05)
            yield
        finally:
            child.terminate()
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def web_process() -> psutil.Process:
    """The web process that the bench started."""
    return next(one for one in psutil.Process().children() if "serve" in one.cmdline())


def cpu_s() -> float:
    """Seconds of a core that the web process has used; they say what a page costs, however busy the machine is."""
    used = web_process().cpu_times()
    return float(used.user + used.system)


@contextmanager
def web(place: Place, *, answers: Callable[[], bool] | None = None) -> Iterator[None]:
    """The web process, for as long as the block lasts. It is ready when it listens, or when `answers` says so."""
    with process(
        "-m",
        "app.main",
        "serve",
        config=place.config_path,
        log=place.settings.data_dir / "web.log",
        answers=answers or (lambda: is_listening(place.web_port)),
    ):
        yield


@contextmanager
def doubles(place: Place) -> Iterator[SandboxControl]:
    """The vendors' doubles, for as long as the block lasts."""
    with (
        process(
            "-m",
            "evals.bench.doubles",
            str(place.config_path),
            str(place.doubles_port),
            config=None,
            log=place.settings.data_dir / "doubles.log",
            answers=lambda: is_listening(place.doubles_port),
        ),
        SandboxControl(place.doubles_url) as control,
    ):
        yield control


def is_listening(port: int) -> bool:
    """Whether a process of this machine accepts connections on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _config(folder: Path, doubles_port: int, web_port: int) -> str:
    address = f"http://{LOOPBACK}:{doubles_port}"
    return f"""
data_dir = "{folder}"
host = "{LOOPBACK}"
port = {web_port}
log_level = "error"

[tenants.{TENANT}]
brand = "Bench"
currency = "usd"

[tenants.{TENANT}.zendesk]
subdomain = "{SUBDOMAIN}"
base_url = "{address}"
client_id = "{CLIENT}"
client_secret = "{secrets.token_urlsafe(24)}"
webhook_secrets = ["{secrets.token_urlsafe(24)}"]

[tenants.{TENANT}.stripe]
api_key = "rk_test_{secrets.token_hex(16)}"
base_url = "{address}"
webhook_secrets = ["whsec_{secrets.token_hex(16)}"]

[tenants.{TENANT}.orders]
base_url = "{address}"
token = "{secrets.token_urlsafe(24)}"
"""
