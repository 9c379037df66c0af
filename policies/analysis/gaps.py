"""Cases that no rule of a file answers, where its author seems to think that one does.

That nothing matches is no fault by itself: a person then decides. Two kinds are. A *hole*: one fact is a number,
smaller and larger numbers of it are answered with everything else the same, and the ones between are not. And a line of
the matrix that names an action and an intent, lets the agent do it alone, and is allowed by no rule in any case. What
else could be done alone and is not answered in some cases is a note. Only cases with all facts known count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from policies.analysis.answer import ACTS
from policies.analysis.answers import Answers
from policies.analysis.diagram import Function
from policies.analysis.examples import Example, example_of
from policies.analysis.regions import boxes_of
from policies.analysis.space import (
    AMOUNT,
    CHARGE_CURRENCY,
    CURRENCY,
    INTENT,
    KIND,
    OTHER_CURRENCY,
    TOO_MUCH,
    Axis,
    Space,
    Span,
)
from policies.analysis.standing import Rung, line, line_text
from policies.analysis.words import condition, conditions, region_text
from policies.document import Policy
from policies.explain import label
from policies.vocabulary import Verdict

_OUTSIDE, _SILENT, _SPOKEN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers of a fact between answered ones that nothing answers. `said` names them, `ends` are those around them."""

    fact: str
    said: str
    ends: tuple[int, ...]
    example: Example


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Actions that the matrix lets the agent do alone and that no rule speaks about. `said` names them."""

    said: str
    example: Example


def spoken(policy: Policy, space: Space, answers: Answers) -> Function:
    """Where some rule of the file holds, or asks for a person because it cannot be ruled out."""
    speeches = [answers.speech[rule.rule_id] for rule in policy.rules]
    asking = [
        answers.speech[rule.rule_id].unsure
        for rule in policy.rules
        if rule.effect is not Verdict.ALLOW and not rule.skip_unknown
    ]
    return space.diagrams.either([*(speech.certain for speech in speeches), *asking])


@dataclass(frozen=True, slots=True)
class Voices:
    """Where a rule of the file speaks, and where something built in does, among cases with all facts known.

    Both are told for refunds that fit their charge; what else the built-in rules refuse needs no rule of the file.
    """

    rules: Function
    built_in: Function


def voices(policy: Policy, space: Space, answers: Answers) -> Voices:
    """The voices of a policy."""
    diagrams = space.diagrams
    against = diagrams.union(answers.built_in[Verdict.DENY], answers.built_in[Verdict.NEEDS_APPROVAL])
    masks = _known(space)
    return Voices(
        diagrams.simplified(spoken(policy, space, answers), masks),
        diagrams.simplified(diagrams.union(against, answers.allowed), masks),
    )


def _known(space: Space) -> dict[int, int]:
    """Known facts only, and comparisons of amounts and currencies that are in order."""
    masks = {level: axis.known for level, axis in enumerate(space.axes)}
    for name in (TOO_MUCH, OTHER_CURRENCY):
        masks[space.level[name]] = space.axis(name).words([False])
    return masks


def holes(space: Space, heard: Voices) -> Iterator[Hole]:
    """One hole for each fact and span that has any."""
    diagrams = space.diagrams
    voice = diagrams.choose(
        heard.rules,
        diagrams.constant(_SPOKEN),
        diagrams.choose(heard.built_in, diagrams.constant(_OUTSIDE), diagrams.constant(_SILENT)),
    )
    found: dict[tuple[int, int], list[tuple[Function, Function]]] = {}
    for part in diagrams.reached(voice):
        level = diagrams.level(part)
        if level < diagrams.bottom and isinstance(space.axes[level].pieces[0], Span):
            for mask, rest in _holes_in(space, part):
                found.setdefault((level, mask), []).append((part, rest))
    care = diagrams.both(space.possible, diagrams.box(_known(space)))
    for (level, mask), ways in sorted(found.items()):
        for part, rest in ways:
            cells = diagrams.both(diagrams.way_to(voice, part), rest, diagrams.box({level: mask}), care)
            if cells != diagrams.never:
                example = example_of(space, cells)
                said = _named(space, level, mask, example)
                yield Hole(space.axes[level].name, said, _ends(space.axes[level], mask), example)
                break


def _holes_in(space: Space, part: Function) -> Iterator[tuple[int, Function]]:
    """Runs of silent pieces between pieces that speak, each with the cells of the later axes where it is so."""
    diagrams, axis = space.diagrams, space.axes[space.diagrams.level(part)]
    children = [
        next(child for mask, child in diagrams.edges(part) if mask >> place & 1)
        for place, piece in enumerate(axis.pieces)
        if isinstance(piece, Span)
    ]
    speaking = [diagrams.equal(child, _SPOKEN) for child in children]
    below, above = (
        list(accumulate(speaking, diagrams.union)),
        list(accumulate(reversed(speaking), diagrams.union))[::-1],
    )
    run, rest = 0, diagrams.never
    for place in range(1, len(children) - 1):
        here = diagrams.both(diagrams.equal(children[place], _SILENT), below[place - 1], above[place + 1])
        if here == diagrams.never:
            if run:
                yield run, rest
            run = 0
        else:
            run, rest = run | 1 << place, here
    if run:
        yield run, rest


def _ends(axis: Axis, mask: int) -> tuple[int, ...]:
    """The number before the first piece of a mask, and the one after its last."""
    pieces = [piece for place, piece in enumerate(axis.pieces) if mask >> place & 1]
    lows = [piece.low - 1 for piece in pieces if isinstance(piece, Span) and piece.low is not None]
    highs = [piece.high + 1 for piece in pieces if isinstance(piece, Span) and piece.high is not None]
    return (*lows[:1], *highs[-1:])


def _named(space: Space, level: int, mask: int, example: Example) -> str:
    """The numbers in words, an amount in the currency of the example."""
    axis = space.axes[level]
    masks = {axis.name: mask}
    for name in (CURRENCY, CHARGE_CURRENCY):
        masks[name] = 1 << space.axis(name).place(example.facts[name])
    said = condition(space, axis, masks)
    return f"{label(axis.name)} {said}" if axis.name == AMOUNT else said


def unanswered(space: Space, answers: Answers, heard: Voices) -> Iterator[Unanswered]:
    """The actions that could be done alone and that no rule speaks about, by kind."""
    diagrams = space.diagrams
    acting = diagrams.where(answers.ladder.rung, lambda value: isinstance(value, Rung) and value.mode in ACTS)
    quiet = diagrams.without(diagrams.simplified(acting, _known(space)), diagrams.union(heard.rules, heard.built_in))
    shown = frozenset({KIND, INTENT})
    hidden = frozenset(level for level, axis in enumerate(space.axes) if axis.name not in shown)
    inside = diagrams.both(quiet, space.possible, diagrams.box(_known(space)))
    for boxes in boxes_of(space, diagrams.somewhere(inside, hidden), shown):
        said = region_text(conditions(space, boxes.masks))
        yield Unanswered(said, example_of(space, diagrams.both(inside, boxes.cells)))


def unallowed_lines(policy: Policy, space: Space, answers: Answers) -> Iterator[tuple[str, Example]]:
    """Lines that let an action for an intent be done alone, though no rule allows any of it, each with a case."""
    diagrams, tiers = space.diagrams, policy.tiers
    for cell in policy.autonomy.matrix:
        if cell.action is not None and cell.intent is not None and tiers[cell.tier].mode in ACTS:
            here = diagrams.both(line(space, cell), space.possible)
            if not diagrams.meet(here, answers.allowed):
                yield line_text(cell), example_of(space, here)
