"""What a later message of the same conversation adds to what was asked before. Pure.

A customer who is asked "which order?" answers "1077": alone it asks for nothing, so the request stands and the answer
fills it in. A customer who takes a request back must never be paid all the same: that is for a person. The words are
looked for in English, the language that is worked on without a person. It refuses to guess at anything else.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, TypeVar

from graph.models.triage import Claims, PersonReason, Sensitive, Triage

Word = TypeVar("Word")
UNSURE_PERCENT: Final = 40
"""Below it a message by itself asks for nothing that could be named."""
_TAKES_BACK: Final = re.compile(
    r"\b(?:never\s?mind|forget (?:it|about it|my|the)|no longer (?:need|want)|changed my mind|"
    r"(?:do not|don['\u2019]?t|please stop|no need to) (?:\w+ ){0,2}(?:refund|cancel|return)\w*|"
    r"(?:stop|withdraw|ignore) (?:my|the|this) (?:refund|request|cancellation|ticket|message)|"
    r"(?:has been|is|was|got) (?:already )?(?:solved|resolved|sorted))\b",
    re.IGNORECASE,
)


def takes_back(message: str) -> bool:
    """Whether the message may say that what was asked for is not wanted any more."""
    return _TAKES_BACK.search(message) is not None


def answered(earlier: Triage, found: Triage) -> Triage:
    """The earlier request with what the answer says; a message that asks for something itself stands by itself.

    Args:
        earlier: what was understood before the question was put.
        found: what the newest message means by itself.
    """
    if found.confidence >= UNSURE_PERCENT:
        return found
    return replace(
        found,
        intents=earlier.intents,
        claims=_together(earlier.claims, found.claims),
        language=earlier.language if found.language == "und" else found.language,
        person_reasons=tuple(one for one in found.person_reasons if one is not PersonReason.UNSURE),
        sensitive_topic=earlier.sensitive_topic if found.sensitive_topic is Sensitive.NONE else found.sensitive_topic,
        injection_suspected=earlier.injection_suspected or found.injection_suspected,
    )


def _together(earlier: Claims, found: Claims) -> Claims:
    """The newer word counts where there is one."""
    return Claims(
        order_ids=found.order_ids or earlier.order_ids,
        amounts=found.amounts or earlier.amounts,
        dates=found.dates or earlier.dates,
        days_since_purchase_stated=_newer(found.days_since_purchase_stated, earlier.days_since_purchase_stated),
        delivered=_newer(found.delivered, earlier.delivered),
        not_received=found.not_received or earlier.not_received,
        damaged=found.damaged or earlier.damaged,
        wrong_item=found.wrong_item or earlier.wrong_item,
        unauthorised=found.unauthorised or earlier.unauthorised,
        duplicate=found.duplicate or earlier.duplicate,
        unopened=_newer(found.unopened, earlier.unopened),
        wants=found.wants or earlier.wants,
        photo_attached=found.photo_attached or earlier.photo_attached,
    )


def _newer(found: Word | None, earlier: Word | None) -> Word | None:
    return earlier if found is None else found
