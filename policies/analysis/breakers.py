"""Which of two policies trips earlier, breaker by breaker. One that is gone or more patient is looser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from policies.analysis.effect import Direction, direction, ordered
from policies.breakers import Breaker
from policies.document import Policy
from policies.explain import amount_text


def changed_breakers(before: Policy, after: Policy) -> Iterator[tuple[str, str, str, Direction]]:
    """Name, words before, words after and direction of every breaker of either policy."""
    old, new = ({one.breaker_id: one for one in policy.breakers} for policy in (before, after))
    for name in sorted({*old, *new}):
        was, becomes = old.get(name), new.get(name)
        yield f"breakers.{name}", _words(was), _words(becomes), _way(was, becomes)


def _way(was: Breaker | None, becomes: Breaker | None) -> Direction:
    if was is None or becomes is None:
        return direction(loosens=becomes is None, tightens=was is None)
    if (was.measure, was.tool) != (becomes.measure, becomes.tool):
        return Direction.BOTH
    way = ordered(becomes.window_s, was.window_s).with_(ordered(was.count, becomes.count))
    way = way.with_(ordered(was.share_percent or 0, becomes.share_percent or 0))
    way = way.with_(ordered(_patience(becomes), _patience(was))).with_(_amounts(was.amounts, becomes.amounts))
    return way.with_(_scope(was, becomes))


def _patience(breaker: Breaker) -> float:
    """How long it stays tripped where nobody does anything."""
    return inf if breaker.cool_down_s is None else breaker.cool_down_s


def _amounts(was: Mapping[str, int] | None, becomes: Mapping[str, int] | None) -> Direction:
    """A currency without an amount is only drafted, so it is the tightest."""
    old, new = was or {}, becomes or {}
    pairs = [(old.get(currency, -1), new.get(currency, -1)) for currency in {*old, *new}]
    return direction(loosens=any(a < b for a, b in pairs), tightens=any(a > b for a, b in pairs))


def _scope(was: Breaker, becomes: Breaker) -> Direction:
    """Whoever names a part covers less. Another name in its place is both."""
    parts = [(getattr(was.scope, part), getattr(becomes.scope, part)) for part in ("intent", "brand", "tier")]
    changed = [(old, new) for old, new in parts if old != new]
    return direction(
        loosens=any(new is not None for _, new in changed), tightens=any(old is not None for old, _ in changed)
    )


def _words(breaker: Breaker | None) -> str:
    if breaker is None:
        return "none"
    said = [breaker.measure.value]
    if breaker.amounts is not None:
        said.append(", ".join(amount_text(minor, currency) for currency, minor in sorted(breaker.amounts.items())))
    else:
        said.append(f"{breaker.count}" + (f" and {breaker.share_percent} %" if breaker.share_percent else ""))
    said.append(f"within {breaker.window_s} s")
    covered = {"tool": breaker.tool, **{part: getattr(breaker.scope, part) for part in ("intent", "brand", "tier")}}
    said += [f"of {part} {word}" for part, word in covered.items() if word is not None]
    said.append("until a person resets it" if breaker.cool_down_s is None else f"for {breaker.cool_down_s} s")
    return " ".join(said)
