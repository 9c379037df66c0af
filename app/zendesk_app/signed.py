"""The signed first request of the app in Zendesk: a JWT in a form, and who it says is looking.

Only this one request is signed. It proves the installation and the person, and not which ticket is shown.
https://developer.zendesk.com/documentation/apps/build-an-app/building-a-server-side-app/part-5-secure-the-app/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

SLACK_S: Final = 60
LONGEST_S: Final = 15 * 60
"""Zendesk's tokens last minutes; one that says hours was not made for this."""
_USER: Final = re.compile(r"(?:^|/users/)(\d{1,20})(?:\.json)?$")


class NotSigned(Exception):
    """The request does not come from the app as it was installed, or comes late. The words are for the log."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The app as it stands in one Zendesk account: its address, its public key, the number of its installation."""

    origin: str
    public_key: Path
    installation_id: int

    @property
    def audience(self) -> str:
        """Whom its tokens are for."""
        return f"{self.origin}/api/v2/apps/installations/{self.installation_id}.json"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who looks, as Zendesk numbers them."""

    zendesk_user_id: str


def read_token(installation: Installation, token: str, *, now: datetime) -> Signed:
    """What a token says.

    Raises:
        NotSigned: the signature, the audience, the issuer or the time is not right, or it names no user.
    """
    try:
        key = RSAKey.import_key(installation.public_key.read_text("ascii"))
        claims = jwt.decode(token, key, algorithms=["RS256"]).claims
    except OSError as error:
        raise NotSigned(f"the app's public key cannot be read: {error.strerror}") from error
    except (JoseError, ValueError) as error:
        raise NotSigned(f"the token's signature does not hold: {type(error).__name__}") from error
    seconds = now.timestamp()
    begins, ends = claims.get("nbf", claims.get("iat")), claims.get("exp")
    if not isinstance(begins, int | float) or not isinstance(ends, int | float):
        raise NotSigned("the token does not say when it holds")
    if not begins - SLACK_S <= seconds < min(ends, begins + LONGEST_S) + SLACK_S:
        raise NotSigned("the token is not good now")
    if claims.get("aud") != installation.audience:
        raise NotSigned("the token is for another installation")
    if claims.get("iss") not in {urlsplit(installation.origin).netloc, installation.origin}:
        raise NotSigned("the token is another account's")
    user = _USER.search(str(claims.get("sub", "")))
    if user is None:
        raise NotSigned("the token names no user")
    return Signed(user[1])
