"""Sealing of personal data: AES-256-GCM under one data key per person, so that deleting a key erases the person.

Each data key is stored wrapped under the tenant's key, which is derived from a master key that the installation keeps
outside the database. A sealed value opens only for the tenant, person and purpose it was sealed for. The wrapped key is
read anew for each use: an erasure made by another process holds from its commit on, and then both sealing and opening
fail. Nothing here logs or returns a key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

KEY_BYTES: Final = 32
SALT_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_FORMAT: Final = b"\x01"
_MAX_KEY_ID_BYTES: Final = 255


class VaultError(Exception):
    """Root of the vault's errors: a sealed value that cannot be opened, or a key that is not what it should be."""


class SubjectErased(VaultError):
    """What was sealed is gone: the person's key was deleted on request, or the time to keep the value was over.

    After a deletion on request nothing new may be sealed for them.
    """


class UnknownMasterKey(VaultError):
    """A data key is wrapped under a master key that this installation was not given."""


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """One person's data key, for the values of one transaction. Do not keep it longer."""

    tenant_id: str
    subject_id: str
    _cipher: AESGCM
    _random_bytes: Callable[[int], bytes]
    _pseudonym_key: bytes = field(repr=False)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """Encrypt for one purpose, such as `artifact/a1`; opening needs the same words."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plaintext, self._bound_to(purpose))

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made.

        Raises:
            SubjectErased: it was emptied when its time was over.
            VaultError: altered, cut short, or sealed for another tenant, person or purpose.
        """
        if not sealed:
            raise SubjectErased(f"sealed value for {purpose!r} was emptied: the time to keep it was over")
        if sealed[:1] != _FORMAT:
            raise VaultError(f"sealed value for {purpose!r} has an unknown format: it was not written by this version")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, ciphertext, self._bound_to(purpose))
        except (InvalidTag, ValueError) as error:
            raise VaultError(f"sealed value for {purpose!r} does not open: it was altered or moved") from error

    def pseudonym(self, value: str) -> str:
        """A short name for a value: the same for the same value, and nobody without the key can tell which it is."""
        return "p_" + hmac.new(self._pseudonym_key, value.encode(), hashlib.sha256).hexdigest()[:20]

    def _bound_to(self, purpose: str) -> bytes:
        return _joined(self.tenant_id, self.subject_id, purpose)


