"""Scenario files into scenarios: one, a list, or a suite with worlds and tags that its scenarios share.

A suite is `{tags: [...], policy: ..., worlds: {name: world}, scenarios: [...]}`. A scenario's `world` may then be the
name of one of them, or `{like: name, ...}`: what it adds stands beside what the named world has, and an entry with a
key that is there already changes that entry. A world or a policy may also be a file beside the scenario file. Promises
one line for each problem, with file and line, and that no scenario was read where one cannot be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml

from connectors.sandbox.world.errors import WorldError
from connectors.sandbox.world.reading import plain, validated
from evals.suites.errors import SuiteError
from evals.suites.scenario import SHIPPED_POLICY, Scenario
from policies.errors import PolicyFileError
from policies.parse import parse_policy
from policies.shelf import SHIPPED, STARTER, from_library

SHIPPED_SUITES: Final = Path(__file__).parent.parent / "scenarios"
ENDINGS: Final = (".yaml", ".yml")
_SUITE_KEYS: Final = frozenset({"tags", "policy", "knowledge", "worlds", "scenarios"})
_NAMED: Final = {SHIPPED_POLICY: SHIPPED, "starter": STARTER}


@dataclass(frozen=True, slots=True)
class Filed:
    """A scenario, the file it stands in, and the text of the policy that decides it."""

    scenario: Scenario
    path: Path
    policy_text: str

    @property
    def suite(self) -> str:
        """The folder and the file, as reports name them."""
        return f"{self.path.parent.name}/{self.path.stem}"


def read_suites(paths: Sequence[Path]) -> list[Filed]:
    """Every scenario of files and folders, in the order of their names.

    Raises:
        SuiteError: a path without scenarios, or files that cannot be used; every problem.
    """
    problems: list[str] = []
    found: list[Filed] = []
    for path in paths:
        files = _files(path, problems)
        for file in files:
            try:
                found += _read(file)
            except WorldError as error:
                problems += error.problems
    counted = Counter(one.scenario.id for one in found)
    for name, times in counted.items():
        if times > 1:
            places = ", ".join(sorted({str(one.path) for one in found if one.scenario.id == name}))
            problems.append(f"{places}: id {name!r} is used {times} times: rename all but one")
    if problems:
        raise SuiteError(tuple(problems))
    return found


def chosen(filed: Sequence[Filed], *, tags: Sequence[str], ids: Sequence[str]) -> list[Filed]:
    """The scenarios with all the tags and one of the ids, where any are named.

    Raises:
        SuiteError: none has.
    """
    known = {one.scenario.id for one in filed}
    unknown = [name for name in ids if name not in known]
    if unknown:
        raise SuiteError((f"no scenario {unknown[0]!r}: correct --id",))
    found = [one for one in filed if set(tags) <= set(one.scenario.tags) and (not ids or one.scenario.id in ids)]
    if not found:
        raise SuiteError((f"no scenario has the tags {', '.join(tags)}: correct --tag",))
    return found


def decided_by(filed: Sequence[Filed], path: Path) -> list[Filed]:
    """The scenarios with another policy in the place of the shipped one; those with a policy of their own keep it.

    Raises:
        SuiteError: the file cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
        parse_policy(text, name=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError((f"{path}: cannot be read: name a policy file",)) from error
    except PolicyFileError as error:
        raise SuiteError(tuple(str(problem) for problem in error.problems)) from error
    return [replace(one, policy_text=text) if one.scenario.policy == SHIPPED_POLICY else one for one in filed]


def sliced(filed: Sequence[Filed], count: int) -> list[Filed]:
    """So many of the scenarios, evenly out of all suites: always the same ones, in their order."""
    step = max(1.0, len(filed) / count)
    return [filed[int(number * step)] for number in range(min(count, len(filed)))]


def _files(path: Path, problems: list[str]) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        problems.append(f"{path}: no such file or folder: name scenario files, or a folder of them")
        return []
    files = sorted(one for one in path.rglob("*") if one.suffix in ENDINGS and _is_suite(one, path))
    if not files:
        problems.append(f"{path}: no scenario files (*.yaml) in this folder: write one, or name another folder")
    return files


def _is_suite(file: Path, root: Path) -> bool:
    """Worlds and policies that scenarios name lie in folders of these names; they are no scenarios."""
    return not {"worlds", "policies"} & set(file.relative_to(root).parts[:-1])


def _read(path: Path) -> Iterator[Filed]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WorldError((f"{path}: cannot be read: {reason}",)) from error
    lines: dict[tuple[str | int, ...], int] = {}
    value = plain(text, name=str(path), lines=lines)
    suite: Mapping[str, Any] = {}
    place: tuple[str | int, ...] = ()
    if isinstance(value, dict) and "scenarios" in value:
        _check_suite(value, path, lines)
        suite, value, place = value, value["scenarios"], ("scenarios",)
    entries = value if isinstance(value, list) else [value]
    if not entries:
        raise WorldError((f"{path}: no scenarios in this file: write one, or remove the file",))
    problems: list[str] = []
    read: list[Filed] = []
    for number, entry in enumerate(entries):
        at = (*place, number) if isinstance(value, list) else place
        below = {key[len(at) :]: line for key, line in lines.items() if key[: len(at)] == at}
        try:
            read.append(_filed(entry, suite, path, below))
        except WorldError as error:
            problems += error.problems
    if problems:
        raise WorldError(tuple(problems))
    yield from read


def _check_suite(value: Mapping[str, Any], path: Path, lines: Mapping[tuple[str | int, ...], int]) -> None:
    unknown = sorted(set(value) - _SUITE_KEYS)
    if unknown:
        where = f"{path}:{lines.get((unknown[0],), 1)}"
        raise WorldError((f"{where}: {unknown[0]}: unknown key: a suite has {', '.join(sorted(_SUITE_KEYS))}",))
    if not isinstance(value["scenarios"], list):
        raise WorldError((f"{path}:{lines.get(('scenarios',), 1)}: scenarios: not a list: write `- id: ...` lines",))
    if not isinstance(value.get("worlds", {}), dict) or not isinstance(value.get("tags", []), list):
        raise WorldError((f"{path}:1: worlds is a table by name, and tags is a list: correct them",))


def _filed(entry: object, suite: Mapping[str, Any], path: Path, lines: dict[tuple[str | int, ...], int]) -> Filed:
    if not isinstance(entry, dict):
        raise WorldError((f"{path}:{lines.get((), 1)}: not a scenario: write a table with id, world, ticket, expect",))
    told = dict(entry)
    name = told.get("id", f"line {lines.get((), 1)}")
    told["world"] = _world(told.get("world", {}), suite.get("worlds", {}), path, f"{path}:{lines.get(('world',), 1)}")
    told["tags"] = [*suite.get("tags", []), *_list(told.get("tags", []))]
    told.setdefault("policy", suite.get("policy", SHIPPED_POLICY))
    if "knowledge" in suite:
        told.setdefault("knowledge", suite["knowledge"])
    if "expect" not in told:
        where = f"{path}:{lines.get((), 1)}"
        raise WorldError((f"{where}: {name}: expect: missing, so nothing could be wrong: write `expect:`",))
    scenario = _with_derived(validated(told, Scenario, name=f"{path}", lines=lines))
    return Filed(scenario, path, _policy(scenario, path))


def _with_derived(scenario: Scenario) -> Scenario:
    """Tagged with the segment of who writes, which the world says already, and as English unless it says so."""
    writer = scenario.all_tickets[0].requester
    segment = next((one.segment for one in scenario.world.customers if one.key == writer), None)
    derived = [f"segment:{segment or 'standard'}", *(() if scenario.tagged("language") else ("language:en",))]
    return scenario.model_copy(update={"tags": (*scenario.tags, *derived)})


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _world(given: object, worlds: Mapping[str, Any], path: Path, where: str) -> object:
    """The world that a scenario means: its own, a named one, a file's, or one like another."""
    if isinstance(given, str):
        return _named(given, worlds, path, where)
    if isinstance(given, dict) and "like" in given:
        own = {key: value for key, value in given.items() if key != "like"}
        return _joined(_named(str(given["like"]), worlds, path, where), own)
    return given


def _named(name: str, worlds: Mapping[str, Any], path: Path, where: str) -> dict[str, Any]:
    if name in worlds:
        world = _world(worlds[name], worlds, path, where)
    else:
        file = path.parent / name
        if not file.is_file():
            known = ", ".join(sorted(worlds)) or "none"
            raise WorldError((f"{where}: world: no world {name!r}: known here are {known}, and no such file",))
        world = plain(file.read_text(encoding="utf-8"), name=str(file), lines={})
    if not isinstance(world, dict):
        raise WorldError((f"{where}: world: {name!r} is not a world: write customers, charges and so on",))
    return world


def _joined(world: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Both, list by list; an entry whose key stands in the other changes that one."""
    joined = dict(world)
    for name, entries in own.items():
        known = list(_list(world.get(name, [])))
        for entry in _list(entries):
            key = entry.get("key") if isinstance(entry, dict) else None
            same = [n for n, one in enumerate(known) if key is not None and one.get("key") == key]
            if same:
                known[same[0]] = {**known[same[0]], **entry}
            else:
                known.append(entry)
        joined[name] = known
    return joined


def _policy(scenario: Scenario, path: Path) -> str:
    """The text of the policy that decides a scenario, read once to see that it can."""
    if isinstance(scenario.policy, dict):
        text = yaml.dump(scenario.policy, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
        name = f"{path}: {scenario.id}: policy"
    elif scenario.policy in _NAMED:
        known = from_library(_NAMED[scenario.policy])
        assert known is not None
        return known
    else:
        name = str(path.parent / scenario.policy)
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            sentence = f"{path}: {scenario.id}: policy: {scenario.policy!r} cannot be read: name a policy file"
            raise WorldError((sentence,)) from error
    try:
        parse_policy(text, name=name)
    except PolicyFileError as error:
        raise WorldError(tuple(str(problem) for problem in error.problems)) from error
    return text


class _Dumper(yaml.SafeDumper):
    """Writes exact numbers by their digits, as they were read."""


_Dumper.add_representer(Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", str(value)))
