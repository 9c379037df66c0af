"""A photo is known again by how it looks; whatever is no photo is passed over, whatever it claims to be."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime

import pytest
from PIL import Image

from graph.erasure.erase import erase
from graph.pictures import NEAR, Fingerprint, fingerprint, is_repeated, remember
from graph.vault import Vault
from tests.graph.lifecycle.versions import Office
from tests.graph.photos import a_photo

VAULT = Vault({"k1": b"m" * 32}, "k1")
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def known(content: bytes) -> Fingerprint:
    found = fingerprint(content)
    assert found is not None
    return found


def apart(one: Fingerprint, other: Fingerprint) -> int:
    return ((one.look ^ other.look) & (2**64 - 1)).bit_count()


def test_a_photo_looks_the_same_in_another_size_quality_and_format_and_other_photos_do_not() -> None:
    first = known(a_photo(1))
    for copy in (a_photo(1, quality=40), a_photo(1, side=250), a_photo(1, format="PNG"), a_photo(1, format="WEBP")):
        assert known(copy).sha256 != first.sha256
        assert apart(known(copy), first) <= NEAR
    looks = [known(a_photo(seed, side=120)) for seed in range(40)]
    least = min(apart(one, other) for place, one in enumerate(looks) for other in looks[:place])
    assert least > 2 * NEAR


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n",
        a_photo(1)[:200],
        a_photo(1, side=99),
        b"%!PS-Adobe-3.0\n",
        b"<svg/>",
    ],
)
def test_what_is_no_photo_is_passed_over(content: bytes) -> None:
    assert fingerprint(content) is None


def test_a_picture_that_would_fill_the_memory_is_not_opened() -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    assert fingerprint(bomb.getvalue()) is None


def test_bytes_at_random_never_raise() -> None:
    chance, photo = random.Random(7), a_photo(3, side=120)
    for _ in range(150):
        broken = bytearray(photo)
        for _ in range(chance.randrange(1, 30)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        fingerprint(bytes(broken[: chance.randrange(len(broken))]))


async def test_a_picture_counts_as_repeated_on_another_ticket_only_and_goes_with_the_person(office: Office) -> None:
    first, copy, other = known(a_photo(1)), known(a_photo(1, quality=40)), known(a_photo(2))
    async with office.database.tenant(office.tenant) as session:
        assert not await is_repeated(session, office.tenant, "1", [first])
        await remember(session, office.tenant, "1", [first], subject_id="zendesk/user/1", now=NOW)
        assert not await is_repeated(session, office.tenant, "1", [first]), "its own ticket"
        assert await is_repeated(session, office.tenant, "2", [copy])
        assert not await is_repeated(session, office.tenant, "2", [other])
        await erase(session, office.tenant, "zendesk/user/1", vault=VAULT, actor="x", now=NOW, new_id=str)
        assert not await is_repeated(session, office.tenant, "2", [copy])
