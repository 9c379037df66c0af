"""API keys and what they may do. https://docs.stripe.com/keys , https://docs.stripe.com/keys/restricted-api-keys .

A restricted key that lacks a permission gets a 403 that names it (`rak_charge_write`); write includes read. Stripe
publishes no list of permissions by endpoint: refunds go with charges, as in the Dashboard's "Charges and Refunds"; the
names for disputes and early fraud warnings follow the same pattern and are a guess.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from connectors.sandbox.stripe.problems import StripeProblem


class Keys:
    """The keys of one account.

    Args:
        keys: permissions by API key, as `charge_write` or `rak_charge_write`; `*` is everything.
        account: `acct_...`, for the text of a 403.
    """

    def __init__(self, keys: Mapping[str, frozenset[str]], *, account: str) -> None:
        self._granted = {key: frozenset(name.removeprefix("rak_") for name in names) for key, names in keys.items()}
        self._account = account

    def identify(self, header: str | None) -> str:
        """The API key of an Authorization header, Bearer or Basic. https://docs.stripe.com/api/authentication .

        Raises:
            StripeProblem: 401.
        """
        scheme, _, value = (header or "").partition(" ")
        key = value.strip()
        if scheme.lower() == "basic":
            key = _basic(key)
        if not key:
            raise StripeProblem(
                401,
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            )
        if key not in self._granted:
            raise StripeProblem(401, f"Invalid API Key provided: {_masked(key)}")
        return key

    def permit(self, key: str, permission: str) -> None:
        """Let a request pass.

        Raises:
            StripeProblem: 403, naming the missing permission.
        """
        granted = self._granted[key]
        resource = permission.rpartition("_")[0]
        if not {"*", permission, f"{resource}_write"} & granted:
            raise self.denial(key, permission)

    def denial(self, key: str, permission: str) -> StripeProblem:
        """The 403 that names a permission."""
        return StripeProblem(
            403,
            f"The provided key '{_masked(key)}' does not have the required permissions for this endpoint on account "
            f"'{self._account}'. Having the 'rak_{permission}' permission would allow this request to continue.",
        )


def _basic(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _masked(key: str) -> str:
    return f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}"
