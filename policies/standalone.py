"""A policy file that needs no other: what it extends, and the rulesets that were found, are written into it.

What is written reads back as the very same policy, with the same content hash. Comments are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import yaml

from policies.breakers import Breaker, Measure
from policies.decision import LimitScope, RunBudget
from policies.document import Amounts, Autonomy, Cell, LimitRule, Policy, RiskFactor, RoleModels, Rule, Tier, Window
from policies.language.inherit import Resolve
from policies.parse import parse_policy
from policies.spelling import Sentence, Written, amount_word, condition_block, duration_word
from policies.vocabulary import Verdict

_WIDTH: Final = 120


def stand_alone(text: str, resolve: Resolve, *, name: str = "policy.yaml") -> str:
    """The policy of a file in one text that extends nothing and asks for no ruleset.

    Args:
        text: the file's content.
        resolve: as for `parse_policy`.
        name: the file's name, for messages and as the id of a policy that names none.

    Raises:
        PolicyFileError: the file is wrong; or it is so large once it stands alone that it could not be read again.
    """
    policy = parse_policy(text, name=name, resolve=resolve)
    written = policy_source(policy)
    again = parse_policy(written, name=f"{name}, standing alone")
    assert again.content_hash == policy.content_hash, "a part of the policy was not written"
    return written


def policy_source(policy: Policy) -> str:
    """A policy as the text of a file. It holds only what differs from what a file without the key would say."""
    return "".join(yaml.emit(_document(_policy(policy)), allow_unicode=True, width=_WIDTH))


# the blocks


def _policy(policy: Policy) -> Written:
    return _kept(
        {
            "policy": policy.policy_id,
            "title": Sentence(policy.title),
            "version": _sentence(policy.version),
            "description": _sentence(policy.description),
            "segments": _list(policy.segments),
            "brands": _list(policy.brands),
            "languages": _list(policy.languages),
            "channels": _list(policy.channels),
            "documents": _list(policy.documents),
            "autonomy": _autonomy(policy.autonomy),
            "approvals": _approvals(policy),
            "limits": _limits(policy.limits),
            "tools": _tools(policy),
            "never": [_rule(rule) for rule in policy.rules if rule.never],
            "rules": [_rule(rule) for rule in policy.rules if not rule.never],
            "risk": _kept(
                {
                    "approve_at": _number(policy.risk.approve_at),
                    "factors": [_factor(factor) for factor in policy.risk.factors],
                },
            ),
            "budgets": _budgets(policy.budgets),
            "questions": {"max": str(policy.questions.max_questions), "wait": duration_word(policy.questions.wait_s)},
            "domains": _kept(
                {"recipients": _list(policy.domains.recipients), "links": _list(policy.domains.links)},
            ),
            "privacy": _kept(
                {
                    "never_read": _list(policy.privacy.never_read),
                    "never_model": _list(policy.privacy.never_model),
                    "never_log": _list(policy.privacy.never_log),
                    "forbidden_providers": _list(policy.privacy.forbidden_providers),
                },
            ),
            "logging": _kept(
                {
                    "retention_days": str(policy.logging.retention_days),
                    "trace_export": _sentence(policy.logging.trace_export),
                },
            ),
            "verification": _verification(policy),
            "canary": {"share_percent": str(policy.canary_percent)},
            "breakers": [_breaker(breaker) for breaker in policy.breakers],
            "models": {one.role.value: _wish(one) for one in policy.models},
        },
    )


def _wish(wish: RoleModels) -> Written:
    return _kept({"order": _list(wish.models), "prompt": wish.prompt})


def _breaker(breaker: Breaker) -> Written:
    scope, counts = breaker.scope, breaker.measure is not Measure.MONEY
    return _kept(
        {
            "id": breaker.breaker_id,
            "measure": breaker.measure.value,
            "window": duration_word(breaker.window_s),
            "amount": _amounts(breaker.amounts),
            "count": str(breaker.count) if counts else None,
            "share_percent": _number(breaker.share_percent),
            "tool": breaker.tool,
            "intent": scope.intent,
            "brand": scope.brand,
            "tier": scope.tier,
            "cool_down": _seconds(breaker.cool_down_s),
        },
    )


def _autonomy(autonomy: Autonomy) -> Written:
    return {
        "default": autonomy.default.value,
        "tiers": {tier.name: _tier(tier) for tier in autonomy.tiers},
        "matrix": [_line(line) for line in _lines(autonomy.matrix)],
    }


def _tier(tier: Tier) -> Written:
    return _kept(
        {
            "mode": tier.mode.value,
            "at_most": _amounts(tier.at_most),
            "min_confidence_percent": _number(tier.min_confidence_percent or None),
            "hold": _seconds(tier.hold_s or None),
            "approvers": _list(tier.approvers),
            "section": tier.section,
            "during": [{**_window(band.window), "at_most": _amounts(band.at_most) or {}} for band in tier.during],
        },
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """Cells of one tier that are every combination of four lists of words; `(None,)` is any."""

    tier: str
    window: Window
    places: tuple[tuple[str | None, ...], ...]

    def without(self, place: int) -> _Line:
        """The line with one list left empty."""
        return self.with_words(place, ())

    def with_words(self, place: int, words: tuple[str | None, ...]) -> _Line:
        """The line with another list in one place."""
        return _Line(self.tier, self.window, (*self.places[:place], words, *self.places[place + 1 :]))


_PLACES: Final = ("intent", "segment", "action", "brand")
_ANY: Final = (None,)


def _lines(cells: Sequence[Cell]) -> list[_Line]:
    """The cells in as few lines as their order allows: a line is read as the product of its lists, the last fastest."""
    lines = [
        _Line(cell.tier, cell.window, ((cell.intent,), (cell.segment,), (cell.action,), (cell.brand,)))
        for cell in cells
    ]
    for place in reversed(range(len(_PLACES))):
        joined: list[_Line] = []
        for line in lines:
            before, words = joined[-1] if joined else None, line.places[place]
            if before is None or _ANY in {words, before.places[place]} or before.without(place) != line.without(place):
                joined.append(line)
            else:
                joined[-1] = before.with_words(place, before.places[place] + words)
        lines = joined
    return lines


def _line(line: _Line) -> Written:
    places: dict[str, Written] = {}
    for name, words in zip(_PLACES, line.places, strict=True):
        named = [str(word) for word in words if word is not None]
        if named:
            places[name] = named[0] if len(named) == 1 else [*named]
    return _kept({**places, "tier": line.tier, "valid": _window(line.window)})


def _approvals(policy: Policy) -> Written:
    approvals = policy.approvals
    people = _kept(
        {
            "expire_after": duration_word(approvals.expires_s),
            "roles": _list(approvals.roles),
            "approvers": [
                _kept({"at_most": _amounts(band.at_most), "roles": _list(band.roles)}) for band in approvals.bands
            ],
            "four_eyes_above": _amounts(approvals.four_eyes_above),
        },
    )
    return {**people, **{entry.written: "required" for entry in policy.tools.approve}}


def _limits(limits: Sequence[LimitRule]) -> Written:
    return _kept(
        {scope.value: [_limit(limit) for limit in limits if limit.scope is scope] for scope in LimitScope},
    )


def _limit(limit: LimitRule) -> Written:
    return _kept(
        {
            "id": limit.limit_id,
            "window": duration_word(limit.window_s),
            "amount": _amounts(limit.amounts),
            "count": _number(limit.count),
            "applies_to": "automatic" if limit.automatic_only else "all",
        },
    )


def _tools(policy: Policy) -> Written:
    tools = policy.tools
    denied: dict[str, Written] = _kept({"deny": [entry.written for entry in tools.deny]})
    # An allow-list without an entry denies every tool; a missing one denies none.
    return denied if tools.allow is None else {"allow": [entry.written for entry in tools.allow], **denied}


def _rule(rule: Rule) -> Written:
    restricts = rule.effect is not Verdict.ALLOW
    return _kept(
        {
            "id": rule.rule_id,
            "section": rule.section,
            "effect": None if rule.never else rule.effect.value,
            "reason": Sentence(rule.reason),
            "when": condition_block(rule.condition),
            "approvers": _list(rule.approvers),
            "cause": None if rule.cause is None else rule.cause.value,
            "priority": _number(rule.priority or None),
            "if_unknown": "skip" if restricts and rule.skip_unknown else None,
            "valid": _window(rule.window),
        },
    )


def _factor(factor: RiskFactor) -> Written:
    return _kept(
        {
            "id": factor.factor_id,
            "points": str(factor.points),
            "reason": Sentence(factor.reason),
            "when": condition_block(factor.condition),
            "if_unknown": "skip" if factor.skip_unknown else None,
        },
    )


def _budgets(budgets: RunBudget) -> Written:
    micros = budgets.spend_usd_micros
    return _kept(
        {
            "tool_calls": _number(budgets.tool_calls),
            "model_calls": _number(budgets.model_calls),
            "tokens": _number(budgets.tokens),
            "spend_usd": None if micros is None else f"{Decimal(micros).scaleb(-6):f}",
            "time": _seconds(budgets.seconds),
        },
    )


def _verification(policy: Policy) -> Written:
    """A ruleset that was found says `included`: its rules stand among those of this text."""
    checks: list[Written] = []
    for check in policy.verification:
        is_ruleset = check.kind == "policy"
        target = {"ruleset" if is_ruleset else "schema": check.target}
        checks.append({"type": check.kind, **target, **({"included": "true"} if is_ruleset and check.resolved else {})})
    return checks


# values


def _kept(entries: Mapping[str, Written | None]) -> dict[str, Written]:
    """The entries that say something."""
    return {key: value for key, value in entries.items() if value not in (None, [], {})}


def _list(words: Iterable[str]) -> Written:
    return [*words]


def _sentence(words: str | None) -> Written | None:
    return None if words is None else Sentence(words)


def _number(number: int | None) -> Written | None:
    return None if number is None else str(number)


def _seconds(seconds: int | None) -> Written | None:
    return None if seconds is None else duration_word(seconds)


def _amounts(amounts: Amounts | None) -> Written | None:
    if amounts is None:
        return None
    return {currency: amount_word(minor, currency) for currency, minor in sorted(amounts.items())}


def _window(window: Window) -> dict[str, Written]:
    return _kept(
        {
            "from": None if window.first is None else window.first.isoformat(),
            "until": None if window.last is None else window.last.isoformat(),
        },
    )


# YAML


def _document(written: Written) -> Iterator[yaml.events.Event]:
    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    yield from _events(written)
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


def _events(written: Written) -> Iterator[yaml.events.Event]:
    if isinstance(written, str):
        style = '"' if isinstance(written, Sentence) else None
        yield yaml.ScalarEvent(None, None, (True, True), str(written), style=style)
    elif isinstance(written, list):
        yield yaml.SequenceStartEvent(
            None, None, implicit=True, flow_style=all(isinstance(each, str) for each in written)
        )
        for each in written:
            yield from _events(each)
        yield yaml.SequenceEndEvent()
    else:
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=False)
        for key, value in written.items():
            yield from _events(key)
            yield from _events(value)
        yield yaml.MappingEndEvent()
