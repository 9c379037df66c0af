"""The Zendesk app as a zip: a manifest that names this server's page, translations, and two pictures. No code is in it.

The page is served from here and not packaged, so the app need not be installed anew when the panel changes.
https://developer.zendesk.com/documentation/apps/app-developer-guide/manifest/
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from app.zendesk_app.checking import problems

VERSION: Final = "1.0.0"
FLEXIBLE_HEIGHT: Final = "600px"


class UnfitPackage(Exception):
    """What was put together would not be taken by Zendesk; every problem is a line."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("; ".join(found))
        self.found = found


def manifest(page_url: str, *, author: str, email: str) -> dict[str, object]:
    """What Zendesk reads first."""
    return {
        "name": "Countersign",
        "author": {"name": author, "email": email},
        "defaultLocale": "en",
        "private": True,
        "singleInstall": True,
        "signedUrls": True,
        "frameworkVersion": "2.0",
        "version": VERSION,
        "location": {
            "support": {
                "ticket_sidebar": {
                    "url": page_url,
                    "autoLoad": True,
                    "flexible": True,
                    "size": {"height": FLEXIBLE_HEIGHT},
                }
            }
        },
        "parameters": [],
    }


def package(page_url: str, *, author: str, email: str, at: datetime) -> bytes:
    """The zip. The same page, author and time give the same bytes.

    Raises:
        UnfitPackage: the page is no https address, or something else that Zendesk refuses.
    """
    content: dict[str, bytes] = {
        "manifest.json": json.dumps(manifest(page_url, author=author, email=email), indent=2, sort_keys=True).encode()
    }
    content |= _files(files("app.zendesk_app"))
    found = problems(content)
    if found:
        raise UnfitPackage(found)
    return _zip(content, at)


def _files(folder: Traversable) -> Mapping[str, bytes]:
    parts = {
        f"{name}/{one.name}": one.read_bytes()
        for name in ("assets", "translations")
        for one in folder.joinpath(name).iterdir()
        if one.is_file()
    }
    return dict(sorted(parts.items()))


def _zip(content: Mapping[str, bytes], at: datetime) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return written.getvalue()
