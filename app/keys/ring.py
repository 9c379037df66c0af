"""Where the installation's master keys are: a file, the settings, or a file of keys that AWS KMS has wrapped.

The present key is the first, retired ones follow; what any of them wrapped still opens. A key's id follows from the key
itself, so two machines with the same keys agree. Promises: a key service is asked again after a while, so that who
disables the key there closes what is here; a key that is withheld raises, and nothing falls back to another.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from pydantic import SecretStr

from app.errors import SettingsError
from app.keys.files import create_secret_file, decode_key, new_key_line, read_lines, replace_secret_file, unusable
from app.keys.settings import KmsSettings
from connectors.errors import ConnectorError
from connectors.kms import KmsKey
from graph.vault import HeldKeys, MasterKeys, MasterKeyWithheld, UnknownMasterKey

FILE: Final = "master.key"
KMS_FILE: Final = "master.kms"
FIRST_ID: Final = "primary"
"""What the oldest key was called when there was one only."""

CONTEXT: Final = {"countersign": "master key"}
"""What KMS binds to each wrapped key, and writes into its log; a tenant's own has the tenant beside it."""


class KeyPlace(Protocol):
    """The settings that say where the master keys are."""

    @property
    def data_dir(self) -> Path:
        """The folder of the files."""

    @property
    def master_key(self) -> SecretStr | None:
        """The present key, where it is in the settings."""

    @property
    def retired_master_keys(self) -> tuple[SecretStr, ...]:
        """Earlier ones, newest first."""

    @property
    def kms(self) -> KmsSettings | None:
        """The key service."""


def masters_of(place: KeyPlace) -> MasterKeys:
    """The master keys as the settings say; a file is made at the first use.

    Raises:
        SettingsError: a file cannot be read or written, is open to others, or holds no key; KMS makes none.
    """
    if place.kms is not None:
        service = KmsKey(place.kms.key_id, place.kms.region, place.kms.endpoint_url, CONTEXT)
        return KmsRing(place.data_dir / KMS_FILE, service, place.kms.keep_s)
    if place.master_key is not None:
        return _held([one.get_secret_value() for one in (place.master_key, *place.retired_master_keys)])
    return FileRing(place.data_dir / FILE)


def own_file(tenant_id: str) -> str:
    """The name of the file that has a tenant's own master keys, wrapped."""
    return f"master.{tenant_id}.kms"


