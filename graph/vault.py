"""Sealing of personal data: AES-256-GCM under one data key per person, so that deleting a key erases the person.

Each data key is stored wrapped under the tenant's key, which is derived from a master key that the installation keeps
outside the database: in a file, in its settings, or behind a key service that may take it back at any time. A sealed
value opens only for the tenant, person and purpose it was sealed for. The wrapped key is read anew for each use: an
erasure made by another process holds from its commit on, and then both sealing and opening fail. Nothing here logs or
returns a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

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


_KEY_ID: Final = "convert_from(substring(wrapped from 3 for get_byte(wrapped, 1)), 'UTF8')"
_OTHERS: Final = text(
    f"""
    SELECT subject_id, wrapped FROM data_key
     WHERE tenant_id = :tenant_id AND wrapped IS NOT NULL AND {_KEY_ID} <> :current
     ORDER BY subject_id LIMIT :limit FOR UPDATE
    """  # noqa: S608 - a constant of this file
)
_REWRAP: Final = text(
    """
    UPDATE data_key SET wrapped = :wrapped
     WHERE tenant_id = :tenant_id AND subject_id = :subject_id AND wrapped = :was
    """
)
_COUNTS: Final = text(
    f"""
    SELECT {_KEY_ID} AS key_id, count(*) AS keys FROM data_key
     WHERE tenant_id = :tenant_id AND wrapped IS NOT NULL GROUP BY 1
    """  # noqa: S608
)


class VaultError(Exception):
    """Root of the vault's errors: a sealed value that cannot be opened, or a key that is not what it should be."""


class SubjectErased(VaultError):
    """What was sealed is gone: the person's key was deleted on request, or the time to keep the value was over.

    After a deletion on request nothing new may be sealed for them.
    """


class UnknownMasterKey(VaultError):
    """A data key is wrapped under a master key that this installation was not given."""


class MasterKeyWithheld(VaultError):
    """Who keeps the master key does not give it out now: it was revoked, or the key service is away. Nothing opens."""


class MasterKeys(Protocol):
    """Master keys of 32 bytes by their id. Old ones stay, so that what they wrapped still opens."""

    @property
    def current(self) -> str:
        """The id of the key that wraps what is new."""

    def held(self, key_id: str) -> bytes | None:
        """The key, where it is at hand and may still be used without asking."""

    def ask(self, key_id: str) -> bytes:
        """The key, asked for where it is kept. Blocks.

        Raises:
            UnknownMasterKey: there is none of that id.
            MasterKeyWithheld: it is not given out.
        """


