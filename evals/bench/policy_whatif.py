"""Rows `whatif`, `tune` and a threshold that moves: recorded decisions under a candidate, against a filter by hand.

The history is made up from a seed and prepared once, as a page that is asked again and again keeps it; preparing stands
beside it. A million decisions are decided on both sides, which count decisions and money. Ours also tells verdicts and
modes apart, says what people said, finds the busiest day and works out the digest. Before anything is measured, both
must tell the same rows apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import polars as pl

from evals.bench.bare_filter import counted, is_alone
from evals.bench.rows import Row, Sample
from graph.decisions.invented import invented_history
from policies.document import Policy
from policies.parse import parse_policy
from policies.shelf import shipped_text
from policies.whatif.comparing import whatif as compare
from policies.whatif.deciding import decide_all
from policies.whatif.history import prepared
from policies.whatif.refunds import Refunds, refunds_of
from policies.whatif.thresholds import Threshold, with_threshold
from policies.whatif.tuning import tune, tuned

ROWS: Final = 1_000_000
PAGE_ROWS: Final = 100_000
GOAL_S: Final = 1.0
GOAL_OF_BARE: Final = 0.5
"""At least half as fast as the filter by hand: less than twice its time."""
GOAL_PAGE_MS: Final = 300.0
Result = TypeVar("Result")

UNTIL: Final = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
THRESHOLD: Final = Threshold("auto", "usd")
RAISED_MINOR: Final = 10_000


class FiltersDiffer(RuntimeError):
    """The filter by hand does not say what the policy says, so there is nothing to compare."""


def whatif(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Million decisions a second of a what-if, and milliseconds of what a page asks for."""
    rounds, count = (2, 20_000) if is_quick else (7, ROWS)
    shipped = parse_policy(shipped_text(), name="refunds.yaml")
    candidate = with_threshold(shipped, THRESHOLD, RAISED_MINOR)
    history = invented_history(shipped, count=count, seed=1, until=UNTIL)
    say(f"{count:,} decisions made up")
    past, preparing_s = _timed(lambda: prepared(history))
    _, digest_s = _timed(lambda: past.digest)
    _same_rows(candidate, history)
    ours, bare, pure = [], [], []
    for number in range(rounds):
        bare.append(count / 1e6 / _timed(lambda: counted(history, _at_most(candidate)))[1])
        ours.append(count / 1e6 / _timed(lambda: compare(candidate, past))[1])
        pure.append(1000 * _timed(lambda: decide_all(candidate, past, is_brief=True))[1])
        say(f"whatif round {number + 1} of {rounds}: {ours[-1]:.2f} million/s against {bare[-1]:.2f} million/s")
    parts = {
        "rows": float(count),
        "whatif_s": count / 1e6 / Sample.of(ours).median,
        "bare_s": count / 1e6 / Sample.of(bare).median,
        "deciding_ms": Sample.of(pure).median,
        "preparing_s": preparing_s,
        "digest_s": digest_s,
    }
    return [
        Row("whatif", Sample.of(ours), "million/s", Sample.of(bare), GOAL_OF_BARE, parts=parts),
        *_page(candidate, shipped, rounds, min(count, PAGE_ROWS)),
    ]


def _page(candidate: Policy, shipped: Policy, rounds: int, count: int) -> list[Row]:
    """What a page asks for, over a history that it keeps."""
    past = prepared(invented_history(shipped, count=count, seed=2, until=UNTIL))
    assert past.digest
    compared = [1000 * _timed(lambda: compare(candidate, past).flips())[1] for _ in range(rounds)]
    tuned = [1000 * _timed(lambda: tune(shipped, past, THRESHOLD, quality=0.97))[1] for _ in range(rounds)]
    refunds = refunds_of(shipped, past, THRESHOLD)
    moved = [1000 * _timed(partial(_moved, refunds, value))[1] for value in range(5_100, 5_100 + rounds)]
    parts = {"rows": float(count)}
    return [
        Row("a threshold that moves", Sample.of(moved), "ms", None, GOAL_PAGE_MS, is_limit=True, parts=parts),
        Row("whatif on a page", Sample.of(compared), "ms", None, GOAL_PAGE_MS, is_limit=True, parts=parts),
        Row("tune on a page", Sample.of(tuned), "ms", None, GOAL_PAGE_MS, is_limit=True, parts=parts),
    ]


def _moved(refunds: Refunds, value: int) -> None:
    """What the page of the thresholds asks for while its slider moves, of refunds that it keeps."""
    assert tuned(refunds, quality=0.97).points
    assert refunds.point(value).alone
    assert refunds.bands(value, range(500, 24 * 500 + 1, 500))
    assert refunds.turned(value)
    assert refunds.turned_first(value)


def _same_rows(candidate: Policy, history: pl.DataFrame) -> None:
    alone = decide_all(candidate, prepared(history)).alone
    by_hand = is_alone(history, _at_most(candidate))
    differ = int((alone != by_hand).sum())
    if differ:
        raise FiltersDiffer(f"{differ} of {len(history)} rows differ: adapt evals/bench/bare_filter.py to the policy")


def _at_most(policy: Policy) -> dict[str, int]:
    return dict(policy.tiers[THRESHOLD.tier].at_most or {})


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
