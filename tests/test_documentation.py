"""The pages say what is so: links lead somewhere, commands and options exist, examples of settings can be read."""

from __future__ import annotations

import base64
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from app.cli import APPLICATION_COMMANDS, GROUP, build
from app.settings import Settings
from app.settings_page import entries
from app.tables import metadata
from policies.evaluate import decide
from policies.facts import Facts
from policies.parse import parse_policy
from policies.report import decision_text
from policies.shelf import from_library, shipped_text
from policies.vocabulary import Outcome, Verdict

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("evals/*.md")], key=lambda path: path.as_posix()
)
FENCE = re.compile(r"^( *)```(?P<language>\w*)\n(?P<text>.*?)^\1```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)
ALTERNATIVES = re.compile(r"\||\.\.\.|\[")


class Example(NamedTuple):
    """Something a page shows, and where."""

    page: str
    text: str


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text("utf-8"))


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for match in LINK.finditer(CODE.sub("", prose(page))):
            if not match["target"].startswith(("https://", "http://", "mailto:")):
                yield page, match["target"]


def fences(language: str) -> Iterator[Example]:
    for page in PAGES:
        for match in FENCE.finditer(page.read_text("utf-8")):
            if match["language"] == language:
                yield Example(name(page), match["text"])


def commands() -> Iterator[Example]:
    """Every `countersign ...` in a code span, and every line of a plain block that is one."""
    for page in PAGES:
        text = page.read_text("utf-8")
        shown = [match[1] for match in CODE.finditer(FENCE.sub("", text))]
        for block in FENCE.finditer(text):
            if block["language"] in {"", "sh", "console"}:
                # What stands after two blanks is a remark.
                shown += [
                    re.split(r"\s{2,}", line.strip().removeprefix("$ "))[0] for line in block["text"].splitlines()
                ]
        for line in shown:
            fed = line.rpartition(" | countersign ")
            command = f"countersign {fed[2]}" if fed[1] else line
            if command.startswith("countersign "):
                yield Example(name(page), command)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code forges make them."""
    plain = [re.sub(r"[`*]", "", match["text"]) for match in HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in plain}


@cache
def declared() -> dict[str, EntryPoint]:
    """Every command by name, as the source declares it, whatever is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    targets = {**project["entry-points"][GROUP], **APPLICATION_COMMANDS}
    return {command: EntryPoint(command, target, GROUP) for command, target in targets.items()}


@cache
def loaded(command: str) -> TyperGroup | TyperCommand:
    target = declared()[command].load()
    application = target if isinstance(target, typer.Typer) else typer.Typer()
    if application is not target:
        application.command(command)(target)
    made = typer.main.get_command(application)
    assert isinstance(made, TyperGroup | TyperCommand)
    return made


def without_root_options(words: list[str]) -> list[str]:
    root = {"--tenant": 2, "--debug": 1}
    while words and words[0] in root:
        words = words[root[words[0]] :]
    return words


def complaint(line: str) -> str | None:
    """What is wrong with a command that a page shows; None where nothing is."""
    cut = ALTERNATIVES.split(line)[0]
    words = without_root_options(shlex.split(cut.removeprefix("countersign ")))
    if not words or words[0].isupper() or words[0] in {"--help", "--version", "--debug"}:
        return None
    if words[0] not in declared():
        return f"there is no command {words[0]!r}"
    found, rest = loaded(words[0]), words[1:]
    parameters = found.params
    if isinstance(found, TyperGroup) and rest and not rest[0].startswith("-"):
        if rest[0] not in found.commands:
            return f"there is no {words[0]!r} {rest[0]!r}"
        parameters, rest = found.commands[rest[0]].params, rest[1:]
    known = {option for parameter in parameters for option in parameter.opts} | {"--help"}
    unknown = [word for word in rest if word.startswith("-") and word != "-" and word.split("=")[0] not in known]
    return f"{words[0]!r} has no option {unknown[0]!r}" if unknown else None


@pytest.mark.parametrize(
    ("page", "target"), [*links()], ids=lambda value: name(value) if isinstance(value, Path) else value
)
def test_every_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    place = (page.parent / path).resolve() if path else page
    assert place.is_relative_to(ROOT), "a link out of the project"
    assert place.exists(), "nothing is there"
    if anchor:
        assert anchor in anchors(place), f"no such heading; there are {sorted(anchors(place))}"