class Vault:
    """Opens and seals with the installation's master keys.

    Args:
        master_keys: master keys of 32 bytes by their id. Old ones stay, so that old data keys unwrap.
        current: id of the master key that wraps new data keys.
        random_bytes: the source of keys, nonces and salts; cryptographic, except in a replayed simulation.
    """

    def __init__(
        self,
        master_keys: Mapping[str, bytes],
        current: str,
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if current not in master_keys:
            raise VaultError(f"current master key {current!r} is not among {sorted(master_keys)}: add it")
        for key_id, key in master_keys.items():
            if len(key) != KEY_BYTES or not 0 < len(key_id.encode()) <= _MAX_KEY_ID_BYTES:
                raise VaultError(f"master key {key_id!r} is malformed: give {KEY_BYTES} bytes and a short id")
        self._master_keys = dict(master_keys)
        self._current = current
        self._random_bytes = random_bytes
        self._wrappers: dict[tuple[str, str], AESGCM] = {}

    def __repr__(self) -> str:
        return f"Vault(current={self._current!r}, keys={len(self._master_keys)})"

    async def seal(
        self,
        session: AsyncSession,
        *,
        tenant_id: str,
        subject_id: str,
        purpose: str,
        plaintext: bytes,
        now: datetime,
    ) -> bytes:
        """Encrypt one value; the person's data key is created on first use, in the session's transaction.

        Raises:
            SubjectErased: the person was erased.
        """
        key = await self.key(session, tenant_id=tenant_id, subject_id=subject_id, now=now)
        return key.seal(purpose, plaintext)

    async def open(
        self,
        session: AsyncSession,
        *,
        tenant_id: str,
        subject_id: str,
        purpose: str,
        sealed: bytes,
    ) -> bytes:
        """Decrypt one value.

        Raises:
            SubjectErased: the person was erased, or never had a key.
            VaultError: altered, or sealed for something else.
        """
        wrapped = await self._wrapped(session, tenant_id, subject_id)
        if wrapped is None:
            raise SubjectErased(f"no data key for subject {subject_id!r}: what it sealed cannot be read")
        return self._unwrapped(tenant_id, subject_id, wrapped).open(purpose, sealed)

    async def key(self, session: AsyncSession, *, tenant_id: str, subject_id: str, now: datetime) -> SubjectKey:
        """The person's data key for several values of this transaction, created on first use.

        Raises:
            SubjectErased: the person was erased.
        """
        wrapped = await self._wrapped(session, tenant_id, subject_id)
        if wrapped is None:
            await self._create(session, tenant_id, subject_id, now)
            wrapped = await self._wrapped(session, tenant_id, subject_id)
            assert wrapped is not None
        return self._unwrapped(tenant_id, subject_id, wrapped)

    async def erase(self, session: AsyncSession, *, tenant_id: str, subject_id: str, now: datetime) -> bool:
        """Delete the person's data key for good. True where there was one.

        A person without a key gets an erased one, so that nothing is sealed for them later either.
        """
        subject = {"tenant_id": tenant_id, "subject_id": subject_id, "now": now}
        erased = await session.execute(
            text(
                """
                UPDATE data_key SET wrapped = NULL, erased_at = :now
                WHERE tenant_id = :tenant_id AND subject_id = :subject_id AND erased_at IS NULL
                RETURNING subject_id
                """,
            ),
            subject,
        )
        if erased.one_or_none() is not None:
            return True
        await session.execute(
            text(
                """
                INSERT INTO data_key (tenant_id, subject_id, created_at, erased_at)
                VALUES (:tenant_id, :subject_id, :now, :now) ON CONFLICT (tenant_id, subject_id) DO NOTHING
                """,
            ),
            subject,
        )
        return False

    async def is_erased(self, session: AsyncSession, *, tenant_id: str, subject_id: str) -> bool:
        """Whether the person was erased, so that nothing may be sealed for them."""
        try:
            await self._wrapped(session, tenant_id, subject_id)
        except SubjectErased:
            return True
        return False

    def new_salt(self) -> bytes:
        """A fresh salt for a commitment."""
        return self._random_bytes(SALT_BYTES)

    @staticmethod
    def commit(plaintext: bytes, salt: bytes) -> str:
        """The hex SHA-256 of salt and value, which may be public: without the salt the value cannot be guessed."""
        if len(salt) != SALT_BYTES:
            raise VaultError(f"salt of {len(salt)} bytes is too weak to hide a value: give {SALT_BYTES}")
        return hashlib.sha256(salt + plaintext).hexdigest()

    async def _wrapped(self, session: AsyncSession, tenant_id: str, subject_id: str) -> bytes | None:
        found = await session.execute(
            text("SELECT wrapped, erased_at FROM data_key WHERE tenant_id = :tenant_id AND subject_id = :subject_id"),
            {"tenant_id": tenant_id, "subject_id": subject_id},
        )
        row = found.one_or_none()
        if row is None:
            return None
        if row.erased_at is not None or row.wrapped is None:
            raise SubjectErased(f"subject {subject_id!r} was erased at {row.erased_at}: nothing of theirs can be read")
        return bytes(row.wrapped)

    async def _create(self, session: AsyncSession, tenant_id: str, subject_id: str, now: datetime) -> None:
        nonce = self._random_bytes(_NONCE_BYTES)
        name = self._current.encode()
        wrapper = self._wrapper(self._current, tenant_id)
        ciphertext = wrapper.encrypt(nonce, self._random_bytes(KEY_BYTES), _joined(tenant_id, subject_id, "data_key"))
        await session.execute(
            text(
                """
                INSERT INTO data_key (tenant_id, subject_id, wrapped, created_at)
                VALUES (:tenant_id, :subject_id, :wrapped, :now)
                ON CONFLICT (tenant_id, subject_id) DO NOTHING
                """,
            ),
            {
                "tenant_id": tenant_id,
                "subject_id": subject_id,
                "wrapped": _FORMAT + bytes([len(name)]) + name + nonce + ciphertext,
                "now": now,
            },
        )

    def _unwrapped(self, tenant_id: str, subject_id: str, wrapped: bytes) -> SubjectKey:
        name_end = 2 + wrapped[1]
        key_id, nonce = wrapped[2:name_end].decode(), wrapped[name_end : name_end + _NONCE_BYTES]
        wrapper = self._wrapper(key_id, tenant_id)
        try:
            key = wrapper.decrypt(nonce, wrapped[name_end + _NONCE_BYTES :], _joined(tenant_id, subject_id, "data_key"))
        except InvalidTag as error:
            raise VaultError(
                f"data key of subject {subject_id!r} does not unwrap: it was altered, or master key {key_id!r} changed",
            ) from error
        return SubjectKey(tenant_id, subject_id, AESGCM(key), self._random_bytes, _derived(key, "pseudonyms"))

    def _wrapper(self, key_id: str, tenant_id: str) -> AESGCM:
        wrapper = self._wrappers.get((key_id, tenant_id))
        if wrapper is None:
            master = self._master_keys.get(key_id)
            if master is None:
                raise UnknownMasterKey(f"data key needs master key {key_id!r}, which is not configured: restore it")
            wrapper = self._wrappers[key_id, tenant_id] = AESGCM(_derived(master, "tenant key", tenant_id))
        return wrapper


def _derived(key: bytes, *what: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_joined("countersign", *what)).derive(key)


def _joined(*parts: str) -> bytes:
    """Length before each part, so that no two different lists of parts give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
