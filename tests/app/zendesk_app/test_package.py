"""The app's zip: the same for the same settings, and refused with what Zendesk's own validator would say."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest

from app.zendesk_app.checking import problems
from app.zendesk_app.package import UnfitPackage, package

AT = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = "https://cs.example/t/acme/zendesk/app"


def a_package() -> dict[str, bytes]:
    """The files of a sound package."""
    content = package(PAGE, author="Acme", email="ops@acme.example", at=AT)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_manifest(**changes: Any) -> dict[str, bytes]:
    content = a_package()
    manifest = json.loads(content["manifest.json"]) | changes
    kept = {name: value for name, value in manifest.items() if value is not None}
    return {**content, "manifest.json": json.dumps(kept).encode()}


def test_the_zip_names_the_page_asks_for_signed_requests_and_is_always_the_same() -> None:
    content = a_package()
    manifest = json.loads(content["manifest.json"])
    assert manifest["location"]["support"]["ticket_sidebar"]["url"] == PAGE
    assert manifest["signedUrls"] is True
    assert manifest["frameworkVersion"] == "2.0"
    assert problems(content) == []
    assert package(PAGE, author="A", email="a@b.example", at=AT) == package(
        PAGE, author="A", email="a@b.example", at=AT
    )


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (with_manifest(author=None), "lacks author"),
        (with_manifest(noTemplate=True), "noTemplate"),
        (with_manifest(frameworkVersion="1.0"), "write 2.0"),
        (with_manifest(signedUrls="yes"), "signedUrls is 'yes'"),
        (with_manifest(location={"support": {"ticket_sidebar": "http://cs.example"}}), "an https address"),
        (with_manifest(location={"support": {"ticket_sidebar": "assets/no.html"}}), "not in the package"),
        (with_manifest(location={"support": {"ticket_sidebar": {"url": PAGE, "wide": 1}}}), "has wide"),
        (with_manifest(parameters=[{"name": "key", "type": "secret"}]), "has the type 'secret'"),
        (with_manifest(parameters=[{"name": "o", "type": "oauth", "secure": True}]), "cannot be secure"),
        (with_manifest(defaultLocale="fr"), "translations/fr.json is missing"),
        ({**a_package(), "assets/logo.png": b"GIF89a"}, "assets/logo.png is no PNG"),
        ({**a_package(), "assets/logo-small.png": a_package()["assets/logo.png"]}, "must be 128 by 128"),
        ({**a_package(), "translations/en.json": b'{"app": {"name": "x"}}'}, "lacks app.short_description"),
        ({**a_package(), "notes.txt": b"api_key = abcdefghijklmnop"}, "notes.txt seems to hold a secret"),
        ({}, "manifest.json is missing"),
        ({"manifest.json": b"{"}, "is not JSON"),
    ],
)
def test_what_zendesk_would_not_take_is_named(broken: dict[str, bytes], told: str) -> None:
    assert any(told in problem for problem in problems(broken)), problems(broken)


def test_a_page_without_https_is_refused() -> None:
    with pytest.raises(UnfitPackage, match="an https address"):
        package("http://cs.example/t/acme/zendesk/app", author="A", email="a@b.example", at=AT)
