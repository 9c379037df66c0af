"""YAML in: places are kept, and what could exhaust the reader is refused."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.errors import PolicyFileError, Problem
from policies.language.tree import MAX_BYTES, Node, Scalar, Sequence, Table, read_tree
from policies.parse import parse_policy


def tree_of(text: str) -> Node | None:
    problems: list[Problem] = []
    tree = read_tree(text, name="t.yaml", problems=problems)
    if problems:
        raise PolicyFileError(tuple(problems))
    return tree


def refused(text: str) -> Problem:
    with pytest.raises(PolicyFileError) as caught:
        tree_of(text)
    return caught.value.problems[0]


def test_every_node_knows_its_place_and_its_own_spelling() -> None:
    tree = tree_of('a: 24.90\nb: ["24.90", no]\n')
    assert isinstance(tree, Table)
    amount, words = tree.get("a"), tree.get("b")
    assert isinstance(amount, Scalar)
    assert (amount.text, amount.quoted, amount.place.line, amount.place.column) == ("24.90", False, 1, 4)
    assert isinstance(words, Sequence)
    assert [(item.text, item.quoted) for item in words.items if isinstance(item, Scalar)] == [
        ("24.90", True),
        ("no", False),
    ]
    assert tree.get("c") is None


def test_an_empty_file_has_no_tree() -> None:
    assert tree_of("# nothing\n") is None


def test_an_alias_repeats_its_anchor() -> None:
    tree = tree_of("a: &x {k: 1}\nb: *x\n")
    assert isinstance(tree, Table)
    assert tree.get("a") is tree.get("b")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\na: 2\n", "key 'a' stands here a second time", 2),
        ("a: [1, 2\nb: 3\n", "not valid YAML", 2),
        ("a: 1\n---\nb: 2\n", "a second document begins here", 2),
        ("a: !!python/object:os.system x\n", "tag", 1),
        ("a: !t [1]\n", "tag", 1),
        ("? [a]\n: 1\n", "a key must be one word", 1),
        ("a: *nobody\n", "names no finished anchor", 1),
        ("a: &x [*x]\n", "names no finished anchor", 1),
        ("a: 1\nb: \x00\n", "not valid YAML: a character", 2),
        ("a: 1\nb: \ud800\n", "a character is not Unicode text", 2),
        ("[" * 100, "nested deeper", 1),
        ("a: &x 1\nb: [" + ", ".join(["*x"] * 60) + "]\n", "more than 50 aliases", 2),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(text: str, message: str, line: int) -> None:
    problem = refused(text)
    assert message in problem.message
    assert problem.line == line
    assert problem.hint is not None


def test_a_file_that_doubles_itself_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 6)]
    started = time.perf_counter()
    assert refused("\n".join(lines)).message in {"more than 50 aliases", "more than 100,000 values"}
    assert time.perf_counter() - started < 1


def test_a_wide_bomb_is_refused_by_its_size() -> None:
    lines = ["a0: &a0 [" + ", ".join(["x"] * 3000) + "]", "a1: [" + ", ".join(["*a0"] * 40) + "]"]
    assert refused("\n".join(lines)).message == "more than 100,000 values"


@pytest.mark.parametrize("text", ["x" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1)])
def test_a_large_file_is_refused(text: str) -> None:
    assert "more than 1,000,000 bytes" in refused(text).message


def wide(words: int, key: str) -> str:
    return f"{key}: [" + ", ".join(f"w{number}" for number in range(words)) + "]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (wide(40_000, "segments") + wide(40_000, "brands"), "segments lists more than 1,000 words"),
        ("".join(f"segmnt{number}: x\n" for number in range(49_000)), "unknown key 'segmnt0' in a policy file"),
        ("rules: [" + "{when: {charg: 1}}, " * 12_000 + "]\n", "a rule has no 'id'"),
        ("a: 1\n" * 49_000, "key 'a' stands here a second time"),
        ("when: " + "x" * 990_000, "unknown key 'when'"),
        ("tools: {allow: [" + "a_over_" * 140_000 + "]}", "unknown tool 'a_over_"),
    ],
    ids=["words", "keys", "rules", "doubles", "a long word", "a long tool"],
)
def test_a_large_file_is_refused_in_bounded_time(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(f"policy: large\n{text}", name="large.yaml")
    assert time.process_time() - started < 5
    assert any(problem.message.startswith(message) for problem in caught.value.problems)
    assert len(caught.value.problems) <= 100


def test_a_line_that_stands_for_millions_of_cells_takes_no_memory_for_them() -> None:
    words = ", ".join(f"w{number}" for number in range(900))
    cells = f"{{segment: [{words}], brand: [{words}], tier: t}}"
    text = f"segments: [{words}]\nbrands: [{words}]\nautonomy: {{tiers: {{t: {{mode: auto}}}}, matrix: [{cells}]}}"
    tracemalloc.start()
    try:
        with pytest.raises(PolicyFileError, match="the matrix has more than 20,000 cells"):
            parse_policy(f"policy: large\n{text}\n", name="large.yaml")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20_000_000


def test_ten_megabytes_are_refused_without_being_read() -> None:
    text = "a: [" + "x, " * 3_400_000
    started = time.process_time()
    assert "more than 1,000,000 bytes" in refused(text).message
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("text", ["[" * 900_000, "- " * 400_000, "a: " * 300_000, "&a " * 300_000, "? " * 400_000])
def test_hostile_shapes_are_refused_in_bounded_time(text: str) -> None:
    started = time.perf_counter()
    refused(text)
    assert time.perf_counter() - started < 10


@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    "policy: x",
                    "rules:",
                    "  - id: a",
                    "    when: always",
                    "    effect: allow",
                    "autonomy:",
                    "  tiers:",
                    "    t: {",
                    "mode: auto",
                    "}",
                    "limits:",
                    "never: [",
                    "]",
                    "'",
                    "&a",
                    "*a",
                    "!t",
                    "---",
                    "\t",
                    ": ",
                    "agent:",
                    "- ",
                    "#",
                ],
            ),
            max_size=25,
        ).map("\n".join),
    ),
)
@settings(max_examples=600, deadline=None)
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    with suppress(PolicyFileError):
        parse_policy(text, name="fuzz.yaml")
        return
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(text, name="fuzz.yaml")
    assert caught.value.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in caught.value.problems)
