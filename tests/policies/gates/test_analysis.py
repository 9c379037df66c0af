"""The gate of the analysis passes the shipped policy and fails one that judges larger amounts more mildly."""

from __future__ import annotations

from policies.gates.analysis import prove
from policies.parse import parse_policy
from policies.shelf import shipped_text

MILDER = """
policy: milder
autonomy: {tiers: {auto: {mode: auto, at_most: {usd: 100}}}, matrix: [{action: refund, tier: auto}]}
limits: {tenant: [{id: day, window: 1d, amount: {usd: 500}}]}
rules:
  - id: fine
    effect: allow
    reason: Fine.
    when: {action.kind: refund}
  - id: small
    effect: deny
    reason: Small ones are refused.
    when: {action.kind: refund, action.amount: {below: {usd: 10}}}
"""


def test_the_shipped_policy_passes() -> None:
    verdict = prove(parse_policy(shipped_text(), name="shipped"))
    assert verdict.passed, verdict.figures


def test_a_policy_that_judges_larger_amounts_more_mildly_fails_and_says_why() -> None:
    verdict = prove(parse_policy(MILDER, name="milder"))
    assert not verdict.passed
    said = verdict.figures["first_failing"]
    assert isinstance(said, list)
    assert said[0].startswith("loosens_with_amount: small: a larger refund is judged more mildly")
