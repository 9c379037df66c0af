"""The figures of a period once more, from exported lines, by code that shares nothing with `app/measures`.

Written from the words of docs/measures.md: every run's events are gathered first and then looked at as a whole, where
the fold takes one event at a time and the database adds up. Slow and plain on purpose.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from scipy.stats import beta

WEEK: Final = timedelta(days=7)
Line = Mapping[str, Any]


@dataclass
class Told:
    """One run as its lines tell it."""

    lines: list[Line]
    before: Told | None = None
    after: Told | None = None
    ratings: list[str] = field(default_factory=list)
    solved: list[Line] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Line]:
        """Its lines of these kinds."""
        return [line for line in self.lines if line["kind"] in kinds]

    def node(self, name: str) -> list[Line]:
        """The ends of one node."""
        return [line for line in self.of("node.completed") if line["body"]["node"] == name]

    @property
    def began(self) -> datetime:
        """When it began."""
        starts = self.of("run.started")
        return when((starts or self.lines)[0])

    @property
    def end(self) -> Line | None:
        """The line that ended it, the last of them."""
        ends = [*self.node("close"), *self.of("run.ended")]
        return ends[-1] if ends else None

    @property
    def outcome(self) -> str | None:
        """How it ended."""
        return self.end["body"]["outcome"] if self.end is not None else None

    @property
    def ended(self) -> datetime:
        """When it ended."""
        assert self.end is not None
        return when(self.end)

    @property
    def is_counted(self) -> bool:
        """Whether it ended, was no shadow, and its ticket was not for people alone."""
        is_shadow = any(line["body"].get("shadow") for line in self.node("hand_off"))
        return self.end is not None and not is_shadow and not self.is_held_out

    @property
    def is_held_out(self) -> bool:
        """Whether people had its ticket alone."""
        return any(line["body"].get("arm") == "held_out" for line in self.of("run.started"))

    @property
    def is_request(self) -> bool:
        """Whether a customer asked for something."""
        return self.outcome != "ignored"

    @property
    def is_resolved(self) -> bool:
        """Whether it was resolved."""
        return self.outcome == "resolved"

    @property
    def is_covered(self) -> bool:
        """Whether the policy's last word let the agent do it."""
        decided = self.node("decide")
        return bool(decided) and (
            decided[-1]["body"].get("course") in ("act", "review") or "asks" in decided[-1]["body"]
        )

    @property
    def interventions(self) -> list[Line]:
        """Everything by which a person changed or stopped it, in order."""
        return [
            line
            for line in self.lines
            if line["kind"] in ("approval.rejected", "approval.asked", "run.taken_over")
            or (line["kind"] == "approval.approved" and line["body"]["edited"])
            or (line["kind"] == "run.woken" and line["body"]["kind"] == "human_took_over")
            or (line["kind"] == "effect.stopped" and line["body"]["reason"] in ("person", "stopped_by_person"))
        ]

    @property
    def is_automatic(self) -> bool:
        """Whether nobody had a hand in it."""
        return self.is_resolved and self.is_covered and not self.of("approval.approved") and not self.interventions

    @property
    def has_follower(self) -> bool:
        """Whether the ticket's next run began within a week."""
        return self.after is not None and bool(self.after.of("run.started")) and self.after.began - self.ended <= WEEK

    @property
    def is_reopened(self) -> bool:
        """Whether there was more to do."""
        asked = self.is_resolved and self.has_follower and self.after is not None and self.after.end is not None
        return bool(self.of("run.reopened")) or bool(asked and self.after is not None and self.after.is_request)

    @property
    def is_thanked(self) -> bool:
        """Whether the customer wrote again and asked for nothing."""
        if not self.is_resolved or not self.has_follower or self.after is None or self.after.end is None:
            return False
        return not self.after.is_request and self.after.end["body"]["reason"] == "not_a_request"

    @property
    def judgements(self) -> list[str]:
        """What people said who were shown it afterwards."""
        return [line["body"]["answer"] for line in self.of("review.checked") if line["body"]["kind"] == "blind"]

    @property
    def rating(self) -> str | None:
        """The customer's last score."""
        return self.ratings[-1] if self.ratings else None

    @property
    def is_bad(self) -> bool:
        """Whether it did not stand."""
        wrong = any(answer != "approve" for answer in self.judgements)
        return self.is_reopened or self.rating == "bad" or bool(self.of("effect.reversed")) or wrong

    @property
    def is_confirmed(self) -> bool:
        """Whether the customer said that it did."""
        return self.rating == "good" or self.is_thanked

    def is_over(self, as_of: datetime) -> bool:
        """Whether seven days have passed."""
        return self.ended + WEEK <= as_of

    @property
    def calls(self) -> list[Line]:
        """Reads that the gate let through."""
        return [line for line in self.of("tool.called") if line["body"]["outcome"] != "not_called"]

    def dimension(self, name: str) -> str:
        """What it is, cut by a dimension."""
        found: object = None
        match name:
            case "intent":
                found = [line["body"]["intents"][0] for line in self.node("triage")][-1:]
            case "language":
                found = [line["body"]["language"] for line in self.node("triage")][-1:]
            case "channel":
                found = [line["body"]["channel"] for line in self.node("intake") if "channel" in line["body"]][-1:]
            case "segment":
                found = [line["body"]["segment"] for line in self.node("gather") if line["body"]["segment"]][-1:]
            case "tier":
                found = [
                    line["body"]["verdicts"][0]["tier"] for line in self.node("decide") if line["body"]["verdicts"]
                ][-1:]
            case "policy":
                found = [line["body"]["policy_hash"] for line in self.of("run.started")]
            case "model":
                done = [line["body"] for line in self.of("model.called") if line["body"]["outcome"] == "done"]
                outside = [body["model"] for body in done if body["provider"] != "local"]
                found = outside[-1:] or [body["model"] for body in done][:1]
        assert isinstance(found, list)
        return str(found[0]) if found else "unknown"


