"""The card of a run: what a reviewer sees of it, in the order in which it is read. Values, without markup or locale.

Money stays money and times stay times, so that a page writes them as its reader does and the API as programs do. Every
statement names its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.money import Money


class Tone(StrEnum):
    """What a state means at a glance; always shown with words, never by colour alone."""

    WORKING = "working"  # a step is under way
    WAITING = "waiting"  # for the reader, or for another person
    HELD = "held"  # money waits and can be stopped
    ELSEWHERE = "elsewhere"  # for the customer, or a vendor
    DONE = "done"
    STOPPED = "stopped"  # it went to a person, or ended without an answer


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the run is: in words, the tone, and why a person is asked."""

    words: str
    tone: Tone
    title: str
    money: Money | None = None
    why: str | None = None
    required: int = 1
    approved: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A section of the shop's policy, with the clause that is quoted."""

    section_id: str
    version: int | None = None
    heading: str = ""
    clause: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact that decided: what it is, what was seen, where it was read, and whether the condition on it held."""

    what: str
    seen: str
    test: str
    source: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Ground:
    """A rule that had a say: in words, with its section."""

    rule: str
    verdict: str
    reason: str
    source: Source | None
    margin: str | None
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Will:
    """One thing that happens outside if this is approved, exactly as it will. `undo` says whether it can be undone."""

    kind: str
    words: str
    detail: str = ""
    money: Money | None = None
    charge_id: str | None = None
    charged_at: datetime | None = None
    undo: str = ""


@dataclass(frozen=True, slots=True)
class Understood:
    """One thing that was understood, how surely, and the words of the ticket that it rests on."""

    what: str
    percent: int | None
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the ticket: its verdict in words, the grounds, and what is missing."""

    intent: str
    verdict: str
    verdict_words: str
    tier: str
    money: Money | None
    why_asked: str | None
    will: tuple[Will, ...]
    grounds: tuple[Ground, ...]
    statements: tuple[Statement, ...]
    missing: tuple[str, ...]
    proposals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """Something about the customer or the payment that a person should know; `is_risk` where it speaks against."""

    words: str
    source: str
    is_risk: bool


@dataclass(frozen=True, slots=True)
class Customer:
    """Who asks."""

    name: str
    email: str | None
    identity: str
    is_verified: bool
    segment: str | None
    since: datetime | None
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """The reply: the agent's text, the text that counts now, and what it says in the reviewer's language.

    `remarks` say what the agent would not have been let write and the person who edited it did.
    """

    text: str
    original: str
    language: str
    gloss: str | None
    slots: tuple[str, ...]
    cites: tuple[Source, ...]
    is_edited: bool
    is_sent: bool
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """A change outside, as it stands."""

    effect_id: str
    kind: str
    words: str
    state: str
    state_words: str
    money: Money | None
    vendor_object: str | None
    due_at: datetime
    detail: str | None
    before_after: tuple[tuple[str, str, str], ...] = ()
    can_undo: bool = False
    undo_words: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Money that waits: which effects, until when."""

    until: datetime
    effect_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run of the same customer."""

    run_id: str
    ticket_id: str
    at: datetime
    wanted: str
    ended: str
    refunded: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Liking:
    """A remembered preference."""

    name: str
    value: str
    label: str
    shown: str
    set_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the machine on the card's progress line."""

    name: str
    words: str
    is_done: bool


class Act(StrEnum):
    """What a reviewer may do."""

    APPROVE = "approve"
    REJECT = "reject"
    ASK = "ask"
    TAKE_OVER = "take_over"
    STOP = "stop"
    UNDO = "undo"
    REMEMBER = "remember"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Card:
    """All of it. `version` grows with every change; two cards of a run with the same version are equal."""

    tenant_id: str
    run_id: str
    ticket_id: str
    version: int
    approval_id: str | None
    standing: Standing
    steps: tuple[Step, ...]
    customer: Customer | None
    subject: str | None
    message: str | None
    understood: tuple[Understood, ...]
    requests: tuple[Request, ...]
    also: tuple[Will, ...]
    writing: Writing | None
    decision: str | None
    comment: str | None
    outside: tuple[Outside, ...]
    hold: Hold | None
    next_steps: tuple[str, ...]
    past: tuple[Past, ...]
    likings: tuple[Liking, ...]
    acts: Mapping[Act, str | None]
    is_erased: bool

    def may(self, act: Act) -> bool:
        """Whether the reader may do it now."""
        return act in self.acts and self.acts[act] is None
