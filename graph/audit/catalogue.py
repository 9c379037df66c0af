"""Every kind of event: what it means, the fields it always has, and those it may have. The one place that says so.

`docs/audit-events.md` is written from here (`countersign audit kinds`), the page of a bundle takes its words from here,
and tests hold whole logs against it. Appending does not look it up: an event that is told oddly is better than a change
that fails because of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Type(StrEnum):
    """What a field holds."""

    TEXT = "text"
    INTEGER = "whole number"
    YES_NO = "yes or no"
    LIST = "list"
    TABLE = "table"


T, N, B, L, M = Type.TEXT, Type.INTEGER, Type.YES_NO, Type.LIST, Type.TABLE
_PYTHON: Final[Mapping[Type, type]] = {T: str, N: int, B: bool, L: list, M: dict}
Fields = Mapping[str, Type]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event. `has` is always there; `may` are further fields, null where they do not apply.

    An `open` kind tells more, by what it is about: each node of the state machine has words of its own.
    """

    means: str
    has: Fields = field(default_factory=dict)
    may: Fields = field(default_factory=dict)
    is_open: bool = False


_EFFECT: Final[Fields] = {"effect_id": T, "effect": T, "tool": T, "credential": T}
_ABOUT: Final[Fields] = {
    "charge_id": T,
    "subscription_id": T,
    "amount_minor": N,
    "currency": T,
    "attempts": N,
    "approval_id": T,
    "reason": T,
    "vendor_object": T,
    "vendor_status": T,
}
_REFUND: Final[Fields] = {"refund_id": T, "charge_id": T, "amount_minor": N, "currency": T, "status": T}
_APPROVAL: Final[Fields] = {"approval_id": T}
_ACCOUNT: Final[Fields] = {"account_id": T}
_ALERT: Final[Fields] = {
    "alert_id": T,
    "rule": T,
    "subject": T,
    "said": T,
    "value": N,
    "worst": N,
    "bound": N,
    "figures": M,
}
_INCIDENT: Final[Fields] = {"incident_id": T}
_INCIDENT_MAY: Final[Fields] = {"alert_id": T, "candidate_id": T}
_MOVE: Final[Fields] = {
    "move_id": T,
    "direction": T,
    "intent": T,
    "segment": T,
    "action": T,
    "from_tier": T,
    "to_tier": T,
    "raises_money": B,
    "reason": T,
    "evidence": M,
}
_CLAIM: Final[Fields] = {"item_id": T, "account_id": T}


def _effect(means: str, **more: Type) -> Kind:
    return Kind(means, _EFFECT, {**_ABOUT, **more}, is_open=True)


def _move(means: str, **more: Type) -> Kind:
    return Kind(means, _MOVE, {"policy_hash": T, "note": T, **more})


def _approval(means: str) -> Kind:
    return Kind(means, _APPROVAL, is_open=True)


def _answer(means: str) -> Kind:
    return Kind(means, _APPROVAL, {"reason_code": T, "edited": B, "edit_permille": N}, is_open=True)


def _account(means: str) -> Kind:
    return Kind(means, _ACCOUNT, is_open=True)


