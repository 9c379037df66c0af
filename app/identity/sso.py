"""Single sign-on by OpenID Connect: the trip to a tenant's identity provider and back.

Authorization code with PKCE, state and nonce. What comes back is believed only from the provider's own token endpoint,
in an ID token that one of its published keys signed for us, for this trip, and with an address that it has verified.
Nothing is decided here: whether somebody has an account is `app.identity.vouched`'s to say.
https://openid.net/specs/openid-connect-core-1_0.html, https://www.rfc-editor.org/rfc/rfc9700
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from app.errors import AppError
from app.identity.addresses import is_address, spelled
from app.identity.roles import Role
from app.identity.tokens import same
from app.tenants import SsoSettings

TIMEOUT_S: Final = 10.0
KNOWN_FOR: Final = timedelta(hours=1)
"""How long a provider's addresses and keys are remembered. A key that is not among them is asked for at once."""
LEEWAY_S: Final = 60
SIGNED_BY: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Signatures with a key pair. Never a shared secret, and never none."""


class SsoFailed(AppError):
    """The trip did not end with somebody whom the provider vouches for. The message is for whoever runs the server."""


@dataclass(frozen=True, slots=True)
class Trip:
    """What is remembered of a trip until it ends: chosen afresh for each, and useless to anybody else."""

    state: str
    nonce: str
    verifier: str
    asked: str

    def details(self) -> dict[str, Any]:
        """What is stored; the state is the token's own."""
        return {"nonce": self.nonce, "verifier": self.verifier, "asked": self.asked}


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for. `roles` is None where roles are given here and not by the provider."""

    issuer: str
    subject: str
    email: str
    name: str
    roles: tuple[Role, ...] | None


@dataclass(slots=True)
class IdentityProvider:
    """One tenant's identity provider, as its discovery document describes it."""

    settings: SsoSettings
    now: Callable[[], datetime]
    _known: dict[str, Any] = field(default_factory=dict)
    _keys: Any = None
    _asked_at: datetime | None = None

    async def address(self, trip: Trip, *, back: str) -> str:
        """Where to send the browser.

        Raises:
            SsoFailed: the provider cannot be reached, or describes itself wrongly.
        """
        async with self._client(back) as client:
            known = await self._metadata(client)
            url, _ = client.create_authorization_url(
                known["authorization_endpoint"], state=trip.state, nonce=trip.nonce, code_verifier=trip.verifier
            )
            return str(url)

    async def person(self, trip: Trip, answer: Mapping[str, str], *, back: str) -> Person:
        """Whom the provider sent back.

        Raises:
            SsoFailed: it refused, or what it said does not hold.
        """
        if "error" in answer:
            raise SsoFailed(f"the identity provider answered {answer['error'][:80]!r}; its own log says why")
        try:
            async with self._client(back) as client:
                known = await self._metadata(client)
                self._demand_issuer(known, answer)
                token = await client.fetch_token(
                    known["token_endpoint"], code=answer.get("code", ""), code_verifier=trip.verifier
                )
                claims = await self._claims(client, token, nonce=trip.nonce)
                if "email" not in claims and "userinfo_endpoint" in known:
                    claims |= await self._more(client, known["userinfo_endpoint"], claims["sub"])
        except (AuthlibBaseError, JoseError, httpx2.HTTPError) as error:
            raise SsoFailed(f"the identity provider's answer does not hold: {error}; check client and keys") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SsoFailed(f"the identity provider's answer cannot be read: {type(error).__name__}") from error
        return self._told(claims)

    def _client(self, back: str) -> Any:  # noqa: ANN401 - Authlib has no types
        return AsyncOAuth2Client(
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret.get_secret_value(),
            token_endpoint_auth_method=f"client_secret_{self.settings.client_auth}",
            scope=self.settings.scope,
            redirect_uri=back,
            code_challenge_method="S256",
            leeway=0,  # a token that is short-lived is used at once
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def _metadata(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        if self._asked_at is not None and self.now() - self._asked_at < KNOWN_FOR:
            return self._known
        known = await _fetched(client, f"{self.settings.issuer}/.well-known/openid-configuration")
        if str(known.get("issuer", "")).rstrip("/") != self.settings.issuer:
            raise SsoFailed(
                f"the identity provider calls itself {known.get('issuer')!r} and not {self.settings.issuer!r}; "
                "write `issuer` as it does"
            )
        missing = [name for name in ("authorization_endpoint", "token_endpoint", "jwks_uri") if name not in known]
        if missing:
            raise SsoFailed(f"the identity provider does not say its {missing[0]}; is {self.settings.issuer!r} one?")
        self._keys = await _fetched(client, known["jwks_uri"])
        self._known, self._asked_at = known, self.now()
        return known

    def _demand_issuer(self, known: Mapping[str, Any], answer: Mapping[str, str]) -> None:
        """Refuse an answer of another provider: https://www.rfc-editor.org/rfc/rfc9207 ."""
        must_say = known.get("authorization_response_iss_parameter_supported") is True
        if ("iss" in answer or must_say) and not same(answer.get("iss", ""), str(known["issuer"])):
            raise SsoFailed(f"an answer of {answer.get('iss', '')[:80]!r} and not of our identity provider")

    async def _claims(self, client: httpx2.AsyncClient, token: Mapping[str, Any], *, nonce: str) -> dict[str, Any]:
        """What the ID token says, once it holds."""
        supported = self._known.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=sorted(SIGNED_BY & set(supported)), strict_check_header=False)
        try:
            decoded = jwt.decode(token["id_token"], KeySet.import_key_set(self._keys), registry=registry)
        except (InvalidKeyIdError, ValueError):  # a key that was published since we asked
            self._keys = await _fetched(client, self._known["jwks_uri"])
            decoded = jwt.decode(token["id_token"], KeySet.import_key_set(self._keys), registry=registry)
        options = {
            "iss": {"essential": True, "value": self._known["issuer"]},
            "aud": {"essential": True, "value": self.settings.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(now=int(self.now().timestamp()), leeway=LEEWAY_S)
        return dict(claims)

    async def _more(self, client: Any, url: str, subject: str) -> dict[str, Any]:  # noqa: ANN401 - Authlib has no types
        """What the provider says of the person elsewhere, where its ID token is short."""
        answer = await client.get(url)
        answer.raise_for_status()
        more: dict[str, Any] = answer.json()
        if more.get("sub") != subject:
            raise SsoFailed("the identity provider told of somebody else than it vouched for")
        return {name: more[name] for name in ("email", "email_verified", "name") if name in more}

    def _told(self, claims: Mapping[str, Any]) -> Person:
        email = spelled(str(claims.get("email", "")))
        if claims.get("email_verified") is not True or not is_address(email):
            raise SsoFailed("the identity provider names no e-mail address that it has verified; ask for scope `email`")
        name = claims.get("name")
        return Person(
            issuer=self.settings.issuer,
            subject=str(claims["sub"]),
            email=email,
            name=name[:200] if isinstance(name, str) else "",
            roles=self._roles(claims),
        )

    def _roles(self, claims: Mapping[str, Any]) -> tuple[Role, ...] | None:
        if self.settings.roles_claim is None:
            return None
        said = claims.get(self.settings.roles_claim, [])
        values = {said} if isinstance(said, str) else {one for one in said if isinstance(one, str)}
        mapped = {self.settings.roles[value] for value in values & self.settings.roles.keys()}
        return tuple(role for role in Role if role in mapped)


async def _fetched(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """A public document of the provider."""
    try:
        answer = await client.request("GET", url, withhold_token=True)  # type: ignore[call-arg]  # Authlib's own
        answer.raise_for_status()
        found = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise SsoFailed(f"the identity provider's {url!r} cannot be read: {type(error).__name__}; is it up?") from error
    if not isinstance(found, dict):
        raise SsoFailed(f"the identity provider's {url!r} is not what it should be; is it the right address?")
    return found
