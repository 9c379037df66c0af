"""The demo's tickets: stories of a shop, their names, numbers and goods drawn on a seed. Same seed, same tickets."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from app.errors import UsageError
from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.reading import read_yaml
from connectors.sandbox.world.third_party import ticket_line_world

FIRST_NAMES: Final = [
    "Ana",
    "Marcus",
    "Priya",
    "Tomas",
    "Ingrid",
    "Kofi",
    "Lena",
    "Hiroshi",
    "Maya",
    "Oskar",
    "Nadia",
    "Felix",
    "Grace",
    "Ivan",
    "Chloe",
    "Samir",
    "Elena",
    "Jonas",
    "Ruth",
    "Diego",
]
LAST_NAMES: Final = [
    "Ruiz",
    "Bell",
    "Nair",
    "Novak",
    "Lindqvist",
    "Mensah",
    "Fischer",
    "Tanaka",
    "Cohen",
    "Berg",
    "Haddad",
    "Moreau",
    "Okafor",
    "Petrov",
    "Dubois",
    "Khan",
    "Rossi",
    "Meyer",
]
GOODS: Final = (
    "copper watering can",
    "cedar planter box",
    "linen table runner",
    "stoneware pitcher",
    "oak serving board",
    "wool picnic blanket",
    "brass candle holder",
    "garden trowel set",
    "ceramic bird bath",
    "rattan storage basket",
)


def demo_settings(count: int, seed: int) -> list[Setting]:
    """So many worlds with a ticket each, every story before any comes again."""
    chance = random.Random(seed)  # noqa: S311 - a demo is repeatable, not secret
    parts = _split()
    order = list(range(len(parts)))
    settings: list[Setting] = []
    while len(settings) < count:
        chance.shuffle(order)
        for place in order[: count - len(settings)]:
            filled = Template(parts[place]).substitute(_words(chance, len(settings)))
            settings.append(read_yaml(filled, Setting, name=f"story {place}"))
    return settings


def _split() -> list[str]:
    """The file's stories as YAML of their own, still with their placeholders."""
    text = (files("app.demo") / "stories.yaml").read_text("utf-8")
    parts = text.split("\n- id: ")[1:]
    return ["\n".join(_unindented(part)) for part in parts]


def _unindented(part: str) -> list[str]:
    lines = part.splitlines()[1:]  # the first is the story's name
    return [line.removeprefix("  ") for line in lines]


def _words(chance: random.Random, number: int) -> dict[str, str]:
    first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    item, item2 = chance.sample(GOODS, 2)
    small, other = _amount(chance, 9, 44), _amount(chance, 9, 44)
    return {
        "first": first,
        "name": f"{first} {last}",
        "email": f"{first}.{last}.{number}@customers.example".lower(),
        "order": str(10_000 + 7 * number + chance.randrange(7)),
        "order2": str(50_000 + 7 * number + chance.randrange(7)),
        "item": item,
        "item2": item2,
        "small": str(small),
        "other": str(other),
        "sum": str(small + other),
        "reduced": str((small * Decimal("0.8")).quantize(Decimal("0.01"))),
        "large": str(_amount(chance, 60, 240)),
        "huge": str(_amount(chance, 1200, 2400)),
        "yen": str(chance.randrange(900, 6000, 10)),
    }


def _amount(chance: random.Random, low: int, high: int) -> Decimal:
    return Decimal(chance.randrange(low * 100, high * 100)) / 100


def settings_from(path: Path) -> list[tuple[str, Setting]]:
    """Tickets written by others, one JSON object a line, each with its own id.

    Raises:
        UsageError: the file cannot be read.
        WorldError: a line is no ticket; it is named.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"the tickets {str(path)!r} cannot be read: {reason}; give a file of JSON lines") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            setting = ticket_line_world(line, name=f"{path.name}:{number}")
            found.append((str(json.loads(line).get("id", number)), setting))
    if not found:
        raise UsageError(f"the tickets {str(path)!r} are empty; give a file of JSON lines")
    return found
