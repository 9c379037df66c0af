"""Keys of 32 bytes as text, and files that only their owner reads."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Final

from app.errors import SettingsError

KEY_BYTES: Final = 32


def decode_key(text: str) -> bytes:
    """The bytes of a key.

    Raises:
        ValueError: it is not 32 bytes in base64.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64; make one with `openssl rand -base64 32`") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"has {len(key)} bytes instead of 32; make one with `openssl rand -base64 32`")
    return key


def new_key_line() -> str:
    """A fresh key as text."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a file of keys.

    Raises:
        SettingsError: it cannot be read, or is open to others.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError([f"the {what} {str(path)!r} is open to others; run `chmod 600` on it"])
        return path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(path, what, error) from error


def unusable(path: Path, what: str, error: Exception) -> SettingsError:
    """What to say of a file that cannot be read or written."""
    reason = error.strerror if isinstance(error, OSError) else "it is not text"
    return SettingsError([f"the {what} {str(path)!r} cannot be used: {reason}; choose a data_dir you may write to"])


def create_secret_file(path: Path, text: str) -> None:
    """Create a file that only its owner reads, unless it is there already.

    Written beside its place and linked, so that of two processes one wins and both read a whole file.
    """
    scratch = _written_beside(path, text)
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass  # the other process was first; its file holds
    finally:
        scratch.unlink()


def replace_secret_file(path: Path, text: str) -> None:
    """Put a whole new text in the place of a file that only its owner reads."""
    _written_beside(path, text).replace(path)


def _written_beside(path: Path, text: str) -> Path:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return scratch
