"""Policy files that nobody would write, by the thousand: each is read, or refused with a line; none crashes or hangs.

Files are made from the shipped ones and from one that uses every key: characters, lines, indentation and values are
changed, lost, repeated and moved, parts of several files are mixed. What is read is also decided on and written as a
file that stands alone, which must mean the same. A seed repeats every file.

    python -m evals.fuzz_policies --count 100000 --seed 1
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from policies.decision import Decision
from policies.document import Policy
from policies.errors import PolicyFileError, Problem
from policies.evaluate import decide
from policies.facts import CATALOGUE, Facts
from policies.parse import parse_policy
from policies.shelf import from_library, library
from policies.standalone import policy_source

SLOWEST_S: Final = 5.0
"""Processor time after which a file counts as a hang. An ordinary one takes milliseconds."""
NOW: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
NAME: Final = "fuzzed.yaml"

NASTY: Final = (
    "null", "~", "true", "no", "NaN", ".inf", "-.inf", "0", "-1", "1e400", "9" * 40, "0x7f", "0o17", "1_000", "24.901",
    "24.90", "2026-02-30", "2026-11-27", "''", '""', "[]", "{}", "[[[]]]", "{a: {b: {c: d}}}", "*a", "&a x",
    "&a [*a]", "!!python/object:os.system x", "!x y", "%TAG", "@", "`", "|", ">", "- -", "? a", ": :", "<<: *a", "#",
    "'", '"', "\\", "\x00", "\x85", "\u2028", "\ufeff", "\ud7ff", "\U0001f4b8", "e\u0301", "a" * 300, "usd",
    "{usd: 1}", "{usd: 1, eur: 2}", "{at_most: {usd: 5}}", "{between: [2, 1]}", "always", "refund", "deny", "allow",
    "needs_approval", "auto", "shadow", "*", "zendesk.*", "billing.refund_over_50", "refund-policy#3.2", "600s",
    "99999999d", "-5m", "../../etc/passwd", "shipped", "support_agent.yaml", "---", "...", "\t", " ", "\n",
)  # fmt: skip

EVERY_KEY: Final = """
policy: everything
title: All of it
version: "7"
segments: [standard, vip]
brands: [north]
languages: [en]
channels: [email]
documents: [doc]
autonomy:
  default: shadow
  tiers:
    auto: {mode: auto, at_most: {usd: 24.90, jpy: 300}, min_confidence_percent: 60, hold: 90s, section: doc#8.1,
      during: [{from: 2026-11-27, until: 2026-11-30, at_most: {usd: 80}}]}
    approve: {mode: approve, approvers: [boss]}
  matrix:
    - {intent: [refund_request, cancel_order], segment: vip, action: refund, brand: north, tier: auto}
    - {action: reply, tier: approve, valid: {until: 2026-12-31}}
approvals:
  expire_after: 1h
  roles: [junior, boss]
  approvers: [{at_most: {usd: 10}, roles: junior}, {roles: [boss]}]
  four_eyes_above: {usd: 1000}
  billing.refund_over_25: required
limits:
  max_tokens_per_task: 900
  customer: [{id: a, window: 1d, amount: {usd: 5}, count: 2}]
  tenant: [{id: b, window: 36h, count: 0, applies_to: all}]
