"""Measures of safety, cost and trust."""

from __future__ import annotations

from typing import Final

from app.measures.definitions import ANSWERS, FATE, RUN, Group, Measure, Scope, Unit, often, ratio
from app.measures.figures import cost_each, costs, whole_cost

CALLS: Final = ("model.called", "tool.called", "node.completed")


def _cost(part: str, means: str, formula: str, kinds: tuple[str, ...]) -> Measure:
    return Measure(
        f"cost_{part}",
        f"Cost per resolution: {part}",
        Group.COST,
        means,
        f"({formula}) of all runs / resolved runs",
        Unit.USD,
        kinds,
        lambda taken: cost_each(costs(taken)[part], taken.sums["resolved"], "resolution"),
        more_is_better=False,
    )


COST_MEASURES: Final = (
    Measure(
        "tool_reliability",
        "Tool reliability",
        Group.SAFETY,
        "How many calls of runs to systems outside were answered. A refusal such as a 404 is an answer.",
        "calls answered / calls that the gate let through",
        Unit.SHARE,
        ("tool.called",),
        ratio("tool_answers", "tool_calls", "call"),
        more_is_better=True,
    ),
    Measure(
        "safety_events",
        "Safety events",
        Group.SAFETY,
        "How often a ticket seems to be written to trick a model. What belongs to no run stands beside it: forged "
        "webhooks, refunds that nobody intended, breakers that tripped.",
        "1,000 x runs' suspected injections / runs",
        Unit.PER_THOUSAND,
        ("node.completed",),
        often("safety_events"),
        more_is_better=False,
    ),
    Measure(
        "near_misses",
        "Near misses",
        Group.SAFETY,
        "How often a safeguard caught something late: a draft that failed its checks, an approval whose ground had "
        "changed, a hold that the world overtook.",
        "1,000 x (drafts with findings + approvals stale when used + effects stopped because ticket, charge or message "
        "changed) / runs",
        Unit.PER_THOUSAND,
        ("node.completed", "approval.stale", "effect.stopped"),
        often("near_misses"),
        more_is_better=False,
    ),
    Measure(
        "audit_completeness",
        "Audit completeness",
        Group.SAFETY,
        "How many runs the log tells whole: their beginning, their end, and the end of every effect.",
        "ended runs with `run.started` and with as many ends of effects as effects / ended runs",
        Unit.SHARE,
        (*RUN, "effect.reserved", "effect.settled", "effect.released", "effect.stopped", "effect.human"),
        ratio("complete", "runs", "run"),
        more_is_better=True,
    ),
    Measure(
        "cost_per_resolution",
        "Cost per resolution",
        Group.COST,
        "All that all runs cost, those that came to nothing included, by the runs that were resolved.",
        "(models + retrieval + tools + orchestration + retries + people) of all runs / resolved runs",
        Unit.USD,
        (*CALLS, "run.held_up", "review.claimed", *ANSWERS),
        lambda taken: cost_each(whole_cost(taken), taken.sums["resolved"], "resolution"),
        more_is_better=False,
    ),
    Measure(
        "cost_per_success",
        "Cost per successful outcome",
        Group.COST,
        "The same by the resolutions that stood: what came back is paid for and does not count.",
        "(models + retrieval + tools + orchestration + retries + people) of all runs / successful requests",
        Unit.USD,
        (*CALLS, "run.held_up", "review.claimed", *ANSWERS, *FATE),
        lambda taken: cost_each(whole_cost(taken), taken.sums["successful"], "successful outcome"),
        more_is_better=False,
    ),
    _cost(
        "model",
        "What answers of models cost: tokens outside by the price list, time of the machine for models here.",
        "cost of models' answers + their time here x price of a machine hour",
        ("model.called",),
    ),
    _cost(
        "retrieval",
        "Time of the machine in looking up sections.",
        "time of the node `retrieve` without its calls x price of a machine hour",
        ("node.completed",),
    ),
    _cost(
        "tools",
        "Time of the machine while systems outside answered.",
        "latency of answered calls x price of a machine hour",
        ("tool.called",),
    ),
    _cost(
        "orchestration",
        "Time of the machine in everything else that runs do.",
        "time of the other nodes without their calls x price of a machine hour",
        ("node.completed",),
    ),
    _cost(
        "retries",
        "What failed attempts cost: models that gave no answer that could be used, calls that nobody answered.",
        "cost of models' failed calls + latency of failed calls x price of a machine hour",
        ("model.called", "tool.called"),
    ),
    _cost(
        "people",
        "Time of people: measured where they took the question first, as the settings state it elsewhere.",
        "(seconds from taking a question to answering it + stated minutes of answers without that + stated minutes of "
        "hand-offs) x price of a person's hour",
        ("review.claimed", *ANSWERS, *RUN),
    ),
    Measure(
        "use_after_error",
        "Use after an error",
        Group.TRUST,
        "Whether people let the agent act again after it was wrong: cells of intent and segment with an error, after "
        "which a run was automatic again.",
        "cells with an automatic run that began after their first run that did not stand or was intervened in / cells "
        "with such a run",
        Unit.SHARE,
        (*FATE, *ANSWERS),
        more_is_better=True,
        scope=Scope.PERIOD,
    ),
    Measure(
        "cells_kept",
        "Cells kept automatic",
        Group.TRUST,
        "Whether autonomy that was given stays given: cells of intent and segment that were automatic in the first "
        "half of the period, and still in the second.",
        "cells with automatic runs in both halves / cells with automatic runs in the first half",
        Unit.SHARE,
        RUN,
        more_is_better=True,
        scope=Scope.PERIOD,
    ),
    Measure(
        "time_to_integrate",
        "Time to integrate",
        Group.TRUST,
        "How long it took from the installation until Zendesk and Stripe had both answered.",
        "seconds from the log's first event to the first answered call of the second of the two",
        Unit.SECONDS,
        ("tool.called",),
        more_is_better=False,
        scope=Scope.TENANT,
    ),
    Measure(
        "time_to_first_outcome",
        "Time to the first outcome",
        Group.TRUST,
        "How long it took from the installation until the first request was resolved.",
        "seconds from the log's first event to the end of the first resolved run",
        Unit.SECONDS,
        RUN,
        more_is_better=False,
        scope=Scope.TENANT,
    ),
)
