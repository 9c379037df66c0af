"""A policy in one text: it means the same, needs nothing else, and is written one way."""

from __future__ import annotations

import pytest

from policies.errors import PolicyFileError
from policies.parse import parse_policy
from policies.shelf import from_library, library
from policies.standalone import stand_alone
from tests.policies.writing import parsed, rule

EVERYTHING = """
policy: everything
title: 'A "title": with all'
version: "2026-11"
description: What it is for.
segments: [standard, vip]
brands: [north]
languages: [en]
channels: [email]
documents: [doc]
autonomy:
  default: shadow
  tiers:
    auto:
      mode: auto
      at_most: {usd: 24.90, jpy: 300, kwd: 0.005}
      min_confidence_percent: 60
      hold: 90s
      approvers: [boss]
      section: doc#8.1
      during: [{from: 2026-11-27, until: 2026-11-30, at_most: {usd: 80}}, {until: 2026-01-02, at_most: {usd: 1}}]
    approve: {mode: approve}
  matrix:
    - {intent: [refund_request, cancel_order], segment: [vip, standard], action: refund, brand: north, tier: auto}
    - {action: reply, tier: approve, valid: {until: 2026-12-31}}
    - {action: reply, tier: auto, valid: {from: 2027-01-01}}
    - {tier: approve}
approvals:
  expire_after: 1h
  roles: [junior, boss]
  approvers: [{at_most: {usd: 10}, roles: junior}, {roles: [boss]}]
  four_eyes_above: {usd: 1000}
  billing.refund_over_25: required
limits:
  customer: [{id: a, window: 1d, amount: {usd: 5}, count: 2}]
  tenant: [{id: b, window: 36h, count: 0, applies_to: all}]
tools: {allow: [], deny: ["zendesk.*"]}
never: [{id: never, reason: Never., when: {charge.disputed: true}, cause: policy_denied, priority: -3}]
rules:
  - {id: ask, section: doc#1, effect: needs_approval, reason: Ask., when: always, approvers: [boss], if_unknown: skip}
  - {id: yes, effect: allow, reason: Fine., when: {action.kind: refund}, valid: {from: 2026-01-01, until: 2026-02-01}}
risk:
  approve_at: 5
  factors:
    - {id: f, points: -5, reason: R., when: {claim.delivered: true}, if_unknown: skip}
    - {id: g, points: 5, reason: R., when: {claim.delivered: true}}
budgets: {tool_calls: 0, model_calls: 8, tokens: 9, spend_usd: 0.000001, time: 15m}
questions: {max: 1, wait: 3d}
breakers:
  - {id: b-money, measure: money, window: 1h, amount: {usd: 400, jpy: 50000}, tier: auto, brand: north}
  - {id: b-people, measure: overrides, window: 1d, count: 8, share_percent: 25, intent: refund_request}
  - {id: b-tool, measure: tool_errors, tool: stripe.refund, window: 15m, count: 5, cool_down: 30m}
domains: {recipients: ["*.example.com"], links: [help.example.com]}
privacy:
  never_read: [charge.metadata.iban, ticket.history]
  never_model: [ticket.subject]
  never_log: [call.detail]
  forbidden_providers: [claude]
logging: {retention_days: 30, trace_export: "s3://bucket/path"}
verification: [{type: schema, schema: s.json}, {type: policy, ruleset: absent}]
canary: {share_percent: 10}
"""


@pytest.mark.parametrize(
    "name",
    sorted(
        file.name
        for folder in (library(), library() / "articles")
        for file in folder.iterdir()
        if file.name.endswith(".yaml") and not file.name.endswith(".cases.yaml")
    ),
)
def test_a_shipped_file_stands_alone_and_keeps_its_identity(name: str) -> None:
    text = from_library(name)
    assert text is not None
    alone = stand_alone(text, from_library, name=name)
    assert "extends:" not in alone
    assert parse_policy(alone, name="x.yaml") == parse_policy(text, name=name, resolve=from_library)
    assert stand_alone(alone, lambda _name: None) == alone


