"""The tree is that of RFC 6962, and proofs prove what they say and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.audit.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_ranges,
    continues,
    includes,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    prove,
    root_of,
)

LEAVES = [
    leaf_hash(bytes.fromhex(content))
    for content in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""Inputs and roots that the implementations of certificate-transparency test each other with."""
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def _numbered(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


def _as_the_page_says(leaves: list[bytes]) -> bytes:
    """MTH of section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(_as_the_page_says(leaves[:split]), _as_the_page_says(leaves[split:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root_of(LEAVES[:size]).hex() == ROOTS[size]
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    assert frontier.root().hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            2,
            3,
            ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
        ),
    ],
)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int, path: list[str]) -> None:
    proof = prove(inclusion_ranges(index, size), lambda first, end: root_of(LEAVES[first:end]))
    assert [one.hex() for one in proof] == path


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (1, 1, []),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_consistency_proofs_are_those_of_certificate_transparency(old: int, new: int, path: list[str]) -> None:
    proof = prove(consistency_ranges(old, new), lambda first, end: root_of(LEAVES[first:end]))
    assert [one.hex() for one in proof] == path


@given(st.integers(0, 700))
def test_a_frontier_has_the_root_that_the_page_defines(size: int) -> None:
    leaves = _numbered(size)
    frontier = Frontier()
    frontier.extend(leaves)
    assert frontier.root() == root_of(leaves) == _as_the_page_says(leaves)
    assert Frontier.unpacked(size, frontier.packed()) == frontier


def test_every_leaf_of_every_small_log_is_proved_and_only_at_its_place() -> None:
    for size in range(1, 40):
        leaves = _numbered(size)
        root = root_of(leaves)
        for index in range(size):
            proof = prove(inclusion_ranges(index, size), lambda first, end: root_of(leaves[first:end]))  # noqa: B023
            for place in range(size):
                holds = includes(leaf=leaves[index], index=place, size=size, proof=proof, root=root)
                assert holds == (place == index), (size, index, place)


def test_every_small_log_continues_its_own_beginnings() -> None:
    for new in range(1, 40):
        leaves = _numbered(new)
        for old in range(1, new + 1):
            proof = prove(consistency_ranges(old, new), lambda first, end: root_of(leaves[first:end]))  # noqa: B023
            old_root, new_root = root_of(leaves[:old]), root_of(leaves)
            assert continues(old=old, old_root=old_root, new=new, new_root=new_root, proof=proof)
            forked = root_of([*leaves[: old - 1], leaf_hash(b"another")])
            assert not continues(old=old, old_root=forked, new=new, new_root=new_root, proof=proof)


@given(st.integers(1, 300), st.data())
def test_a_proof_with_any_bit_turned_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = _numbered(size)
    index = data.draw(st.integers(0, size - 1))
    proof = prove(inclusion_ranges(index, size), lambda first, end: root_of(leaves[first:end]))
    packed = bytearray(b"".join([leaves[index], *proof]))
    bit = data.draw(st.integers(0, len(packed) * 8 - 1))
    packed[bit // 8] ^= 1 << bit % 8
    parts = [bytes(packed[at : at + 32]) for at in range(0, len(packed), 32)]
    assert not includes(leaf=parts[0], index=index, size=size, proof=parts[1:], root=root_of(leaves))


def test_a_proof_at_a_million_events_is_below_a_kilobyte() -> None:
    longest = max(len(inclusion_ranges(index, 1_000_000)) for index in range(0, 1_000_000, 997))
    assert longest * 32 <= 640


def test_a_proof_that_is_too_short_or_too_long_proves_nothing() -> None:
    leaves = _numbered(5)
    proof = prove(inclusion_ranges(1, 5), lambda first, end: root_of(leaves[first:end]))
    for wrong in (proof[:-1], [*proof, proof[0]], []):
        assert not includes(leaf=leaves[1], index=1, size=5, proof=wrong, root=root_of(leaves))


def test_what_is_not_in_the_log_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="leaf 3 is not in a log of 3"):
        inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="does not continue"):
        consistency_ranges(4, 3)
    with pytest.raises(ValueError, match="no frontier"):
        Frontier.unpacked(3, b"x" * 32)
    assert root_of([]) == EMPTY_ROOT
