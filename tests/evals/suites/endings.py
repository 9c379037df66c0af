"""Scenarios and endings, to be scored."""

from __future__ import annotations

from typing import Any

from evals.suites.ending import Ending, Refunded, TicketEnd, Use
from evals.suites.results import Made, Results, TrialResult
from evals.suites.scenario import Scenario
from evals.suites.scoring import score


def a_scenario(expect: dict[str, Any], name: str = "twice") -> Scenario:
    """Ana was charged twice; a third payment of hers has nothing to do with it."""
    charges = [
        {"key": key, "customer": "ana", "amount": "24.90", "currency": "usd"} for key in ("first", "second", "other")
    ]
    return Scenario.model_validate(
        {
            "id": name,
            "world": {"customers": [{"key": "ana", "name": "Ana", "email": "ana@mailbox.example"}], "charges": charges},
            "ticket": {"requester": "ana", "comments": [{"from": "ana", "body": "I was charged twice."}]},
            "expect": expect,
        }
    )


def an_ending(outcome: str | None = "resolved", *refunds: tuple[str, int], **more: Any) -> Ending:
    """How it ended; a refund is of ours, unless its charge begins with `by hand `."""
    ticket = {
        "outcome": outcome,
        "reason": None,
        "intents": (),
        "actions": (),
        "status": "solved",
        "tags": ("countersign", "refunded"),
        "replies": ("We have refunded $24.90. See refund-policy#3.2.",),
        "notes": (),
    }
    made = [
        Refunded(
            charge=charge.removeprefix("by hand "),
            amount_minor=minor,
            currency="usd",
            by="person" if charge.startswith("by hand ") else "agent",
        )
        for charge, minor in refunds
    ]
    use = dict.fromkeys(Use.model_fields, 1) | {"cost_usd_micros": more.pop("cost", 0), "worked_ms": 200}
    cancelled = more.pop("cancelled_subscriptions", ())
    told = {name: more.pop(name) for name in ("troubles", "unfinished", "unanswered") if name in more}
    return Ending(
        tickets=(TicketEnd(**{**ticket, **more}),),
        refunds=tuple(made),
        cancelled_subscriptions=cancelled,
        cancelled_payments=(),
        use=Use(**use),
        policy_hash="p" * 64,
        log_holds=True,
        **told,
    )


def a_trial(name: str, expect: dict[str, Any], ending: Ending, trial: int = 0) -> TrialResult:
    scenario = a_scenario(expect, name)
    return TrialResult.of(
        name=name, suite="tests", trial=trial, tags=("tier:auto",), score=score(scenario, ending), ending=ending
    )


def a_report(*trials: TrialResult, each: int = 1) -> Results:
    made = Made(
        commit="c0ffee",
        at="2026-11-21T09:00:00+00:00",
        seed=1,
        trials=each,
        provider="local",
        models=("a model",),
        policies={},
        versions={},
        workers=1,
        load=None,
        seconds=1.0,
    )
    return Results(made=made, trials=trials)