def own_master_of(data_dir: Path, tenant_id: str, kms: KmsSettings) -> KmsRing:
    """The master keys that a tenant has to itself; the file is made at the first use.

    Raises:
        SettingsError: the file cannot be read or written, is open to others, or holds no key; KMS makes none.
    """
    service = KmsKey(kms.key_id, kms.region, kms.endpoint_url, {**CONTEXT, "tenant": tenant_id})
    return KmsRing(data_dir / own_file(tenant_id), service, kms.keep_s)


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Master keys of one tenant: its own, and the installation's for what was sealed before it had some.

    INVARIANT: a key of its own that is withheld is not looked for elsewhere.
    """

    own: KmsRing
    shared: MasterKeys

    @property
    def current(self) -> str:
        """The id of its own present key."""
        return self.own.current

    def held(self, key_id: str) -> bytes | None:
        """The key, where either has it at hand."""
        return self.own.held(key_id) or self.shared.held(key_id)

    def ask(self, key_id: str) -> bytes:
        """The key from where it is kept."""
        try:
            return self.own.ask(key_id)
        except UnknownMasterKey:
            return self.shared.ask(key_id)


def add_master(place: KeyPlace) -> None:
    """Make a new master key the present one, the others stay as retired.

    Raises:
        SettingsError: the keys are in the settings, where only their owner changes them; or as `masters_of`.
    """
    if place.master_key is not None and place.kms is None:
        raise SettingsError(
            ["the master key is in the settings; move it to retired_master_keys and set a new master_key"]
        )
    ring = masters_of(place)
    assert isinstance(ring, FileRing | KmsRing)
    ring.add()


def key_id_of(key: bytes) -> str:
    """The id of a master key, from which nobody learns it."""
    return "k-" + hashlib.sha256(b"countersign master key " + key).hexdigest()[:12]


def _held(lines: Sequence[str]) -> HeldKeys:
    keys = [decode_key(line) for line in lines]
    return HeldKeys({FIRST_ID: keys[-1]} | {key_id_of(key): key for key in keys}, key_id_of(keys[0]))


def _made(path: Path, what: str, first_line: Callable[[], str]) -> list[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            create_secret_file(path, first_line() + "\n")
    except OSError as error:
        raise unusable(path, what, error) from error
    return read_lines(path, what)


class FileRing:
    """Keys in a file, a line for each. It is read again for an id that another process may have added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = self._read()

    def __repr__(self) -> str:
        return f"FileRing({str(self._path)!r})"

    @property
    def current(self) -> str:
        """The id of the first key."""
        return self._keys.current

    def held(self, key_id: str) -> bytes | None:
        """The key, if it was in the file when it was read last."""
        return self._keys.held(key_id)

    def ask(self, key_id: str) -> bytes:
        """The key from the file as it is now."""
        self._keys = self._read()
        return self._keys.ask(key_id)

    def add(self) -> None:
        """Put a new key before the others."""
        lines = read_lines(self._path, "master key")
        replace_secret_file(self._path, "\n".join([new_key_line(), *lines]) + "\n")
        self._keys = self._read()

    def _read(self) -> HeldKeys:
        lines = _made(self._path, "master key", new_key_line)
        try:
            return _held(lines or [""])
        except ValueError as error:
            raise SettingsError(
                [f"the master key {str(self._path)!r} is damaged: {error}; restore it from your backup"]
            ) from error


@dataclass(slots=True)
class KmsRing:
    """Keys in a file, each wrapped by KMS, which opens them for `keep_s` seconds at a time."""

    path: Path
    service: KmsKey
    keep_s: float
    ticks: Callable[[], float] = monotonic
    _wrapped: dict[str, bytes] = field(default_factory=dict, repr=False)
    _opened: dict[str, tuple[bytes, float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._read()

    @property
    def current(self) -> str:
        """The id of the first key."""
        return next(iter(self._wrapped))

    def held(self, key_id: str) -> bytes | None:
        """The key, if KMS opened it not long ago; one that it opened earlier is forgotten."""
        key, until = self._opened.get(key_id, (b"", 0.0))
        if key and self.ticks() < until:
            return key
        self._opened.pop(key_id, None)
        return None

    def ask(self, key_id: str) -> bytes:
        """Have KMS open the key."""
        if key_id not in self._wrapped:
            self._read()
        if key_id not in self._wrapped:
            raise UnknownMasterKey(
                f"data key needs master key {key_id!r}, which is not in {self.path.name}: restore it"
            )
        try:
            key = self.service.opened(self._wrapped[key_id])
        except ConnectorError as error:
            raise MasterKeyWithheld(f"nothing can be sealed or opened: {error}") from error
        self._opened[key_id] = (key, self.ticks() + self.keep_s)
        return key

    def add(self) -> None:
        """Put a new key before the others."""
        lines = read_lines(self.path, "wrapped master key")
        replace_secret_file(self.path, "\n".join([self._new_line(), *lines]) + "\n")
        self._read()

    def _read(self) -> None:
        lines = _made(self.path, "wrapped master key", self._new_line)
        try:
            blobs = [base64.b64decode(line, validate=True) for line in lines]
        except ValueError as error:
            raise SettingsError([f"{str(self.path)!r} is damaged; restore it from your backup"]) from error
        if not blobs:
            raise SettingsError([f"{str(self.path)!r} is empty; restore it from your backup"])
        self._wrapped = {"kms-" + hashlib.sha256(blob).hexdigest()[:12]: blob for blob in blobs}

    def _new_line(self) -> str:
        try:
            return base64.b64encode(self.service.new_key()[1]).decode()
        except ConnectorError as error:
            raise SettingsError([str(error)]) from error
