"""A file of exported events that grows: a line for each, in the order of their numbers, continued from where it ends.

What a crash cut short at its end is taken away, so an event is there whole or not at all. A file of anything else is
left as it is.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from app.errors import UsageError

LONGEST_LINE: Final = 1 << 20
"""Bytes from the end in which the last whole line is looked for."""

FIRST_BYTES: Final = b'{"v": 1, "tenant_id": '
"""How every line begins, so that what was cut short is known from what somebody else wrote."""


@dataclass(slots=True)
class LineFile:
    """An open file. `last_seq` is the number of the last event in it, -1 where there is none."""

    file: BinaryIO
    last_seq: int

    @classmethod
    def opened(cls, path: Path) -> Self:
        """Open a file to go on with, or make it.

        Raises:
            UsageError: it is there and its last line is no event, or it cannot be written.
        """
        try:
            file = path.open("r+b" if path.exists() else "w+b")
        except OSError as error:
            raise UsageError(f"cannot write {path} ({error.strerror}); name another file with --out") from error
        try:
            return cls(file, _continued(file, path))
        except UsageError:
            file.close()
            raise

    def append(self, line: str) -> None:
        """Add one event."""
        self.file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Bring everything to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


def _continued(file: BinaryIO, path: Path) -> int:
    """The number of the last whole event; the file is cut behind it and stands at its end."""
    size = file.seek(0, os.SEEK_END)
    begins = file.seek(max(0, size - LONGEST_LINE))
    whole, newline, rest = file.read().rpartition(b"\n")
    try:
        last_seq = int(json.loads(whole.rpartition(b"\n")[2])["seq"]) if newline else -1
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not end with an event: name another with --out") from error
    if rest[: len(FIRST_BYTES)] != FIRST_BYTES[: len(rest)]:
        raise UsageError(f"{path} does not end with an event: name another with --out")
    file.truncate(begins + len(whole) + len(newline))
    file.seek(0, os.SEEK_END)
    return last_seq