KINDS: Final[Mapping[str, Kind]] = {
    "run.started": Kind(
        "a run began for the ticket, under this policy; its spans have this trace id",
        {"policy_hash": T, "events": L},
        {"trace_id": T},
        is_open=True,
    ),
    "run.waiting": Kind("the run waits", {"for": T, "on": L}, {"outcome": T, "reason": T}, is_open=True),
    "run.woken": Kind("what the run waited for happened, or something else did", {"kind": T}, is_open=True),
    "run.held_up": Kind("a vendor or a fault held the run up; it is tried again", is_open=True),
    "run.ended": Kind("the run ended", {"outcome": T}, {"reason": T}, is_open=True),
    "run.taken_over": Kind("a person said that they take the ticket over", {"was": T}),
    "run.reopened": Kind("a refund failed late, so the case is open again", {"effect_id": T}, is_open=True),
    "node.completed": Kind(
        "a step of the state machine ended; `outputs` commits to what it stored",
        {"node": T, "cycle": N, "goto": T, "latency_ms": N, "outputs": M, "policy_hash": T, "worker": T},
        is_open=True,
    ),
    "tool.called": Kind(
        "the gate let a system be read, or did not",
        {
            "tool": T,
            "operation": T,
            "reference": T,
            "credential": T,
            "decision": T,
            "outcome": T,
            "latency_ms": N,
        },
        {"detail": T},
    ),
    "model.called": Kind(
        "a model was asked, or its answer was on file; cost in millionths of a US dollar",
        {
            "role": T,
            "provider": T,
            "model": T,
            "outcome": T,
            "latency_ms": N,
            "input_tokens": N,
            "cached_tokens": N,
            "output_tokens": N,
            "cost_usd_micros": N,
        },
        {"prompt": T, "prompt_hash": T, "request_id": T, "is_kept": B},
    ),
    "effect.reserved": _effect(
        "a change outside was written down and what it needs set aside; nothing left yet",
        policy_hash=T,
        limits=L,
        undoes=T,
    ),
    "effect.held": _effect("the effect waits once more: the vendor never had it"),
    "effect.sending": _effect("key and bytes are committed; the request leaves", fence=N),
    "effect.settled": _effect("the vendor confirmed it"),
    "effect.unknown": _effect("it may or may not have happened; what was set aside stays so"),
    "effect.released": _effect("it definitely did not happen; what was set aside was given back"),
    "effect.stopped": _effect("it was stopped before anything was sent"),
    "effect.human": _effect("asking cannot resolve it; a person must look at the vendor"),
    "effect.reversed": _effect("the vendor took it back later"),
    "effect.status": Kind("the vendor told a new state of one of our refunds", _REFUND, is_open=True),
    "refund.imported": Kind("a refund that we did not make was counted", _REFUND, {"claimed_intent": T}, is_open=True),
    "refund.orphan": Kind(
        "a refund claims an intent that did not make it", _REFUND, {"claimed_intent": T}, is_open=True
    ),
    "refund.status": Kind("a refund that we did not make changed its state", _REFUND, is_open=True),
    "approval.requested": _approval("people are asked, for exactly these actions and this evidence"),
    "approval.approved": _answer("a person said yes; an edit is told by how many thousandths of the draft it changed"),
    "approval.rejected": _answer("a person said no"),
    "approval.asked": _answer("a person has the customer asked something first"),
    "approval.used": _approval("the effects were reserved under it; it counts no more"),
    "approval.expired": _approval("nobody answered, or acted on the answer, in time"),
    "approval.stale": _approval("ticket, charge or policy changed since it was asked"),
    "approval.reminded": Kind(
        "nobody has answered, and the time for it is running out", _APPROVAL, {"expires_at": T, "approvers": L}
    ),
    "review.claimed": Kind("somebody took an item of the queue, or was given it", _CLAIM, {"until": T}),
    "review.released": Kind("an item of the queue is free again", _CLAIM),
    "review.checked": Kind(
        "a person said what they would have done; nothing follows from it but a figure",
        {"check_id": T, "kind": T, "answer": T},
        {"reason_code": T},
    ),
    "ticket.rated": Kind("the customer rated how they were served; their words are not read", {"score": T}),
    "ticket.solved": Kind("people solved a ticket that they had alone, for comparison", {"solved_at": T}),
    "measures.baseline": Kind(
        "what support was like before, so that measures have something to be compared with; a later one replaces it",
        {"source": T, "tickets": N, "rows": L},
    ),
    "event.ignored": Kind(
        "an event came in and is nothing to work on", {"source": T, "event": T, "event_kind": T, "reason": T}
    ),
    "event.parked": Kind("an event that cannot be worked on was set aside and is shown", is_open=True),
    "event.retried": Kind("a person had a parked event looked at again", is_open=True),
    "security.bad_signature": Kind(
        "a webhook with a wrong signature was refused", {"source": T, "address": T, "detail": T}
    ),
    "switch.off": Kind("a tool was switched off", {"tool": T, "reason": T}),
    "switch.on": Kind("a tool was switched on", {"tool": T, "reason": T}),
    "connector.draft_only": Kind("a system denied access, so nothing is changed there", {"connector": T, "reason": T}),
    "connector.checked": Kind("the vendors were asked what the credentials may do", {"states": M}),
    "connector.restored": Kind("a system may be changed again", {"connector": T}),
    "policy.published": Kind("this policy decides from now on", {"policy_hash": T}, is_open=True),
    "policy.drafted": Kind("a policy was stored and decides nothing yet", {"policy_hash": T}, is_open=True),
    "policy.approved": Kind("a second person agreed to a policy", is_open=True),
    "policy.gate": Kind("a policy was tried on what is known, and passed or did not", is_open=True),
    "promotion.recorded": Kind(
        "what a run of the suites has earned, by intent, segment and language, was written down",
        {"evidence_id": T, "report_sha256": T, "commit": T, "policies": L, "cells": L, "languages": L, "why": T},
    ),
    "policy.canary_started": Kind("a policy decides for a share of tickets", {"share_percent": N}, is_open=True),
    "policy.rolled_back": Kind("an earlier policy decides again", is_open=True),
    "policy.expired": Kind("a policy's time was over", is_open=True),
    "policy.scheduled": Kind("a policy will decide from a time on", is_open=True),
    "policy.unscheduled": Kind("what was scheduled was taken back", is_open=True),
    "policy.schedule_over": Kind("what was scheduled came to its end", is_open=True),
    "policy.schedule_refused": Kind("what was scheduled may not decide", is_open=True),
    "breaker.tripped": Kind("a bound was passed, so autonomy was taken back by itself", is_open=True),
    "breaker.reset": Kind("a person let a breaker close again", is_open=True),
    "autonomy.proposed": _move("people agreed so often that a cell of the matrix may move up; nothing changed yet"),
    "autonomy.accepted": _move("a person said yes to a proposed move", accepted_by=L),
    "autonomy.declined": _move("a person said no to a proposed move"),
    "autonomy.applied": _move("a cell moved: the version with it decides"),
    "autonomy.demoted": _move("people disagreed so often that a cell moved down by itself"),
    "autonomy.lapsed": _move("another version decides, so what was proposed no longer holds"),
    "scenario.kept": Kind(
        "a corrected run was kept as a candidate scenario, without its customer",
        {"candidate_id": T, "cause": T, "reason_code": T, "intent": T},
    ),
    "scenario.dropped": Kind("a candidate scenario was deleted", {"candidate_id": T}),
    "correction.proposed": Kind(
        "a change was proposed from what people corrected; nothing changed yet",
        {
            "proposal_id": T,
            "kind": T,
            "cause": T,
            "reason_code": T,
            "intent": T,
            "action": T,
            "tickets": N,
        },
        {"policy_hash": T},
    ),
    "correction.ended": Kind(
        "a person said that a proposal is done, or not wanted", {"proposal_id": T, "state": T, "kind": T}
    ),
    "incident.opened": Kind("a person wrote down that something went wrong", _INCIDENT, _INCIDENT_MAY),
    "incident.written": Kind("a person wrote what was learned from an incident", _INCIDENT, _INCIDENT_MAY),
    "incident.closed": Kind("cause, measures and guard of an incident are known", _INCIDENT, _INCIDENT_MAY),
    "models.changed": Kind("other models or prompts are asked than before", {"now": M}, {"before": M}),
    "digest.made": Kind("the figures of a week were put together", {"said": T, "figures": M}),
    "alert.raised": Kind("a figure passed its bound", _ALERT),
    "alert.taken": Kind("a person looks at an alert", _ALERT),
    "alert.resolved": Kind("the figure has been within its bound for a while", _ALERT),
    "account.created": _account("a person got an account"),
    "account.disabled": _account("a person's account was closed; their sessions ended"),
    "account.enabled": _account("a person's account was opened again"),
    "account.link_made": _account("a link to set a password was made"),
    "account.password_set": _account("a person set their password"),
    "account.roles_changed": _account("what a person may do changed"),
    "account.sessions_revoked": _account("all sessions of a person ended"),
    "account.signed_in": _account("a person signed in"),
    "account.signed_out": _account("a person signed out"),
    "account.sso_linked": _account("an account was bound to the identity provider's"),
    "account.token_made": _account("a token for a program was made, in the account's name"),
    "account.token_revoked": _account("a token lets nobody in any more"),
    "account.sign_in_refused": Kind("somebody could not sign in", is_open=True),
    "knowledge.changed": Kind(
        "sections that answers may cite came or went, as their source changed",
        {"source": T, "sections_added": N, "sections_retired": N, "documents_retired": N},
    ),
    "log.exported": Kind(
        "somebody took events out",
        {"what": T},
        {
            "ticket_id": T,
            "run": T,
            "opened": B,
            "since": T,
            "until": T,
            "after": N,
            "sink": T,
            "redaction": T,
        },
    ),
    "key.rotated": Kind(
        "a tenant's data keys were wrapped under another master key", {"before": T, "after": T, "data_keys": N}
    ),
    "credential.changed": Kind(
        "a credential is new, another or gone since the last start; named by a pseudonym of it",
        {"credential": T},
        {"before": T, "after": T},
    ),
    "log.key_rotated": Kind("the key that signs the log changed", {"before": T, "after": T}),
    "preference.set": Kind(
        "a person wrote down what a customer prefers", {"subject_id": T, "name": T, "expires_at": T}
    ),
    "preference.removed": Kind("a person took a preference away", {"subject_id": T, "name": T}),
    "person.erased": Kind(
        "a person's keys, salts, sealed values and what pointed at them are gone",
        {
            "subject_id": T,
            "had_key": B,
            "keys": N,
            "log_values": N,
            "artifacts": N,
            "messages": N,
            "reviewers_words": N,
            "model_answers": N,
            "preferences": N,
            "pictures": N,
            "checkpoints": N,
        },
        {"candidates": N},
    ),
    "person.not_erased": Kind(
        "an erasure was refused, and nothing was changed", {"subject_id": T, "why": T, "pieces": N}
    ),
    "runs.emptied": Kind(
        "the policy's days to keep what runs stored were over",
        {"days": N, "runs": N, "artifacts": N, "messages": N, "reviewers_words": N, "log_values": N},
    ),
    "hold.placed": Kind("what is stored of a person must stay", {"subject_id": T, "reason": T}),
    "hold.lifted": Kind("a person may be erased again", {"subject_id": T, "reason": T}),
}


