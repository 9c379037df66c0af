"""What holds under every policy, proved for the one at hand in every case, and shown on the evaluator itself.

The answers of the file and of what is locked are looked at together, for all cases at once. Then `decide` is asked
about one case for each rule that allows, in which the promise is at stake. A promise that is broken comes back with
such a case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from policies.analysis.answer import Answer, answer_of
from policies.analysis.answers import Answers
from policies.analysis.diagram import Function
from policies.analysis.examples import Example, example_of
from policies.analysis.space import AMOUNT, CURRENCY, KIND, OTHER_CURRENCY, TOO_MUCH, Space, Span, Word
from policies.decision import Decision
from policies.document import LimitRule, Policy
from policies.evaluate import decide
from policies.facts import Facts
from policies.locked import HUMAN_ONLY, MOVES_MONEY, NEEDS_IDENTITY, TOUCHES_A_CHARGE
from policies.vocabulary import ActionKind, Verdict

Decide = Callable[..., Decision]
"""`policies.evaluate.decide`, or what is tried in its place."""

_OWNED, _DISPUTED, _VERIFIED = "charge.owned_by_requester", "charge.disputed", "requester.verified"


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that no answer may break: in this box of cells every answer passes the test."""

    name: str
    says: str
    masks: Mapping[str, int]
    holds: Callable[[Answer], bool]


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise, and a case in which it does not hold."""

    promise: str
    says: str
    example: Example


def promises(policy: Policy, space: Space) -> Iterator[Promise]:
    """Every promise about a single answer."""
    kinds = space.axis(KIND).words
    refund, touching = {KIND: kinds([ActionKind.REFUND])}, {KIND: kinds(TOUCHES_A_CHARGE)}
    for name, says, about, fact in (
        ("remaining", "a refund is never larger than what is left of its charge", refund, TOO_MUCH),
        ("currency", "a refund is never paid in another currency than its charge's", refund, OTHER_CURRENCY),
        ("other-customer", "a charge of another customer is never touched", touching, _OWNED),
    ):
        axis = space.axis(fact)
        wrong = axis.words([fact != _OWNED])
        yield Promise(name, says, {**about, fact: wrong}, _denies)
        yield Promise(name, says, {**about, fact: axis.unknown}, _asks)
    disputed, verified = space.axis(_DISPUTED), space.axis(_VERIFIED)
    says = "a disputed charge is never touched without a person"
    yield Promise("disputed", says, {**touching, _DISPUTED: disputed.full & ~disputed.words([False])}, _asks)
    says = "nothing is done alone for a requester who is not verified"
    unverified = verified.full & ~verified.words([True])
    yield Promise("identity", says, {KIND: kinds(NEEDS_IDENTITY), _VERIFIED: unverified}, _asks)
    yield Promise("human-only", "some actions are left to people", {KIND: kinds(HUMAN_ONLY)}, _asks)
    says = "money that moves alone counts against every limit of the file, in its own currency"
    for place, piece in enumerate(space.axis(CURRENCY).pieces):
        code = str(piece.value) if isinstance(piece, Word) else None
        yield Promise(
            "caps", says, {KIND: kinds(MOVES_MONEY), CURRENCY: 1 << place}, partial(_capped, policy.limits, code)
        )


def _denies(answer: Answer) -> bool:
    return answer.verdict is Verdict.DENY


def _asks(answer: Answer) -> bool:
    return not answer.acts


def _capped(rules: tuple[LimitRule, ...], currency: str | None, answer: Answer) -> bool:
    """Whether an answer that acts carries every limit, each with an amount of this currency where it caps amounts."""
    kept = {limit.limit_id: limit for limit in answer.limits}
    return not answer.acts or all(
        rule.limit_id in kept
        and (rule.amounts is None or kept[rule.limit_id].cap_minor == rule.amounts.get(currency or "", -1))
        for rule in rules
    )


def broken_promises(policy: Policy, space: Space, answers: Answers, *, decide_: Decide = decide) -> Iterator[Broken]:
    """Every promise that is broken somewhere, each once."""
    diagrams, seen = space.diagrams, set[str]()
    for promise in promises(policy, space):
        masks = {space.level[name]: mask for name, mask in promise.masks.items()}
        failing = [value for value in diagrams.values_in(answers.answer, masks) if not _passes(promise, value)]
        at_stake = diagrams.both(diagrams.box(masks), space.possible)
        cells = [diagrams.both(at_stake, diagrams.equal(answers.answer, value)) for value in failing]
        example = next((example_of(space, each) for each in cells if each != diagrams.never), None)
        if example is None:
            example = _refuted(policy, space, answers, promise, at_stake, decide_)
        if example is not None and promise.name not in seen:
            seen.add(promise.name)
            yield Broken(promise.name, promise.says, example)


def _passes(promise: Promise, value: object) -> bool:
    assert isinstance(value, Answer)
    return promise.holds(value)


def _refuted(
    policy: Policy,
    space: Space,
    answers: Answers,
    promise: Promise,
    at_stake: Function,
    decide_: Decide,
) -> Example | None:
    """A case in which the evaluator itself breaks the promise, among one for each rule that would allow it."""
    for rule in policy.rules:
        if rule.effect is Verdict.ALLOW:
            cells = space.diagrams.both(at_stake, answers.speech[rule.rule_id].certain)
            if cells != space.diagrams.never:
                example = example_of(space, cells)
                if not promise.holds(answer_of(decide_(policy, Facts(example.facts), now=example.now))):
                    return example
    return None


# raising an amount


@dataclass(frozen=True, slots=True)
class Milder:
    """A case whose larger amount is judged more mildly than its smaller one."""

    smaller: Example
    larger: Example


def milder_for_more(space: Space, answers: Answers) -> Milder | None:
    """Two cases that differ in the amount only, of which the larger gets the milder answer; None proves that none do.

    Amounts above zero of one currency are compared; nothing is ever decided about a refund of nothing.
    """
    if next(_rising(space, answers.answer), None) is None:
        return None
    # Something rises somewhere; whether that can occur is asked of the cells that can.
    diagrams = space.diagrams
    judged = diagrams.choose(space.possible, answers.answer, diagrams.constant(None))
    found = next(_rising(space, judged), None)
    return None if found is None else _pair(space, judged, *found)


def _rising(space: Space, judged: Function) -> Iterator[tuple[Function, int, int]]:
    """Parts of a function that look at the amount, with two pieces of it of which the larger is judged more mildly."""
    diagrams = space.diagrams
    pieces = [
        place
        for place, piece in enumerate(space.axis(AMOUNT).pieces)
        if isinstance(piece, Span) and piece.low is not None and piece.low > 0
    ]
    for part in diagrams.reached(judged):
        if diagrams.level(part) == space.level[AMOUNT]:
            values = ((place, diagrams.value(_child(space, part, place))) for place in pieces)
            graded = [(place, _grade(value)) for place, value in values if isinstance(value, Answer)]
            for (small, lower), (large, higher) in pairwise(graded):
                if higher > lower:
                    yield part, small, large


def _grade(value: Answer) -> int:
    """0 denied, 1 a person, 2 done alone."""
    return 0 if value.verdict is Verdict.DENY else 1 + value.acts


def _child(space: Space, part: Function, place: int) -> Function:
    return next(child for mask, child in space.diagrams.edges(part) if mask >> place & 1)


def _pair(space: Space, judged: Function, part: Function, small: int, large: int) -> Milder:
    """One way down to the part, with either amount."""
    diagrams, level = space.diagrams, space.level[AMOUNT]
    way = diagrams.way_to(judged, part)
    smaller, larger = (
        example_of(space, diagrams.both(way, diagrams.box({level: 1 << place}), space.possible))
        for place in (small, large)
    )
    return Milder(smaller, larger)
