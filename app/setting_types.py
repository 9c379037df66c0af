"""What the groups of settings have in common: how a group behaves, and how an address is written."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict

FROZEN: Final = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)
"""Of every group: frozen, no unknown keys, and no value in an error, because the value may be a secret."""


def _plain_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with https:// or http://")
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(_plain_address)]
"""An address without a slash at its end."""
