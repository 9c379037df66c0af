"""What speaks beside the rules of a file, in every cell: locked rules, lists of tools, the risk score, silent limits.

It is the other half of `policies.evaluate` in another form.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from itertools import pairwise

from policies.analysis.answer import ACTS
from policies.analysis.diagram import Function
from policies.analysis.operation import Operation
from policies.analysis.space import AMOUNT, CURRENCY, KIND, OTHER_CURRENCY, TOO_MUCH, Space
from policies.analysis.standing import Rung
from policies.analysis.truths import MAYBE, YES, kinds, truth
from policies.document import Policy, RiskFactor
from policies.locked import FLAGS, HUMAN_ONLY, MOVES_MONEY
from policies.money import CURRENCIES, Money
from policies.tables import tables_of
from policies.tools import TOOL_OF_ACTION
from policies.vocabulary import ActionKind, Verdict

Spoken = dict[Verdict, Function]
"""Where something speaks, by what it says."""

SURE, NEVER_MORE = 10**9, -(10**9)
"""A score that will reach the bar whatever follows, and one that no longer can."""


def locked(space: Space) -> Spoken:
    """Where the built-in rules deny, and where they call for a person."""
    diagrams, axis = space.diagrams, space.axis(KIND)
    deny: list[Function] = []
    ask = [space.box_of({KIND: axis.words(HUMAN_ONLY) | axis.unknown})]
    for _, about, effect, name, wrong, *_ in FLAGS:
        here = kinds(space, *about)
        (deny if effect is Verdict.DENY else ask).append(diagrams.both(here, space.words(name, wrong)))
        ask.append(diagrams.both(here, space.unknown(name)))
    refund = kinds(space, ActionKind.REFUND)
    nothing = space.box_of({AMOUNT: space.axis(AMOUNT).numbers(None, 0)})
    for name, refused in (
        (AMOUNT, nothing),
        (TOO_MUCH, space.true(TOO_MUCH)),
        (OTHER_CURRENCY, space.true(OTHER_CURRENCY)),
    ):
        deny.append(diagrams.both(refund, refused))
        ask.append(diagrams.both(refund, space.unknown(name)))
    return {Verdict.DENY: diagrams.either(deny), Verdict.NEEDS_APPROVAL: diagrams.either(ask)}


# tools


def tools(policy: Policy, space: Space) -> Spoken:
    """What the lists of tools say about the action's own tool."""
    diagrams, grants = space.diagrams, tables_of(policy).grants_by_tools
    found: dict[Verdict, list[Function]] = {verdict: [] for verdict in Verdict}
    moneys = [] if policy.tools.silent else list(_moneys(policy, space))
    for kind, tool in TOOL_OF_ACTION.items():
        for money, cells in moneys:
            answer = policy.tools.answer(tool, money)
            if answer is not None and (answer.verdict is not Verdict.ALLOW or grants):
                found[answer.verdict].append(diagrams.both(kinds(space, kind), cells))
    return {verdict: diagrams.either(parts) for verdict, parts in found.items()}


def _moneys(policy: Policy, space: Space) -> Iterator[tuple[Money | None, Function]]:
    """One amount for each group of amounts that the lists cannot tell apart, with the cells that it stands for."""
    lists = policy.tools
    bounds = [entry.over for entry in (*(lists.allow or ()), *lists.deny, *lists.approve) if entry.over is not None]
    if not bounds:
        yield None, space.diagrams.always
        return
    amount, money = space.axis(AMOUNT), space.axis(CURRENCY)
    yield None, space.diagrams.either([space.unknown(AMOUNT), space.unknown(CURRENCY)])
    named = sorted({bound.currency for bound in bounds})
    for currency in named:
        starts = sorted({bound.minor + 1 for bound in bounds if bound.currency == currency})
        for low, after in pairwise([None, *starts, None]):
            high = None if after is None else after - 1
            cells = {CURRENCY: money.words([currency]), AMOUNT: amount.numbers(low, high)}
            some = low if low is not None else high
            assert some is not None
            yield Money(some, currency), space.box_of(cells)
    others = money.known & ~money.words(named)
    stranger = min(CURRENCIES - set(named))
    yield Money(0, stranger), space.box_of({CURRENCY: others, AMOUNT: amount.known})


# risk


def risky(policy: Policy, space: Space) -> Function:
    """Where the score reaches the bar. Scores that can no longer miss or reach it are kept as one."""
    diagrams, bar = space.diagrams, policy.risk.approve_at
    if bar is None:
        return diagrams.never
    factors = sorted(policy.risk.factors, key=lambda factor: (-abs(factor.points), factor.factor_id))
    score = diagrams.constant(0)
    for number, factor in enumerate(factors):
        later = factors[number + 1 :]
        most = sum(max(other.points, 0) for other in later)
        least = sum(min(other.points, 0) for other in later)
        added = Operation(partial(_added, bar - least, bar - most))
        points = diagrams.each(truth(space, factor.condition), partial(_points, factor))
        score = diagrams.combine(added, score, points)
    return diagrams.where(score, lambda value: isinstance(value, int) and value >= bar)


def _points(factor: RiskFactor, answer: Hashable) -> int:
    """A factor's points: for certain, or where they count unknown."""
    counts_unknown = factor.points > 0 and not factor.skip_unknown
    return factor.points if answer == YES or (answer == MAYBE and counts_unknown) else 0


def _added(sure: int, possible: int, score: Hashable, points: Hashable) -> int:
    assert isinstance(score, int)
    assert isinstance(points, int)
    if score in {SURE, NEVER_MORE}:
        return score
    total = score + points
    if total >= sure:
        return SURE
    return total if total >= possible else NEVER_MORE


# limits


def caps_by_currency(policy: Policy, space: Space) -> Iterator[tuple[str | None, Function]]:
    """Each currency for which limits are stated, and None for every other one, with its cells."""
    axis = space.axis(CURRENCY)
    named = sorted(currency for currency in tables_of(policy).caps if currency is not None)
    for currency in named:
        yield currency, space.words(CURRENCY, currency)
    yield None, space.box_of({CURRENCY: axis.full & ~axis.words(named)})


def uncapped(policy: Policy, space: Space, rung: Function) -> Function:
    """Where money would move alone under a limit that states no amount in its currency."""
    diagrams, tables = space.diagrams, tables_of(policy)
    silent = [cells for currency, cells in caps_by_currency(policy, space) if tables.caps_in(currency).silent]
    acting = diagrams.where(rung, lambda value: isinstance(value, Rung) and value.mode in ACTS)
    return diagrams.both(kinds(space, *MOVES_MONEY), acting, diagrams.either(silent))