def when(line: Line) -> datetime:
    """The business time of a line."""
    return datetime.fromisoformat(line["at"])


class Recomputed:
    """Everything that a period's page shows, from the lines of an export.

    Args:
        text: the lines, in the order of their numbers.
        as_of: when it is asked.
        prices: the four numbers that the settings state, by name.
    """

    def __init__(self, text: Iterable[str], as_of: datetime, prices: Mapping[str, int]) -> None:
        self.lines: list[Line] = [json.loads(line) for line in text]
        self.as_of, self.prices = as_of, prices
        by_run: dict[str, list[Line]] = defaultdict(list)
        for line in self.lines:
            if line["run_id"] is not None:
                by_run[line["run_id"]].append(line)
        self.runs = [Told(lines) for lines in by_run.values()]
        self._link()
        self._claims = self._claimed()

    def _link(self) -> None:
        """Which run of a ticket follows which, and which of them a rating is about: the newest when it came."""
        by_ticket: dict[str, list[Told]] = defaultdict(list)
        for run in self.runs:
            by_ticket[run.lines[0]["ticket_id"]].append(run)
        for line in self.lines:
            if line["kind"] in ("ticket.rated", "ticket.solved"):
                known = [run for run in by_ticket[line["ticket_id"]] if run.lines[0]["seq"] < line["seq"]]
                if known and line["kind"] == "ticket.rated":
                    known[-1].ratings.append(line["body"]["score"])
                elif known:
                    known[-1].solved.append(line)
        for runs in by_ticket.values():
            for before, after in pairwise(runs):
                if after.of("run.started") and before.end is not None and before.end["seq"] < after.lines[0]["seq"]:
                    before.after, after.before = after, before

    def _claimed(self) -> dict[int, int]:
        """By the number of an answer: the seconds that somebody had the question before they gave it."""
        taken: dict[str, datetime] = {}
        found: dict[int, int] = {}
        for line in self.lines:
            body = line["body"]
            if line["kind"] == "review.claimed":
                taken[body["item_id"]] = when(line)
            elif line["kind"] == "review.released":
                taken.pop(body["item_id"], None)
            elif line["kind"] in ("approval.approved", "approval.rejected", "approval.asked"):
                start = taken.pop(body["approval_id"], None)
                if start is not None:
                    found[line["seq"]] = int((when(line) - start).total_seconds())
        return found

    def between(self, since: datetime, until: datetime) -> list[Told]:
        """The counted runs that began then."""
        return [run for run in self.runs if run.is_counted and since <= run.began < until]

    def waits(self, run: Told) -> int | None:
        """Seconds from when people could see it to the first intervention."""
        if not run.interventions:
            return None
        first = run.interventions[0]
        body = first["body"]
        earlier = [line for line in run.lines if line["seq"] < first["seq"]]
        if first["kind"].startswith("approval."):
            starts = [
                one
                for one in earlier
                if one["kind"] == "approval.requested" and one["body"]["approval_id"] == body["approval_id"]
            ]
        elif first["kind"] == "effect.stopped":
            starts = [
                one
                for one in earlier
                if one["kind"] == "effect.reserved" and one["body"]["effect_id"] == body["effect_id"]
            ]
        else:
            starts = [one for one in earlier if one["kind"] == "run.waiting"][-1:]
        return int((when(first) - when(starts[0])).total_seconds()) if starts else None

    def costs(self, runs: list[Told]) -> dict[str, Fraction]:
        """Dollars by part, of all these runs together."""
        ms: Counter[str] = Counter()
        paid: Counter[str] = Counter()
        human_s = 0
        for run in runs:
            outside = 0
            for line in run.lines:
                body = line["body"]
                if line["kind"] == "tool.called":
                    outside += body["latency_ms"]
                    ms["tools" if body["outcome"] in ("done", "VendorRefused") else "retries"] += body["latency_ms"]
                elif line["kind"] == "model.called":
                    outside += body["latency_ms"]
                    part = "model" if body["outcome"] == "done" else "retries"
                    paid[part] += body["cost_usd_micros"]
                    ms[part] += body["latency_ms"] if body["provider"] == "local" else 0
                elif line["kind"] == "node.completed":
                    part = "retrieval" if body["node"] == "retrieve" else "orchestration"
                    ms[part] += max(0, body["latency_ms"] - outside)
                    outside = 0
                elif line["kind"] in ("approval.approved", "approval.rejected", "approval.asked"):
                    human_s += self._claims.get(line["seq"], 60 * self.prices["review_minutes"])
            human_s += 60 * self.prices["hand_off_minutes"] if run.outcome == "handed_off" else 0
        hour = Fraction(self.prices["machine_hour_usd_cents"], 100)
        found = {
            name: Fraction(paid[name], 1_000_000) + hour * Fraction(ms[name], 3_600_000)
            for name in ("model", "retrieval", "tools", "orchestration", "retries")
        }
        found["people"] = Fraction(self.prices["human_hour_usd_cents"] * human_s, 100 * 3600)
        return found

    def figures(self, runs: list[Told]) -> dict[str, float | None]:
        """Every measure that can be computed of a set of runs; None where there is nothing to divide by."""
        requests = [run for run in runs if run.is_request]
        covered = [run for run in requests if run.is_covered]
        resolved = [run for run in runs if run.is_resolved]
        automatic = [run for run in runs if run.is_automatic]
        known = [
            run for run in automatic if run.is_over(self.as_of) or run.is_bad or run.is_confirmed or run.judgements
        ]
        good = [run for run in resolved if not run.is_bad]
        over = [run for run in resolved if run.is_over(self.as_of)]
        rated = [run.rating for run in runs if run.rating]
        kinds = Counter(line["kind"] for run in runs for line in run.lines)
        edits = [
            line["body"]["edit_permille"]
            for run in runs
            for line in run.of("approval.approved")
            if line["body"]["edited"]
        ]
        refunds = [line for run in runs for line in run.of("effect.reserved") if line["body"]["effect"] == "refund"]
        stops = [
            line
            for run in runs
            for line in run.of("effect.stopped")
            if line["body"]["reason"] in ("person", "stopped_by_person")
        ]
        undone = [line for run in runs for line in run.of("effect.reserved") if line["body"].get("undoes")]
        calls = [line for run in runs for line in run.calls]
        answers = kinds["approval.approved"] + kinds["approval.rejected"] + kinds["approval.asked"]
        spent = self.costs(runs)
        waits = [wait for run in runs if (wait := self.waits(run)) is not None]
        times = [int((run.ended - run.began).total_seconds()) for run in resolved]
        return {
            "coverage": of(len(covered), len(requests)),
            "automation_rate": of(len(automatic), len(covered)),
            "escalation_rate": of(count(runs, lambda run: run.outcome == "handed_off"), len(requests)),
            "time_to_resolution": rank(times, 50),
            "time_to_resolution_p95": rank(times, 95),
            "success_rate": of(len(good), len(requests)),
            "quality": of(count(known, lambda run: not run.is_bad), len(known)),
            "quality_floor": floor(count(known, lambda run: not run.is_bad), len(known)),
            "recontact_rate": of(count(over, lambda run: run.has_follower), len(over)),
            "reopen_rate": of(count(over, lambda run: run.is_reopened), len(over)),
            "csat": of(rated.count("good"), len(rated)),
            "intervention_rate": of(count(requests, lambda run: bool(run.interventions)), len(requests)),
            "override_rate": of(kinds["approval.rejected"] + kinds["approval.asked"], answers),
            "edit_rate": of(len(edits), kinds["approval.approved"]),
            "edit_distance": of(sum(edits), 1000 * len(edits)),
            "undo_rate": of(len(undone) + kinds["effect.reversed"], kinds["effect.settled"]),
            "stop_rate": of(len(stops), len(refunds)),
            "time_to_intervene": rank(waits, 50),
            "handle_time": of(spent["people"] * 360_000 / self.prices["human_hour_usd_cents"], len(requests)),
            "tool_reliability": of(count(calls, is_answered), len(calls)),
            "safety_events": of(
                1000 * sum(line["body"]["injection_suspected"] for run in runs for line in run.node("triage")),
                len(runs),
            ),
            "near_misses": of(1000 * sum(near_misses(run) for run in runs), len(runs)),
            "audit_completeness": of(count(runs, is_whole), len(runs)),
            "cost_per_resolution": of(sum(spent.values()), len(resolved)),
            "cost_per_success": of(sum(spent.values()), len(good)),
            **{f"cost_{name}": of(part, len(resolved)) for name, part in spent.items()},
        }

    def ledger(self, runs: list[Told]) -> dict[str, int]:
        """What became of each request."""
        resolved = [run for run in runs if run.is_resolved]
        good = [run for run in resolved if not run.is_bad]
        silent = [run for run in good if not run.is_confirmed]
        return {
            "confirmed": len(good) - len(silent),
            "assumed": count(silent, lambda run: run.is_over(self.as_of)),
            "too_early": count(silent, lambda run: not run.is_over(self.as_of)),
            "came_back": len(resolved) - len(good),
            "escalated": count(runs, lambda run: run.outcome == "handed_off"),
        }

    def held_out(self, since: datetime, until: datetime) -> tuple[int, int, int, int, list[int]]:
        """Requests that people had alone: how many, covered, rated, rated good, and seconds until they solved them."""
        runs = [
            run
            for run in self.runs
            if run.is_held_out and run.end is not None and run.is_request and since <= run.began < until
        ]
        rated = [run.rating for run in runs if run.rating]
        solved = [
            int((datetime.fromisoformat(line["body"]["solved_at"]) - run.began).total_seconds())
            for run in runs
            for line in run.solved[-1:]
        ]
        return len(runs), count(runs, lambda run: run.is_covered), len(rated), rated.count("good"), sorted(solved)

    def causes(self, runs: list[Told]) -> Counter[str]:
        """Why runs were handed off."""
        return Counter(run.end["body"]["reason"] for run in runs if run.end and run.outcome == "handed_off")

    def connectors(self, since: datetime, until: datetime) -> dict[str, tuple[int, int]]:
        """Calls and lost answers by tool, of whole days."""
        found: dict[str, list[bool]] = defaultdict(list)
        for line in self.lines:
            if since <= when(line) < until:
                if line["kind"] == "tool.called" and line["body"]["outcome"] != "not_called":
                    found[line["body"]["tool"]].append(is_answered(line))
                elif line["kind"] in ("effect.settled", "effect.unknown"):
                    found[line["body"]["tool"]].append(line["kind"] == "effect.settled")
        return {tool: (len(answered), answered.count(False)) for tool, answered in found.items()}

    def trust(self, runs: list[Told], since: datetime, until: datetime) -> dict[str, float | None]:
        """The two measures about cells."""
        cells: dict[tuple[str, str], list[Told]] = defaultdict(list)
        for run in runs:
            cells[run.dimension("intent"), run.dimension("segment")].append(run)
        middle = since + (until - since) / 2
        used, erred, kept, before = 0, 0, 0, 0
        for some in cells.values():
            errors = [run.began for run in some if run.is_bad or run.interventions]
            automatic = [run.began for run in some if run.is_automatic]
            erred += bool(errors)
            used += bool(errors and automatic and max(automatic) > min(errors))
            before += any(at < middle for at in automatic)
            kept += any(at < middle for at in automatic) and any(at >= middle for at in automatic)
        return {"use_after_error": of(used, erred), "cells_kept": of(kept, before)}


