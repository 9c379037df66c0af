"""How a tenant's queue is run: what a person has how long, what is due when, and how much is looked at again.

Values only. The settings hold them; everything here takes them as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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
    """

    answer_within: timedelta = timedelta(hours=4)
    claimed_for: timedelta = timedelta(minutes=15)
    remind_before: timedelta = timedelta(hours=2)
    blind_percent: int = 0
    planted_percent: int = 0
    check_for: timedelta = timedelta(days=7)
    batch_risk_at_most: int = 20
