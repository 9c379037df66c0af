"""The defects: what a programmer, an ops lead or an editor might do by mistake, each with the suites that are near it.

Planting one replaces a function or a word list of ours for as long as a block lasts, or changes the text of the policy.
The product has no switch for any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

import graph.deciding
import graph.identity
import graph.models.local.signals
import graph.nodes.hand_off
import graph.nodes.plan
import graph.nodes.retrieve
import graph.nodes.triage
import graph.planning
import graph.replies.render
import graph.runs.advance
import graph.settlement.approvals
import graph.settlement.send
from connectors.zendesk.update import NewComment
from evals.suites.files import Filed
from graph.models.triage import Sensitive
from policies.money import Money

Planted = Callable[[], AbstractContextManager[None]]
Edited = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect.

    Args:
        name: of the defect.
        says: what somebody did.
        part: of the product: policy, node, understanding, retrieval, template or settlement.
        near: suites to play first.
        planted: put into this process for a block.
        edited: what becomes of the policy's text.
    """

    name: str
    says: str
    part: str
    near: tuple[str, ...]
    planted: Planted = nullcontext
    edited: Edited | None = None

    def policy_of(self, filed: Filed) -> Filed:
        """The scenario with the policy that the defect leaves it.

        Raises:
            ValueError: the shipped policy has no such words any more, so the defect is none.
        """
        if self.edited is None or filed.scenario.policy != "shipped":
            return filed
        text = self.edited(filed.policy_text)
        if text == filed.policy_text:
            raise ValueError(
                f"defect {self.name!r} changes nothing: the shipped policy was reworded, so reword it, too"
            )
        return replace(filed, policy_text=text)


def _swapped(module: ModuleType | type, name: str, make: Callable[[Any], Any]) -> Planted:
    """Put another value in the place of a module's own, made from it."""

    @contextmanager
    def planted() -> Iterator[None]:
        real = getattr(module, name)
        setattr(module, name, make(real))
        try:
            yield
        finally:
            setattr(module, name, real)

    return planted


def _words(before: str, after: str) -> Edited:
    return lambda text: text.replace(before, after)


def _without_rule(rule: str) -> Edited:
    """The policy without one of its rules."""

    def edited(text: str) -> str:
        lines, kept, skips = text.splitlines(keepends=True), [], False
        for line in lines:
            if line.startswith("  - id: "):
                skips = line.strip() == f"- id: {rule}"
            elif not line.startswith("    "):
                skips = False
            if not skips:
                kept.append(line)
        return "".join(kept)

    return edited


def _in_rule(text: str, rule: str, before: str, after: str) -> str:
    start = text.find(f"  - id: {rule}\n")
    end = text.find("\n  - id: ", start + 1)
    return text[:start] + text[start:end].replace(before, after) + text[end:]


def _texts(key: str, words: str) -> Planted:
    def make(real: Callable[[str], Mapping[str, str]]) -> Callable[[str], Mapping[str, str]]:
        return lambda language: {**real(language), key: words}

    return _swapped(graph.replies.render, "_texts", make)


def _returning(value: object) -> Callable[[Any], Any]:
    """A function that always answers so."""
    return lambda _: lambda *_args, **_kwargs: value


def _answering(value: object) -> Callable[[Any], Any]:
    """The same for a function that is awaited."""

    async def answer(*_args: object, **_kwargs: object) -> object:
        return value

    return lambda _: answer


def _first_twin(_: object) -> Callable[[Any, Any], bool]:
    return lambda charge, twin: (charge.created_at, charge.charge_id) < (twin.created_at, twin.charge_id)


