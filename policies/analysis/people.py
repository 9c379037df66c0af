"""Who must say yes, in every cell: the most senior of the roles that rules, tier and amount ask for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from policies.analysis.diagram import Function
from policies.analysis.operation import Operation
from policies.analysis.space import AMOUNT, CURRENCY, Space
from policies.analysis.standing import within
from policies.analysis.truths import Speech, kinds
from policies.document import Amounts, Approvals, Policy
from policies.locked import MOVES_MONEY

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByAmount:
    """What the amount of money asks for."""

    roles: Group
    four_eyes: bool


def seniority(approvals: Approvals, group: Group) -> tuple[int, Group]:
    """The order of groups of roles."""
    return (min(approvals.roles.index(role) for role in group), group)


def more_senior(approvals: Approvals, one: Group, other: Group) -> Group:
    """The more senior of two groups; an empty one asks for nobody."""
    if not one or not other:
        return one or other
    return max(one, other, key=lambda group: seniority(approvals, group))


def asked_by_rules(policy: Policy, space: Space, spoken: Mapping[str, Speech]) -> Function:
    """The most senior group that a rule asks for in each cell; () where none does."""
    diagrams = space.diagrams
    asking: dict[Group, list[Function]] = {}
    for rule in policy.rules:
        if rule.approvers:
            said = spoken[rule.rule_id]
            asking.setdefault(rule.approvers, []).append(said.certain)
            if not rule.skip_unknown:
                asking[rule.approvers].append(said.unsure)
    found = diagrams.constant(())
    for group in sorted(asking, key=lambda group: seniority(policy.approvals, group)):
        found = diagrams.choose(diagrams.either(asking[group]), diagrams.constant(group), found)
    return found


def asked_by_amount(policy: Policy, space: Space) -> Function:
    """The roles that an amount asks for and whether two people must say yes, where money moves."""
    diagrams, approvals = space.diagrams, policy.approvals
    roles = diagrams.constant(())
    if approvals.bands:
        roles = diagrams.constant(approvals.bands[-1].roles)
        for band in reversed(approvals.bands):
            here = diagrams.always if band.at_most is None else _at_most(space, band.at_most, unlisted=-1)
            roles = diagrams.choose(here, diagrams.constant(band.roles), roles)
    pairs = diagrams.never
    if approvals.four_eyes_above is not None:
        pairs = diagrams.complement(_at_most(space, approvals.four_eyes_above, unlisted=0))
    both = diagrams.combine(Operation(_by_amount), roles, pairs)
    return diagrams.choose(kinds(space, *MOVES_MONEY), both, diagrams.constant(ByAmount((), four_eyes=False)))


def _by_amount(roles: Hashable, pairs: Hashable) -> ByAmount:
    assert isinstance(roles, tuple)
    return ByAmount(roles, four_eyes=pairs is True)


def _at_most(space: Space, amounts: Amounts, *, unlisted: int) -> Function:
    """Where a known amount is at most what is listed for its currency, or `unlisted` for any other known one."""
    money, amount = space.axis(CURRENCY), space.axis(AMOUNT)
    others = money.known & ~money.words(amounts)
    strange = space.box_of({CURRENCY: others, AMOUNT: amount.numbers(None, unlisted)})
    return space.diagrams.either([within(space, amounts), strange])
