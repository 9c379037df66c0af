"""The installation as the signer of its log: a name and Ed25519 keys, from the settings or from `audit.key`.

The file holds the name and, below it, one secret key a line, the present one first; it is created at the first use,
readable by its owner only. `audit.pub` beside it holds what an auditor needs and no secret. Whoever has the file can
sign, so keep it, and the machine it is on, out of the hands of who owns the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.errors import SettingsError
from app.keys.files import create_secret_file, decode_key, new_key_line, read_lines, replace_secret_file, unusable
from app.settings import Settings
from graph.audit.note import SigningKey
from graph.audit.sequence import Signer

FILE: Final = "audit.key"
PUBLIC_FILE: Final = "audit.pub"


def load_signer(settings: Settings) -> Signer:
    """Who signs the log here.

    Raises:
        SettingsError: the file cannot be read or written, is open to others, or holds no key.
    """
    audit = settings.audit
    if audit.name is not None and audit.signing_key is not None:
        keys = [
            SigningKey.from_seed(decode_key(one.get_secret_value())) for one in (audit.signing_key, *audit.retired_keys)
        ]
        return Signer(audit.name, keys[0], tuple(keys[1:]))
    path = settings.data_dir / FILE
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            create_secret_file(path, f"countersign-{secrets.token_hex(4)}\n{new_key_line()}\n")
        return _parsed(read_lines(path, "signing key"))
    except OSError as error:
        raise unusable(path, "signing key", error) from error
    except ValueError as error:
        raise SettingsError(
            [f"the signing key {str(path)!r} is damaged: {error}; restore it from your backup"]
        ) from error


def signer_here(settings: Settings) -> Callable[[], Signer | None]:
    """Who signs the log, for a process that only checks: looked for when asked, and never made.

    None where the key is on another machine.
    """

    def found() -> Signer | None:
        is_here = settings.audit.signing_key is not None or (settings.data_dir / FILE).exists()
        return load_signer(settings) if is_here else None

    return found


def rotate(settings: Settings) -> Signer:
    """Make a new key in `audit.key`; the present one stays as retired. Who signs from the next start on.

    Raises:
        SettingsError: the key is in the settings, or the file cannot be written.
    """
    if settings.audit.signing_key is not None:
        raise SettingsError(
            ["the signing key is in the settings; move it to audit.retired_keys and set a new signing_key"]
        )
    load_signer(settings)
    path = settings.data_dir / FILE
    name, *seeds = path.read_text().split()
    replace_secret_file(path, "\n".join([name, new_key_line(), *seeds]) + "\n")
    signer = load_signer(settings)
    write_public(settings, signer)
    return signer


def write_public(settings: Settings, signer: Signer) -> Path:
    """Write the verifier keys of every tenant's log, for whoever checks it."""
    path = settings.data_dir / PUBLIC_FILE
    lines = [str(key) for tenant_id in [*sorted(settings.tenants), "*"] for key in signer.keys(tenant_id)]
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path


def _parsed(lines: Sequence[str]) -> Signer:
    if len(lines) < 2:  # noqa: PLR2004 - the name and one key
        raise ValueError("it needs a name and a key")
    keys = [SigningKey.from_seed(decode_key(line)) for line in lines[1:]]
    return Signer(lines[0], keys[0], tuple(keys[1:]))
