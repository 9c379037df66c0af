"""An evidence bundle as one page to read: no script, nothing loaded from elsewhere, every value escaped.

It says what the bundle says and proves nothing; the bundle does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from graph.audit.catalogue import KINDS
from graph.audit.note import read


def evidence_page(bundle: Mapping[str, Any]) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    checkpoint = read(bundle["checkpoint"])
    events = [
        {**event["leaf"], "means": _means(event["leaf"]["kind"]), "details": list(_details(event["leaf"]["body"]))}
        for event in bundle["events"]
    ]
    return environment.get_template("evidence.html").render(
        bundle=bundle, events=events, origin=checkpoint.origin, size=checkpoint.size
    )


def _means(kind: str) -> str:
    return KINDS[kind].means if kind in KINDS else ""


def _details(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if value not in (None, [], {}):
            yield name.replace("_", " "), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
