"""Checks what Countersign hands out about its log, without Countersign: an evidence bundle, or a whole exported log.

    python verify_bundle.py bundle.json --key KEY
    python verify_bundle.py export.jsonl --key KEY --checkpoints FILE

Needs Python 3.11 and the package `cryptography`, for Ed25519. Everything else is SHA-256 and JSON, below.

KEY is a verifier key of the log (a line of `audit.pub`), which you must have from somewhere else than the bundle.
FILE holds checkpoints that were published while the log grew: kept by you, by a witness, or in a locked bucket.
What is shown: each event is in the log, at its place, as it was written (RFC 6962), and the log is the one that was
signed (https://c2sp.org/tlog-checkpoint). What cannot be shown: that an event is true, and that nothing came after the
newest checkpoint you have. Exit status 0: all holds. 1: something does not, and is named. 2: a file cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MARK = "\u2014 "
HASH_BYTES = 32
FORMAT = "countersign evidence 1"
JSON = dict[str, Any]


class Unsigned(Exception):
    """A checkpoint that no key that was given has signed."""


# ---- Leaves -------------------------------------------------------------------------------------------------------


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value (RFC 8785): keys sorted by UTF-16, no spaces, integers only."""

    def ordered(part: object) -> object:
        if isinstance(part, float):
            raise ValueError(f"the number {part} is no integer")  # noqa: TRY004 - what the file says is wrong
        if isinstance(part, dict):
            return {key: ordered(part[key]) for key in sorted(part, key=lambda key: key.encode("utf-16-be"))}
        return [ordered(one) for one in part] if isinstance(part, list) else part

    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode()


def leaf_hash(leaf: JSON) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + canonical(leaf)).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# ---- The tree -----------------------------------------------------------------------------------------------------


