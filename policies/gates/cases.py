"""The gate `cases`: a policy answers what its file of cases expects, facts to verdict.

`base` states the facts of an ordinary request, `situations` what one kind of request adds; a case takes a situation and
`with`, and expects any of verdict, mode, rule, section, approvers, hold_s, cause, four_eyes, risk_score. A
file without a case, an
unknown key, and a case that expects nothing are refused: a gate that cannot fail is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from policies.decision import Decision
from policies.document import Policy
from policies.errors import FactError
from policies.evaluate import decide
from policies.facts import Facts
from policies.gates.verdict import GateVerdict

GATE: Final = "cases"
NAMED: Final = 20
"""Failures that the row names. How many there are is always said."""

_EXPECTATIONS: Final = ("verdict", "mode", "rule", "section", "approvers", "hold_s", "cause", "four_eyes", "risk_score")


class CaseFileError(ValueError):
    """The file of cases cannot be used; the message names the file, the place and what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Case(_Strict):
    """One case."""

    name: str
    situation: str | None = None
    with_: dict[str, str | int | bool | None] = Field(default_factory=dict, alias="with")
    verdict: str | None = None
    mode: str | None = None
    rule: str | None = None
    section: str | None = None
    approvers: list[str] | None = None
    hold_s: int | None = None
    cause: str | None = None
    four_eyes: bool | None = None
    risk_score: int | None = None

    @model_validator(mode="after")
    def _expects_something(self) -> Self:
        if not self.expected:
            raise ValueError(f"case {self.name!r} expects nothing: write at least `verdict:`")
        return self

    @property
    def expected(self) -> Mapping[str, object]:
        """What it expects. A key that is written as null expects null."""
        return {name: getattr(self, name) for name in _EXPECTATIONS if name in self.model_fields_set}


class CaseFile(_Strict):
    """A file of cases."""

    base: dict[str, str | int | bool | None] = Field(default_factory=dict)
    situations: dict[str, dict[str, str | int | bool | None]] = Field(default_factory=dict)
    cases: list[Case] = Field(min_length=1)

    def facts(self, case: Case) -> Facts:
        """The facts of a case.

        Raises:
            FactError: a fact that does not exist, or a value of the wrong type.
        """
        situation = self.situations[case.situation] if case.situation is not None else {}
        return Facts({**self.base, **situation, **case.with_})


@dataclass(frozen=True, slots=True)
class _Tried:
    case: Case
    decision: Decision
    wrong: Sequence[str]


def read_cases(text: str, *, name: str) -> CaseFile:
    """A file of cases.

    Raises:
        CaseFileError: it cannot be used; the first problem.
    """
    try:
        file = CaseFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise CaseFileError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CaseFileError(f"{name}: {place}: {first['msg']}; docs/policies.md shows a file of cases") from error
    for case in file.cases:
        if case.situation is not None and case.situation not in file.situations:
            known = ", ".join(sorted(file.situations)) or "none"
            raise CaseFileError(f"{name}: case {case.name!r} takes situation {case.situation!r}; known are {known}")
        try:
            file.facts(case)
        except FactError as error:
            raise CaseFileError(f"{name}: case {case.name!r}: {error}") from error
    return file


def try_cases(policy: Policy, file: CaseFile, *, now: datetime) -> GateVerdict:
    """Whether the policy answers what the cases expect, and which of its rules decided none of them."""
    tried = [_try(policy, file, case, now) for case in file.cases]
    failures = [f"{one.case.name}: {'; '.join(one.wrong)}" for one in tried if one.wrong]
    decided = {one.decision.rule for one in tried}
    untried = sorted(rule.rule_id for rule in policy.rules if rule.rule_id not in decided)
    figures: dict[str, object] = {
        "cases": len(tried),
        "wrong": len(failures),
        "first_wrong": failures[:NAMED],
        "rules": len(policy.rules),
        "rules_without_a_case": untried,
    }
    return GateVerdict(GATE, passed=not failures, figures=figures)


def _try(policy: Policy, file: CaseFile, case: Case, now: datetime) -> _Tried:
    decision = decide(policy, file.facts(case), now=now)
    seen: dict[str, Any] = {
        "verdict": decision.verdict.value,
        "mode": decision.mode.value,
        "rule": decision.rule,
        "section": decision.section,
        "approvers": list(decision.approvers),
        "hold_s": decision.hold_s,
        "cause": decision.cause.value if decision.cause is not None else None,
        "four_eyes": decision.four_eyes,
        "risk_score": decision.risk_score,
    }
    wrong = [
        f"{name} is {seen[name]!r}, expected {expected!r}"
        for name, expected in case.expected.items()
        if seen[name] != expected
    ]
    return _Tried(case, decision, wrong)
