"""The format of scenario files as a JSON Schema, for editors and for whoever writes their own.

It is made from the models that read the files, so it cannot differ from them; what a schema cannot say (that a refund
names a charge of its world, and no more than it took) is checked when a file is read.
"""

from __future__ import annotations

import json
from typing import Any, Final

from evals.suites.scenario import FORMAT_VERSION, Scenario

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """A schema of a file: one scenario, a list of them, or a suite with shared worlds."""
    scenario = Scenario.model_json_schema(by_alias=True, mode="validation", ref_template="#/$defs/{model}")
    definitions = scenario.pop("$defs")
    world: dict[str, Any] = {
        "anyOf": [
            {"$ref": "#/$defs/World"},
            {"type": "string", "description": "a world of the suite, or a file beside this one"},
            {
                "type": "object",
                "required": ["like"],
                "properties": {"like": {"type": "string", "description": "the world to which this adds"}},
            },
        ]
    }
    scenario["properties"]["world"] = world
    definitions["Scenario"] = scenario
    definitions["Suite"] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["scenarios"],
        "properties": {
            "tags": {"type": "array", "items": {"type": "string"}},
            "policy": scenario["properties"]["policy"],
            "knowledge": scenario["properties"]["knowledge"],
            "worlds": {"type": "object", "additionalProperties": world},
            "scenarios": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Scenario"}},
        },
    }
    return {
        "$schema": DIALECT,
        "$id": f"countersign-scenario-{FORMAT_VERSION}",
        "title": "Scenarios of Countersign",
        "version": FORMAT_VERSION,
        "anyOf": [
            {"$ref": "#/$defs/Suite"},
            {"$ref": "#/$defs/Scenario"},
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Scenario"}},
        ],
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
