"""Measures of the service: what is done, how it turns out, and what people correct."""

from __future__ import annotations

from typing import Final

from app.measures.definitions import ANSWERS, FATE, RUN, Group, Measure, Unit, ratio, time_at
from app.measures.figures import Figure, Measured, NotMeasured, Taken, human_s, share
from policies.whatif.bounds import lower_bound


def _floor(taken: Taken) -> Figure:
    stood = share(taken.sums["automatic_stood"], taken.sums["automatic_known"], "automatic run whose fate is known")
    if not isinstance(stood, Measured) or stood.part is None:
        return stood
    return Measured(lower_bound(stood.part, stood.over), stood.over, stood.part)


def _edit(taken: Taken) -> Figure:
    return share(taken.sums["edit_permille"], 1000 * taken.sums["edited"], "edited draft")


def _handled(taken: Taken) -> Figure:
    seconds, requests = human_s(taken.sums, taken.prices), taken.sums["requests"]
    if isinstance(seconds, NotMeasured):
        return seconds
    return Measured(seconds / requests, requests) if requests else NotMeasured("there is no request")


SERVICE_MEASURES: Final = (
    Measure(
        "coverage",
        "Coverage",
        Group.WORK,
        "How much of what customers ask for the policy lets the agent do, alone or after a person's yes.",
        "requests whose last decision was to act, to ask a person or to ask the customer / requests",
        Unit.SHARE,
        RUN,
        ratio("covered", "requests", "request"),
        more_is_better=True,
    ),
    Measure(
        "automation_rate",
        "Automation rate",
        Group.WORK,
        "How much of the covered work was done from end to end without a person.",
        "covered requests resolved with no approval, no intervention and nobody taking over / covered requests",
        Unit.SHARE,
        (*RUN, *ANSWERS, "run.woken", "run.taken_over", "effect.stopped"),
        ratio("automatic", "covered", "covered request"),
        more_is_better=True,
    ),
    Measure(
        "escalation_rate",
        "Escalations",
        Group.WORK,
        "How much was given to a person in the end, for whatever reason.",
        "requests handed off / requests",
        Unit.SHARE,
        RUN,
        ratio("handed_off", "requests", "request"),
        more_is_better=False,
    ),
    Measure(
        "time_to_resolution",
        "Time to resolution, median",
        Group.WORK,
        "How long customers wait from the message that began a run to its end, holds and reviews included.",
        "median of the seconds from the beginning to the end of resolved runs",
        Unit.SECONDS,
        RUN,
        time_at("resolution_s", 0.5, "resolved run"),
        more_is_better=False,
    ),
    Measure(
        "time_to_resolution_p95",
        "Time to resolution, 95th percentile",
        Group.WORK,
        "The same for the slowest twentieth.",
        "95th percentile, nearest rank, of the seconds from the beginning to the end of resolved runs",
        Unit.SECONDS,
        RUN,
        time_at("resolution_s", 0.95, "resolved run"),
        more_is_better=False,
    ),
    Measure(
        "success_rate",
        "Success rate",
        Group.OUTCOME,
        "How many requests were resolved, with or without a person's yes, in a way that stood.",
        "requests resolved and not reopened within 7 days, not rated bad, with no money that came back, and not judged "
        "wrong by a reviewer / requests",
        Unit.SHARE,
        FATE,
        ratio("successful", "requests", "request"),
        more_is_better=True,
    ),
    Measure(
        "quality",
        "Quality of automatic work",
        Group.OUTCOME,
        "How much of what was done without a person stood. Known are runs whose 7 days are over, or about which "
        "somebody has said something.",
        "automatic runs that stood / automatic runs whose fate is known",
        Unit.SHARE,
        FATE,
        ratio("automatic_stood", "automatic_known", "automatic run whose fate is known"),
        more_is_better=True,
    ),
    Measure(
        "quality_floor",
        "Quality floor",
        Group.OUTCOME,
        "The quality of automatic work that is certain at 95 %, given how few or many runs there are.",
        "one-sided lower bound of Clopper and Pearson of the quality of automatic work",
        Unit.SHARE,
        FATE,
        _floor,
        more_is_better=True,
    ),
    Measure(
        "recontact_rate",
        "Recontact within 7 days",
        Group.OUTCOME,
        "How often a customer wrote on the ticket again after it was resolved, if only to say thanks.",
        "resolved runs after which the ticket's next run began within 7 days / resolved runs whose 7 days are over",
        Unit.SHARE,
        RUN,
        ratio("recontacted", "settled_in", "resolved run whose 7 days are over"),
        more_is_better=False,
    ),
    Measure(
        "reopen_rate",
        "Reopened within 7 days",
        Group.OUTCOME,
        "How often they needed something still, or a refund came back.",
        "resolved runs whose ticket's next run within 7 days was a request, or whose refund failed later / resolved "
        "runs whose 7 days are over",
        Unit.SHARE,
        (*RUN, "run.reopened"),
        ratio("reopened_in", "settled_in", "resolved run whose 7 days are over"),
        more_is_better=False,
    ),
    Measure(
        "csat",
        "Customer satisfaction",
        Group.OUTCOME,
        "How many of the customers who rated were content. Zendesk asks them; the sweeper reads the score.",
        "runs rated good / runs rated",
        Unit.SHARE,
        ("ticket.rated",),
        ratio("rated_good", "rated", "rating"),
        more_is_better=True,
    ),
    Measure(
        "intervention_rate",
        "Interventions",
        Group.PEOPLE,
        "How often people change or stop what the agent is about: edit, reject, ask first, stop, take over.",
        "requests with at least one intervention / requests",
        Unit.SHARE,
        (*RUN, *ANSWERS, "run.woken", "run.taken_over", "effect.stopped"),
        ratio("intervened", "requests", "request"),
        more_is_better=False,
    ),
    Measure(
        "override_rate",
        "Overrides",
        Group.PEOPLE,
        "How often a person who was asked decided otherwise than proposed.",
        "answers that reject or ask the customer first / answers",
        Unit.SHARE,
        ANSWERS,
        ratio("overridden", "answered", "answer of a person"),
        more_is_better=False,
    ),
    Measure(
        "edit_rate",
        "Edited drafts",
        Group.PEOPLE,
        "How many of the approved replies somebody rewrote first.",
        "approvals with an edited reply / approvals",
        Unit.SHARE,
        ("approval.approved",),
        ratio("edited", "approved", "approval"),
        more_is_better=False,
    ),
    Measure(
        "edit_distance",
        "Edit distance",
        Group.PEOPLE,
        "How much of a draft an edit changes: 0 is nothing, 1 is all of it.",
        "mean over edits of Levenshtein's distance by the length of the longer text, to the thousandth",
        Unit.SHARE,
        ("approval.approved",),
        _edit,
        more_is_better=False,
    ),
    Measure(
        "undo_rate",
        "Undone",
        Group.PEOPLE,
        "How often what was done had to be put back: a person undid it, or the vendor reversed it.",
        "effects undone or reversed / effects that settled",
        Unit.SHARE,
        ("effect.reserved", "effect.settled", "effect.reversed"),
        ratio("taken_back", "effects_settled", "effect that settled"),
        more_is_better=False,
    ),
    Measure(
        "stop_rate",
        "Stopped in the hold",
        Group.PEOPLE,
        "How many refunds a person stopped before they were sent.",
        "refunds stopped by a person / refunds that were set aside",
        Unit.SHARE,
        ("effect.reserved", "effect.stopped"),
        ratio("stopped", "held", "refund that was set aside"),
        more_is_better=False,
    ),
    Measure(
        "time_to_intervene",
        "Time to intervene, median",
        Group.PEOPLE,
        "How soon people see that something is to be changed: from the question, or from the beginning of the hold.",
        "median of the seconds from then to the first intervention",
        Unit.SECONDS,
        (*ANSWERS, "effect.reserved", "effect.stopped", "run.waiting", "run.woken", "run.taken_over"),
        time_at("intervened_after_s", 0.5, "intervention whose beginning is known"),
        more_is_better=False,
    ),
    Measure(
        "handle_time",
        "People's time for a request",
        Group.PEOPLE,
        "How long people had a request in their hands: measured where they took the question first, as the "
        "settings state it elsewhere. Of imported old tickets it is the median of what they say.",
        "(seconds from taking a question to answering it + stated minutes of answers without that + stated minutes of "
        "hand-offs) / requests",
        Unit.SECONDS,
        ("review.claimed", *ANSWERS, *RUN),
        _handled,
        more_is_better=False,
    ),
)