def test_every_part_of_a_policy_is_written() -> None:
    alone = stand_alone(EVERYTHING, lambda _name: None)
    assert parse_policy(alone, name="x.yaml") == parsed(EVERYTHING)


def test_what_a_file_extends_and_the_rulesets_it_names_are_written_into_it() -> None:
    files = {
        "base.yaml": "policy: base\n" + rule("{charge.age_days: {at_most: 9}}") + "segments: [a]\n",
        "more.yaml": "policy: more\nrules: [{id: more, effect: deny, reason: No., when: always}]\n",
    }
    text = """
        extends: base.yaml
        segments: [b]
        verification: [{type: policy, ruleset: more}]
        rules: [{id: tried, effect: allow, reason: Because., when: {charge.age_days: {at_most: 5}}}]
    """
    alone = parse_policy(stand_alone(text, files.get), name="x.yaml")
    assert alone == parse_policy(text, name="y.yaml", resolve=files.get)
    assert {one.rule_id for one in alone.rules} == {"more", "tried"}
    assert alone.segments == ("a", "b")
    assert all(check.resolved for check in alone.verification)


@pytest.mark.parametrize(
    "when",
    [
        "{action.kind: refund, action.type: {is_not: reply}}",
        "{action.amount: {at_most: {usd: 50, jpy: 7}}, action.amount_usd: {above: 1}}",
        "{action.amount_usd: {above: 1}, action.amount: {below: {usd: 50}}}",
        "{action.amount: {above: 0}, action.amount_usd: {below: 3}}",
        "{action.amount_usd: {above: 1}, action.amount: {at_most: {usd: 0}}}",
        "{action.amount: {is: 0}}",
        "{action.amount: {below: {usd: 0, jpy: 5}}}",
        "{action.amount: {above: {usd: 9999999999.99}}}",
        "{action.amount: {between: {usd: [1, 2.50], kwd: [0.001, 7]}}}",
        "{action.amount: {is: {usd: 5}}}",
        "{charge.age_days: {below: -1000000000}}",
        "{charge.age_days: {above: 1000000000}}",
        "{charge.age_days: {is: 3}, order.days_past_promised: {between: [-5, 5]}}",
        "{charge.age_days: {at_least: -4}, claim.damaged: {is_not: true}}",
        "{request.intent: {none_of: [other, complaint]}, request.language: en}",
        "{any: [{charge.disputed: true}, always], all: [{not: {charge.age_days: 3}}], not: always}",
    ],
)
@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_a_condition_is_written_as_it_was_read(when: str, effect: str) -> None:
    text = f"policy: tried\n{rule(when, effect=effect)}"
    assert parse_policy(stand_alone(text, lambda _name: None), name="x.yaml") == parsed(text)


def test_a_wrong_file_is_refused_with_its_own_lines() -> None:
    with pytest.raises(PolicyFileError) as refused:
        stand_alone("policy: tried\nrulez: []\n", lambda _name: None, name="mine.yaml")
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("mine.yaml", 2)


def test_a_policy_that_grows_beyond_what_can_be_read_is_refused() -> None:
    reason = "R" * 399
    rules = "".join(
        f"  - {{id: r{number}, effect: allow, reason: {reason}, when: &w{number} {{charge.age_days: 1}}}}\n"
        for number in range(1200)
    )
    files = {"base.yaml": f"policy: base\nrules:\n{rules}"}
    text = f"policy: more\nextends: base.yaml\nrules:\n{rules.replace('{id: r', '{id: s')}"
    with pytest.raises(PolicyFileError, match="standing alone:1:1: the file has more than 1,000,000 bytes"):
        stand_alone(text, files.get)


def test_an_included_ruleset_is_a_flag() -> None:
    text = "verification: [{type: policy, ruleset: absent, included: false}]"
    (check,) = parsed(text).verification
    assert not check.resolved
    assert parsed(text.replace("false", "true")).verification[0].resolved
