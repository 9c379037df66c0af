"""What of an event leaves under a sink's redaction profile. Pure, and it fails closed: what is not known is taken out.

Values of the log's public part are ids, codes, counts and hashes. Which of them may identify somebody, or were typed by
somebody, is not decided by looking for those: a text passes only where its field holds words of ours and it is one
word, or where it is a hash or an id of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final


class Redaction(StrEnum):
    """How much leaves."""

    NONE = "none"  # every public field, so that the hash of each event can be computed again
    PSEUDONYMS = "pseudonyms"  # ids of people, tickets and vendors become pseudonyms that stay the same
    MINIMAL = "minimal"  # ids, people's names and typed words are left out


Pseudonym = Callable[[str], str]

WORDS: Final = frozenset(
    {
        "answer", "approvers", "arm", "candidates", "channel", "cites", "connector", "course", "currency", "decision",
        "effect", "event_kind", "for", "goto", "identity", "intent", "intents", "kind", "kinds", "labels", "language",
        "limits", "missing", "mode", "model", "needs_person", "node", "operation", "outcome", "provider", "role",
        "roles", "rule", "says", "section", "sensitive_topic", "source", "state", "status", "tier", "tool", "variant",
        "vendor_status", "verdict", "what", "words",
    }
)  # fmt: skip
"""Fields whose texts are words of ours, of the policy's or of a vendor's list."""

CODED_REASONS: Final = ("run.", "node.", "event.", "effect.")
"""Kinds whose `reason` is a word of the taxonomy; in others a person typed it."""

_WORD: Final = re.compile(r"[a-z0-9][A-Za-z0-9_.#/-]{0,79}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_OWN_ID: Final = re.compile(r"(apr|art|chk|eff|evt|gat|run|sch)_[0-9a-f]{32}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ROLE: Final = re.compile(r"[a-z]{1,20}")


def is_role(actor: str) -> bool:
    """Whether an actor is a part of the program and no person.

    >>> [is_role(actor) for actor in ("settlement", "cli:ana", "acc_0b5c")]
    [True, False, False]
    """
    return _ROLE.fullmatch(actor) is not None


def redacted(line: Mapping[str, Any], profile: Redaction, pseudonym: Pseudonym) -> dict[str, Any]:
    """An event as the profile lets it leave; its number, id, time, kind and hash always do.

    Args:
        line: the event as an exported line has it.
        profile: how much leaves.
        pseudonym: gives the same short text for the same value.
    """
    if profile is Redaction.NONE:
        return dict(line)
    hide = _Hiding(profile, pseudonym, str(line["kind"]).startswith(CODED_REASONS))
    actor = str(line["actor"])
    return {
        **line,
        "actor": actor if is_role(actor) else hide.text(actor) or "a person",
        "ticket_id": hide.text(line["ticket_id"]) if line["ticket_id"] is not None else None,
        "body": hide.table(line["body"]),
        "redaction": profile.value,
    }


class _Hiding:
    def __init__(self, profile: Redaction, pseudonym: Pseudonym, has_coded_reason: bool) -> None:  # noqa: FBT001
        self._is_minimal = profile is Redaction.MINIMAL
        self._pseudonym = pseudonym
        self._words = WORDS | {"reason"} if has_coded_reason else WORDS

    def text(self, value: object) -> str | None:
        """What stands for a value that may identify somebody."""
        return None if self._is_minimal else self._pseudonym(str(value))

    def table(self, table: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name if _NAME.fullmatch(name) else self.text(name) or "hidden": self._value(name, value)
            for name, value in table.items()
        }

    def _value(self, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, Mapping):
            return self.table(value)
        if isinstance(value, list):
            return [self._value(name, one) for one in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self.text(value) if name.endswith("_id") else value
        text = str(value)
        is_ours = _HASH.fullmatch(text) or _OWN_ID.fullmatch(text) or (name in self._words and _WORD.fullmatch(text))
        return text if is_ours else self.text(text)
