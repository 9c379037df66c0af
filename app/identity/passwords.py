"""Passwords by Argon2id: hashing, checking, and what a password must be.

Checking takes as long for an account that does not exist, has no password or is disabled as for any other, so that the
time says nothing. At most two hashes are computed at a time: each takes 64 MiB, and strangers may ask for them.
https://www.rfc-editor.org/rfc/rfc9106, https://pages.nist.gov/800-63-4/sp800-63b.html
"""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

SHORTEST: Final = 12
LONGEST: Final = 512
DIFFERENT: Final = 5
"""Letters that a password must have at least, each counted once."""
AT_ONCE: Final = 2

_HASHER: Final = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether the password is the right one, and its hash under the parameters of today where those have changed."""

    holds: bool
    new_hash: str | None = None


class Passwords:
    """The hasher of one process and event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """The hash to store, with its salt and parameters."""
        async with self._turn:
            return await asyncio.to_thread(hash_password, password)

    async def check(self, stored: str | None, password: str) -> Checked:
        """Compare with what is stored; None is nobody's, and takes as long."""
        async with self._turn:
            return await asyncio.to_thread(_check, stored, _one_spelling(password[: LONGEST + 1]))


def hash_password(password: str) -> str:
    """The hash to store, with its salt and parameters. Takes a while."""
    return _HASHER.hash(_one_spelling(password))


def unfit(password: str, *, email: str) -> str | None:
    """What is wrong with a new password, as a sentence; None where nothing is.

    Long is all that helps, so length is all that is asked for, besides not being the address or a few letters again.
    """
    spelled = _one_spelling(password)
    if len(spelled) < SHORTEST:
        return f"The password has {len(spelled)} characters; use at least {SHORTEST}."
    if len(spelled) > LONGEST:
        return f"The password has {len(spelled)} characters; use at most {LONGEST}."
    if len(set(spelled)) < DIFFERENT:
        return f"The password repeats fewer than {DIFFERENT} characters; use a few words instead."
    local = email.partition("@")[0]
    if email in spelled.lower() or (len(local) >= DIFFERENT and local in spelled.lower()):
        return "The password contains the e-mail address; use other words."
    return None


def _check(stored: str | None, password: str) -> Checked:
    nobodys = _nobodys_hash()  # made before it is needed, so that the first stranger cannot be told by it either
    try:
        _HASHER.verify(stored or nobodys, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return Checked(holds=False)
    if stored is None:
        return Checked(holds=False)
    return Checked(holds=True, new_hash=_HASHER.hash(password) if _HASHER.check_needs_rehash(stored) else None)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("a password that opens nothing")


def _one_spelling(password: str) -> str:
    """One spelling of what looks the same, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password)
