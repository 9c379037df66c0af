"""What keeps checkpoints is given them over the wire it really has: a file, HTTP, the API of S3."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from connectors.errors import AccessDenied, VendorRefused, VendorUnavailable
from connectors.witness.bucket import WitnessBucket
from connectors.witness.errors import SawAnotherSize
from connectors.witness.folder import WitnessFolder
from connectors.witness.service import SIGNATURE_HEADER, WitnessService

NOW = datetime.now(UTC).replace(microsecond=0)  # moto checks that a lock ends in the future of the machine's clock
ORIGIN = "countersign-test/demo"
SECRET = "witness-secret"


def note(size: int) -> str:
    return f"{ORIGIN}\n{size}\nAAAA\n\n\N{EM DASH} {ORIGIN} AAAAAAAA\n"


Answer = Callable[[bytes], tuple[int, str]]


@contextmanager
def witness(answer: Answer) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A real HTTP server that answers as told and remembers what it was sent."""
    seen: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((dict(self.headers), body))
            status, text = answer(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/add-checkpoint", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_folder_keeps_every_note_and_gives_back_the_last(tmp_path: Path) -> None:
    folder = WitnessFolder("worm", tmp_path / "kept")
    assert folder.newest(ORIGIN) is None
    for size in (1, 20, 300):
        folder.keep(note(size), origin=ORIGIN, old=0, proof=[])
        assert folder.newest(ORIGIN) == note(size)
    assert folder.path(ORIGIN).read_text() == "\n".join(note(size) for size in (1, 20, 300)) + "\n"


def test_logs_have_files_of_their_own(tmp_path: Path) -> None:
    folder = WitnessFolder("worm", tmp_path)
    assert folder.path("a/demo") != folder.path("a/other")
    assert folder.path("a/*").parent == tmp_path


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VendorUnavailable, match="see that it can be written"):
        WitnessFolder("worm", tmp_path / "file").keep(note(1), origin=ORIGIN, old=0, proof=[])


def test_a_witness_gets_the_old_size_the_proof_and_the_note_and_a_signature_over_it() -> None:
    with witness(lambda _: (200, "")) as (url, seen):
        service = WitnessService("w", url, lambda: NOW, secret=SECRET)
        service.keep(note(9), origin=ORIGIN, old=4, proof=[b"a" * 32, b"b" * 32])
    headers, body = seen[0]
    assert body.decode() == (
        "old 4\nYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n"
        f"YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=\n\n{note(9)}"
    )
    seconds = str(int(NOW.timestamp()))
    signed = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE_HEADER] == f"t={seconds},v1={signed}"
    assert SECRET not in repr(service)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, VendorUnavailable),
        (503, VendorUnavailable),
        (429, VendorUnavailable),
        (401, AccessDenied),
        (422, VendorRefused),
        (302, VendorRefused),
    ],
)
def test_a_witness_that_refuses_is_told_apart_from_one_that_is_away(status: int, error: type[Exception]) -> None:
    with witness(lambda _: (status, "")) as (url, seen), pytest.raises(error, match=str(status)):
        WitnessService("w", url, lambda: NOW).keep(note(9), origin=ORIGIN, old=0, proof=[])
    assert len(seen) == 1


def test_a_witness_that_saw_another_size_names_it() -> None:
    with witness(lambda _: (409, "17\n")) as (url, _), pytest.raises(SawAnotherSize) as caught:
        WitnessService("w", url, lambda: NOW).keep(note(9), origin=ORIGIN, old=0, proof=[])
    assert caught.value.size == 17


def test_a_witness_that_does_not_answer_is_away() -> None:
    with pytest.raises(VendorUnavailable, match="does not answer"):
        WitnessService("w", "http://127.0.0.1:9/", lambda: NOW, timeout_s=2).keep(
            note(1), origin=ORIGIN, old=0, proof=[]
        )


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """S3 as moto plays it, over HTTP."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    return boto3.client("s3", endpoint_url=s3, region_name="us-east-1")


def test_an_object_cannot_be_deleted_before_its_time(client: Any, s3: str) -> None:
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    bucket = WitnessBucket("s3", "locked", lambda: NOW, region="us-east-1", endpoint_url=s3, retain_days=30)
    for size in (9, 120):
        bucket.keep(note(size), origin=ORIGIN, old=0, proof=[])
    listed = client.list_object_versions(Bucket="locked")["Versions"]
    assert [one["Key"] for one in listed] == [bucket.key(ORIGIN, size) for size in (9, 120)]
    one = {"Bucket": "locked", "Key": listed[0]["Key"], "VersionId": listed[0]["VersionId"]}
    assert client.get_object(**one)["Body"].read().decode() == note(9)
    kept = client.head_object(**one)
    assert (kept["ObjectLockMode"], kept["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", NOW + timedelta(days=30))
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(**one)


@pytest.mark.parametrize("name", ["not-there", "unlocked"])
def test_a_bucket_that_cannot_lock_is_refused(client: Any, s3: str, name: str) -> None:
    if name == "unlocked":
        client.create_bucket(Bucket=name)
    with pytest.raises(VendorRefused, match="make it with Object Lock"):
        WitnessBucket("s3", name, lambda: NOW, region="us-east-1", endpoint_url=s3).keep(
            note(1), origin=ORIGIN, old=0, proof=[]
        )


def test_a_bucket_that_does_not_answer_is_away(client: Any) -> None:
    del client  # for the credentials
    with pytest.raises(VendorUnavailable, match="does not answer"):
        WitnessBucket("s3", "any", lambda: NOW, region="us-east-1", endpoint_url="http://127.0.0.1:9").keep(
            note(1), origin=ORIGIN, old=0, proof=[]
        )