def test_every_command_that_is_named_exists_with_its_options() -> None:
    examples = set(commands())
    assert {example.page for example in examples} >= {"README.md", "docs/policies.md", "docs/connecting.md"}
    wrong = [f"{page}: {line}: {why}" for page, line in sorted(examples) if (why := complaint(line)) is not None]
    assert not wrong, "\n".join(wrong)


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    assert complaint("countersign doctr") == "there is no command 'doctr'"
    assert complaint("countersign policy chek FILE") == "there is no 'policy' 'chek'"
    assert complaint("countersign demo --ticket 5") == "'demo' has no option '--ticket'"
    assert complaint("countersign --tenant acme doctor --json") is None


def test_declared_commands_are_those_of_the_command_line() -> None:
    assert set(declared()) >= set(APPLICATION_COMMANDS)
    assert {command.name for command in build([]).registered_commands} >= set(APPLICATION_COMMANDS)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        (name(page), word)
        for page in PAGES
        for word in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert ("README.md", "demo") in named
    assert {entry for entry in named if entry[1] not in targets} == set()


@pytest.mark.parametrize("example", [*fences("toml")], ids=lambda example: example.page)
def test_every_example_of_settings_can_be_read(example: Example) -> None:
    given = tomllib.loads(example.text)
    if "master_key" in given:
        given["master_key"] = base64.b64encode(bytes(32)).decode()
    Settings(**given)


def test_the_decision_that_the_readme_shows_is_the_one_that_is_made() -> None:
    values = json.loads((ROOT / "docs" / "examples" / "duplicate-charge.json").read_text("utf-8"))
    policy = parse_policy(shipped_text(), name="refunds.yaml", resolve=from_library)
    made = decision_text(decide(policy, Facts(values), now=datetime(2026, 11, 21, 9, tzinfo=UTC)))
    assert f"\n{made}\n" in (ROOT / "README.md").read_text("utf-8")


def test_every_setting_is_on_its_page() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert [entry.key for entry in entries() if f"`{entry.variable}`" not in page] == []


def test_every_table_is_in_the_architecture() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    kept_for_ranking = {"kb_corpus", "kb_term"}  # the page names them together with the sections
    assert {table for table in metadata().tables if f"`{table}`" not in page} <= kept_for_ranking


def test_every_node_and_package_is_in_the_architecture() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    nodes = [path for path in (ROOT / "graph" / "nodes").glob("*.py") if path.stem != "__init__"]
    assert [path.stem for path in nodes if f"(graph/nodes/{path.name})" not in page] == []
    packages = ("policies", "connectors", "kb", "graph", "app", "evals")
    assert [package for package in packages if f"[{package}]({package})" not in page] == []


def test_the_glossary_is_in_order_and_holds_the_closed_words() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    words = [match[1] for match in re.finditer(r"^\| ([a-z][a-z -]*?) \|", page, re.MULTILINE)][1:]
    assert words == sorted(set(words))
    closed = [*Outcome, *Verdict]
    assert [word.value for word in closed if f"`{word.value}`" not in page] == []


def test_every_decision_is_listed_and_says_what_would_change_it() -> None:
    listed = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    pages = [page for page in (ROOT / "docs" / "adr").glob("*.md") if page.name != "README.md"]
    assert [page.name for page in pages if f"]({page.name})" not in listed] == []
    headings = ("The matter", "The decision", "What follows", "What would change our mind")
    for page in pages:
        text = page.read_text("utf-8")
        assert [heading for heading in headings if f"\n## {heading}\n" not in text] == [], page.name


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    while True:
        more = {(page.parent / target.partition("#")[0]).resolve() for page, target in links() if page in reached}
        if more <= reached:
            break
        reached |= more
    assert [name(page) for page in PAGES if page not in reached] == []


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    places = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/|\.\./shared")
    assert [name(page) for page in PAGES if places.search(page.read_text("utf-8"))] == []


def test_what_the_readme_promises_not_to_claim_is_not_claimed() -> None:
    claims = re.compile(r"exactly[- ]once|immutable|tamper-proof|injection-proof|guarantee", re.IGNORECASE)
    denied = re.compile(r"Not \*exactly once\*")
    claimed = [
        f"{name(page)}: {match[0]}"
        for page in PAGES
        for match in claims.finditer(denied.sub("", page.read_text("utf-8")))
    ]
    assert claimed == []