def _whole_order(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda intent, charge, dossier, _item=None: real(intent, charge, dossier)


def _a_week_early(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: real(*args, **{**kwargs, "now": kwargs["now"] + timedelta(days=7)})


def _in_english(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda context, triage: real(context, replace(triage, language="en", person_reasons=()))


def _any_date(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda on: real(on=on - timedelta(days=365 * 3))


async def _nothing_found(*_args: object, **_kwargs: object) -> tuple[()]:
    return ()


def _said_aloud(_: object) -> Callable[..., NewComment]:
    return lambda body, *, public: NewComment(body, public=True or public)  # noqa: SIM222 - that is the defect


def _a_hundredth(real: Callable[..., Any]) -> Callable[..., Any]:
    def write(value: object, language: str) -> str:
        small = Money(value.minor // 100, value.currency) if isinstance(value, Money) else value
        return str(real(small, language))

    return write


DEFECTS: Final = (
    Defect(
        "limit-with-a-zero-more",
        "somebody wrote 500 dollars for 50",
        "policy",
        ("golden/duplicates", "adversarial/amounts"),
        edited=_words("at_most: {usd: 50,", "at_most: {usd: 500,"),
    ),
    Defect(
        "no-hold",
        "the ten minutes were taken out",
        "policy",
        ("adversarial/races", "golden/money_limits"),
        edited=_words("hold: 600s", "hold: 0s"),
    ),
    Defect(
        "lost-after-one-day",
        "a parcel counts as lost after a day",
        "policy",
        ("golden/not_received",),
        edited=lambda text: text.replace("{at_least: 10}", "{at_least: 1}").replace("{below: 10}", "{below: 1}"),
    ),
    Defect(
        "photo-not-asked-for",
        "a report without a photo is paid",
        "policy",
        ("golden/damaged", "adversarial/lies"),
        edited=lambda text: _in_rule(text, "damage-without-photo", "effect: needs_approval", "effect: allow"),
    ),
    Defect(
        "final-sale-forgotten",
        "the rule about final sale is gone, and the return's condition with it",
        "policy",
        ("golden/returns",),
        edited=lambda text: _in_rule(
            _without_rule("final-sale")(text), "returned-goods", "      item.final_sale: false\n", ""
        ),
    ),
    Defect(
        "third-refund-forgotten",
        "the rule about repeated refunds is gone",
        "policy",
        ("golden/not_received", "adversarial/lies"),
        edited=_without_rule("repeat-refunds"),
    ),
    Defect(
        "fraud-warning-forgotten",
        "the rule about early fraud warnings is gone",
        "policy",
        ("golden/not_received", "adversarial/lies"),
        edited=_without_rule("early-fraud-warning"),
    ),
    Defect(
        "grace-of-a-month",
        "the grace of a renewal is thirty days",
        "policy",
        ("golden/subscriptions",),
        edited=lambda text: text.replace("days_into_period: {at_most: 7}", "days_into_period: {at_most: 30}").replace(
            "days_into_period: {above: 7}", "days_into_period: {above: 30}"
        ),
    ),
    Defect(
        "window-of-a-year",
        "a return is taken back for a year",
        "policy",
        ("golden/returns",),
        edited=lambda text: text.replace("{at_most: 30}", "{at_most: 365}").replace("{above: 30}", "{above: 365}"),
    ),
    Defect(
        "wholesale-like-everybody",
        "the row for wholesale customers is gone",
        "policy",
        ("golden/duplicates",),
        edited=_words("    - {segment: wholesale, action: refund, tier: approve}\n", ""),
    ),
    Defect(
        "first-twin-refunded",
        "of two payments the earlier one is taken for the later",
        "node",
        ("golden/duplicates",),
        planted=_swapped(graph.planning, "is_later", _first_twin),
    ),
    Defect(
        "whole-order-for-one-item",
        "the price of an item is not looked up",
        "node",
        ("golden/damaged", "golden/returns"),
        planted=_swapped(graph.planning, "_refund", _whole_order),
    ),
    Defect(
        "items-not-recognised",
        "names of items are not found in the message",
        "node",
        ("golden/damaged", "golden/returns", "golden/not_received", "golden/cancellations"),
        planted=_swapped(graph.planning, "_by_item_name", _returning({})),
    ),
    Defect(
        "days-counted-wrong",
        "facts are a week ahead of the calendar",
        "node",
        ("golden/not_received", "golden/damaged"),
        planted=_swapped(graph.deciding, "facts_for", _a_week_early),
    ),
    Defect(
        "flags-not-read",
        "Zendesk's flags on the author of a comment are ignored",
        "node",
        ("adversarial/identities", "golden/cancellations"),
        planted=_swapped(graph.identity, "AUTHOR_FLAGS", lambda _: frozenset()),
    ),
    Defect(
        "colleague-not-noticed",
        "that a colleague answered the ticket is not looked at",
        "node",
        ("golden/people", "adversarial/races"),
        planted=_swapped(graph.runs.advance, "signal_for", _answering(None)),
    ),
    Defect(
        "note-goes-to-the-customer",
        "the note for colleagues is public",
        "node",
        ("golden/people",),
        planted=_swapped(graph.nodes.hand_off, "NewComment", _said_aloud),
    ),
    Defect(
        "message-during-the-hold-ignored",
        "what the customer writes meanwhile does not stop the refund",
        "node",
        ("golden/cancellations", "golden/several"),
        planted=_swapped(graph.runs.advance, "stop_overtaken", _answering(None)),
    ),
    Defect(
        "lawyers-not-heard",
        "sensitive subjects are not recognised",
        "understanding",
        ("golden/people",),
        planted=_swapped(graph.models.local.signals, "sensitive_topic", _returning((Sensitive.NONE, None))),
    ),
    Defect(
        "every-language-english",
        "languages without texts are answered",
        "understanding",
        ("golden/people",),
        planted=_swapped(graph.nodes.plan, "_for_a_person", _in_english),
    ),
    Defect(
        "nothing-taken-back",
        "that the customer takes a request back is not understood",
        "understanding",
        ("golden/cancellations", "golden/several", "adversarial/races"),
        planted=_swapped(graph.nodes.triage, "takes_back", _returning(False)),  # noqa: FBT003
    ),
    Defect(
        "search-finds-nothing",
        "the index of sections is empty",
        "retrieval",
        ("golden/questions",),
        planted=_swapped(graph.nodes.retrieve, "search", lambda _: _nothing_found),
    ),
    Defect(
        "old-sections-quoted",
        "sections of three years ago count as in force",
        "retrieval",
        ("golden/questions",),
        planted=_swapped(graph.nodes.retrieve, "Filters", _any_date),
    ),
    Defect(
        "amount-left-out",
        "the reply does not say how much",
        "template",
        ("golden/duplicates",),
        planted=_texts("refund_done_duplicate", "We have looked into it, and the money is on its way."),
    ),
    Defect(
        "answer-without-the-quote",
        "the answer names the section and leaves out its words",
        "template",
        ("golden/questions", "golden/returns"),
        planted=_texts("answer_policy", 'Please see "{heading}".'),
    ),
    Defect(
        "cents-for-dollars",
        "amounts in replies are a hundredth",
        "template",
        ("golden/duplicates", "golden/not_received"),
        planted=_swapped(graph.replies.render, "written", _a_hundredth),
    ),
    Defect(
        "anybody-approves",
        "the role of who approves is not looked at",
        "settlement",
        ("adversarial/permissions", "golden/duplicates"),
        planted=_swapped(graph.settlement.approvals, "_refusal", _returning(None)),
    ),
    Defect(
        "not-looked-at-again",
        "what a held refund rests on is not read again before it leaves",
        "settlement",
        ("adversarial/races", "golden/money_limits"),
        planted=_swapped(graph.settlement.send, "differs", _answering(None)),
    ),
)
