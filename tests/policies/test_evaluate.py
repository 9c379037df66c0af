"""How verdicts, modes and people follow from a policy, one rule of the language at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from policies.conditions import admits, settled
from policies.decision import Decision, Threshold
from policies.document import Policy
from policies.evaluate import decide
from policies.facts import Facts
from policies.money import Money
from policies.tools import ToolAnswer
from policies.vocabulary import Mode, Tool, Verdict
from tests.policies.shipped import NOW, article
from tests.policies.writing import parsed, rule

REFUND: dict[str, object] = {
    "action.kind": "refund",
    "action.amount_minor": 2000,
    "action.currency": "usd",
    "action.payee_is_new": False,
    "requester.verified": True,
    "charge.owned_by_requester": True,
    "charge.refundable_minor": 10_000_000,
    "charge.currency": "usd",
    "charge.disputed": False,
}
AUTO = "autonomy: {tiers: {auto: {mode: auto, hold: 5s}}, matrix: [{action: refund, tier: auto}]}\n"


def asked(policy: Policy, **changes: object) -> Decision:
    """The decision about an ordinary refund with other facts, named with `__`; `now` is the time."""
    now = changes.pop("now", NOW)
    assert isinstance(now, datetime)
    facts = {**REFUND, **{name.replace("__", "."): value for name, value in changes.items()}}
    return decide(policy, Facts(facts), now=now)


def verdict(when: str, *, effect: str = "allow", more: str = "", **changes: object) -> Verdict:
    return asked(parsed(AUTO + rule(when, effect=effect, more=more)), **changes).verdict


ALLOW, ASK, DENY = Verdict.ALLOW, Verdict.NEEDS_APPROVAL, Verdict.DENY


# verdicts


def test_deny_beats_needs_approval_beats_allow_beats_nothing() -> None:
    def one(name: str, effect: str, fact: str) -> str:
        return f"  - {{id: {name}, effect: {effect}, reason: R., when: {{{fact}: true}}}}\n"

    rules = one("a", "allow", "claim.damaged") + one("b", "needs_approval", "claim.delivered")
    policy = parsed(AUTO + "rules:\n" + rules + one("c", "deny", "claim.duplicate"))
    no = {"claim__damaged": False, "claim__delivered": False, "claim__duplicate": False}
    assert asked(policy, **no).rule == "no-match"
    assert asked(policy, **no).verdict is ASK
    assert asked(policy, **{**no, "claim__damaged": True}).verdict is ALLOW
    assert asked(policy, **{**no, "claim__damaged": True, "claim__delivered": True}).verdict is ASK
    everything = asked(policy, claim__damaged=True, claim__delivered=True, claim__duplicate=True)
    assert everything.verdict is DENY
    assert [match.rule for match in everything.reasons] == ["c", "b", "a"]


def test_what_is_unknown_allows_nothing_and_calls_for_a_person() -> None:
    assert verdict("{claim.damaged: true}") is ASK
    restricting = asked(parsed(AUTO + rule("{claim.damaged: true}", effect="deny")))
    assert restricting.verdict is ASK
    assert restricting.reasons[0].certain is False
    assert "unknown: claim.damaged" in restricting.reasons[0].reason


def test_what_is_missing_is_named() -> None:
    def missing(**changes: object) -> str:
        policy = parsed(AUTO + rule("{charge.amount: {above: {usd: 5}}, order.known: true}", effect="deny"))
        (match,) = [
            match for match in asked(policy, **{"order__known": True, **changes}).reasons if match.rule == "tried"
        ]
        return match.reason.partition("unknown: ")[2]

    assert missing() == "charge.amount)"
    assert missing(order__known=None, charge__amount_minor=501) == "order.known)"
    assert missing(charge__amount_minor=5, charge__currency=None) == "charge.currency)"
    assert missing(charge__amount_minor=5, charge__currency="eur", action__currency="eur") == "charge.amount in eur)"


def test_a_rule_may_stay_silent_about_the_unknown() -> None:
    both = AUTO + rule("{claim.damaged: true}", effect="deny", more=", if_unknown: skip")
    policy = parsed(both + "  - {id: yes, effect: allow, reason: R., when: always}\n")
    assert asked(policy).verdict is ALLOW
    assert asked(policy, claim__damaged=True).verdict is DENY


def test_priority_chooses_who_is_named_and_nothing_else() -> None:
    rules = "".join(
        f"  - {{id: {name}, effect: deny, reason: R., when: always, priority: {priority}}}\n"
        for name, priority in (("a", 1), ("b", 7), ("c", 7))
    )
    decision = asked(parsed(AUTO + "rules:\n" + rules))
    assert [match.rule for match in decision.reasons] == ["b", "c", "a"]


def test_a_rule_holds_on_its_days_only() -> None:
    policy = parsed(AUTO + rule("always", more=", valid: {from: 2026-11-27, until: 2026-11-30}"))
    first = datetime(2026, 11, 27, tzinfo=UTC)
    assert asked(policy, now=first - timedelta(seconds=1)).verdict is ASK
    assert asked(policy, now=first).verdict is ALLOW
    assert asked(policy, now=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)).verdict is ALLOW
    assert asked(policy, now=datetime(2026, 12, 1, tzinfo=UTC)).verdict is ASK
    # 27 November in Auckland is still the 26th in UTC, which is what counts.
    assert asked(policy, now=datetime(2026, 11, 27, 8, tzinfo=timezone(timedelta(hours=13)))).verdict is ASK


def test_a_question_that_cannot_be_evaluated_is_denied() -> None:
    policy = parsed(AUTO + rule("always"))
    naive = asked(policy, now=datetime(2026, 1, 1))  # noqa: DTZ001  # the mistake under test
    assert (naive.verdict, naive.rule, naive.acts_alone) == (DENY, "evaluation-error", DENY)
    assert "has no zone" in naive.reasons[0].reason
    guarded = parsed("tools: {deny: [billing.refund_over_5]}\n" + AUTO)
    assert asked(guarded, action__amount_minor=10**15, charge__refundable_minor=10**15).rule == "evaluation-error"


def test_a_decision_is_no_boolean() -> None:
    with pytest.raises(TypeError, match="a decision is not a boolean"):
        bool(asked(parsed(AUTO + rule("always"))))
    with pytest.raises(TypeError, match="a verdict is not a boolean"):
        bool(ALLOW)


# conditions


@pytest.mark.parametrize(
    ("when", "changes", "expected"),
    [
        ("{charge.age_days: {at_most: 5}}", {"charge__age_days": 5}, ALLOW),
        ("{charge.age_days: {at_most: 5}}", {"charge__age_days": 6}, ASK),
        ("{charge.age_days: {below: 5}}", {"charge__age_days": 5}, ASK),
        ("{charge.age_days: {below: 5}}", {"charge__age_days": 4}, ALLOW),
        ("{charge.age_days: {at_least: 5}}", {"charge__age_days": 5}, ALLOW),
        ("{charge.age_days: {at_least: 5}}", {"charge__age_days": 4}, ASK),
        ("{charge.age_days: {above: 5}}", {"charge__age_days": 5}, ASK),
        ("{charge.age_days: {above: 5}}", {"charge__age_days": 6}, ALLOW),
        ("{charge.age_days: {is: 5}}", {"charge__age_days": 5}, ALLOW),
        ("{charge.age_days: 5}", {"charge__age_days": 6}, ASK),
        ("{charge.age_days: {between: [2, 5]}}", {"charge__age_days": 2}, ALLOW),
        ("{charge.age_days: {between: [2, 5]}}", {"charge__age_days": 5}, ALLOW),
        ("{charge.age_days: {between: [2, 5]}}", {"charge__age_days": 6}, ASK),
        ("{order.days_past_promised: {at_least: -3}}", {"order__days_past_promised": -3}, ALLOW),
        ("{action.amount: {at_most: {usd: 20, eur: 10}}}", {}, ALLOW),
        ("{action.amount: {at_most: {usd: 19.99}}}", {}, ASK),
        ("{action.amount: {below: {usd: 20}}}", {}, ASK),
        ("{action.amount: {below: {usd: 20.01}}}", {}, ALLOW),
        ("{action.amount: {at_most: {eur: 2000}}}", {}, ASK),
        ("{action.amount: {between: {usd: [20, 20]}}}", {}, ALLOW),
        ("{action.amount_usd: {between: [10, 20]}}", {}, ALLOW),
        ("{action.amount: {above: 0}}", {}, ALLOW),
        ("{action.amount: {is: 0}}", {}, ASK),
        ("{charge.refunded: 0}", {"charge__refunded_minor": 0}, ALLOW),
        ("{charge.refunded: 0}", {}, ASK),
        ("{charge.amount: {at_most: {usd: 5}}}", {"charge__amount_minor": 500}, ALLOW),
        ("{charge.amount: {at_most: {usd: 5}}}", {"charge__amount_minor": 500, "charge__currency": None}, ASK),
        ("{requester.segment: {is: standard}}", {"requester__segment": "standard"}, ALLOW),
        ("{requester.segment: {is_not: standard}}", {"requester__segment": "other"}, ALLOW),
        ("{request.intent: {none_of: [other, complaint]}}", {"request__intent": "other"}, ASK),
        ("{request.intent: {one_of: [other, complaint]}}", {"request__intent": "other"}, ALLOW),
        ("{request.brand: anything}", {"request__brand": "anything"}, ALLOW),
        ("{not: {claim.damaged: true}}", {"claim__damaged": False}, ALLOW),
        ("{not: {claim.damaged: true}}", {}, ASK),
        ("{any: [{claim.damaged: true}, {claim.delivered: true}]}", {"claim__delivered": True}, ALLOW),
        ("{any: [{claim.damaged: true}, {claim.delivered: true}]}", {"claim__delivered": False}, ASK),
        (
            "{any: [{claim.damaged: true}, {claim.delivered: true}]}",
            {"claim__delivered": False, "claim__damaged": False},
            ASK,
        ),
        (
            "{all: [{claim.damaged: true}, {claim.delivered: true}]}",
            {"claim__delivered": True, "claim__damaged": True},
            ALLOW,
        ),
        ("{claim.damaged: true, claim.delivered: true}", {"claim__delivered": True}, ASK),
    ],
)
def test_a_condition_compares_as_it_says(when: str, changes: dict[str, object], expected: Verdict) -> None:
    text = "segments: [standard, other]\n" + AUTO + rule(when)
    assert asked(parsed(text), **changes).verdict is expected


def test_a_case_leaves_out_what_it_settles() -> None:
    (read,) = parsed(rule("{action.kind: refund, claim.damaged: true}")).rules
    assert admits(read.condition, "action.kind", "refund")
    assert not admits(read.condition, "action.kind", "reply")
    (nested,) = parsed(rule("{not: {claim.damaged: true}}")).rules
    assert settled(nested.condition, {"claim.damaged": True}) == nested.condition
    assert settled(next(iter(nested.condition.parts)), {}) is nested.condition.parts[0]  # type: ignore[union-attr]
    assert admits(nested.condition.parts[0], "action.kind", "reply")  # type: ignore[union-attr]


# locked rules


@pytest.mark.parametrize(
    ("changes", "expected", "rule_id"),
    [
        ({"charge__owned_by_requester": False}, DENY, "locked.other-customer"),
        ({"charge__owned_by_requester": None}, ASK, "locked.other-customer"),
        ({"charge__disputed": True}, ASK, "locked.disputed"),
        ({"charge__disputed": None}, ASK, "locked.disputed"),
        ({"requester__verified": False}, ASK, "locked.identity"),
        ({"requester__verified": None}, ASK, "locked.identity"),
        ({"charge__refundable_minor": 1999}, DENY, "locked.remaining"),
        ({"charge__refundable_minor": None}, ASK, "locked.remaining"),
        ({"charge__currency": "eur"}, DENY, "locked.currency"),
        ({"charge__currency": None}, ASK, "locked.currency"),
        ({"action__amount_minor": 0}, DENY, "locked.no-amount"),
        ({"action__amount_minor": None}, ASK, "locked.no-amount"),
        ({"action__kind": "bulk_email"}, ASK, "locked.human-only"),
        ({"action__kind": None}, ASK, "locked.human-only"),
    ],
)
def test_no_policy_can_change_what_is_locked(changes: dict[str, object], expected: Verdict, rule_id: str) -> None:
    decision = asked(
        parsed("autonomy: {tiers: {auto: {mode: auto}}, matrix: [{tier: auto}]}\n" + rule("always")), **changes
    )
    assert (decision.verdict, decision.rule) == (expected, rule_id)
    assert decision.acts_alone is expected


def test_a_human_only_action_is_never_more_than_a_draft() -> None:
    policy = parsed("autonomy: {tiers: {auto: {mode: auto}}, matrix: [{tier: auto}]}\n" + rule("always"))
    assert asked(policy, action__kind="delete_data").mode is Mode.DRAFT


# autonomy


MATRIX = """
segments: [vip, new]
brands: [north]
autonomy:
  default: suggest
  tiers:
    auto: {mode: auto, at_most: {usd: 20}, min_confidence_percent: 80, hold: 9s}
    audit: {mode: execute_with_audit, at_most: {usd: 30}}
    ask: {mode: approve, at_most: {usd: 40}, approvers: [cs_lead]}
    watch: {mode: shadow}
  matrix:
    - {action: refund, tier: ask}
    - {action: refund, intent: duplicate_charge, tier: auto}
    - {action: refund, intent: complaint, tier: watch}
    - {action: refund, segment: new, tier: watch}
    - {action: refund, intent: duplicate_charge, segment: vip, brand: north, tier: audit}
    - {action: refund, intent: other, tier: auto, valid: {until: 2026-11-20}}
