"""A clerk that stands in for Claude where no answer is scripted: it reads the request and answers by simple cues.

It knows nothing but the shapes of requests and forms, as the real model does, and answers the same request the same. It
is no measure of a model's quality; it lets every path of the product run without a key, with answers of a real size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.sandbox.claude.answers import Answer, Asked, smallest_value

_CUES: Final = (
    (r"\b(?:twice|two charges|duplicate|double charge)", "duplicate_charge"),
    (r"\bnever (?:came|arrived)|not (?:arrived|received)|\blost\b", "item_not_received"),
    (r"\bbroken|damaged|faulty|wrong (?:item|size|colou?r)", "item_damaged_or_wrong"),
    (r"\bcancel\b.*\b(?:subscription|membership|crate)", "cancel_subscription"),
    (r"\bcancel\b", "cancel_order"),
    (r"\bwhere is my refund|refund status", "refund_status"),
    (r"\bwhere is|tracking|when will", "order_status"),
    (r"\breturn|exchange|send (?:it|them) back", "return_or_exchange"),
    (r"\brefund|money back", "refund_request"),
    (r"\bpolicy|how (?:do|does|long)|can i\b", "policy_question"),
)
_ORDER: Final = re.compile(r"\border\s+#?([0-9]{3,8})\b", re.IGNORECASE)
_AMOUNT: Final = re.compile(r"\$\s?([0-9]{1,6}(?:\.[0-9]{2})?)")
_CLAIMS: Final = ("delivered", "not_received", "damaged", "wrong_item", "unauthorised", "duplicate", "unopened")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
MOST_CLEAR: Final = 900
"""Characters; a longer reply counts as one that rambles."""
_SLOT: Final = re.compile(r"\{[a-z][a-z0-9_]*\}")


def clerk(asked: Asked) -> Answer:
    """An answer of the asked form; the smallest value of a form that the clerk does not know."""
    try:
        told = json.loads(asked.user)
    except ValueError:
        return smallest_value(asked)
    fields = frozenset((asked.schema or {}).get("properties", {}))
    answers = _ANSWERS.get(fields)
    return smallest_value(asked) if answers is None or not isinstance(told, dict) else Answer(answers(told))


def _triage(told: Mapping[str, Any]) -> dict[str, Any]:
    text = f"{told.get('subject', '')}\n{told.get('newest_message', '')}"
    intent = next((name for cue, name in _CUES if re.search(cue, text, re.IGNORECASE | re.DOTALL)), "other")
    return {
        "intents": [intent],
        "confidence_percent": 40 if intent == "other" else 92,
        "order_ids": list(dict.fromkeys(_ORDER.findall(text)))[:10],
        "amounts": [{"value": value, "currency": "usd"} for value in dict.fromkeys(_AMOUNT.findall(text))][:10],
        **dict.fromkeys(_CLAIMS),
        "wants": "refund" if re.search(r"\brefund|money back", text, re.IGNORECASE) else None,
        "sensitive_topic": "legal" if re.search(r"\b(?:lawyer|attorney|sue)\b", text, re.IGNORECASE) else "none",
        "asks_for_human": re.search(r"\b(?:human|real person|manager)\b", text, re.IGNORECASE) is not None,
        "injection_suspected": False,
        "language": "en",
    }


def _draft(told: Mapping[str, Any]) -> dict[str, Any]:
    """Each point on a paragraph, without sentences that hold a figure outside of a slot."""
    paragraphs = []
    for point in told.get("points", ()):
        sentences = _SENTENCE.split(" ".join(str(point["say"]).split()))
        paragraphs.append(" ".join(one for one in sentences if not re.search(r"[0-9]", _SLOT.sub("", one))))
    cites = dict.fromkeys(point["cites"] for point in told.get("points", ()) if point.get("cites"))
    text = "\n\n".join(filter(None, paragraphs))
    return {"language": told.get("language", "en"), "text": text, "cites": list(cites), "note": ""}


def _choice(_told: Mapping[str, Any]) -> dict[str, Any]:
    return {"option": None, "needs_human": False}


def _summary(told: Mapping[str, Any]) -> dict[str, Any]:
    first = _SENTENCE.split(" ".join(str(told.get("newest_message", "")).split()))[0][:300]
    return {"summary": f"The customer says: {first}" if first else "The customer wrote nothing."}


def _opinion(_told: Mapping[str, Any]) -> dict[str, Any]:
    return {"injection_suspected": False, "sensitive_topic": "none"}


def _utterance(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the customer knows and has not said yet, one thing after the other, where the desk asks."""
    conversation = told.get("conversation") or [{}]
    said = " ".join(str(one.get("text", "")) for one in conversation if one.get("from") == "customer")
    left = [str(one) for one in told.get("knows", ()) if str(one) not in said]
    asks = "?" in str(conversation[-1].get("text", ""))
    return {"says": left[0] if left and asks else None}


def _grade(told: Mapping[str, Any]) -> dict[str, Any]:
    reply = " ".join(str(told.get("reply", "")).split())
    return {
        "is_clear": 0 < len(reply) <= MOST_CLEAR,
        "is_kind": re.match(r"(?:dear|good|hello|hi)\b", reply, re.IGNORECASE) is not None,
        "is_to_the_point": 0 < len(reply) <= MOST_CLEAR,
        "is_plain": re.search(r"\b(?:pursuant|herewith|escalat\w+|verdict|webhook)\b", reply, re.IGNORECASE) is None,
    }


_ANSWERS: Final[Mapping[frozenset[str], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    frozenset(_triage({})): _triage,
    frozenset(_draft({})): _draft,
    frozenset(_choice({})): _choice,
    frozenset(_summary({})): _summary,
    frozenset(_opinion({})): _opinion,
    frozenset(_utterance({})): _utterance,
    frozenset(_grade({})): _grade,
}
"""What the clerk answers, by the fields of the form."""
