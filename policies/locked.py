"""What no policy file can change. These rules speak in every decision, beside the rules of the file.

A refund is above zero, in the charge's own currency, never more than is left, and only of the requester's own charge; a
disputed charge, an unverified requester and a human-only action always need a person. An unknown fact needs one, too.
"""

from __future__ import annotations

from typing import Final

from policies.conditions import Truth, Values
from policies.decision import RuleMatch
from policies.vocabulary import ActionKind, Reason, Verdict

MOVES_MONEY: Final = frozenset({ActionKind.REFUND, ActionKind.STORE_CREDIT})
TOUCHES_A_CHARGE: Final = frozenset({ActionKind.REFUND, ActionKind.CANCEL_PAYMENT})
NEEDS_IDENTITY: Final = TOUCHES_A_CHARGE | {ActionKind.CANCEL_SUBSCRIPTION, ActionKind.STORE_CREDIT}
HUMAN_ONLY: Final = frozenset({ActionKind.BULK_EMAIL, ActionKind.DELETE_DATA, ActionKind.CHANGE_PERMISSIONS})

_DENY, _ASK = Verdict.DENY, Verdict.NEEDS_APPROVAL

FLAGS: Final = (
    (
        "locked.other-customer",
        TOUCHES_A_CHARGE,
        _DENY,
        "charge.owned_by_requester",
        False,
        "the charge does not belong to the requester",
        Reason.IDENTITY_NOT_VERIFIED,
    ),
    (
        "locked.disputed",
        TOUCHES_A_CHARGE,
        _ASK,
        "charge.disputed",
        True,
        "a dispute was opened on the charge, so a person decides",
        Reason.NEEDS_APPROVAL,
    ),
    (
        "locked.identity",
        NEEDS_IDENTITY,
        _ASK,
        "requester.verified",
        False,
        "the requester is not verified",
        Reason.IDENTITY_NOT_VERIFIED,
    ),
)
"""Rule, actions it is about, effect, the fact, its wrong value, and why."""


def locked_matches(kind: object, values: Values) -> list[RuleMatch]:
    """The built-in rules that hold, or cannot be ruled out, for this action."""
    matches: list[RuleMatch] = []
    if kind is None or kind in HUMAN_ONLY:
        reason = "only a person may do this; the agent may write down how"
        certain = kind is not None
        matches.append(RuleMatch("locked.human-only", None, _ASK, reason, certain=certain, cause=Reason.OUT_OF_SCOPE))
    for rule, kinds, effect, name, wrong, reason, cause in FLAGS:
        if kind in kinds:
            value = values.get(name)
            if value is None or value is wrong:
                matches.append(_match(rule, effect, reason, cause, certain=value is not None))
    if kind == ActionKind.REFUND:
        matches += _about_the_refund(values)
    return matches


def _about_the_refund(values: Values) -> list[RuleMatch]:
    amount, left = values.get("action.amount_minor"), values.get("charge.refundable_minor")
    ours, theirs = values.get("action.currency"), values.get("charge.currency")
    too_much: Truth = None
    nothing: Truth = None
    if isinstance(amount, int):
        nothing = amount <= 0
        too_much = amount > left if isinstance(left, int) else None
    other: Truth = None if ours is None or theirs is None else ours != theirs
    return [
        _match(rule, _DENY, reason, Reason.POLICY_DENIED, certain=truth is True)
        for truth, rule, reason in (
            (nothing, "locked.no-amount", "a refund moves more than nothing"),
            (other, "locked.currency", "a refund is paid in the currency of its charge"),
            (too_much, "locked.remaining", "the refund is larger than what is left of the charge"),
        )
        if truth is not False
    ]


def _match(rule: str, effect: Verdict, reason: str, cause: Reason, *, certain: bool) -> RuleMatch:
    if certain:
        return RuleMatch(rule, None, effect, reason, cause=cause)
    return RuleMatch(rule, None, _ASK, f"cannot be ruled out: {reason}", certain=False, cause=Reason.MISSING_DATA)