class HeldKeys:
    """Master keys that are simply there."""

    def __init__(self, master_keys: Mapping[str, bytes], current: str) -> None:
        if current not in master_keys:
            raise VaultError(f"current master key {current!r} is not among {sorted(master_keys)}: add it")
        for key_id, key in master_keys.items():
            if len(key) != KEY_BYTES or not 0 < len(key_id.encode()) <= _MAX_KEY_ID_BYTES:
                raise VaultError(f"master key {key_id!r} is malformed: give {KEY_BYTES} bytes and a short id")
        self._keys = dict(master_keys)
        self.current = current

    def __repr__(self) -> str:
        return f"HeldKeys(current={self.current!r}, keys={len(self._keys)})"

    def held(self, key_id: str) -> bytes | None:
        """The key, if there is one of that id."""
        return self._keys.get(key_id)

    def ask(self, key_id: str) -> bytes:
        """The key of that id.

        Raises:
            UnknownMasterKey: there is none.
        """
        if key_id not in self._keys:
            raise UnknownMasterKey(f"data key needs master key {key_id!r}, which is not configured: restore it")
        return self._keys[key_id]


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
        master_keys: where they are kept, or the keys themselves by their id.
        current: where the keys themselves are given, the id of the one that wraps new data keys.
        own: the master keys of tenants that have some of their own.
        random_bytes: the source of keys, nonces and salts; cryptographic, except in a replayed simulation.
    """

    def __init__(
        self,
        master_keys: MasterKeys | Mapping[str, bytes],
        current: str = "",
        *,
        own: Mapping[str, MasterKeys] | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._masters = HeldKeys(master_keys, current) if isinstance(master_keys, Mapping) else master_keys
        self._own = dict(own or {})
        self._random_bytes = random_bytes
        self._wrappers: dict[tuple[str, str], AESGCM] = {}

    def __repr__(self) -> str:
        return f"Vault({self._masters!r})"

    async def see_that_it_opens(self, tenant_id: str) -> None:
        """Nothing, where the tenant's present master key is given out: what must not happen without it asks first.

        Raises:
            MasterKeyWithheld: it is not given out.
        """
        await self._wrapper(self._masters_of(tenant_id).current, tenant_id)

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
            MasterKeyWithheld: who keeps the master key does not give it out.
            VaultError: altered, or sealed for something else.
        """
        wrapped = await self._wrapped(session, tenant_id, subject_id)
        if wrapped is None:
            raise SubjectErased(f"no data key for subject {subject_id!r}: what it sealed cannot be read")
        return (await self._unwrapped(tenant_id, subject_id, wrapped)).open(purpose, sealed)

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
        return await self._unwrapped(tenant_id, subject_id, wrapped)

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
        wrapped = await self._wrap(tenant_id, subject_id, self._random_bytes(KEY_BYTES))
        await session.execute(
            text(
                """
                INSERT INTO data_key (tenant_id, subject_id, wrapped, created_at)
                VALUES (:tenant_id, :subject_id, :wrapped, :now)
                ON CONFLICT (tenant_id, subject_id) DO NOTHING
                """,
            ),
            {"tenant_id": tenant_id, "subject_id": subject_id, "wrapped": wrapped, "now": now},
        )

    async def rewrap(self, session: AsyncSession, tenant_id: str, *, limit: int) -> int:
        """Wrap data keys of other master keys under the current one, in the session's transaction; how many it was.

        Raises:
            UnknownMasterKey: one is wrapped under a key that is not there any more.
        """
        current = self._masters_of(tenant_id).current
        rows = await session.execute(_OTHERS, {"tenant_id": tenant_id, "current": current, "limit": limit})
        found = rows.all()
        for row in found:
            key = await self._data_key(tenant_id, row.subject_id, bytes(row.wrapped))
            values = {"tenant_id": tenant_id, "subject_id": row.subject_id, "was": row.wrapped}
            await session.execute(_REWRAP, {**values, "wrapped": await self._wrap(tenant_id, row.subject_id, key)})
        return len(found)

    async def _wrap(self, tenant_id: str, subject_id: str, key: bytes) -> bytes:
        current = self._masters_of(tenant_id).current
        name, nonce = current.encode(), self._random_bytes(_NONCE_BYTES)
        wrapper = await self._wrapper(current, tenant_id)
        ciphertext = wrapper.encrypt(nonce, key, _joined(tenant_id, subject_id, "data_key"))
        return _FORMAT + bytes([len(name)]) + name + nonce + ciphertext

    async def _unwrapped(self, tenant_id: str, subject_id: str, wrapped: bytes) -> SubjectKey:
        key = await self._data_key(tenant_id, subject_id, wrapped)
        return SubjectKey(tenant_id, subject_id, AESGCM(key), self._random_bytes, derived(key, "pseudonyms"))

    async def _data_key(self, tenant_id: str, subject_id: str, wrapped: bytes) -> bytes:
        name_end = 2 + wrapped[1]
        key_id, nonce = wrapped[2:name_end].decode(), wrapped[name_end : name_end + _NONCE_BYTES]
        wrapper = await self._wrapper(key_id, tenant_id)
        try:
            return wrapper.decrypt(
                nonce, wrapped[name_end + _NONCE_BYTES :], _joined(tenant_id, subject_id, "data_key")
            )
        except InvalidTag as error:
            raise VaultError(
                f"data key of subject {subject_id!r} does not unwrap: it was altered, or master key {key_id!r} changed",
            ) from error

    def _masters_of(self, tenant_id: str) -> MasterKeys:
        return self._own.get(tenant_id, self._masters)

    async def _wrapper(self, key_id: str, tenant_id: str) -> AESGCM:
        masters = self._masters_of(tenant_id)
        master = masters.held(key_id)
        if master is None:
            # What was derived from it goes with it: a key that was revoked opens nothing from here on.
            self._wrappers = {place: one for place, one in self._wrappers.items() if place[0] != key_id}
            master = await asyncio.to_thread(masters.ask, key_id)
        wrapper = self._wrappers.get((key_id, tenant_id))
        if wrapper is None:
            wrapper = self._wrappers[key_id, tenant_id] = AESGCM(derived(master, "tenant key", tenant_id))
        return wrapper


async def wrapped_under(session: AsyncSession, tenant_id: str) -> dict[str, int]:
    """How many of a tenant's data keys each master key wraps, by its id."""
    return {row.key_id: row.keys for row in await session.execute(_COUNTS, {"tenant_id": tenant_id})}


def derived(key: bytes, *what: str) -> bytes:
    """Another key of 32 bytes for one use."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_joined("countersign", *what)).derive(key)


def _joined(*parts: str) -> bytes:
    """Length before each part, so that no two different lists of parts give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
