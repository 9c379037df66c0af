"""Short ways to write policy texts and to read what is wrong with them."""

from __future__ import annotations

from textwrap import dedent

from policies.document import Policy
from policies.errors import PolicyFileError, Problem
from policies.parse import parse_policy


def parsed(text: str, **files: str) -> Policy:
    """The policy in a text that needs no name. Other files are given by their stem."""
    body = dedent(text).lstrip("\n")
    if not body.startswith(("policy:", "workflow:", "agent:", "extends:")):
        body = f"policy: tried\n{body}"
    return parse_policy(body, name="tried.yaml", resolve=lambda name: files.get(name.removesuffix(".yaml")))


def problems(text: str, **files: str) -> tuple[Problem, ...]:
    """What is wrong with the text."""
    try:
        parsed(text, **files)
    except PolicyFileError as error:
        return error.problems
    raise AssertionError("the text was accepted")


def problem(text: str, **files: str) -> Problem:
    """The one thing that is wrong with the text."""
    (only,) = problems(text, **files)
    return only


def rule(when: str, *, effect: str = "allow", more: str = "") -> str:
    """A file with one rule."""
    return f"rules:\n  - {{id: tried, effect: {effect}, reason: Because., when: {when}{more}}}\n"
