"""What two policies say beside the answer to a case: budgets, lists, breakers and such. Each change has a direction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from policies.analysis.breakers import changed_breakers
from policies.analysis.effect import Direction, contained, direction, ordered
from policies.document import Policy
from policies.tools import TOOL_OF_ACTION
from policies.vocabulary import ROLES_OF_RUNS, ModelRole, Tool, Verdict

_EVERY_TICKET = 100
"""The share with which a version begins where its file states none."""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting before and after, in words."""

    name: str
    before: str
    after: str
    direction: Direction


def changed_settings(before: Policy, after: Policy) -> tuple[SettingChange, ...]:
    """Every setting that differs, in the order of a policy file."""
    changes = (*_budgets(before, after), *_people(before, after), *_lists(before, after), *_rest(before, after))
    return tuple(change for change in changes if change.before != change.after)


def _budgets(before: Policy, after: Policy) -> Iterator[SettingChange]:
    """A budget that is larger, or gone, is looser."""
    for name, unit in (
        ("tool_calls", ""),
        ("model_calls", ""),
        ("tokens", ""),
        ("spend_usd_micros", ""),
        ("seconds", " s"),
    ):
        old, new = getattr(before.budgets, name), getattr(after.budgets, name)
        yield SettingChange(f"budgets.{name}", _bound(old, unit), _bound(new, unit), ordered(_size(old), _size(new)))


def _bound(number: int | None, unit: str) -> str:
    return "no bound" if number is None else f"{number}{unit}"


def _size(number: int | None) -> float:
    return inf if number is None else number


def _people(before: Policy, after: Policy) -> Iterator[SettingChange]:
    old, new = before.approvals, after.approvals
    yield SettingChange(
        "approvals.expire_after", f"{old.expires_s} s", f"{new.expires_s} s", ordered(old.expires_s, new.expires_s)
    )
    yield SettingChange(
        "approvals.roles", " < ".join(old.roles), " < ".join(new.roles), _either_way(old.roles, new.roles)
    )
    asked, asks = before.questions, after.questions
    yield SettingChange(
        "questions.max",
        str(asked.max_questions),
        str(asks.max_questions),
        ordered(asked.max_questions, asks.max_questions),
    )
    yield SettingChange("questions.wait", f"{asked.wait_s} s", f"{asks.wait_s} s", Direction.NEITHER)


def _either_way(before: object, after: object) -> Direction:
    """A change of which nobody can say that it only tightens."""
    return direction(loosens=before != after, tightens=before != after)


def _lists(before: Policy, after: Policy) -> Iterator[SettingChange]:
    """A permission more is looser, a prohibition more is tighter."""
    yield from _tools(before, after)
    yield _list("domains.recipients", before.domains.recipients, after.domains.recipients)
    yield _list("domains.links", before.domains.links, after.domains.links)
    for name in ("never_read", "never_model", "never_log", "forbidden_providers"):
        yield _list(f"privacy.{name}", getattr(before.privacy, name), getattr(after.privacy, name), is_forbidding=True)
    yield _list("verification", _checks(before), _checks(after), is_forbidding=True)


def _list(
    name: str,
    before: Iterable[str],
    after: Iterable[str],
    *,
    is_forbidding: bool = False,
) -> SettingChange:
    old, new = frozenset(before), frozenset(after)
    way = contained(new, old) if is_forbidding else contained(old, new)
    return SettingChange(name, ", ".join(sorted(old)) or "none", ", ".join(sorted(new)) or "none", way)


def _tools(before: Policy, after: Policy) -> Iterator[SettingChange]:
    """Tools that no action stands for: whether they may be called is no part of the answer to a case."""
    acting = set(TOOL_OF_ACTION.values())
    said = {Verdict.DENY: "denied", Verdict.NEEDS_APPROVAL: "needs approval", Verdict.ALLOW: "allowed"}
    order = list(said)
    for tool in Tool:
        if tool not in acting:
            old, new = (_tool_answer(policy, tool) for policy in (before, after))
            way = ordered(order.index(old), order.index(new))
            yield SettingChange(f"tools {tool.value}", said[old], said[new], way)


def _tool_answer(policy: Policy, tool: Tool) -> Verdict:
    answer = policy.tools.answer(tool)
    return Verdict.ALLOW if answer is None else answer.verdict


def _checks(policy: Policy) -> Iterator[str]:
    return (f"{check.kind} {check.target}" for check in policy.verification)


def _rest(before: Policy, after: Policy) -> Iterator[SettingChange]:
    shares = [policy.canary_percent or _EVERY_TICKET for policy in (before, after)]
    yield SettingChange("canary.share_percent", f"{shares[0]} %", f"{shares[1]} %", ordered(*shares))
    for change in changed_breakers(before, after):
        yield SettingChange(*change)
    old, new = before.logging, after.logging
    yield SettingChange(
        "logging.retention_days", f"{old.retention_days} days", f"{new.retention_days} days", Direction.NEITHER
    )
    yield SettingChange(
        "logging.trace_export",
        old.trace_export or "none",
        new.trace_export or "none",
        direction(
            loosens=new.trace_export not in {None, old.trace_export},
            tightens=old.trace_export not in {None, new.trace_export},
        ),
    )
    channels = (", ".join(before.channels) or "any", ", ".join(after.channels) or "any")
    yield from _models(before, after)
    yield SettingChange("channels", *channels, _channels(before.channels, after.channels))


def _models(before: Policy, after: Policy) -> Iterator[SettingChange]:
    """Nobody can say that another model, or another prompt, only tightens."""
    for role in ROLES_OF_RUNS:
        old, new = (_wish(policy, role) for policy in (before, after))
        yield SettingChange(f"models.{role}", old, new, _either_way(old, new))


def _wish(policy: Policy, role: ModelRole) -> str:
    wish = next((one for one in policy.models if one.role is role), None)
    if wish is None:
        return "the installation's"
    order = ", then ".join(wish.models) or "the installation's"
    return f"{order} by prompt {wish.prompt or role.value}"


def _channels(before: tuple[str, ...], after: tuple[str, ...]) -> Direction:
    """No list permits every channel."""
    if not before or not after:
        return direction(loosens=bool(before) and not after, tightens=bool(after) and not before)
    return contained(frozenset(before), frozenset(after))