def problems(kind: str, body: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with an event by the catalogue."""
    known = KINDS.get(kind)
    if known is None:
        yield f"kind {kind!r} is not in the catalogue: declare it in graph/audit/catalogue.py"
        return
    yield from (f"{kind} lacks {name!r}" for name in known.has if body.get(name) is None)
    for name, value in body.items():
        type_ = known.has.get(name) or known.may.get(name)
        if type_ is None:
            if not known.is_open:
                yield f"{kind} has {name!r}, which the catalogue does not know"
        elif value is not None and (not isinstance(value, _PYTHON[type_]) or (type_ is N and isinstance(value, bool))):
            yield f"{kind} has {value!r} for {name!r}, which is a {type_.value}"


def page() -> str:
    """The text of `docs/audit-events.md`."""
    lines = [
        "# Kinds of events",
        "",
        "Written by `countersign audit kinds` from [graph/audit/catalogue.py](../graph/audit/catalogue.py);",
        "a test compares. Fields in brackets are there where they apply; *and more* means that the kind tells further",
        "fields of its own.",
        "",
        "| kind | what happened | fields |",
        "| --- | --- | --- |",
    ]
    for name, kind in KINDS.items():
        fields = [f"`{one}`" for one in kind.has] + [f"[`{one}`]" for one in kind.may] + ["*and more*"] * kind.is_open
        lines.append(f"| `{name}` | {kind.means} | {', '.join(fields)} |")
    return "\n".join(lines) + "\n"
