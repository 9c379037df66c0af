"""How a tenant's queue is run: what a person has how long, what is due when, and how much is looked at again.

Values only. The settings hold them; everything here takes them as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from policies.money import Money


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose work an item is. It guides and forbids nothing: who may answer is the policy's to say.

    Args:
        to: a role, or the e-mail address of an account.
        above: minor units by currency that its money passes; empty is no bound.
        at_most: minor units by currency that its money does not pass; empty is no bound.
        intents: of which it has one; empty is any.
    """

    to: str
    above: Mapping[str, int] = field(default_factory=dict)
    at_most: Mapping[str, int] = field(default_factory=dict)
    intents: tuple[str, ...] = ()

    def fits(self, amounts: Iterable[Money], intents: Iterable[str]) -> bool:
        """Whether an item of this money and these intents is meant. Money of a currency without a bound is not."""
        money = list(amounts)
        if (self.above or self.at_most) and not money:
            return False
        return (
            (not self.intents or bool({*intents} & {*self.intents}))
            and all(one.minor > self.above.get(one.currency, one.minor) for one in money if self.above)
            and all(one.minor <= self.at_most.get(one.currency, -1) for one in money if self.at_most)
        )


@dataclass(frozen=True, slots=True)
class QueueRules:
    """Spans, and shares in whole percent.

    Args:
        answer_within: until when a question should be answered; the queue is in the order of what is due.
        claimed_for: how long an item stays with whoever took it.
        remind_before: so long before a question expires it is reminded of, once.
        blind_percent: share of automatic runs that people judge afterwards, without seeing what became of them.
        planted_percent: share of rejected questions that are asked once more, to see whether whoever answers looks.
        check_for: how long such a check waits for an answer.
        batch_risk_at_most: a batch takes only items whose risk score is no higher.
        assign: whose work an item is: the first that fits says so, and without one it is anybody's who may answer.
    """

    answer_within: timedelta = timedelta(hours=4)
    claimed_for: timedelta = timedelta(minutes=15)
    remind_before: timedelta = timedelta(hours=2)
    blind_percent: int = 0
    planted_percent: int = 0
    check_for: timedelta = timedelta(days=7)
    batch_risk_at_most: int = 20
    assign: tuple[Assignment, ...] = ()

    def assigned(self, amounts: Iterable[Money], intents: Iterable[str]) -> str:
        """The role or the address that an item of this money and these intents is for; empty is anybody."""
        money, wanted = list(amounts), list(intents)
        return next((one.to for one in self.assign if one.fits(money, wanted)), "")
