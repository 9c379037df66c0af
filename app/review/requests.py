"""Each request of a ticket: what would happen, under which clause, on which facts, and what is missing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from app.review.card import Ground, Request, Source, Statement, Will
from app.review.reading import Review
from app.review.words import ACTIONS, INTENTS, SOURCES, TIERS, VERDICTS
from app.run_story import Judged
from connectors.stripe.wire import ChargeView
from graph.dossier import Dossier
from graph.planning import Item
from graph.sections import Section
from graph.tags import TAG, TAGS
from graph.verdicts import EXECUTABLE
from policies.facts import CATALOGUE, Fact, FactType
from policies.proposal import Candidate, Missing
from policies.vocabulary import ActionKind, Verdict

LONGEST_CLAUSE: Final = 420
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_MISSING: Final[Mapping[Missing, str]] = {
    Missing.ORDER_NUMBER: "the order number",
    Missing.WHICH_CHARGE: "which payment is meant",
    Missing.PHOTO: "a photo",
    Missing.WHICH_ITEM: "which item is meant",
    Missing.WHICH_SUBSCRIPTION: "which subscription is meant",
}


def requests_of(review: Review) -> tuple[Request, ...]:
    """One for each request of the ticket, in its order; empty until the run has a plan."""
    if review.plan is None:
        return ()
    return tuple(_request(item, review) for item in review.plan.items)


def also(review: Review, *, is_asking: bool) -> tuple[Will, ...]:
    """What happens to the ticket itself if the reply goes out: one update, public."""
    if review.snapshot is None or review.draft is None:
        return ()
    kinds = [one.candidate.kind.value for one in (review.verdicts.executable if review.verdicts else ())]
    tags = [TAG, *(TAGS[kind] for kind in kinds if kind in TAGS)]
    added = " ".join(f"+{tag}" for tag in tags if tag not in review.snapshot.tags)
    status = "pending" if is_asking else "solved"
    name = review.snapshot.requester_name
    return (
        Will("reply", f"Reply to {name}", "public", undo="What has reached the customer cannot be taken back."),
        Will("ticket", f"{added} · status → {status}".strip(" ·"), undo="Tags and status can be put back."),
    )


def source_of(section_id: str | None, quoted: Mapping[str, Section]) -> Source | None:
    """A section as a source, with as much of it as can be read at a glance."""
    if section_id is None:
        return None
    found = quoted.get(section_id)
    if found is None:
        return Source(section_id)
    return Source(section_id, found.version, found.heading, _clause(found.text), found.url)


def _clause(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= LONGEST_CLAUSE:
        return text
    kept = ""
    for sentence in _SENTENCE.split(text):
        if len(kept) + len(sentence) > LONGEST_CLAUSE:
            break
        kept = f"{kept} {sentence}".strip()
    return f"{kept or text[:LONGEST_CLAUSE].rsplit(' ', 1)[0]} …"


def _request(item: Item, review: Review) -> Request:
    judged = [one for one in review.judged if one.decided.candidate.intent is item.intent]
    lead = _leading(judged)
    decision = lead.decided.decision if lead is not None else None
    allowed = decision is not None and decision.verdict is not Verdict.DENY and _is_eligible(judged)
    verdict = Verdict.ALLOW if allowed else decision.verdict if decision is not None else Verdict.NEEDS_APPROVAL
    asked = [
        match for one in judged for match in one.decided.decision.reasons if match.effect is Verdict.NEEDS_APPROVAL
    ]
    why_asked = None
    if decision is not None and decision.acts_alone is not Verdict.ALLOW and asked:
        why_asked = asked[0].reason
    return Request(
        intent=INTENTS[item.intent],
        verdict=verdict.value,
        verdict_words=VERDICTS[verdict] if decision is not None else "Not decided",
        tier=TIERS[decision.mode] if decision is not None else "",
        money=lead.decided.candidate.amount if lead is not None else None,
        why_asked=why_asked,
        will=tuple(_will(one.decided.candidate, review.dossier) for one in judged if _does(one.decided.candidate)),
        grounds=tuple(_grounds(judged, review.quoted)),
        statements=tuple(_statements(judged)),
        missing=tuple(_missing(item, judged)),
        proposals=tuple(f"{ACTIONS[one.kind]}{_for_order(one)}" for one in item.proposals),
    )


def _leading(judged: Sequence[Judged]) -> Judged | None:
    """The decision that leads: the one that is least allowed."""
    rank = {Verdict.DENY: 0, Verdict.NEEDS_APPROVAL: 1, Verdict.ALLOW: 2}
    return min(judged, key=lambda one: rank[one.decided.decision.acts_alone], default=None)


def _is_eligible(judged: Sequence[Judged]) -> bool:
    """Whether a rule of the policy grants it, whoever must say yes to it."""
    return all(any(match.effect is Verdict.ALLOW for match in one.decided.decision.reasons) for one in judged)


def _does(candidate: Candidate) -> bool:
    return candidate.kind in EXECUTABLE


def _for_order(candidate: Candidate) -> str:
    return f" for order {candidate.order_id}" if candidate.order_id else ""


def _will(candidate: Candidate, dossier: Dossier | None) -> Will:
    charge = _charge(candidate, dossier)
    match candidate.kind:
        case ActionKind.REFUND:
            words = f"Refund to {instrument(charge)}" if charge is not None else "Refund"
            what = "whole charge" if candidate.item_key == "whole" else f"item {candidate.item_key}"
            undo = "A refund on a card has no undo: it can be stopped only until it is sent."
        case ActionKind.CANCEL_SUBSCRIPTION:
            words, what = "Cancel the subscription", "now" if candidate.timing == "now" else "at the end of its period"
            undo = "A cancelled subscription has to be made anew."
        case _:
            words, what, undo = ACTIONS[candidate.kind], "", "A released payment cannot be captured any more."
    described = charge.description if charge is not None and charge.description else ""
    return Will(
        kind=candidate.kind.value,
        words=words,
        detail=" · ".join(part for part in (described, what) if part),
        money=candidate.amount,
        charge_id=candidate.charge_id,
        charged_at=charge.created_at if charge is not None else None,
        undo=undo,
    )


def instrument(charge: ChargeView) -> str:
    """The instrument that paid, as colleagues name it."""
    if charge.card is not None and charge.card.last4 is not None:
        return f"{(charge.card.brand or 'card').capitalize()} ·{charge.card.last4}"
    return (charge.payment_method or "where it came from").replace("_", " ")


def _charge(candidate: Candidate, dossier: Dossier | None) -> ChargeView | None:
    charges = dossier.charges if dossier is not None else None
    return next((one for one in charges or () if one.charge_id == candidate.charge_id), None)


def _grounds(judged: Sequence[Judged], quoted: Mapping[str, Section]) -> Iterator[Ground]:
    seen: set[str] = set()
    for one in judged:
        for match in one.decided.decision.reasons:
            if match.rule in seen:
                continue
            seen.add(match.rule)
            source = source_of(match.section, quoted)
            yield Ground(match.rule, match.effect.value, match.reason, source, match.margin, match.certain)


def _statements(judged: Sequence[Judged]) -> Iterator[Statement]:
    """What the rules with a say compared, each once."""
    seen: set[str] = set()
    for one in judged:
        for rule in one.rules:
            for words, holds, value in rule.comparisons:
                name, _, test = words.partition(" is ")
                fact = CATALOGUE.get(name) or CATALOGUE.get(f"{name}_minor")
                if fact is None or words in seen or fact.name in _OBVIOUS:
                    continue
                seen.add(words)
                yield Statement(fact.description, _seen(value, fact), test, SOURCES[fact.source], holds)


_OBVIOUS: Final = frozenset({"action.kind", "request.intent"})
"""They say what the request is, which stands above."""


def _seen(value: str, fact: Fact) -> str:
    if fact.type is FactType.BOOLEAN:
        return {"true": "yes", "false": "no"}.get(value, value)
    unit = "" if fact.type is FactType.MONEY or value == "unknown" or fact.unit in {"", "count"} else f" {fact.unit}"
    return f"{value.replace('_', ' ')}{unit}"


def _missing(item: Item, judged: Sequence[Judged]) -> Iterator[str]:
    yield from (_MISSING[one] for one in sorted(item.missing))
    unknown: dict[str, None] = {}
    for one in judged:
        for rule in one.rules:
            for words, holds, _ in rule.comparisons:
                fact = CATALOGUE.get(words.partition(" is ")[0])
                if holds is None and fact is not None:
                    unknown[fact.description] = None
    yield from unknown
