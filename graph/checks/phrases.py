"""Expressions of the checks, by check and language, from `phrases.yaml`; English is looked for in every reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import yaml

NEVER: Final = r"(?!)"


@cache
def expression(name: str, language: str) -> re.Pattern[str]:
    """What the named check looks for in a reply of that language; English is looked for in every reply.

    Raises:
        KeyError: no check has expressions of that name.
    """
    by_language = _phrases()[name]
    parts = [by_language.get(one, "") for one in dict.fromkeys((language, "en"))]
    return re.compile("|".join(f"(?:{part})" for part in parts if part) or NEVER, re.IGNORECASE)


@cache
def _phrases() -> Mapping[str, Mapping[str, str]]:
    content = (files("graph.checks") / "phrases.yaml").read_text(encoding="utf-8")
    phrases: dict[str, dict[str, str]] = yaml.safe_load(content)
    return phrases
