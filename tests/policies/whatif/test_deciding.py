"""The columns answer what the evaluator answers, for every row: random policies and facts, and the shipped policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from random import Random

import pytest

from evals.policy_columns import Case, column_answers, history_of
from policies.document import Autonomy, Band, Cell, Policy, Tier, Window
from policies.evaluate import decide
from policies.facts import Facts, FactValue
from policies.tables import MODES
from policies.vocabulary import Mode
from policies.whatif.deciding import VERDICTS, decide_all
from policies.whatif.history import prepared
from tests.policies.shipped import NOW, shipped, shipped_cases
from tests.policies.whatif.random_cases import facts_of, policy_of, time_of


def disagreements(policy: Policy, cases: Sequence[Case]) -> list[object]:
    """Cases that the two answer differently, with both answers; also the brief answer must agree."""
    found: list[object] = []
    brief = decide_all(policy, prepared(history_of(cases)), is_brief=True).frame.iter_rows(named=True)
    for (values, at), ours, short in zip(cases, column_answers(policy, cases), brief, strict=True):
        decision = decide(policy, Facts(values), now=at)
        theirs = {part: getattr(decision, part) for part in ours}
        said = (VERDICTS[short["verdict"]], MODES[short["mode"]])
        if ours != theirs or said != (decision.verdict, decision.mode):
            found.append((values, at, ours, theirs, said))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_columns_and_evaluator_agree_on_random_policies_and_facts(seed: int) -> None:
    rng = Random(seed)
    cases = [(facts_of(rng, unknown=rng.choice((0.0, 0.1, 0.4))), time_of(rng)) for _ in range(250)]
    for _ in range(4):
        assert not disagreements(policy_of(rng), cases)


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("action.amount_minor", None),
        ("action.currency", None),
        ("action.currency", "usd"),
        ("charge.currency", None),
        ("charge.currency", "eur"),
    ],
)
def test_they_agree_on_a_history_in_which_every_row_has_the_same_value_or_none(fact: str, value: str | None) -> None:
    rng = Random(11)
    cases: list[Case] = []
    for _ in range(100):
        facts = facts_of(rng)
        facts.pop(fact, None)
        cases.append(({**facts, fact: value} if value is not None else facts, time_of(rng)))
    for _ in range(6):
        assert not disagreements(policy_of(rng), cases)


def test_they_agree_on_every_shipped_case_and_around_its_amount() -> None:
    cases: list[Case] = []
    for case in shipped_cases():
        facts = Facts(case.facts)
        amounts = {facts.get("action.amount_minor"), 0, 1, 4999, 5000, 5001}
        cases += [
            (facts.with_values(action__amount_minor=amount) if amount is not None else facts, NOW) for amount in amounts
        ]
    assert not disagreements(shipped(), cases)


def test_rows_of_many_actions_and_intents_keep_their_places() -> None:
    rng = Random(3)
    cases = [(facts_of(rng, unknown=0.0), time_of(rng)) for _ in range(60)]
    policy = shipped()
    together = decide_all(policy, prepared(history_of(cases)))
    for place, case in enumerate(cases):
        alone = decide_all(policy, prepared(history_of([case])))
        assert together.frame.row(place)[:2] == alone.frame.row(0)[:2]
        assert together.grounds[together.frame["ground"][place]] == alone.grounds[alone.frame["ground"][0]]


def test_the_amounts_of_a_special_day_hold_on_its_days_only() -> None:
    during = (Band(Window(date(2026, 11, 27), date(2026, 11, 30)), {"usd": 8000}),)
    tier = Tier("auto", Mode.AUTO, at_most={"usd": 5000}, during=during)
    policy = Policy("p", "P", "hash", autonomy=Autonomy((tier,), (Cell(None, None, None, None, "auto"),)))
    facts: Mapping[str, FactValue] = {"action.kind": "refund", "action.amount_minor": 6000, "action.currency": "usd"}
    days = [26, 27, 30]
    cases: list[Case] = [(facts, datetime(2026, 11, day, 23, 59, tzinfo=UTC)) for day in days]
    cases.append((facts, datetime(2026, 12, 1, tzinfo=UTC)))
    answers = decide_all(policy, prepared(history_of(cases))).frame
    assert [MODES[rank] for rank in answers["mode"]] == [Mode.DRAFT, Mode.AUTO, Mode.AUTO, Mode.DRAFT]
    assert not disagreements(policy, cases)


def test_a_history_without_a_row_is_decided() -> None:
    answers = decide_all(shipped(), prepared(history_of([])))
    assert answers.frame.is_empty()
    assert not len(answers.alone)
