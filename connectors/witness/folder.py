"""A folder of checkpoints: one file for each log, only ever appended to, each note followed by an empty line.

It is outside of the database, and only as safe as the folder: put it on a disk, a share or an append-only file system
that who owns the database cannot write to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import VendorUnavailable

_TAIL_BYTES: Final = 4096
"""More than the longest checkpoint."""


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """Keeps every checkpoint it is given."""

    name: str
    folder: Path
    every_s: float = 1.0

    def path(self, origin: str) -> Path:
        """The file of one log."""
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.@-]', '_', origin)}.checkpoints"

    def newest(self, origin: str) -> str | None:
        """The note that was kept last, or None where there is none.

        Raises:
            VendorUnavailable: the folder cannot be read.
        """
        try:
            with self.path(origin).open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _TAIL_BYTES))
                tail = file.read().decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error
        tail = tail.rstrip("\n") + "\n"
        return tail[tail.rfind(f"\n{origin}\n") + 1 :]

    def keep(self, note: str, *, origin: str, old: int, proof: Sequence[bytes]) -> None:  # noqa: ARG002 - a witness needs them
        """Append one note and see it written to the disk.

        Raises:
            VendorUnavailable: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path(origin), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            with os.fdopen(descriptor, "ab") as file:
                file.write(note.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> VendorUnavailable:
        reason = (error.strerror or str(error)).lower()
        return VendorUnavailable(
            f"the folder {str(self.folder)!r} cannot be used: {reason}; see that it can be written"
        )
