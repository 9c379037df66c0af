"""Checkpoints of the log as signed notes: the origin, the size and the root, and below them Ed25519 signatures.

The formats are https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint, so that others' tools can read them.
A key's name is the origin of the log that it signs, as the latter page asks; one key pair may sign several logs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from graph.audit.errors import CheckpointError
from graph.audit.tree import HASH_BYTES

SEED_BYTES: Final = 32
_ED25519: Final = b"\x01"
_ID_BYTES: Final = 4
_MARK: Final = "\N{EM DASH} "
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_NAME: Final = re.compile(r"[!-*,-~]+")
"""Printable ASCII without the space and the plus sign, which separate fields."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name of what it signs."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash over name, algorithm and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.raw)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `str` wrote.

        Raises:
            CheckpointError: it is no verifier key for Ed25519.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = _decoded(encoded) or b""
        key = cls(name, raw[1:])
        if raw[:1] != _ED25519 or len(raw) != 1 + SEED_BYTES or not _NAME.fullmatch(name) or key.key_id.hex() != key_id:
            raise CheckpointError(f"{text[:80]!r} is no Ed25519 verifier key: write it as name+id+key")
        return key

    def accepts(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair of the installation. It shows only its public half."""

    _private: Ed25519PrivateKey

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """The key pair of 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def __repr__(self) -> str:
        return f"SigningKey({self._private.public_key().public_bytes_raw().hex()[:16]!r})"

    def verifier(self, origin: str) -> VerifierKey:
        """The public half, under the name of a log."""
        if not _NAME.fullmatch(origin):
            raise CheckpointError(f"origin {origin!r} has a space, a plus or no ASCII: choose another name")
        return VerifierKey(origin, self._private.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a note that this key signed."""
        text, key = checkpoint.text(), self.verifier(checkpoint.origin)
        return f"{text}\n{_MARK}{key.name} {_base64(key.key_id + self._private.sign(text.encode()))}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at one moment."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def read(note: str) -> Checkpoint:
    """The checkpoint of a note, whoever signed it. Lines after the third extend it and are signed, too.

    Raises:
        CheckpointError: it is no checkpoint.
    """
    lines = note.partition("\n\n")[0].split("\n")
    root = _decoded(lines[2]) if len(lines) > 2 else None  # noqa: PLR2004 - origin, size, root
    if root is None or len(root) != HASH_BYTES or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise CheckpointError(f"{note[:60]!r} is no checkpoint: it begins with the lines origin, size and root")
    return Checkpoint(lines[0], int(lines[1]), root)


def opened(note: str, keys: Iterable[VerifierKey]) -> tuple[Checkpoint, VerifierKey]:
    """The checkpoint of a note that one of the keys signed under the log's own origin, and that key.

    Raises:
        CheckpointError: it is no checkpoint, or none of the keys signed it.
    """
    checkpoint = read(note)
    text, _, block = note.rpartition("\n\n")
    signed = (text + "\n").encode()
    known = [key for key in keys if key.name == checkpoint.origin]
    for line in block.split("\n"):
        if not line.startswith(_MARK):
            continue
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        signature = _decoded(encoded) or b""
        for key in known:
            if name == key.name and signature[:_ID_BYTES] == key.key_id and key.accepts(signed, signature[_ID_BYTES:]):
                return checkpoint, key
    raise CheckpointError(
        f"no known key signed the checkpoint of {checkpoint.origin!r} at {checkpoint.size}: "
        "get the log's verifier key from who runs it, or look for a forged log",
    )


def split(notes: str) -> list[str]:
    """The notes of a file in which they stand one after the other, in their order."""
    found: list[str] = []
    for line in notes.splitlines(keepends=True):
        begins = not found or (_is_signed(found[-1]) and not line.startswith(_MARK))
        if begins and line.strip():
            found.append(line)
        elif found and not begins:
            found[-1] += line
    return found


def _is_signed(note: str) -> bool:
    return f"\n{_MARK}" in note


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def newest(notes: Sequence[str]) -> Checkpoint | None:
    """The checkpoint of the largest size, unchecked."""
    return max((read(note) for note in notes), key=lambda one: one.size, default=None)
