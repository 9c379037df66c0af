"""What was found about the log, in words and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from app.exporting.feeding import SinkStanding as Fed
from graph.audit.answering_for import Answered
from graph.audit.sequence import Signer
from graph.audit.standing import Standing
from graph.audit.verify import Mismatch, Verification

SHOWN: Final = 20
"""Broken numbers that the text names; the JSON has all."""

_WORDS: Final = {
    "forged": "is signed by no key of this installation",
    "cut": "is of a longer log: the end was cut off",
    "forked": "is of another log: events from {after} on were rewritten",
}


def verification_form(found: Verification, published: int, seconds: float) -> dict[str, object]:
    """As JSON values."""
    return {
        "ok": found.holds,
        "events": found.events,
        "seconds": round(seconds, 4),
        "broken": [{"seq": one.seq, "why": one.why} for one in found.broken],
        "size": found.size,
        "root": found.root.hex(),
        "checkpoints": found.checkpoints,
        "published": published,
        "mismatches": [
            {"size": one.size, "why": one.why, "where": one.where, "after": one.after} for one in found.mismatches
        ],
    }


def verification_lines(tenant_id: str, found: Verification, published: int, seconds: float) -> Iterator[str]:
    """For a reader."""
    if found.holds:
        yield f"the log of {tenant_id} holds: {found.events} events in {seconds:.2f} s"
    else:
        count = len(found.broken) + len(found.mismatches)
        yield f"the log of {tenant_id} DOES NOT HOLD: {count} things are wrong with {found.events} events"
    yield from (f"  event {one.seq}: {one.why.replace('_', ' ')}" for one in found.broken[:SHOWN])
    if len(found.broken) > SHOWN:
        yield f"  and {len(found.broken) - SHOWN} more events; --json lists them"
    yield from (f"  {_told(one)}" for one in found.mismatches[:SHOWN])
    yield f"  compared with {found.checkpoints - published} checkpoints of the database and {published} published ones"
    if not published:
        yield "  nothing published was compared, so a log that was cut would not show: give --checkpoints"


def status_form(found: Standing, fed: Sequence[Fed], signer: Signer, tenant_id: str) -> dict[str, object]:
    """As JSON values."""
    return {
        "ok": is_well(found, fed),
        "origin": signer.origin(tenant_id),
        "key": str(signer.keys(tenant_id)[0]),
        "events": found.events,
        "signed": found.signed,
        "checkpoints": found.checkpoints,
        "problem": found.problem,
        "sinks": [
            {
                "name": one.name,
                "size": one.size,
                "published_at": one.published_at.isoformat() if one.published_at else None,
                "attempts": one.attempts,
                "problem": one.problem,
            }
            for one in found.sinks
        ],
        "exports": [fed_form(one) for one in fed],
    }


def status_lines(found: Standing, fed: Sequence[Fed], signer: Signer, tenant_id: str) -> Iterator[str]:
    """For a reader."""
    yield f"{signer.origin(tenant_id)}: {found.events} events, {found.signed} of them signed"
    yield f"  {found.checkpoints} checkpoints, key {signer.keys(tenant_id)[0]}"
    if found.problem is not None:
        yield f"  nothing more is signed: {found.problem}"
    for one in found.sinks:
        when = f"since {one.published_at:%Y-%m-%d %H:%M:%S} UTC" if one.published_at else "never published"
        trouble = f"; attempt {one.attempts} failed: {one.problem}" if one.problem else ""
        yield f"  {one.name}: {one.size} events, {when}{trouble}"
    yield from (f"  export {fed_line(one)}" for one in fed)


def is_well(found: Standing, fed: Sequence[Fed]) -> bool:
    """Whether nothing stops signing, publishing or feeding."""
    return found.is_well and not any(one.problem for one in fed)


def fed_form(one: Fed) -> dict[str, object]:
    """How far a sink is that is fed with the log, as JSON values."""
    return {
        "name": one.name,
        "has": one.has,
        "events": one.events,
        "at": one.at.isoformat() if one.at is not None else None,
        "lacks_since": one.lacks_since.isoformat() if one.lacks_since is not None else None,
        "problem": one.problem,
    }


def fed_line(one: Fed) -> str:
    """The same for a reader."""
    when = f", since {one.at:%Y-%m-%d %H:%M:%S} UTC" if one.at is not None else ""
    lag = f"; what it lacks begins {one.lacks_since:%Y-%m-%d %H:%M:%S} UTC" if one.lacks_since is not None else ""
    trouble = f": {one.problem}" if one.problem else ""
    return f"{one.name} has {one.has} of {one.events} events{when}{lag}{trouble}"


def effect_form(one: Answered) -> dict[str, object]:
    """As JSON values."""
    return {**asdict(one), "at": one.at.isoformat() if one.at is not None else None}


def effect_lines(found: Sequence[Answered]) -> Iterator[str]:
    """For a reader."""
    for one in found:
        people = f", approved by {', '.join(one.people)}" if one.people else ""
        when = f"{one.at:%Y-%m-%d %H:%M:%S}" if one.at is not None else "at no time"
        yield f"{when}  {one.effect} of ticket {one.ticket_id}, {one.stands}: {one.effect_id}"
        yield f"  by {one.actor}{people}, with {one.credential}, under policy {one.policy_hash[:12]}"
        if one.missing:
            yield f"  THE LOG DOES NOT SAY: {', '.join(one.missing)}"
    bad = sum(bool(one.missing) for one in found)
    told = f"{bad} ARE NOT ANSWERED FOR" if bad else "each with an identity, a credential, a policy version and a time"
    yield f"{len(found)} effects, {told}"


def _told(one: Mismatch) -> str:
    if one.where == "tree":
        return f"the stored tree at {one.size} is not that of the log"
    return f"the checkpoint at {one.size} in {one.where} {_WORDS[one.why].format(after=one.after)}"
