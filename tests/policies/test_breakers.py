"""Breakers are read with every error placed, and trip at exactly what they state."""

from __future__ import annotations

import pytest

from policies.analysis.compare import compare
from policies.breakers import Breaker, Measure, Scope
from policies.document import Policy
from policies.errors import PolicyFileError
from policies.parse import parse_policy

HEAD = "policy: x\nbrands: [north]\nautonomy:\n  tiers: {auto: {mode: auto, at_most: {usd: 5}}}\nbreakers:\n"


def read(*lines: str) -> tuple[Breaker, ...]:
    return parse_policy(HEAD + "".join(f"  - {line}\n" for line in lines), name="p.yaml").breakers


def test_each_part_of_a_breaker_is_read() -> None:
    money, people = read(
        "{id: money, measure: money, window: 1h, amount: {usd: 400}, tier: auto, brand: north, intent: cancel_order}",
        "{id: people, measure: overrides, window: 1d, count: 8, share_percent: 25, cool_down: 2h}",
    )
    assert (money.measure, money.window_s, dict(money.amounts or {})) == (Measure.MONEY, 3600, {"usd": 40_000})
    assert money.scope.covers("cancel_order", "north", "auto")
    assert not money.scope.covers("cancel_order", "north", "act")
    assert (people.count, people.share_percent, people.cool_down_s, people.scope) == (8, 25, 7200, Scope())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{measure: money, window: 1h, amount: {usd: 1}}", "a breaker has no 'id'"),
        ("{id: a, measure: mony, window: 1h}", "measure cannot be 'mony'"),
        ("{id: a, measure: money, amount: {usd: 1}}", "a breaker has no 'window'"),
        ("{id: a, measure: money, window: 1h}", "a breaker of money has no 'amount'"),
        ("{id: a, measure: money, window: 1h, amount: {usd: 1}, count: 3}", "a breaker of money has no 'count'"),
        ("{id: a, measure: overrides, window: 1h}", "a breaker of overrides has no 'count'"),
        ("{id: a, measure: tool_errors, window: 1h, count: 2}", "a breaker of tool_errors has no 'tool'"),
        ("{id: a, measure: injections, window: 1h, count: 2, tier: auto}", "a breaker of injections has no 'tier'"),
        ("{id: a, measure: overrides, window: 1h, count: 2, tier: aut}", "tier cannot be 'aut'"),
        ("{id: a, measure: overrides, window: 1h, count: 2, brand: south}", "brand cannot be 'south'"),
        ("{id: a, measure: overrides, window: 1h, count: 0}", "count must lie between 1 and 1000000"),
        ("{id: a, measure: overrides, window: 1h, count: 1, share_percent: 101}", "share_percent must lie between"),
    ],
)
def test_a_wrong_breaker_is_refused_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        read(line)
    assert any(str(one).startswith("p.yaml:6:") and problem in str(one) for one in refused.value.problems)


def test_the_same_id_twice_is_refused_and_names_the_first_line() -> None:
    line = "{id: a, measure: overrides, window: 1h, count: 1}"
    with pytest.raises(PolicyFileError, match=r"p\.yaml:7:5: breaker 'a' is there twice.*line 6"):
        read(line, line)


def test_a_file_that_extends_another_replaces_a_breaker_by_its_id() -> None:
    below = f"{HEAD}  - {{id: a, measure: overrides, window: 1h, count: 9}}\n"
    above = (
        "policy: y\nextends: below.yaml\nbreakers:\n"
        "  - {id: a, measure: overrides, window: 1h, count: 3}\n"
        "  - {id: b, measure: injections, window: 1h, count: 2}\n"
    )
    policy = parse_policy(above, name="above.yaml", resolve=lambda _name: below)
    assert [(one.breaker_id, one.count) for one in policy.breakers] == [("a", 3), ("b", 2)]


@pytest.mark.parametrize(("bad", "total", "trips"), [(4, 4, False), (5, 5, True), (5, 20, True), (5, 21, False)])
def test_count_and_share_must_both_be_reached(bad: int, total: int, *, trips: bool) -> None:
    breaker = Breaker("a", Measure.OVERRIDES, 3600, count=5, share_percent=25)
    assert breaker.trips_at(bad, total) is trips


@pytest.mark.parametrize(("bad", "trips"), [(1, False), (2, True), (3, True)])
def test_a_count_alone_is_enough_where_no_share_is_stated(bad: int, *, trips: bool) -> None:
    assert Breaker("a", Measure.INJECTIONS, 3600, count=2).trips_at(bad, 1_000) is trips


def test_money_never_trips_by_counting() -> None:
    assert not Breaker("a", Measure.MONEY, 3600, amounts={"usd": 1}).trips_at(10**9, 10**9)


@pytest.mark.parametrize("part", ["intent", "brand", "tier"])
def test_what_is_not_known_of_a_case_counts_as_covered(part: str) -> None:
    seen: dict[str, str | None] = {"intent": "cancel_order", "brand": "north", "tier": "auto"}
    scope = Scope(brand="north", tier="auto")
    assert scope.covers(**{**seen, part: None})


WAS = "{id: a, measure: overrides, window: 2h, count: 4, share_percent: 20, cool_down: 1h}"
MONEY = "{id: a, measure: money, window: 1h, amount: {usd: 5}, brand: north}"


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        (WAS, None, "loosens"),
        (None, WAS, "tightens"),
        (WAS, WAS.replace("count: 4", "count: 5"), "loosens"),
        (WAS, WAS.replace("2h", "1h"), "loosens"),
        (WAS, WAS.replace("share_percent: 20", "share_percent: 19"), "tightens"),
        (WAS, WAS.replace(", cool_down: 1h", ""), "tightens"),
        (WAS, WAS.replace("cool_down: 1h", "cool_down: 59m"), "loosens"),
        (WAS, WAS.replace("count: 4", "count: 5").replace("2h", "3h"), "both"),
        (WAS, WAS.replace("overrides", "injections"), "both"),
        (MONEY, MONEY.replace("usd: 5", "usd: 5.01"), "loosens"),
        (MONEY, MONEY.replace("usd: 5", "usd: 5, eur: 1"), "loosens"),
        (MONEY, MONEY.replace("usd: 5", "usd: 4"), "tightens"),
        (MONEY, MONEY.replace(", brand: north", ""), "tightens"),
        (MONEY, MONEY.replace("brand: north", "tier: auto"), "both"),
    ],
)
def test_a_breaker_that_is_gone_or_more_patient_is_looser(before: str | None, after: str | None, way: str) -> None:
    def policy(line: str | None) -> Policy:
        return parse_policy(HEAD + f"  - {line}\n" if line else HEAD + "  []\n", name="p.yaml")

    compared = compare(policy(before), policy(after))
    assert compared.direction.value == way
    assert [setting.name for setting in compared.settings] == ["breakers.a"]
