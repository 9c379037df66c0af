"""A month of a shop's runs as events, in the words of the catalogue: made up from a seed, with everything that occurs.

Runs that end and runs that still wait, questions claimed, edited, rejected and left to expire, refunds stopped, lost,
failed and taken back, customers who write again, who thank, who rate; and what belongs to no run. No text of anybody.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from graph.audit.log import NewEvent, spelled

START: Final = datetime(2026, 10, 1, tzinfo=UTC)
DAYS: Final = 30
INTENTS: Final = ("duplicate_charge", "refund_request", "cancel_subscription", "policy_question", "item_not_received")
SEGMENTS: Final = ("standard", "vip", "business")
CHANNELS: Final = ("email", "web", "mobile")
LANGUAGES: Final = ("en", "de", "es", "fr")
HELD_OUT_ONE_IN: Final = 12
"""Of so many tickets people have one alone."""
TIERS: Final = ("auto", "approve", "draft")
REASONS: Final = ("policy_denied", "missing_data", "ambiguous_request", "sensitive_topic", "identity_not_verified")
ZENDESK, STRIPE, SEARCH = "zendesk.read", "stripe.read", "kb.search"


@dataclass
class _Run:
    """One run in the making: its events, and the moment that it has come to."""

    run_id: str
    ticket_id: str
    at: datetime
    policy: str
    model: str
    events: list[NewEvent] = field(default_factory=list)
    is_held_out: bool = False


class Month:
    """So many runs from a seed. The same seed gives the same events."""

    def __init__(self, runs: int, seed: int, *, start: datetime = START, days: int = DAYS) -> None:
        self._random = random.Random(seed)  # noqa: S311 - figures, not secrets
        self._runs, self._start, self._days = runs, start, days
        self._made = 0
        self._policies = tuple(hashlib.sha256(f"policy {number}".encode()).hexdigest() for number in range(3))

    def events(self) -> list[NewEvent]:
        """All events of the month in the order of their times; what would be later has not happened yet."""
        end = self._start + timedelta(days=self._days)
        found = [*self._of_no_run()]
        made = 0
        while made < self._runs:
            chain = self._ticket(made)
            made += len(chain)
            for run in chain:
                found += run.events
        return sorted((one for one in found if one.at < end), key=lambda one: one.at)

    def _id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_{self._made:032x}"

    def _happens(self, percent: float) -> bool:
        return self._random.random() * 100 < percent

    def _pick(self, values: tuple[str, ...]) -> str:
        return self._random.choice(values)

    def _ticket(self, number: int) -> list[_Run]:
        """A ticket's runs: one, or one more after the first, or two."""
        at = self._start + timedelta(seconds=self._random.randrange(self._days * 86400))
        ticket_id = str(1000 + number)
        chain = [self._run(ticket_id, at)]
        while self._happens(9) and len(chain) < 3:  # noqa: PLR2004 - a customer has written three times at most
            later = chain[-1].at + timedelta(seconds=self._random.randrange(600, 10 * 86400))
            chain.append(self._run(ticket_id, later, thanks=self._happens(40)))
        return chain

    def _run(self, ticket_id: str, at: datetime, *, thanks: bool = False) -> _Run:
        day = (at - self._start).days
        policy = self._policies[min(2, day * 3 // self._days)]
        model = "claude-fable-4-5" if self._happens(20) else "local-head"
        run = _Run(self._id("run"), ticket_id, at, policy, model)
        run.is_held_out = int(ticket_id) % HELD_OUT_ONE_IN == 0
        if run.is_held_out or not self._happens(0.2):
            arm = "held_out" if run.is_held_out else "stable"
            self._say(run, "run.started", {"events": [], "policy_hash": policy, "arm": arm})
        self._reads(run, ZENDESK, "tickets.show", "comments.list", "users.show")
        channel = self._pick(CHANNELS)
        if self._happens(0.3):
            self._say(run, "run.held_up", {"error": "VendorUnavailable", "failures": 1, "again_in_s": 2})
        if thanks or self._happens(4):
            self._node(run, "intake", {"outcome": "ignored", "reason": "not_a_request"})
            self._close(run, "ignored", "not_a_request" if thanks or self._happens(50) else "out_of_scope")
            return run
        self._node(run, "intake", {"channel": channel, "status": "open", "characters": 80})
        self._triage(run)
        self._decide(run)
        return run

    def _say(
        self, run: _Run, kind: str, body: dict[str, object], *, actor: str = "agent", after_s: float = 0.4
    ) -> None:
        run.at += timedelta(seconds=after_s * (0.5 + self._random.random()))
        run.events.append(NewEvent(self._id("evt"), run.at, kind, actor, run.run_id, run.ticket_id, body))

    def _node(self, run: _Run, node: str, body: Mapping[str, object] | None = None) -> None:
        told: dict[str, object] = {
            "node": node,
            "cycle": 1,
            "goto": "next",
            "latency_ms": self._random.randrange(2, 900),
            "outputs": {},
            "policy_hash": run.policy,
            "worker": "worker/1",
        }
        told.update(body or {})
        self._say(run, "node.completed", told)

    def _reads(self, run: _Run, tool: str, *operations: str) -> None:
        for operation in operations:
            outcome = "done"
            if self._happens(3):
                outcome = self._pick(("Throttled", "VendorUnavailable", "VendorRefused", "access_denied", "not_called"))
            body: dict[str, object] = {
                "tool": tool,
                "operation": operation,
                "reference": run.ticket_id,
                "credential": "key",
                "decision": "refused:budget" if outcome == "not_called" else "allowed",
                "outcome": outcome,
                "latency_ms": 0 if outcome == "not_called" else self._random.randrange(5, 400),
            }
            self._say(run, "tool.called", body, after_s=0.1)

    def _asks_model(self, run: _Run, role: str, provider: str, model: str, outcome: str) -> None:
        is_paid = provider != "local"
        body = {
            "role": role,
            "provider": provider,
            "model": model,
            "outcome": outcome,
            "latency_ms": self._random.randrange(8, 700),
            "input_tokens": self._random.randrange(200, 3000),
            "cached_tokens": 0,
            "output_tokens": self._random.randrange(10, 400),
            "cost_usd_micros": self._random.randrange(500, 9000) if is_paid else 0,
            "is_kept": is_paid and self._happens(5),
        }
        self._say(run, "model.called", body, after_s=0.2)

    def _triage(self, run: _Run) -> None:
        self._asks_model(run, "triage", "local", "local-head", "done")
        if run.model != "local-head":
            if self._happens(8):
                self._asks_model(run, "triage", "claude", run.model, self._pick(("overloaded", "refused")))
            self._asks_model(run, "triage", "claude", run.model, "done")
        body = {
            "intents": [self._pick(INTENTS)],
            "confidence_percent": self._random.randrange(40, 100),
            "language": self._pick(LANGUAGES),
            "sensitive_topic": "none",
            "injection_suspected": self._happens(1.5),
            "needs_person": [],
        }
        self._node(run, "triage", body)
        self._reads(run, STRIPE, "customers.find", "charges.list")
        segment = None if self._happens(5) else self._pick(SEGMENTS)
        self._node(run, "gather", {"identity": "verified", "segment": segment, "draft_only": []})
        self._reads(run, SEARCH, "search")
        self._node(run, "retrieve", {"sections": []})
        self._node(run, "plan")

    def _decide(self, run: _Run) -> None:
        if run.is_held_out:
            self._watches(run)
            return
        course = self._random.choices(("act", "review", "hand_off", "asks"), (45, 28, 22, 5))[0]
        tier = {"act": "auto", "review": "approve"}.get(course, self._pick(TIERS))
        verdicts: list[dict[str, object]] = [{"kind": "refund", "tier": tier, "mode": tier, "verdict": "allow"}]
        if course == "asks":
            self._node(run, "decide", {"verdicts": [], "asks": ["order_id"]})
            self._say(run, "run.waiting", {"for": "customer", "on": []}, after_s=2)
            self._say(run, "run.woken", {"kind": self._pick(("new_message", "silent"))}, after_s=86400)
            self._gives(run, "customer_silent")
            return
        self._node(run, "decide", {"verdicts": verdicts, "course": course, "reason": None})
        if course == "hand_off":
            self._gives(run, self._pick(REASONS), shadow=self._happens(8))
            return
        self._node(run, "draft")
        self._node(run, "verify", {"findings": [{"check": "amount", "reason": "wrong"}] if self._happens(3) else []})
        if course == "review" and not self._review(run):
            return
        self._act(run)

    def _watches(self, run: _Run) -> None:
        """What would have been done, and what people did."""
        course = self._pick(("act", "review", "hand_off"))
        verdicts: list[dict[str, object]] = [{"kind": "refund", "tier": "auto", "mode": "auto", "verdict": "allow"}]
        self._node(run, "decide", {"verdicts": verdicts, "course": course, "reason": "needs_approval"})
        self._gives(run, "needs_approval", shadow=True)
        if self._happens(70):
            at = run.at + timedelta(seconds=self._random.randrange(600, 100_000))
            body: dict[str, object] = {"solved_at": spelled(at)}
            run.events.append(NewEvent(self._id("evt"), at, "ticket.solved", "zendesk", None, run.ticket_id, body))
        if self._happens(30):
            self._rates(run)

    def _review(self, run: _Run) -> bool:
        """Whether somebody said yes, once or twice."""
        approval_id = self._id("apr")
        self._say(run, "approval.requested", {"approval_id": approval_id, "required": 1})
        self._say(run, "run.waiting", {"for": "review", "on": [approval_id], "outcome": "waiting_for_review"})
        if self._happens(3):
            return False  # it waits still
        run.at += timedelta(seconds=self._random.randrange(60, 20_000))
        if self._happens(60):
            self._claims(run, approval_id)
        if self._happens(4):
            self._say(run, "run.taken_over", {"was": "review"}, actor="person/2")
            self._say(run, "approval.stale", {"approval_id": approval_id, "reason": "human_took_over"})
            self._say(run, "run.woken", {"kind": "human_took_over", "actor": "person/2"})
            self._gives(run, "human_took_over")
            return False
        answer = self._random.choices(("approved", "rejected", "asked", "expired"), (80, 12, 3, 5))[0]
        is_edited = answer == "approved" and self._happens(25)
        body: dict[str, object] = {"approval_id": approval_id}
        if answer != "expired":
            body |= {"edited": is_edited or answer == "asked"}
        if is_edited:
            body["edit_permille"] = self._random.randrange(1, 1000)
        for number in range(2 if answer == "approved" and self._happens(6) else 1):
            self._say(run, f"approval.{answer}", body, actor=f"person/{number}", after_s=30)
        self._say(run, "run.woken", {"kind": answer})
        if answer != "approved":
            self._gives(run, "approval_expired" if answer == "expired" else "needs_approval")
            return False
        if self._happens(2):
            self._say(run, "approval.stale", {"approval_id": approval_id, "changed": ["evidence"]})
        else:
            self._say(run, "approval.used", {"approval_id": approval_id})
        return True

    def _claims(self, run: _Run, approval_id: str) -> None:
        """Somebody takes the question; one in ten lets go of it again."""
        for kind in ("review.claimed", "review.released") if self._happens(10) else ("review.claimed",):
            run.at += timedelta(seconds=self._random.randrange(5, 400))
            body = {"item_id": approval_id, "account_id": "acc_1"}
            if kind == "review.claimed":
                body["until"] = "2026-12-01T00:00:00.000000Z"
            run.events.append(NewEvent(self._id("evt"), run.at, kind, "person/1", body=body))
        run.at += timedelta(seconds=self._random.randrange(10, 500))

    def _effect(self, effect_id: str, effect: str, tool: str, **more: object) -> dict[str, object]:
        return {"effect_id": effect_id, "effect": effect, "tool": tool, "credential": "key", **more}

    def _writes(self, run: _Run, **more: object) -> None:
        """An update of the ticket, that comes to its end."""
        told = self._effect(self._id("eff"), "zendesk_update", "zendesk.update_ticket", **more)
        self._say(run, "effect.reserved", told)
        self._say(run, "effect.sending", told)
        if self._happens(1):
            self._say(run, "effect.unknown", told)
        self._say(run, "effect.settled", told)

    def _act(self, run: _Run) -> None:
        told = self._effect(self._id("eff"), "refund", "stripe.refund", amount_minor=2490, currency="usd")
        self._node(run, "act")
        self._say(run, "effect.reserved", told)
        self._say(run, "run.waiting", {"for": "settlement", "on": [told["effect_id"]]})
        run.at += timedelta(seconds=600)
        if self._happens(5):
            reason = self._pick(("stopped_by_person", "person", "charge_changed", "switched_off"))
            self._say(run, "effect.stopped", {**told, "reason": reason})
            self._gives(run, "kill_switch" if reason == "switched_off" else "human_took_over")
            return
        self._say(run, "effect.sending", told)
        if self._happens(2):
            self._say(run, "effect.unknown", told, after_s=30)
        end = self._random.choices(("settled", "released", "human", "never"), (96, 2, 1, 1))[0]
        if end == "never":
            return  # it is looked for still
        self._say(run, f"effect.{end}", told, after_s=5)
        if end != "settled":
            self._gives(run, "tool_error" if end == "released" else "unknown_outcome")
            return
        self._node(run, "answer")
        self._writes(run)
        self._close(run, "resolved", None)
        self._afterwards(run, told)

    def _gives(self, run: _Run, reason: str, *, shadow: bool = False) -> None:
        self._node(run, "hand_off", {"reason": reason, **({"shadow": True} if shadow else {})})
        if not shadow:
            self._writes(run)
        self._close(run, "handed_off", reason)
        if self._happens(4):
            self._rates(run)

    def _close(self, run: _Run, outcome: str, reason: str | None) -> None:
        if outcome == "handed_off" and self._happens(1):
            self._say(run, "run.ended", {"outcome": outcome, "reason": reason})
        else:
            self._node(run, "close", {"outcome": outcome, "reason": reason})

    def _rates(self, run: _Run) -> None:
        at = run.at + timedelta(seconds=self._random.randrange(600, 200_000))
        body = {"score": "good" if self._happens(80) else "bad"}
        run.events.append(NewEvent(self._id("evt"), at, "ticket.rated", "zendesk", None, run.ticket_id, body))

    def _afterwards(self, run: _Run, refund: dict[str, object]) -> None:
        if self._happens(15):
            self._rates(run)
        later = _Run(run.run_id, run.ticket_id, run.at + timedelta(days=1), run.policy, run.model, run.events)
        if self._happens(4):
            body: dict[str, object] = {"check_id": self._id("apr"), "kind": self._pick(("blind", "planted"))}
            self._say(later, "review.checked", {**body, "answer": "approve" if self._happens(85) else "reject"})
        if self._happens(1):
            self._say(later, "effect.reversed", refund)
            self._say(later, "run.reopened", {"effect_id": refund["effect_id"], "outcome": "handed_off"})
        if self._happens(1):
            self._writes(later, undoes=str(refund["effect_id"]))

    def _of_no_run(self) -> Iterator[NewEvent]:
        bodies: dict[str, dict[str, object]] = {
            "refund.orphan": {
                "refund_id": "re_1",
                "charge_id": "ch_1",
                "amount_minor": 100,
                "currency": "usd",
                "status": "succeeded",
            },
            "security.bad_signature": {"source": "zendesk", "address": "192.0.2.1", "detail": "no match"},
            "breaker.tripped": {"breaker": "refunds_an_hour"},
        }
        for day in range(self._days):
            for kind, body in bodies.items():
                if self._happens(30):
                    at = self._start + timedelta(days=day, seconds=self._random.randrange(86400))
                    yield NewEvent(self._id("evt"), at, kind, "intake", body=body)