def of(part: float | Fraction, whole: int) -> float | None:
    """A share, or nothing."""
    return float(Fraction(part) / whole) if whole else None


def floor(good: int, known: int) -> float | None:
    """The lower bound, by the distribution that SciPy knows."""
    if not known:
        return None
    return float(beta.ppf(0.05, good, known - good + 1)) if good else 0.0


def rank(values: list[int], percent: int) -> float | None:
    """The nearest rank."""
    return sorted(values)[-(-len(values) * percent // 100) - 1] if values else None


def count(things: Iterable[Any], holds: Callable[[Any], bool]) -> int:
    """How many."""
    return sum(1 for thing in things if holds(thing))


def is_answered(line: Line) -> bool:
    """Whether a system outside gave an answer."""
    return line["body"]["outcome"] in ("done", "VendorRefused")


def near_misses(run: Told) -> int:
    """What a safeguard caught late."""
    drafts = count(run.node("verify"), lambda line: bool(line["body"]["findings"]))
    stale = count(run.of("approval.stale"), lambda line: "changed" in line["body"])
    overtaken = {"charge_changed", "ticket_changed", "new_message"}
    return drafts + stale + count(run.of("effect.stopped"), lambda line: line["body"].get("reason") in overtaken)


def is_whole(run: Told) -> bool:
    """Whether the log tells it from its beginning to the end of its last effect."""
    ends = run.of("effect.settled", "effect.released", "effect.stopped", "effect.human")
    return bool(run.of("run.started")) and len(run.of("effect.reserved")) == len(ends)