""" + rule("always")


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"request__intent": "duplicate_charge", "request__confidence_percent": 80}, Mode.AUTO),
        ({"request__intent": "duplicate_charge", "request__confidence_percent": 79}, Mode.EXECUTE_WITH_AUDIT),
        ({"request__intent": "duplicate_charge", "request__confidence_percent": 99, "action__amount_minor": 2001},
         Mode.EXECUTE_WITH_AUDIT),
        ({"request__intent": "duplicate_charge", "action__amount_minor": 3001}, Mode.APPROVE),
        ({"request__intent": "duplicate_charge", "action__amount_minor": 4001}, Mode.SHADOW),
        ({"request__intent": "duplicate_charge", "requester__segment": "new"}, Mode.SHADOW),
        ({"request__intent": "duplicate_charge", "requester__segment": "vip", "request__brand": "north"},
         Mode.EXECUTE_WITH_AUDIT),
        ({"request__intent": "duplicate_charge", "requester__segment": "vip", "request__confidence_percent": 90},
         Mode.AUTO),
        ({"request__intent": "complaint"}, Mode.SHADOW),
        ({"request__intent": "refund_status"}, Mode.APPROVE),
        ({}, Mode.APPROVE),
        ({"request__intent": "other", "request__confidence_percent": 99}, Mode.APPROVE),
        ({"action__kind": "return_label"}, Mode.SUGGEST),
        ({"run__draft_only": True}, Mode.DRAFT),
        ({"action__currency": "eur", "charge__currency": "eur"}, Mode.SHADOW),
        ({"action__amount_minor": None}, Mode.SHADOW),
    ],
)  # fmt: skip
def test_the_most_specific_cell_and_the_bounds_of_its_tier_give_the_mode(
    changes: dict[str, object], mode: Mode
) -> None:
    assert asked(parsed(MATRIX), **changes).mode is mode


def test_too_little_confidence_is_told_as_data_where_it_is_known() -> None:
    text = "autonomy: {tiers: {auto: {mode: auto, min_confidence_percent: 80}}, matrix: [{tier: auto}]}\n"
    policy = parsed(text + rule("always"))
    low = asked(policy, request__confidence_percent=79).reasons[0]
    assert (low.rule, low.threshold) == (
        "autonomy.auto.confidence",
        Threshold("request.confidence_percent", 79, "at_least", 80, "percent"),
    )
    unknown = asked(policy, request__confidence_percent=None).reasons[0]
    assert (unknown.rule, unknown.threshold) == ("autonomy.auto.confidence", None)


def test_without_a_lower_tier_a_refund_above_the_bound_is_a_draft() -> None:
    policy = parsed(
        "autonomy: {default: shadow, tiers: {auto: {mode: auto, at_most: {usd: 5}}}, matrix: [{tier: auto}]}\n"
        + rule("always"),
    )
    assert asked(policy).mode is Mode.DRAFT
    watching = parsed(
        "autonomy: {tiers: {s: {mode: shadow, at_most: {usd: 5}}}, matrix: [{tier: s}]}\n" + rule("always"),
    )
    assert asked(watching).mode is Mode.SHADOW


def test_a_tier_may_have_other_amounts_on_certain_days() -> None:
    policy = parsed(
        """
        autonomy:
          tiers:
            auto:
              mode: auto
              at_most: {usd: 20}
              during:
                - {from: 2026-11-27, until: 2026-11-30, at_most: {usd: 30, eur: 30}}
                - {from: 2026-11-30, until: 2026-11-30, at_most: {usd: 25}}
          matrix: [{action: refund, tier: auto}]
        """
        + rule("always").replace("\n", "\n        "),
    )
    black_friday, last_day = datetime(2026, 11, 27, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    assert asked(policy, action__amount_minor=2001).mode is Mode.DRAFT
    assert asked(policy, now=black_friday, action__amount_minor=3000).mode is Mode.AUTO
    assert asked(policy, now=last_day, action__amount_minor=2501).mode is Mode.DRAFT
    assert asked(policy, now=last_day, action__amount_minor=2500).mode is Mode.AUTO


def test_money_waits_where_the_agent_acts_alone_and_only_there() -> None:
    policy = parsed(AUTO + rule("always"))
    assert asked(policy).hold_s == 5
    assert asked(policy, charge__disputed=True).hold_s == 0


# people


PEOPLE = """
approvals:
  roles: [agent, cs_lead, ops_lead, cfo]
  approvers: [{at_most: {usd: 50}, roles: [cs_lead]}, {at_most: {usd: 500}, roles: [ops_lead]}]
  four_eyes_above: {usd: 100}
