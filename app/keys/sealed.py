"""Secrets of the settings that are written down sealed: `sealed:...` opens with a master key, for its setting only.

Each has a data key of its own, wrapped by a master key; both with AES-256-GCM, bound to the setting's name. What was
sealed for `tenants.acme.stripe.api_key` does not open anywhere else. For a list the name is the list's.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, SecretStr, ValidationError

from app.errors import SettingsError
from app.keys.ring import masters_of
from app.keys.settings import KmsSettings
from app.problems import explain
from app.setting_types import FROZEN
from app.settings import SEALED
from graph.vault import KEY_BYTES, MasterKeys, VaultError, derived

_FORMAT: Final = 1
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_USE: Final = "settings"


class Place(BaseModel):
    """Of settings that are not read yet: what says where the master keys are, which cannot be sealed itself."""

    model_config = FROZEN

    data_dir: Path = Path(".countersign")
    master_key: SecretStr | None = None
    retired_master_keys: tuple[SecretStr, ...] = ()
    kms: KmsSettings | None = None


def seal(masters: MasterKeys, name: str, secret: str) -> str:
    """The text to write down in the place of a secret."""
    key_id, data_key = masters.current, os.urandom(KEY_BYTES)
    wrapped = _encrypted(_master(masters, key_id), data_key, name)
    sealed = bytes([_FORMAT, len(key_id)]) + key_id.encode() + wrapped + _encrypted(data_key, secret.encode(), name)
    return SEALED + base64.urlsafe_b64encode(sealed).decode()


def opened(masters: MasterKeys, name: str, text: str) -> str:
    """The secret that was sealed.

    Raises:
        VaultError: damaged, sealed for another setting, or its master key is not there or not given out.
    """
    try:
        content = base64.urlsafe_b64decode(text.removeprefix(SEALED))
        if content[0] != _FORMAT:
            raise VaultError("it is of another version")
        end = 2 + content[1]
        key_id, body = content[2:end].decode(), content[end:]
        cut = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
        data_key = _decrypted(_master(masters, key_id), body[:cut], name)
        return _decrypted(data_key, body[cut:], name).decode()
    except (InvalidTag, IndexError, ValueError) as error:
        raise VaultError("it is damaged, or was sealed for another setting") from error


def open_all(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with every sealed value opened.

    Raises:
        SettingsError: one cannot be opened; names it.
    """
    try:
        place = Place(**{name: given[name] for name in Place.model_fields if given.get(name) is not None})
    except ValidationError as error:
        raise SettingsError(explain(error, Place)) from error
    masters = masters_of(place.model_copy(update={"data_dir": place.data_dir.expanduser().absolute()}))
    return {name: _opened_below(masters, name, value) for name, value in given.items()}


def _opened_below(masters: MasterKeys, name: str, value: Any) -> Any:  # noqa: ANN401 - any value of a settings file
    if isinstance(value, Mapping):
        return {key: _opened_below(masters, f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, list):
        return [_opened_below(masters, name, one) for one in value]
    if not isinstance(value, str) or not value.startswith(SEALED):
        return value
    try:
        return opened(masters, name, value)
    except VaultError as error:
        raise SettingsError([f"setting {name!r} is sealed and does not open: {error}"]) from error


def _master(masters: MasterKeys, key_id: str) -> bytes:
    return derived(masters.held(key_id) or masters.ask(key_id), _USE)


def _encrypted(key: bytes, content: bytes, name: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, name.encode())


def _decrypted(key: bytes, content: bytes, name: str) -> bytes:
    return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], name.encode())