tools: {allow: [billing.refund], deny: ["zendesk.*"]}
never: [{id: never, reason: Never., when: {charge.disputed: true}, cause: policy_denied, priority: -3}]
rules:
  - {id: ask, section: doc#1, effect: needs_approval, reason: Ask., when: always, approvers: [boss], if_unknown: skip}
  - id: some
    effect: allow
    reason: Fine.
    when:
      action.kind: refund
      action.amount_usd: {below: 50}
      any: [{charge.age_days: {between: [1, 9]}}, {not: {request.intent: {none_of: [other, complaint]}}}]
    valid: {from: 2026-01-01, until: 2026-12-31}
risk: {approve_at: 5, factors: [{id: f, points: -5, reason: R., when: {claim.delivered: true}, if_unknown: skip}]}
budgets: {tool_calls: 9, model_calls: 8, spend_usd: 0.000001, time: 15m}
questions: {max: 1, wait: 3d}
domains: {recipients: ["*.example.com"], links: [help.example.com]}
privacy: {never_read: [ticket.tags], never_model: [order.id], never_log: [call.detail], forbidden_providers: [claude]}
logging: {retention_days: 30, trace_export: "s3://bucket/path", pii_redaction: true}
verification: [{type: policy, ruleset: refund_policy_2026-01}]
canary: {share_percent: 10}
"""


class Failed(AssertionError):
    """A file broke a promise. The message holds all that repeats it."""


@dataclass(slots=True)
class Tally:
    """What became of the files."""

    read: int = 0
    refused: int = 0
    problems: int = 0
    slowest_s: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)


def fuzz(count: int, seed: int, *, say: Callable[[str], None] = lambda _text: None) -> Tally:
    """Make and try so many files.

    Raises:
        Failed: one of them crashed, took too long, was refused without a line, or did not survive being written.
    """
    tally, corpus = Tally(), seeds()
    for number in range(count):
        text = made(random.Random(f"{seed}:{number}"), corpus)  # noqa: S311 - chance, not secrecy
        attempt(text, f"seed {seed}, file {number}", tally)
        if number and number % 10_000 == 0:
            say(f"{number:,} files: {tally.read:,} read, {tally.refused:,} refused, slowest {tally.slowest_s:.2f} s")
    return tally


def seeds() -> list[str]:
    """The files that others are made from; of the long shipped one, its parts."""
    texts = [EVERY_KEY]
    for folder in (library(), library() / "articles"):
        for file in sorted(folder.iterdir(), key=lambda file: file.name):
            if file.name.endswith(".yaml") and not file.name.endswith(".cases.yaml"):
                texts += _parts(file.read_text(encoding="utf-8"))
    return texts


def _parts(text: str) -> Iterator[str]:
    if len(text) <= 4000:  # noqa: PLR2004 - characters that are read in a few milliseconds
        yield text
        return
    head, *rules = re.split(r"(?m)^(?=  - id: )", text)
    yield head + "".join(rules[:1])
    for start in range(0, len(rules), 8):
        yield "policy: part\nrules:\n" + "".join(rules[start : start + 8])


# making


Change = Callable[[random.Random, list[str], Sequence[str]], list[str]]


def made(chance: random.Random, corpus: Sequence[str]) -> str:
    """One file: a seed with one to twelve changes, most of them few."""
    lines = chance.choice(corpus).split("\n")
    for _ in range(chance.choice((1, 1, 1, 1, 2, 2, 3, 5, 12))):
        lines = chance.choice(_CHANGES)(chance, lines, corpus)
    text = "\n".join(lines)
    if chance.random() < 0.1:  # noqa: PLR2004 - a tenth
        place = chance.randrange(len(text) + 1)
        text = text[:place] + chance.choice(NASTY) + text[place + chance.randrange(4) :]
    return text


def _lost(chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    place = chance.randrange(len(lines))
    return [*lines[:place], *lines[place + chance.randrange(1, 4) :]] or [""]


def _repeated(chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    start = chance.randrange(len(lines))
    block = lines[start : start + chance.randrange(1, 6)]
    place = chance.randrange(len(lines) + 1)
    return [*lines[:place], *block * chance.choice((1, 1, 1, 2, 50)), *lines[place:]][:2000]


def _indented(chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    start = chance.randrange(len(lines))
    stop = chance.choice((start + 1, start + 4, len(lines)))
    by = chance.choice(("", " ", "  ", "\t"))
    return [
        (by + line.lstrip(" ") if not by else by + line) if start <= number < stop else line
        for number, line in enumerate(lines)
    ]


def _flattened(_chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    return [line.lstrip(" ") for line in lines]


def _valued(chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    """Another value behind a colon, or for one of the words of a line."""
    place = chance.randrange(len(lines))
    words = list(re.finditer(r"[A-Za-z0-9_.#*@-]+", lines[place]))
    if not words:
        return lines
    word = chance.choice(words)
    changed = lines[place][: word.start()] + chance.choice(NASTY) + lines[place][word.end() :]
    return [*lines[:place], changed, *lines[place + 1 :]]


def _named(chance: random.Random, lines: list[str], corpus: Sequence[str]) -> list[str]:
    """A word in another's place: a fact, a key or a value from anywhere."""
    other = chance.choice(chance.choice(corpus).split("\n"))
    found = re.findall(r"[A-Za-z0-9_.#*@-]+", other) or [chance.choice(sorted(CATALOGUE))]
    place = chance.randrange(len(lines))
    words = list(re.finditer(r"[A-Za-z0-9_.#*@-]+", lines[place]))
    if not words:
        return lines
    word = chance.choice(words)
    changed = lines[place][: word.start()] + chance.choice(found) + lines[place][word.end() :]
    return [*lines[:place], changed, *lines[place + 1 :]]


def _mixed(chance: random.Random, lines: list[str], corpus: Sequence[str]) -> list[str]:
    other = chance.choice(corpus).split("\n")
    start = chance.randrange(len(other))
    place = chance.randrange(len(lines) + 1)
    return [*lines[:place], *other[start : start + chance.randrange(1, 12)], *lines[place:]][:2000]


def _nested(chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    place, depth = chance.randrange(len(lines) + 1), chance.choice((3, 22, 30, 2000))
    opening = chance.choice(("[", "{a: ", "- ", "not: {"))
    closing = {"[": "]", "{a: ": "}", "- ": "", "not: {": "}"}[opening]
    return [*lines[:place], f"when: {opening * depth}x{closing * depth}", *lines[place:]]


def _anchored(chance: random.Random, lines: list[str], _corpus: Sequence[str]) -> list[str]:
    """Aliases that double what they repeat, a few levels deep."""
    levels = chance.choice((2, 9, 40))
    bomb = ["b0: &b0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"b{one}: &b{one} [{', '.join([f'*b{one - 1}'] * chance.choice((1, 9)))}]" for one in range(1, levels)]
    place = chance.randrange(len(lines) + 1)
    return [*lines[:place], *bomb, *lines[place:]]


_CHANGES: Final[tuple[Change, ...]] = (
    *(_named,) * 12, *(_valued,) * 6, *(_lost,) * 4, *(_repeated,) * 2, *(_mixed,) * 2, _indented, _flattened, _nested,
    _anchored,
)  # fmt: skip
"""The more likely a change leaves a file that can be read, the more often it is made."""


# trying


def _parse(text: str) -> Policy:
    return parse_policy(text, name=NAME, resolve=from_library)


def attempt(text: str, which: str, tally: Tally, *, parse: Callable[[str], Policy] = _parse) -> None:
    """Read one file, and count what became of it.

    Raises:
        Failed: it broke a promise.
    """
    started = time.process_time()
    try:
        policy = parse(text)
    except PolicyFileError as error:
        tally.refused += 1
        tally.problems += len(error.problems)
        tally.kinds[re.sub(r"'.*?'|\d+", "…", error.problems[0].message)[:60]] += 1
        for problem in error.problems or (None,):
            _check_problem(problem, text, which)
    except Exception as error:
        raise Failed(f"{which}: {type(error).__name__}: {error}\n{text}") from error
    else:
        tally.read += 1
        written = policy_source(policy)
        if parse_policy(written, name=NAME) != policy:
            raise Failed(f"{which}: it means something else when it is written:\n{text}")
        for facts in _CASES:
            if not isinstance(decide(policy, facts, now=NOW), Decision):
                raise Failed(f"{which}: no decision about {facts!r}\n{text}")
    spent_s = time.process_time() - started
    tally.slowest_s = max(tally.slowest_s, spent_s)
    if spent_s > SLOWEST_S:
        raise Failed(f"{which}: it took {spent_s:.1f} s\n{text[:2000]}")


def _check_problem(problem: Problem | None, text: str, which: str) -> None:
    """A problem of this file names a line of it; one of a file that it extends names that file."""
    if problem is None:
        raise Failed(f"{which}: refused without a reason\n{text}")
    lines = len(re.split(r"\r\n|[\r\n\x85\u2028\u2029]", text)) + 1
    is_placed = problem.line >= 1 and problem.column >= 1 and (problem.file != NAME or problem.line <= lines)
    if not is_placed or not problem.message or not problem.file:
        raise Failed(f"{which}: {problem!r} names no place of the file\n{text}")


_CASES: Final = (
    Facts({}),
    Facts({"action.kind": "refund", "action.amount_minor": 2490, "action.currency": "usd", "charge.disputed": False}),
    Facts({"action.kind": "reply", "request.intent": "policy_question", "requester.segment": "vip"}),
)


def main(
    count: Annotated[int, typer.Option(help="How many files.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option(help="What they are made from.")] = 1,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Try policy files that nobody would write. Exit status 1 where one breaks a promise."""
    try:
        tally = fuzz(count, seed, say=lambda text: typer.echo(text, err=True))
    except Failed as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    form = {"files": count, "seed": seed, "read": tally.read, "refused": tally.refused, "problems": tally.problems}
    if as_json:
        typer.echo(json.dumps({**form, "slowest_s": round(tally.slowest_s, 3), "failed": 0}))
        return
    typer.echo(
        f"{count:,} files of seed {seed}: {tally.read:,} read, {tally.refused:,} refused with {tally.problems:,} "
        f"problems, each with its line; 0 crashes, 0 hangs; slowest {tally.slowest_s:.2f} s",
    )
    for kind, often in tally.kinds.most_common(8):
        typer.echo(f"  {often:>7,}  {kind}")


if __name__ == "__main__":
    typer.run(main)
