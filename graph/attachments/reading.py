"""One file in, its redacted pages out; whatever the file is, the answer is one of a few named outcomes.

The parsers run in a process that gets the bytes and nothing else: no environment, limits on memory and processor time,
and it is killed when its time is over. What it prints is not trusted either: its size and its form are checked.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graph.attachments import opener
from graph.attachments.files import FileKind, FileOutcome, Page, ReadFile
from graph.pictures import MAX_BYTES
from graph.redaction.profile import KnownProfile
from graph.redaction.redact import RedactionError, redact

MAX_FILES: Final = 5
"""Files of one message that are opened."""
TIME_LIMIT_S: Final = 20.0
"""Beside the limit on processor time: a machine may be busy with other things."""
MAX_NAME: Final = 100
_MAX_ANSWER_BYTES: Final = 1_000_000
_UNNAMEABLE: Final = re.compile(r"[^\w .,()+-]")


class _Page(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    number: Annotated[int, Field(ge=1, le=opener.MAX_PAGES)]
    text: Annotated[str, Field(max_length=opener.MAX_CHARACTERS)]


class _Answer(BaseModel):
    """What the opener may say."""

    model_config = ConfigDict(extra="forbid")

    kind: FileKind
    outcome: FileOutcome
    pages: Annotated[tuple[_Page, ...], Field(max_length=opener.MAX_PAGES)] = ()
    page_count: Annotated[int | None, Field(ge=0)] = None
    hidden_characters: Annotated[int, Field(ge=0)] = 0


async def read_file(name: str, content: bytes, known: KnownProfile, *, time_limit_s: float = TIME_LIMIT_S) -> ReadFile:
    """Read one file.

    Args:
        name: as the sender wrote it; redacted like the text.
        content: at most `MAX_BYTES`, else nothing is opened.
        known: the requester's own data, to be taken out.
        time_limit_s: seconds until the process is killed.
    """
    if len(content) > MAX_BYTES:
        return unread(name, FileOutcome.TOO_LARGE, known)
    answer = await _opened(content, time_limit_s)
    try:
        pages = tuple(Page(one.number, redact(one.text, known).text) for one in answer.pages)
    except RedactionError:
        return unread(name, FileOutcome.WITHHELD, known)
    shown = _shown(name, known)
    return ReadFile(shown, answer.kind, answer.outcome, pages, answer.page_count, answer.hidden_characters)


def unread(name: str, outcome: FileOutcome, known: KnownProfile) -> ReadFile:
    """A file that was not opened, or of which nothing may be kept."""
    return ReadFile(_shown(name, known), FileKind.OTHER, outcome)


def _shown(name: str, known: KnownProfile) -> str:
    """A name is its sender's text: letters and figures of it are kept, and no address or number of a person."""
    try:
        return _UNNAMEABLE.sub("_", redact(name, known).text)[:MAX_NAME] or "file"
    except RedactionError:
        return "file"


async def _opened(content: bytes, time_limit_s: float) -> _Answer:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(opener.__file__)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        limit=_MAX_ANSWER_BYTES,
    )
    try:
        async with asyncio.timeout(time_limit_s):
            printed = await _conversed(process, content)
            status = await process.wait()
    except TimeoutError:
        return _Answer(kind=FileKind.OTHER, outcome=FileOutcome.TOO_SLOW)
    finally:
        # Also where the run itself is cancelled: no opener outlives whoever asked it.
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if status in {-signal.SIGXCPU, -signal.SIGKILL}:
        return _Answer(kind=FileKind.OTHER, outcome=FileOutcome.TOO_SLOW)
    try:
        return _Answer.model_validate_json(printed)
    except ValidationError:
        return _Answer(kind=FileKind.OTHER, outcome=FileOutcome.BROKEN)


async def _conversed(process: asyncio.subprocess.Process, content: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it may have died of what it read
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()
    printed = bytearray()
    while len(printed) <= _MAX_ANSWER_BYTES and (chunk := await process.stdout.read(65_536)):
        printed += chunk
    if len(printed) > _MAX_ANSWER_BYTES:
        process.kill()
        return b""
    return bytes(printed)
