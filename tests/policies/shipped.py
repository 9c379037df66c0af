"""The shipped policy and the cases that ship with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import yaml

from policies.document import Policy
from policies.parse import parse_policy
from policies.shelf import from_library, library, shipped_text

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def shipped() -> Policy:
    return parse_policy(shipped_text(), name="refunds.yaml", resolve=from_library)


@cache
def article(name: str) -> Policy:
    text = from_library(f"{name}.yaml")
    assert text is not None
    return parse_policy(text, name=f"{name}.yaml", resolve=from_library)


@dataclass(frozen=True)
class ShippedCase:
    name: str
    facts: dict[str, object]
    expected: dict[str, Any]


def files_with_cases() -> list[str]:
    """The shipped policies beside which a file of cases lies, by their names."""
    folders = (library(), library() / "articles")
    names = [file.name for folder in folders for file in folder.iterdir()]
    return sorted(name.removesuffix(".cases.yaml") for name in names if name.endswith(".cases.yaml"))


def shipped_cases() -> list[ShippedCase]:
    return cases_of("refunds")


@cache
def cases_of(policy: str) -> list[ShippedCase]:
    content = yaml.safe_load(from_library(f"{policy}.cases.yaml") or "")
    cases = []
    for case in content["cases"]:
        situation = content["situations"][case["situation"]] if "situation" in case else {}
        facts = {**content["base"], **situation, **case.get("with", {})}
        expected = {key: value for key, value in case.items() if key not in {"name", "situation", "with"}}
        cases.append(ShippedCase(case["name"], facts, expected))
    return cases


def base_facts(**changes: object) -> dict[str, object]:
    """The facts of the plainest automatic refund: the later of two equal charges. Names are given with `__`."""
    (case,) = [case for case in shipped_cases() if case.name == "the later of two equal charges"]
    return {**case.facts, **{name.replace("__", "."): value for name, value in changes.items()}}
