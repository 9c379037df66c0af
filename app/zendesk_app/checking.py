"""Whether Zendesk would take a package: its own validator needs an account, so its rules are written down here.

The rules are those of the public validator, as far as they concern an app whose page is served from elsewhere.
https://github.com/zendesk/zendesk_apps_support
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

REQUIRED: Final = ("author", "defaultLocale", "location", "frameworkVersion")
BOOLEANS: Final = ("private", "singleInstall", "signedUrls")
LOCATION_OPTIONS: Final = frozenset({"url", "autoLoad", "autoHide", "flexible", "signed", "size"})
PARAMETER_TYPES: Final = frozenset({"text", "checkbox", "url", "number", "multiline", "hidden", "oauth", "mtls"})
LOGOS: Final = {"assets/logo.png": 320, "assets/logo-small.png": 128}
BANNED: Final = ("noTemplate",)
LOCALE: Final = re.compile(r"[a-z]{2,3}(-[a-zA-Z]{2,4})?")
_SECRET: Final = re.compile(r"(?i)\b(?:secret|password|api[_-]?key|token)\b\W{0,3}[:=]\W{0,3}[A-Za-z0-9+/_-]{12,}")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_TEXTS: Final = ("name", "short_description", "long_description", "installation_instructions")


def problems(content: Mapping[str, bytes]) -> list[str]:
    """Every problem of a package's files by name, each a line; none means that it can be uploaded."""
    raw = content.get("manifest.json")
    if raw is None:
        return ["manifest.json is missing"]
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        return [f"manifest.json is not JSON: {error}"]
    if not isinstance(manifest, dict):
        return ["manifest.json is not an object"]
    return [
        *_manifest(manifest),
        *_locations(manifest, content),
        *_parameters(manifest),
        *_translations(manifest, content),
        *_logos(content),
        *_secrets(content),
    ]


def _manifest(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"manifest.json lacks {name}" for name in REQUIRED if not manifest.get(name))
    yield from (f"manifest.json has {name}, which version 2 does not know" for name in BANNED if name in manifest)
    author = manifest.get("author")
    if isinstance(author, dict):
        yield from (f"author lacks {name}" for name in ("name", "email") if not author.get(name))
    for name in BOOLEANS:
        if name in manifest and not isinstance(manifest[name], bool):
            yield f"{name} is {manifest[name]!r}: write true or false"
    if manifest.get("frameworkVersion") not in {None, "2.0"}:
        yield f"frameworkVersion is {manifest['frameworkVersion']!r}: write 2.0"


def _locations(manifest: Mapping[str, Any], content: Mapping[str, bytes]) -> Iterator[str]:
    location = manifest.get("location")
    if not isinstance(location, dict):
        yield "location is not an object of products"
        return
    for product, places in location.items():
        for place, given in places.items() if isinstance(places, dict) else ():
            where = f"location {product}.{place}"
            options = {"url": given} if isinstance(given, str) else given
            unknown = sorted(set(options) - LOCATION_OPTIONS)
            if unknown:
                yield f"{where} has {', '.join(unknown)}, which is no option"
            yield from _address(where, str(options.get("url", "")), content)


def _address(where: str, url: str, content: Mapping[str, bytes]) -> Iterator[str]:
    parts = urlsplit(url)
    if url.startswith("assets/"):
        if url.partition("?")[0] not in content:
            yield f"{where} names {url!r}, which is not in the package"
    elif parts.scheme != "https" and parts.hostname != "localhost":
        yield f"{where} is {url!r}: an https address, or a file below assets/"
    elif not parts.hostname:
        yield f"{where} is {url!r}: no host is named"


def _parameters(manifest: Mapping[str, Any]) -> Iterator[str]:
    for parameter in manifest.get("parameters", ()):
        name, kind = parameter.get("name"), parameter.get("type", "text")
        if not name:
            yield "a parameter has no name"
        if kind not in PARAMETER_TYPES:
            yield f"parameter {name!r} has the type {kind!r}: one of {', '.join(sorted(PARAMETER_TYPES))}"
        if kind == "oauth" and parameter.get("secure"):
            yield f"parameter {name!r}: an oauth parameter cannot be secure"


def _translations(manifest: Mapping[str, Any], content: Mapping[str, bytes]) -> Iterator[str]:
    default = f"translations/{manifest.get('defaultLocale')}.json"
    if default not in content:
        yield f"{default} is missing: every app needs the texts of its default locale"
    for name, raw in content.items():
        if not name.startswith("translations/"):
            continue
        locale = name.removeprefix("translations/").removesuffix(".json")
        if not LOCALE.fullmatch(locale):
            yield f"{name}: {locale!r} is no locale"
        try:
            texts = json.loads(raw).get("app", {})
        except (ValueError, AttributeError):
            yield f"{name} is not a JSON object"
            continue
        yield from (f"{name} lacks app.{key}" for key in _TEXTS if not texts.get(key))


def _logos(content: Mapping[str, bytes]) -> Iterator[str]:
    for name, side in LOGOS.items():
        raw = content.get(name)
        if raw is None:
            yield f"{name} is missing"
        elif not raw.startswith(_PNG):
            yield f"{name} is no PNG"
        elif struct.unpack(">II", raw[16:24]) != (side, side):
            yield f"{name} must be {side} by {side} pixels"


def _secrets(content: Mapping[str, bytes]) -> Iterator[str]:
    for name, raw in content.items():
        if not name.endswith(".png") and _SECRET.search(raw.decode("utf-8", "replace")):
            yield f"{name} seems to hold a secret: an app's files can be read by everybody who installs it"
