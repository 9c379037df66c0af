"""`countersign packet`: write the security packet of this installation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.owner import session_for
from app.packet.packet import packet
from app.packet.sbom import bill_of_materials
from app.terminal import commanding_of, say, say_json
from app.web.app import create_app

TEMPLATES = Path(__file__).parent.parent / "templates"


def packet_command(
    ctx: typer.Context,
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the packet.")] = Path("security-packet"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the packet as one JSON object and write nothing.")
    ] = False,
) -> None:
    """Write what this installation can do, what it cannot, and what shows that: JSON, a page to read, and an SBOM."""
    commanding = commanding_of(ctx)
    settings, storage = commanding.settings, commanding.storage
    web = create_app(settings, storage.app_url)
    made = commanding.run(packet(settings, web, lambda name: session_for(storage, name), commanding.now))
    if as_json:
        say_json(made)
        return
    out.mkdir(parents=True, exist_ok=True)
    written = {
        "packet.json": json.dumps(made, ensure_ascii=False, indent=1) + "\n",
        "packet.html": packet_page(made),
        "sbom.cdx.json": bill_of_materials(commanding.now()) + "\n",
    }
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8")
    counts = {name: len(made[name]) for name in ("tenants", "roles", "data_flows", "controls", "packages")}
    say([", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())])
    say(f"wrote {out / name}" for name in written)


def packet_page(made: dict[str, Any]) -> str:
    """The packet as one page to read: no script, nothing loaded from elsewhere, every value escaped."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("packet.html").render(packet=made)
