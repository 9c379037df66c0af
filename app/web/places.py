"""Under which names this server is reached, and so which origin a form may come from and what its cookies are called.

Two kinds of name are known: the address in the settings (`public_url`), and this machine's own. On the machine itself
plain http is enough; under every other name cookies are sent over https only. A request under a name that is not known
comes from a proxy that is not set up, or from a page that had its own name point here: no form of it is taken.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Places:
    """The names of this server. `public_url` is an origin, such as `https://cs.example`."""

    public_url: str | None

    def knows(self, origin: str) -> bool:
        """Whether a page of that origin is one of ours: the public one, or one of this machine."""
        if self.public_url is not None and origin == _origin(self.public_url):
            return True
        parts = urlsplit(origin)
        return parts.scheme == "http" and parts.hostname in LOOPBACK

    def came_from_us(self, request: Request) -> bool:
        """Whether the browser says that a page of ours sent this form.

        Every browser sends `Origin` with a form. On the machine itself it must also be the very server that was asked,
        because other programs have pages there, too.
        """
        origin = request.headers.get("origin")
        if origin is None or not self.knows(origin):
            return False
        if self.public_url is not None and origin == _origin(self.public_url):
            return True
        return urlsplit(origin).netloc == request.headers.get("host")

    def is_here(self, request: Request) -> bool:
        """Whether the request comes from this machine, under its own name and through no proxy that says so."""
        if any(name == "forwarded" or name.startswith("x-forwarded-") for name in request.headers):
            return False
        return request.client is not None and request.client.host in LOOPBACK and self.is_local_name(request)

    def is_local_name(self, request: Request) -> bool:
        """Whether the request asks for a name that this machine has for itself."""
        return _host(request) in LOOPBACK

    def is_safe(self, request: Request) -> bool:
        """Whether nobody on the way can read what is sent: https, or this machine itself."""
        return self.is_encrypted(request) or self.is_local_name(request)

    def is_encrypted(self, request: Request) -> bool:
        """Whether the browser reached us by https; a proxy in front may have taken it off."""
        origin = request.headers.get("origin")
        if origin is not None and origin != "null":
            return origin.startswith("https://")
        if request.url.scheme == "https":
            return True
        return (self.public_url or "").startswith("https://") and not self.is_local_name(request)

    def cookie(self, request: Request, name: str) -> str | None:
        """The value of a cookie of ours. The plain name counts on this machine only."""
        secure = request.cookies.get(_secure(name))
        return secure if secure is not None or not self.is_local_name(request) else request.cookies.get(name)

    def set_cookie(self, request: Request, response: Response, name: str, value: str, *, max_age_s: int) -> None:
        """Give the browser a cookie that no script reads and no other site's form brings along."""
        encrypted = self.is_encrypted(request)
        response.set_cookie(
            _secure(name) if encrypted else name,
            value,
            max_age=max_age_s,
            path="/",
            secure=encrypted,
            httponly=True,
            samesite="lax",
        )

    def drop_cookie(self, response: Response, name: str) -> None:
        """Take a cookie back, under both of its names."""
        response.delete_cookie(_secure(name), path="/", secure=True, httponly=True, samesite="lax")
        response.delete_cookie(name, path="/", httponly=True, samesite="lax")


def session_cookie(tenant_id: str) -> str:
    """The name of a tenant's session cookie: two tenants of one server may be signed in to side by side."""
    return f"countersign-{tenant_id}"


def _secure(name: str) -> str:
    return f"__Host-{name}"


def _host(request: Request) -> str:
    return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
