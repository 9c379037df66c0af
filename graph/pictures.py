"""Pictures that were sent before: each is known by its bytes and by how it looks, never kept.

The same photo under a second complaint is a sign of abuse and no proof, so it makes a person look. How a picture looks
is a perceptual hash (https://www.phash.org/docs/pubs/thesis_zauner.pdf), which survives scaling and a new compression.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import imagehash
from PIL import Image, UnidentifiedImageError
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from graph.runs.models import SeenPicture

MAX_PICTURES: Final = 5
"""Pictures of one message that are looked at."""
MAX_BYTES: Final = 10_000_000
"""Of one file, whatever it is."""
MAX_PIXELS: Final = 50_000_000
MIN_SIDE: Final = 100
"""A smaller picture is a logo or a smiley, which many mails share."""
NEAR: Final = 4
"""Bits of 64 in which the hashes of two copies of one photo may differ. Different photos differ in about 32."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is opened at all: each further decoder is one more way in."""

_REPEATED: Final = text(
    """
    SELECT EXISTS (
      SELECT 1 FROM seen_picture
       WHERE tenant_id = :tenant_id AND ticket_id <> :ticket_id
         AND (sha256 = ANY(:sha256s)
              OR EXISTS (SELECT 1 FROM unnest(CAST(:looks AS bigint[])) AS new (look)
                          WHERE bit_count((seen_picture.look # new.look)::bit(64)) <= :near)))
        OR EXISTS (
      SELECT 1 FROM seen_picture mine JOIN seen_picture other USING (tenant_id)
       WHERE mine.tenant_id = :tenant_id AND mine.ticket_id = :ticket_id AND other.ticket_id <> :ticket_id
         AND other.seen_at < mine.seen_at
         AND (other.sha256 = mine.sha256 OR bit_count((other.look # mine.look)::bit(64)) <= :near))
    """,
)
"""Also by what this ticket's earlier messages showed: a later message without a picture does not take that back."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture is known by: SHA-256 of its bytes in hexadecimal, and 64 bits of how it looks, as a signed int."""

    sha256: str
    look: int


def fingerprint(content: bytes) -> Fingerprint | None:
    """What the picture is known by; None where it is none that can be opened, too small or too large."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height = picture.size
                if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS:
                    return None
                look = int(str(imagehash.phash(picture)), 16)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombWarning):
        # Pillow raises all of these for what is not what it claims to be.
        return None
    except Image.DecompressionBombError:
        return None
    return Fingerprint(hashlib.sha256(content).hexdigest(), look - 2**64 if look >= 2**63 else look)


async def is_repeated(session: AsyncSession, tenant_id: str, ticket_id: str, prints: Sequence[Fingerprint]) -> bool:
    """Whether a picture of this ticket was on another one before."""
    values = {
        "tenant_id": tenant_id,
        "ticket_id": ticket_id,
        "sha256s": [one.sha256 for one in prints],
        "looks": [one.look for one in prints],
        "near": NEAR,
    }
    return bool((await session.execute(_REPEATED, values)).scalar_one())


async def remember(
    session: AsyncSession,
    tenant_id: str,
    ticket_id: str,
    prints: Sequence[Fingerprint],
    *,
    subject_id: str,
    now: datetime,
) -> None:
    """Keep what the pictures are known by, once for each ticket, in the session's transaction."""
    if not prints:
        return
    rows = [
        {
            "tenant_id": tenant_id,
            "ticket_id": ticket_id,
            "sha256": one.sha256,
            "look": one.look,
            "subject_id": subject_id,
            "seen_at": now,
        }
        for one in dict.fromkeys(prints)
    ]
    await session.execute(insert(SeenPicture).values(rows).on_conflict_do_nothing())
