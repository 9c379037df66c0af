"""Checkpoints are signed notes as others read and write them, and nothing is believed that no known key signed."""

from __future__ import annotations

import base64

import pytest

from graph.audit.errors import CheckpointError
from graph.audit.note import Checkpoint, SigningKey, VerifierKey, opened, read, split
from tests.graph.audit.logs import FORGER, SIGNER

ORIGIN = SIGNER.origin("demo")
KEY = SIGNER.key.verifier(ORIGIN)
NOTE = SIGNER.key.sign(Checkpoint(ORIGIN, 7, b"r" * 32))

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
"""The example of https://pkg.go.dev/golang.org/x/mod/sumdb/note."""


def test_a_key_and_a_signature_of_the_go_library_are_read() -> None:
    key, signature = VerifierKey.parse(GO_KEY), base64.b64decode(GO_SIGNATURE)
    assert str(key) == GO_KEY
    assert signature[:4] == key.key_id
    assert key.accepts(GO_TEXT, signature[4:])
    assert not key.accepts(GO_TEXT + b"!", signature[4:])


def test_a_checkpoint_is_three_lines_an_empty_one_and_a_signature() -> None:
    origin, size, root, empty, signature, end = NOTE.split("\n")
    assert (origin, size, root, empty, end) == (ORIGIN, "7", "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=", "", "")
    assert signature.startswith(f"\N{EM DASH} {ORIGIN} ")


def test_what_was_signed_is_opened_with_its_key_and_with_no_other() -> None:
    assert opened(NOTE, [FORGER.key.verifier(ORIGIN), KEY]) == (Checkpoint(ORIGIN, 7, b"r" * 32), KEY)
    for other in (FORGER.key.verifier(ORIGIN), SIGNER.key.verifier("countersign-test/other")):
        with pytest.raises(CheckpointError, match="no known key signed"):
            opened(NOTE, [other])


def test_any_bit_turned_in_a_checkpoint_is_noticed() -> None:
    raw = NOTE.encode()
    for bit in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[bit // 8] ^= 1 << bit % 8
        try:
            checkpoint, _ = opened(turned.decode(), [KEY])
        except (CheckpointError, UnicodeDecodeError):
            continue
        # Base64 has bits that mean nothing and the last line feed carries nothing: what was signed is still the same.
        assert checkpoint == Checkpoint(ORIGIN, 7, b"r" * 32)


def test_lines_and_signatures_of_others_may_follow() -> None:
    witness = FORGER.key.verifier("witness.example")
    extended = NOTE + f"\N{EM DASH} {witness.name} AAAAAAAA\n"
    assert opened(extended, [KEY])[0].size == 7


@pytest.mark.parametrize(
    "note", ["", "a\n1\n", "a\n01\ncnI=\n", "a\n-1\n" + "A" * 44 + "\n", "a\nx\n" + "A" * 44, "\n1\n" + "A" * 44 + "\n"]
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        read(note)


@pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AAAA", GO_KEY.replace("c74f", "c74e"), GO_KEY[:-4]])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="verifier key"):
        VerifierKey.parse(text)


def test_a_name_that_could_be_read_in_two_ways_signs_nothing() -> None:
    with pytest.raises(CheckpointError, match="choose another name"):
        SIGNER.key.verifier("two words")


def test_a_file_of_checkpoints_is_taken_apart_as_it_was_put_together() -> None:
    notes = [SIGNER.key.sign(Checkpoint(ORIGIN, size, bytes([size]) * 32)) for size in (1, 5, 9)]
    assert split("\n".join(notes)) == notes
    assert split("".join(notes)) == notes
    assert split("") == []


def test_a_signing_key_does_not_show_itself() -> None:
    assert "6b6b6b6b" not in repr(SigningKey.from_seed(b"k" * 32))