autonomy: {tiers: {ask: {mode: approve}}, matrix: [{tier: ask}]}
rules:
  - {id: yes, effect: allow, reason: R., when: always}
  - {id: cfo, effect: needs_approval, reason: R., when: {claim.damaged: true}, if_unknown: skip, approvers: [cfo]}
"""


@pytest.mark.parametrize(
    ("changes", "approvers", "four_eyes"),
    [
        ({"action__amount_minor": 5000}, ("cs_lead",), False),
        ({"action__amount_minor": 5001}, ("ops_lead",), False),
        ({"action__amount_minor": 10000}, ("ops_lead",), False),
        ({"action__amount_minor": 10001}, ("ops_lead",), True),
        ({"action__amount_minor": 50001}, ("ops_lead",), True),
        ({"action__amount_minor": None}, ("ops_lead",), True),
        ({"action__currency": "eur", "charge__currency": "eur"}, ("ops_lead",), True),
        ({"claim__damaged": True}, ("cfo",), False),
        ({"action__kind": "return_label"}, ("agent",), False),
        ({"action__kind": "delete_data"}, (), False),
        ({"charge__owned_by_requester": False}, (), False),
    ],
)
def test_the_most_senior_of_those_asked_for_approves(
    changes: dict[str, object],
    approvers: tuple[str, ...],
    four_eyes: bool,  # noqa: FBT001  # a column of the table
) -> None:
    decision = asked(parsed(PEOPLE), **changes)
    assert (decision.approvers, decision.four_eyes) == (approvers, four_eyes)


def test_a_more_senior_role_may_always_approve() -> None:
    approvals = parsed(PEOPLE).approvals
    assert approvals.may_approve("cs_lead", ("cs_lead",))
    assert approvals.may_approve("cfo", ("cs_lead",))
    assert not approvals.may_approve("agent", ("cs_lead",))
    assert not approvals.may_approve("stranger", ("cs_lead",))
    assert not approvals.may_approve("cfo", ("stranger",))


# tools


def test_tools_deny_before_they_ask_and_ask_before_they_allow() -> None:
    rules = article("support_agent").tools
    assert rules.answer(Tool.STRIPE_REFUND, Money(2500, "usd")) == ToolAnswer(ALLOW, "tools.allow:billing.refund")
    assert rules.answer(Tool.STRIPE_REFUND, Money(2501, "usd")) == ToolAnswer(ASK, "approvals:billing.refund_over_25")
    assert rules.answer(Tool.STRIPE_REFUND, Money(5001, "usd")) == ToolAnswer(DENY, "tools.deny:billing.refund_over_50")
    unsure = rules.answer(Tool.STRIPE_REFUND, Money(1, "eur"))
    assert unsure == ToolAnswer(ASK, "tools.deny:billing.refund_over_50", certain=False)
    assert rules.answer(Tool.STRIPE_READ) == ToolAnswer(DENY, "tools.allow:stripe.read is not in it")
    assert rules.answer(Tool.ZENDESK_READ) == ToolAnswer(ALLOW, "tools.allow:zendesk.read_ticket")
    assert rules.answer(Tool.ZENDESK_REPLY) == ToolAnswer(ASK, "approvals:external_email.send")


def test_a_family_names_all_its_tools_and_silence_says_nothing() -> None:
    rules = parsed("tools: {deny: [zendesk.*]}").tools
    assert rules.answer(Tool.ZENDESK_UPDATE) == ToolAnswer(DENY, "tools.deny:zendesk.*")
    assert rules.answer(Tool.STRIPE_REFUND) is None
    assert parsed("").tools.silent
    eur = parsed("approvals: {billing.refund_over_45_eur: required}").tools
    assert eur.answer(Tool.STRIPE_REFUND, Money(4501, "eur")) == ToolAnswer(ASK, "approvals:billing.refund_over_45_eur")
    assert eur.answer(Tool.STRIPE_REFUND, Money(4500, "eur")) is None


def test_an_allow_list_allows_only_where_there_is_no_rule() -> None:
    text = "tools: {allow: [billing.refund]}\n"
    assert asked(parsed(AUTO + text)).verdict is ALLOW
    assert asked(parsed(AUTO + text + rule("{claim.damaged: true}"))).rule == "no-match"
    missing = "verification: [{type: policy, ruleset: missing}]\n"
    assert asked(parsed(AUTO + text + missing)).rule == "no-match"


def test_lists_of_tools_speak_about_what_an_action_calls() -> None:
    policy = parsed("tools: {allow: [billing.refund]}\n" + rule("always"))
    assert asked(policy, action__kind="reply").verdict is DENY
    assert asked(policy, action__kind="replacement").verdict is ALLOW
    assert asked(policy, action__kind=None).verdict is ASK
    unsure = parsed("tools: {deny: [billing.refund_over_50]}\n" + rule("always"))
    decision = asked(unsure, action__currency="eur", charge__currency="eur")
    assert decision.reasons[0].certain is False
    assert "cannot be compared" in decision.reasons[0].reason


# limits and risk


def test_a_limit_without_an_amount_in_the_currency_stops_automation() -> None:
    day, number = "{id: day, window: 1d, amount: {usd: 100}}", "{id: n, window: 1d, count: 9, applies_to: all}"
    text = f"limits: {{tenant: [{day}, {number}]}}\n"
    policy = parsed(AUTO + text + rule("always"))
    usd = asked(policy)
    assert [(limit.limit_id, limit.cap_minor, limit.cap_count) for limit in usd.limits] == [
        ("n", None, 9),
        ("day", 10000, None),
    ]
    eur = asked(policy, action__currency="eur", charge__currency="eur")
    assert (eur.verdict, eur.rule) == (ASK, "limits.day")
    assert [limit.limit_id for limit in eur.limits] == ["n"]
    unknown = asked(policy, action__currency=None)
    assert any("an unknown currency" in match.reason for match in unknown.reasons)
    assert asked(policy, action__kind="reply").limits == ()


def test_risk_adds_up_in_sight_and_counts_what_is_unknown() -> None:
    text = """
risk:
  approve_at: 30
  factors:
    - {id: a, points: 20, reason: R., when: {claim.damaged: true}}
    - {id: b, points: 15, reason: R., when: {claim.delivered: true}, if_unknown: skip}
    - {id: c, points: -5, reason: R., when: {claim.duplicate: true}}
"""
    policy = parsed(AUTO + text + rule("always"))
    assert asked(policy).risk_contributions == (("a", 20),)
    assert asked(policy, claim__damaged=False).risk_score == 0
    decision = asked(policy, claim__delivered=True)
    assert (decision.rule, decision.risk_score, decision.reasons[0].margin) == (
        "risk.score",
        35,
        "5 points above the bar of 30",
    )
    scored = next(match for match in decision.reasons if match.rule == "risk.score")
    assert scored.threshold == Threshold("risk_score", 35, "at_least", 30, "points")
    assert asked(policy, claim__delivered=True, claim__duplicate=True).risk_score == 30
