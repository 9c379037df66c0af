"""The leg of the what-if: cases as columns of a history, decided all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from policies.document import Policy
from policies.facts import CATALOGUE, FactValue
from policies.tables import MODES
from policies.vocabulary import Mode, Verdict
from policies.whatif.deciding import VERDICTS, decide_all
from policies.whatif.history import RECORD, fact_type, prepared

Case = tuple[Mapping[str, FactValue], datetime]
"""Facts, and the time of the decision."""


def history_of(cases: Sequence[Case]) -> pl.DataFrame:
    """The cases as a history. What was answered at the time is made up, because nothing here rests on it."""
    facts = [
        pl.Series(name, [values.get(name) for values, _ in cases], dtype=fact_type(fact))
        for name, fact in CATALOGUE.items()
    ]
    own: dict[str, Sequence[object]] = {name: [None] * len(cases) for name in RECORD}
    own |= {"ticket": [str(number) for number in range(len(cases))], "at": [at for _, at in cases]}
    own |= {"verdict": [Verdict.DENY.value] * len(cases), "mode": [Mode.DRAFT.value] * len(cases)}
    return pl.DataFrame([*(pl.Series(name, own[name], dtype=kind) for name, kind in RECORD.items()), *facts])


def column_answers(policy: Policy, cases: Sequence[Case]) -> list[dict[str, object]]:
    """What the columns say about each case: the parts of a decision that a what-if rests on, and who must say yes."""
    answers = decide_all(policy, prepared(history_of(cases)))
    found: list[dict[str, object]] = []
    for row in answers.frame.iter_rows(named=True):
        ground = answers.grounds[row["ground"]]
        found.append(
            {
                "verdict": VERDICTS[row["verdict"]],
                "mode": MODES[row["mode"]],
                "rule": ground.rule,
                "section": ground.section,
                "cause": ground.cause,
                "approvers": answers.groups[row["approvers"]],
                "four_eyes": row["four_eyes"],
                "hold_s": row["hold_s"],
            },
        )
    return found
