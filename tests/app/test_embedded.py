"""The embedded server is shared, survives what kills its users or itself, and says clearly why it cannot start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from app.embedded import EmbeddedServer
from app.errors import EmbeddedError

HOLDER = """
import sys, time
from pathlib import Path
from app.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print("started", flush=True)
if sys.argv[2] == "wait":
    sys.stdin.readline()
server.release()
print("released", flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, because pytest's own are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="cs-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "data"


def a_holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until it is told to stop."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "started\n"
    return holder


def let_go(holder: subprocess.Popen[str]) -> None:
    assert holder.communicate("\n", timeout=60)[0] == "released\n"


def count_of(server: EmbeddedServer) -> int:
    with psycopg.connect(server.admin_url()) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert row is not None
        return int(row[0])


def keep_a_row(server: EmbeddedServer) -> None:
    with psycopg.connect(server.admin_url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (a int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def test_the_server_stops_with_the_last_who_uses_it_and_not_before(folder: Path) -> None:
    holder = a_holder(folder)
    first, second = EmbeddedServer(folder), EmbeddedServer(folder)
    first.start()
    second.start()
    first.release()
    assert second.is_running()
    let_go(holder)
    assert second.is_running(), "another process left"
    second.release()
    assert not second.is_running()


def test_a_killed_user_neither_stops_the_server_nor_keeps_it_up_for_ever(folder: Path) -> None:
    holder = a_holder(folder)
    with EmbeddedServer(folder) as server:
        keep_a_row(server)
        holder.kill()
        holder.communicate()
        assert count_of(server) == 1
    assert not server.is_running()


def test_nothing_is_lost_when_everything_is_killed(folder: Path) -> None:
    holder = a_holder(folder)
    server = EmbeddedServer(folder)
    server.start()
    keep_a_row(server)
    postmaster = int((folder / "pg" / "postmaster.pid").read_text().split("\n")[0])
    children = psutil.Process(postmaster).children(recursive=True)
    for process_id in (holder.pid, postmaster, *(child.pid for child in children)):
        os.kill(process_id, signal.SIGKILL)
    holder.communicate()
    with EmbeddedServer(folder) as again:
        assert count_of(again) == 1
    server.release()


def test_a_pid_file_that_names_somebody_else_does_not_stop_a_start(folder: Path) -> None:
    with EmbeddedServer(folder) as server:
        keep_a_row(server)
        lines = (folder / "pg" / "postmaster.pid").read_text().split("\n")
    (folder / "pg" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with EmbeddedServer(folder) as server:
        assert count_of(server) == 1


def test_a_half_made_cluster_is_made_again(folder: Path) -> None:
    (folder / "pg.new").mkdir(parents=True)
    (folder / "pg.new" / "PG_VERSION").write_text("18")
    (folder / "pg").mkdir()
    with EmbeddedServer(folder) as server:
        keep_a_row(server)
        assert not (folder / "pg.new").exists()


def test_a_folder_with_a_path_too_long_for_a_socket_works(folder: Path) -> None:
    with EmbeddedServer(folder / ("long" * 30)) as server:
        keep_a_row(server)
        assert len(os.fsencode(server.socket_folder)) < 100
        assert server.socket_folder.stat().st_mode & 0o077 == 0


def test_a_socket_folder_that_is_open_to_others_is_refused(folder: Path) -> None:
    server = EmbeddedServer(folder / ("open" * 30))
    with server:
        short = server.socket_folder
    short.chmod(0o777)
    with pytest.raises(EmbeddedError, match="is open to others"):
        server.start()
    short.rmdir()


@pytest.mark.parametrize("place", ["/proc/nobody/here", "{folder}/file"])
def test_a_folder_that_cannot_be_used_is_one_clear_line(folder: Path, place: str) -> None:
    folder.mkdir()
    (folder / "file").write_text("")
    with pytest.raises(EmbeddedError, match="set COUNTERSIGN_DATA_DIR to a folder you may write to") as caught:
        EmbeddedServer(Path(place.format(folder=folder))).start()
    assert "\n" not in str(caught.value)


def test_foreign_files_in_the_servers_place_are_left_alone(folder: Path) -> None:
    (folder / "pg").mkdir(parents=True)
    (folder / "pg" / "thesis.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="did not start"):
        EmbeddedServer(folder).start()
    assert (folder / "pg" / "thesis.txt").read_text() == "mine"


def test_a_damaged_cluster_says_what_the_server_said(folder: Path) -> None:
    with EmbeddedServer(folder):
        pass
    (folder / "pg" / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(EmbeddedError, match=r"PANIC|FATAL"):
        EmbeddedServer(folder).start()
