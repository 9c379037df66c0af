"""`countersign app package`: the zip that is uploaded to Zendesk, checked before it is written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from app.errors import UsageError
from app.terminal import commanding_of, say, say_json
from app.zendesk_app.package import UnfitPackage, package

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
MADE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The time that the zip's entries carry, so that the same settings give the same file."""

app = typer.Typer(name="app", help="The app in Zendesk's ticket sidebar.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The app in Zendesk's ticket sidebar."""


@app.command("package")
def package_command(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("countersign-zendesk-app.zip"),
    *,
    url: Annotated[str | None, typer.Option(help="Public address of this server; the setting where left out.")] = None,
    author: Annotated[str, typer.Option(help="Who publishes it, as the manifest says.")] = "Countersign",
    email: Annotated[str, typer.Option(help="Where to write about it.")] = "support@example.com",
    as_json: Json = False,
) -> None:
    """Write the app's zip for one tenant, and check it by the rules of Zendesk's validator."""
    commanding = commanding_of(ctx)
    base = (url or commanding.settings.public_url or "").rstrip("/")
    if not base:
        raise UsageError("no address of this server; set COUNTERSIGN_PUBLIC_URL, or say it with --url https://...")
    page_url = f"{base}/t/{commanding.tenant_id}/zendesk/app"
    try:
        content = package(page_url, author=author, email=email, at=MADE)
    except UnfitPackage as error:
        raise UsageError(f"Zendesk would not take the app: {error}") from error
    try:
        out.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {str(out)!r}: {(error.strerror or 'it failed').lower()}") from error
    if as_json:
        say_json({"file": str(out), "bytes": len(content), "page": page_url, "problems": []})
    else:
        say(
            [
                f"{out}: {len(content)} bytes, checked; its page is {page_url}",
                "docs/zendesk-app.md says how to install it",
            ]
        )
