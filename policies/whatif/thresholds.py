"""Which amount of a policy is meant by a threshold, and the policy with another amount in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

from policies.canonical import content_hash
from policies.document import Policy, Tier
from policies.language.values import values_of, with_value
from policies.money import CURRENCIES, Money
from policies.parse import parse_policy
from policies.vocabulary import Intent


class ThresholdError(ValueError):
    """A threshold that the policy does not have; the message names the value and the next step."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The amount of one tier in one currency, `TIER.CURRENCY`; `intent` and `segment` narrow which refunds count."""

    tier: str
    currency: str
    intent: str | None = None
    segment: str | None = None

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return f"{self.tier}.{self.currency}"


def threshold_of(policy: Policy, written: str, *, intent: str | None = None, segment: str | None = None) -> Threshold:
    """The threshold that `TIER.CURRENCY` names in a policy.

    Raises:
        ThresholdError: the policy has no such tier, the currency is none, or a word is unknown.
    """
    name, _, currency = written.rpartition(".")
    tier = policy.tiers.get(name)
    if tier is None:
        bounded = [f"{each.name}.{code}" for each in policy.autonomy.tiers for code in each.at_most or ()]
        close = get_close_matches(written, bounded, n=1)
        meant = f"did you mean {close[0]!r}?" if close else "write TIER.CURRENCY"
        known = ", ".join(bounded[:10]) or "none: no tier has an `at_most`"
        raise ThresholdError(f"no threshold {written!r} in policy {policy.policy_id!r}; {meant}; known are {known}")
    if currency not in CURRENCIES:
        raise ThresholdError(f"threshold {written!r} ends in no currency: write {name}.usd, say")
    if tier.at_most is None:
        raise ThresholdError(f"tier {name!r} covers every amount: give it an `at_most` to tune")
    if intent is not None and intent not in list(Intent):
        close = get_close_matches(intent, [each.value for each in Intent], n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(Intent)}"
        raise ThresholdError(f"unknown intent {intent!r}; {meant}")
    if segment is not None and policy.segments and segment not in policy.segments:
        raise ThresholdError(f"unknown segment {segment!r}: known are {', '.join(policy.segments)}")
    return Threshold(name, currency, intent, segment)


def with_threshold(policy: Policy, threshold: Threshold, at_most_minor: int) -> Policy:
    """The policy with another amount in that place, on every day."""

    def changed(tier: Tier) -> Tier:
        if tier.name != threshold.tier:
            return tier
        return replace(tier, at_most={**(tier.at_most or {}), threshold.currency: at_most_minor}, during=())

    tiers = tuple(changed(tier) for tier in policy.autonomy.tiers)
    made = replace(policy, autonomy=replace(policy.autonomy, tiers=tiers), content_hash="")
    return replace(made, content_hash=content_hash(made))


def text_with_threshold(text: str, threshold: Threshold, at_most_minor: int) -> str:
    """The file of a policy with another amount in that place, on ordinary days; nothing else in it changes.

    Raises:
        PolicyFileError: the file cannot be read.
        ThresholdError: the amount does not stand in the file where it can be changed.
    """
    tier, currency = threshold.tier, threshold.currency
    amount = Money(at_most_minor, currency).major
    written = str(amount.to_integral_value() if amount == amount.to_integral_value() else amount)
    places = [f"autonomy.tiers.{tier}.at_most.{currency}", f"autonomy.{tier}.at_most.{currency}"]
    if currency == "usd":
        places += [f"autonomy.tiers.{tier}.max_refund_usd", f"autonomy.{tier}.max_refund_usd"]
    stated = {value.name for value in values_of(text)}
    place = next((place for place in places if place in stated), None)
    if place is None:
        raise ThresholdError(f"the file states no amount for {threshold.name!r}: write one into its text")
    changed = with_value(text, place, written)
    before = parse_policy(text, name="the policy file")
    tiers = tuple(
        replace(one, at_most={**(one.at_most or {}), currency: at_most_minor}) if one.name == tier else one
        for one in before.autonomy.tiers
    )
    expected = replace(before, autonomy=replace(before.autonomy, tiers=tiers), content_hash="")
    if parse_policy(changed, name="the policy file").content_hash != content_hash(expected):
        raise ThresholdError(f"changing {threshold.name!r} would change more than that: edit the text instead")
    return changed