def root_from(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to: RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        raise ValueError(f"it cannot be number {index} in a log of {size}")
    root, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            raise ValueError("its proof is too long")
        if index & 1 or index == last:
            root = node_hash(sibling, root)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        index, last = index >> 1, last >> 1
    if last:
        raise ValueError("its proof is too short")
    return root


class Growing:
    """The root of a log while it grows: the complete subtrees so far, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        size = self.size
        while size & 1:
            leaf, size = node_hash(self.peaks.pop(), leaf), size >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root now."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        *others, root = self.peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root


# ---- Checkpoints --------------------------------------------------------------------------------------------------


def open_checkpoint(note: str, keys: list[str]) -> tuple[str, int, bytes]:
    """Origin, size and root of a note that one of the keys signed."""
    body, _, signatures = note.rpartition("\n\n")
    origin, size, root, *_ = body.split("\n")
    for line in signatures.split("\n"):
        name, _, encoded = line.removeprefix(MARK).partition(" ")
        for key in keys:
            key_name, _, rest = key.strip().partition("+")
            key_id, _, material = rest.partition("+")
            algorithm_and_key, signature = base64.b64decode(material), base64.b64decode(encoded)
            expected = hashlib.sha256(key_name.encode() + b"\n" + algorithm_and_key).hexdigest()[:8]
            if not (name == key_name == origin and signature[:4].hex() == key_id == expected):
                continue
            if algorithm_and_key[:1] != b"\x01":
                continue
            try:
                public = Ed25519PublicKey.from_public_bytes(algorithm_and_key[1:])
                public.verify(signature[4:], f"{body}\n".encode())
            except InvalidSignature:
                continue
            return origin, int(size), base64.b64decode(root)
    raise Unsigned(f"the checkpoint of {origin!r} at {size} is not signed by a key that was given")


def notes_of(text: str) -> list[str]:
    """The notes of a file, in which they stand one after the other."""
    notes: list[str] = []
    for line in text.splitlines(keepends=True):
        if not notes or (f"\n{MARK}" in notes[-1] and not line.startswith(MARK)):
            if line.strip():
                notes.append(line)
        else:
            notes[-1] += line
    return notes


# ---- What is checked ----------------------------------------------------------------------------------------------


def check_bundle(bundle: JSON, keys: list[str], published: list[str]) -> tuple[list[str], str]:
    """What does not hold in a bundle, and what was checked."""
    problems: list[str] = []
    origin, size, root = open_checkpoint(bundle["checkpoint"], keys)
    if published and (origin, size, root) not in [open_checkpoint(note, keys) for note in published]:
        problems.append(f"the checkpoint at {size} is not among those that were published")
    if origin.rpartition("/")[2] != bundle["tenant_id"]:
        problems.append(f"the bundle of {bundle['tenant_id']!r} has a checkpoint of {origin!r}")
    if {one["leaf"]["ticket_id"] for one in bundle["events"]} - {None} != {bundle["ticket_id"]}:
        problems.append(f"these are not the events of ticket {bundle['ticket_id']!r}")
    commitments: set[tuple[str, str]] = set()
    for event in bundle["events"]:
        leaf, proof = event["leaf"], [base64.b64decode(one) for one in event["proof"]]
        try:
            if root_from(leaf_hash(leaf), leaf["seq"], size, proof) != root or leaf["tenant_id"] != bundle["tenant_id"]:
                problems.append(f"event {leaf['seq']} ({leaf['kind']}) is not in the log as the bundle has it")
        except ValueError as error:
            problems.append(f"event {leaf['seq']} ({leaf['kind']}): {error}")
        commitments |= {*leaf["commitments"].items(), *leaf["body"].get("outputs", {}).items()}
    for one in bundle["opened"]:
        value = base64.b64decode(one["salt"]) + one["value"].encode()
        if (one["what"], one["commitment"]) not in commitments or hashlib.sha256(value).hexdigest() != one[
            "commitment"
        ]:
            problems.append(f"the opened {one['what']!r} is not what an event commits to")
    told = f"{len(bundle['events'])} events and {len(bundle['opened'])} opened values of ticket {bundle['ticket_id']}"
    return problems, f"{told}, in the log {origin} of {size} events"


def check_export(lines: list[str], keys: list[str], published: list[str]) -> tuple[list[str], str]:
    """What does not hold in an exported log, and what was checked."""
    problems: list[str] = []
    claims: dict[int, set[bytes]] = {}
    for note in published:
        _, size, root = open_checkpoint(note, keys)
        claims.setdefault(size, set()).add(root)
    growing, agreed = Growing(), 0
    for line in lines:
        leaf = json.loads(line)
        stored = bytes.fromhex(leaf.pop("leaf_hash"))
        if leaf["seq"] != growing.size:
            return [*problems, f"event {growing.size} is missing: event {leaf['seq']} follows"], ""
        if leaf_hash(leaf) != stored:
            problems.append(f"event {leaf['seq']} ({leaf['kind']}) was altered")
        growing.append(stored)
        for root in claims.pop(growing.size, ()):
            if root != growing.root():
                return [*problems, f"events {agreed} to {growing.size - 1} are not all those that were signed"], ""
            agreed = growing.size
    problems += [f"the log was cut: {size} events were signed, {growing.size} are left" for size in claims]
    unsigned = growing.size - agreed
    return problems, f"{growing.size} events, {unsigned} of them behind the newest of {len(published)} checkpoints"


def main() -> int:
    """Check one file."""
    parser = argparse.ArgumentParser(description="Check an evidence bundle or an exported log of Countersign.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", action="append", default=[], help="verifier key, or a file of them")
    parser.add_argument("--checkpoints", action="append", type=Path, default=[], help="file of published checkpoints")
    given = parser.parse_args()
    try:
        keys = [line for key in given.key for line in (Path(key).read_text().split() if Path(key).is_file() else [key])]
        published = [note for path in given.checkpoints for note in notes_of(path.read_text("utf-8"))]
        text = given.file.read_text("utf-8")
        bundle = json.loads(text) if given.file.suffix == ".json" else {}
        if not keys and bundle:
            sys.stderr.write("no --key: the key in the bundle is taken, which proves nothing about who signed\n")
            keys = bundle["keys"]
        if bundle and bundle["format"] != FORMAT:
            raise ValueError(f"the format {bundle['format']!r} is not {FORMAT!r}")  # noqa: TRY301
        if not bundle:
            own = {json.loads(text.split("\n", 1)[0])["tenant_id"]} if text else set()
            published = [note for note in published if note.split("\n")[0].rpartition("/")[2] in own]
        check = (
            check_bundle(bundle, keys, published) if bundle else check_export(text.split("\n")[:-1], keys, published)
        )
    except Unsigned as error:
        check = [str(error)], ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"{given.file}: {type(error).__name__}: {error}\n")
        return 2
    problems, told = check
    sys.stdout.writelines(f"DOES NOT HOLD: {problem}\n" for problem in problems)
    sys.stdout.write(f"checked {told}\n" if told else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
