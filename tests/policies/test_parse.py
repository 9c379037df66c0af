"""Policy files in: what they mean, and how each mistake is told."""

from __future__ import annotations

import pytest

from policies.decision import RunBudget
from policies.document import Approvals, Domains, LimitRule, Logging, Privacy, Questions
from policies.errors import PolicyFileError
from policies.language.reader import MAX_PROBLEMS
from policies.parse import parse_policy
from policies.vocabulary import ActionKind, Intent, Mode
from tests.policies.writing import parsed, problem, problems, rule


def test_a_name_is_all_that_a_policy_needs_and_it_drafts_only() -> None:
    policy = parsed("policy: smallest")
    assert (policy.policy_id, policy.title, policy.autonomy.default) == ("smallest", "smallest", Mode.DRAFT)
    assert policy.approvals == Approvals()


def test_settings_are_read_exactly() -> None:
    policy = parsed(
        """
        title: A   shop
        version: "7"
        brands: [north]
        channels: [email, web]
        budgets: {tool_calls: 5, spend_usd: 0.000250, time: 2m}
        limits:
          max_tokens_per_task: 900
          tenant: [{id: day, window: 1d, amount: {usd: 20.50, jpy: 900}, applies_to: all}]
        questions: {max: 1, wait: 3d}
        domains: {recipients: ["*.example.com"], links: [help.example.com]}
        privacy:
          never_read: [ticket.tags, charge.metadata.iban]
          never_model: [order.id]
          never_log: [call.detail]
          forbidden_providers: [claude]
        logging: {retention_days: 30, trace_export: "s3://bucket/x"}
        canary: {share_percent: 5}
        approvals: {expire_after: 1h, four_eyes_above: {usd: 10}}
        """,
    )
    assert policy.title == "A shop"
    assert policy.budgets == RunBudget(5, None, 900, 250, 120)
    (limit,) = policy.limits
    assert isinstance(limit, LimitRule)
    assert (limit.window_s, dict(limit.amounts or {}), limit.automatic_only) == (
        86400,
        {"usd": 2050, "jpy": 900},
        False,
    )
    assert policy.questions == Questions(1, 3 * 86400)
    assert policy.domains == Domains(("*.example.com",), ("help.example.com",))
    assert policy.privacy == Privacy(
        ("charge.metadata.iban", "ticket.tags"), ("order.id",), ("call.detail",), ("claude",)
    )
    assert policy.logging == Logging(30, "s3://bucket/x")
    assert policy.canary_percent == 5
    assert policy.approvals.expires_s == 3600


def test_order_and_comments_do_not_change_the_identity_of_a_policy() -> None:
    one = parsed("segments: [a, b]\nrules:\n" + _two_rules(first="x", second="y"))
    two = parsed("# why\nsegments: [b, a]\nrules:\n" + _two_rules(first="y", second="x"))
    assert one == two
    assert hash(one) == hash(two)
    assert one.content_hash == two.content_hash
    assert parsed("segments: [a]") != one
    assert one != "a policy"


def _two_rules(*, first: str, second: str) -> str:
    when = {"x": "{charge.disputed: true, order.known: true}", "y": "{any: [{order.known: true}, {item.known: false}]}"}
    lines = [f"  - {{id: {name}, effect: allow, reason: R., when: {when[name]}}}" for name in (first, second)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("polcy: x", 2, 1, "unknown key 'polcy'"),
        ("title: ''", 2, 8, "title must be a text"),
        ("title: [a]", 2, 8, "title must be a text"),
        (f"title: {'x' * 201}", 2, 8, "title is longer than 200"),
        ("version: a b", 2, 10, "version must be one word"),
        ("segments: standard", 2, 11, "segments must be a list"),
        ("segments: [{a: b}]", 2, 12, "an item of segments must be one word"),
        ("rules: {a: b}", 2, 8, "rules must be a list"),
        ("rules: [a]", 2, 9, "a rule must be a mapping"),
        ("autonomy: soon", 2, 11, "autonomy must be a mapping"),
        ("canary: {share_percent: 101}", 2, 25, "share_percent must lie between 0 and 100"),
        ('canary: {share_percent: "5"}', 2, 25, "share_percent must be a whole number"),
        ("canary: {share_percent: 5.0}", 2, 25, "share_percent must be a whole number"),
        ("questions: {wait: 7}", 2, 19, "wait must be a duration"),
        ("questions: {wait: [7d]}", 2, 19, "wait must be a duration"),
        ("questions: {wait: 9999d}", 2, 19, "wait is longer than ten years"),
        ("budgets: {spend_usd: cheap}", 2, 22, "spend_usd must be a decimal number"),
        ("budgets: {tokens: 5}\nlimits: {max_tokens_per_task: 5}", 3, 10, "is also set as budgets.tokens"),
        ("limits: {customer: [{id: a, window: 1d}]}", 2, 21, "a limit caps nothing"),
        ("limits: {customer: [{id: a, window: 0s, count: 1}]}", 2, 21, "a limit's window is empty"),
        ("limits: {customer: [{id: a, count: 1}]}", 2, 21, "a limit has no 'window'"),
        (
            "limits:\n  customer: [{id: a, window: 1d, count: 1}]\n  tenant: [{id: a, window: 1d, count: 1}]",
            4,
            12,
            "limit 'a' is there twice",
        ),
        ("limits: {tenant: [{id: a, window: 1d, amount: {usd: -5}}]}", 2, 53, "amount '-5' is not a decimal number"),
        ("limits: {tenant: [{id: a, window: 1d, amount: {usd: '5'}}]}", 2, 53, "an amount must be a plain decimal"),
        ("limits: {tenant: [{id: a, window: 1d, amount: {usd: 5.005}}]}", 2, 53, "has more than 2 decimals"),
        ("limits: {tenant: [{id: a, window: 1d, amount: {jpy: 5.5}}]}", 2, 53, "has more than 0 decimals"),
        ("limits: {tenant: [{id: a, window: 1d, amount: {usb: 5}}]}", 2, 48, "a currency cannot be 'usb'"),
        ("limits: {tenant: [{id: a, window: 1d, amount: 5}]}", 2, 47, "amount needs a currency"),
        ("limits: {tenant: [{id: a, window: 1d, amount: {}}]}", 2, 47, "amount lists no currency"),
        ("limits: {tenant: [{id: a, window: 1d, amount: [5]}]}", 2, 47, "amount must be a mapping"),
        ("domains: {links: ['http://x.example']}", 2, 19, "is no domain"),
        ("domains: {links: [[a]]}", 2, 19, "is no domain"),
        ("logging: {pii_redaction: false}", 2, 26, "cannot be switched off"),
        ("logging: {trace_export: ftp://x}", 2, 25, "trace_export must be an address"),
        ("verification: [{type: magic, schema: a}]", 2, 23, "type cannot be 'magic'"),
        ("verification: [{type: policy, schema: a}]", 2, 16, "a verification has no 'ruleset'"),
        ("verification: [magic]", 2, 16, "a verification must be a mapping"),
        ("tools: {allow: [zendesk.raed]}", 2, 17, "unknown tool 'zendesk.raed'"),
        ("tools: {allow: [[a]]}", 2, 17, "unknown tool ''"),
        ("tools: {allow: [nobody.*]}", 2, 17, "unknown tool 'nobody.*'"),
        ("tools: {allow: [billing.refund_over_50]}", 2, 9, "has an amount"),
        ("tools: {deny: [billing.refund_over_50_usb]}", 2, 16, "unknown currency 'usb'"),
        ("tools: {deny: [billing.refund_over_50.005]}", 2, 16, "has more than 2 decimals"),
        ("approvals: {billing.refund: maybe}", 2, 29, "approval of 'billing.refund' cannot be 'maybe'"),
        ("approvals: {nobody.refund: required}", 2, 13, "unknown tool 'nobody.refund'"),
        ("approvals: {expires: 5h}", 2, 13, "unknown key 'expires'"),
        ("approvals: {approvers: [{roles: [boss]}]}", 2, 34, "a role cannot be 'boss'"),
        ("approvals: {approvers: [{at_most: {usd: 5}}]}", 2, 25, "a band of approvers has no 'roles'"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, line: int, column: int, message: str) -> None:
    found = problems(text)[0]
    assert message in found.message
    assert (found.file, found.line, found.column) == ("tried.yaml", line, column)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("autonomy: {tiers: {a: {}}}", "a tier has no 'mode'"),
        ("autonomy: {tiers: {a: {mode: fast}}}", "mode cannot be 'fast'"),
        ("autonomy: {tiers: {a: {mode: auto, at_most: {usd: 1}, max_refund_usd: 2}}}", "say the same"),
        ("autonomy: {tier_1: {mode: auto, max_refund_usd: [5]}}", "an amount must be a plain decimal"),
        ("autonomy: {tier_1: {mode: auto, require_policy_check: false}}", "cannot be switched off"),
        ("autonomy: {tier_1: {mode: auto, require_policy_check: 'true'}}", "must be true or false"),
        ("autonomy: {default: auto}", "default cannot be 'auto'"),
        ("autonomy: {matrix: [{tier: a}]}", "tier cannot be 'a'"),
        ("autonomy: {tiers: {a: {mode: auto}}, matrix: [{intent: refnd_request, tier: a}]}", "intent cannot be"),
        ("autonomy: {tiers: {a: {mode: auto}}, matrix: [{intent: [], tier: a}]}", "intent is empty"),
        ("autonomy: {tiers: {a: {mode: auto}}, matrix: [{segment: vip, tier: a}]}", "segment cannot be 'vip'"),
        ("autonomy: {tiers: {a: {mode: auto}}, matrix: [{tier: a}, {tier: a}]}", "the cell of line 2 is listed again"),
        ("autonomy: {tiers: {a: {mode: auto, during: [{from: 2026-01-01, at_most: {usd: 1}}]}}}", "has no 'until'"),
        (
            "autonomy: {tiers: {a: {mode: auto, during: [{from: 2026-02-01, until: 2026-01-01, at_most: {usd: 1}}]}}}",
            "during ends before it begins",
        ),
        (
            "approvals: {approvers: [{roles: [cs_lead]}, {at_most: {usd: 5}, roles: [ops_lead]}]}",
            "a band must go beyond the one before it",
        ),
        (
            "approvals: {approvers: [{at_most: {usd: 5}, roles: [cs_lead]}, {at_most: {usd: 5}, roles: [cs_lead]}]}",
            "a band must go beyond the one before it",
        ),
        (
            "approvals: {approvers: [{at_most: {usd: 5}, roles: [ops_lead]}, {roles: [cs_lead]}]}",
            "a band must go beyond the one before it",
        ),
        ("name: second", "a policy has one name"),
        ("privacy: {never_read: [ticket.tag]}", "never_read cannot name 'ticket.tag'"),
        ("privacy: {never_model: [charge.metadata.iban]}", "never_model cannot name 'charge.metadata.iban'"),
        ("privacy: {never_log: [{a: b}]}", "never_log cannot name ''"),
        ("privacy: {forbidden_providers: [claud]}", "a provider cannot be 'claud'"),
        ("documents: [a]\n" + rule("always", more=", section: b#1"), "document 'b' is not declared"),
        (rule("always", more=", section: 3.2"), "a section is a document and a number"),
        (rule("always", more=", if_unknown: skip"), "an allow rule never holds where a fact is unknown"),
        (rule("always", effect="deny", more=", approvers: [cs_lead]"), "only a needs_approval rule names approvers"),
        (rule("always", effect="maybe"), "effect cannot be 'maybe'"),
        (rule("always", more=", cause: bad_mood"), "cause cannot be 'bad_mood'"),
        (rule("always", more=", valid: {from: 2026-13-01}"), "is no day of the calendar"),
        (rule("always", more=", valid: {from: soon}"), "from must be a day"),
        (rule("always", more=", valid: {from: [a]}"), "from must be a day"),
        (rule("always", more=", valid: {from: 2026-02-01, until: 2026-01-01}"), "valid ends before it begins"),
        ("rules: [{id: autonomy.x, effect: deny, reason: R., when: always}]", "the name of something built in"),
        ("rules: [{id: a b, effect: deny, reason: R., when: always}]", "id must be one word"),
        ("rules: [{id: a, effect: deny, when: always}]", "a rule has no 'reason'"),
        ("risk: {factors: [{id: a, points: 5, reason: R.}]}", "a risk factor has no 'when'"),
        (rule("sometimes"), "when: must be a block of conditions"),
        (rule("{}"), "when: lists no condition"),
        (rule("[a]"), "when must be a mapping"),
        (rule("{any: []}"), "any: lists no condition"),
        (rule("{not: sometimes}"), "when: must be a block"),
        (rule("{charge.disputd: true}"), "unknown fact 'charge.disputd'"),
        (rule("{charge.age_days_usd: 5}"), "unknown fact 'charge.age_days_usd'"),
        (rule("{action.amount_minor: 5}"), "unknown fact 'action.amount_minor'"),
        (rule("{charge.disputed: 'true'}"), "charge.disputed must be true or false"),
        (rule("{charge.disputed: {one_of: true}}"), "'one_of' takes a list"),
        (rule("{charge.disputed: {is: [true]}}"), "'is' takes one value"),
        (rule("{charge.disputed: {at_most: 5}}"), "unknown key 'at_most'"),
        (rule("{charge.age_days: {is_not: 5}}"), "unknown key 'is_not'"),
        (rule("{charge.age_days: {at_most: 5, at_least: 2}}"), "takes one operator"),
        (rule("{charge.age_days: {}}"), "takes one operator"),
        (rule("{charge.age_days: old}"), "charge.age_days must be a whole number"),
        (rule("{charge.age_days: {between: [1, 2, 3]}}"), "between takes two numbers"),
        (rule("{charge.age_days: {between: [3, 2]}}"), "between 3 and 2 holds nothing"),
        (rule("{request.intent: refund}"), "request.intent cannot be 'refund'"),
        (rule("{requester.segment: vip}"), "requester.segment cannot be 'vip'"),
        (rule("{action.amount: {at_most: 50}}"), "an amount needs a currency"),
        (rule("{action.amount: {at_most: 0}}"), "at_most: 0 says nothing"),
        (rule("{action.amount: {at_most: {}}}"), "lists no currency"),
        (rule("{action.amount: {at_most: {usb: 5}}}"), "a currency cannot be 'usb'"),
        (rule("{action.amount: {less: {usd: 5}}}"), "unknown key 'less'"),
        (rule("{action.amount_usd: {at_most: fifty}}"), "amount 'fifty' is not a decimal number"),
        (rule("{all: [" + ", ".join(["{order.known: true}"] * 300) + "]}"), "has more than 200 comparisons"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    found = problems(text)[0]
    assert message in found.message
    assert found.line > 1


def test_the_nearest_valid_name_is_offered() -> None:
    assert problem(rule("{charge.disputd: true}")).nearest == "charge.disputed"
    assert problem(rule("{request.intent: refund_requst}")).nearest == "refund_request"
    assert "did you mean 'charge.disputed'?" in str(problem(rule("{charge.disputd: true}")))
    assert problem(rule("{action.amount_minor: 5}")).hint == "amounts stand in major units: write 'action.amount'"


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order() -> None:
    found = problems("titel: x\nsegmnts: [a]\n" + rule("{charge.disputd: true}"))
    assert [each.line for each in found] == sorted(each.line for each in found)
    assert len(found) == 3


def test_a_key_that_stands_twice_hides_no_other_mistake() -> None:
    found = problems(
        """
        title: One
        title: Two
        limits: {tenant: [{id: a, id: b, window: 1d, count: soon}]}
        rulez: []
        """,
    )
    assert [(one.line, one.message) for one in found] == [
        (3, "key 'title' stands here a second time"),
        (4, "key 'id' stands here a second time"),
        (4, "count must be a whole number"),
        (5, "unknown key 'rulez' in a policy file"),
    ]


def test_every_rule_that_a_ruleset_repeats_is_told() -> None:
    rules = (
        "rules: [{id: a, effect: deny, reason: R., when: always}, {id: b, effect: deny, reason: R., when: always}]\n"
    )
    found = problems(f"{rules}verification: [{{type: policy, ruleset: more}}]\n", more=f"policy: more\n{rules}")
    assert [one.value for one in found] == ["a", "b"]


@pytest.mark.parametrize("count", [100, 60])
def test_a_matrix_has_an_end(count: int) -> None:
    """In one line, and in several that are each within the bound."""
    segments = ", ".join(f"s{n}" for n in range(count))
    intents, actions = ", ".join(Intent), ", ".join(ActionKind)
    cells = [f"{{intent: [{intents}], action: [{actions}], segment: [{segments}], tier: {tier}}}" for tier in "ab"]
    days = ["", ", valid: {from: 2026-01-01}"]
    lines = ", ".join(cell[:-1] + day + "}" for cell, day in zip(cells, days, strict=True))
    tiers = "{a: {mode: draft}, b: {mode: draft}}"
    text = f"segments: [{segments}]\nautonomy: {{tiers: {tiers}, matrix: [{lines}]}}\n"
    assert problems(text)[0].message == "the matrix has more than 20,000 cells"


def test_without_other_files_nothing_can_be_extended() -> None:
    with pytest.raises(PolicyFileError, match=r"no policy file 'base\.yaml' to extend"):
        parse_policy("extends: base.yaml\n", name="x.yaml")


def test_a_hundred_mistakes_are_enough() -> None:
    assert len(problems("".join(f"key{n}: 1\n" for n in range(5000)))) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("", "a policy file must be a mapping of keys", 1),
        ("[a]", "a policy file must be a mapping of keys", 1),
        ("title: x", "the policy has no name", 1),
        ("agent: {tools: {}}\ntools: {}", "key 'tools' stands both inside and outside", 1),
    ],
)
def test_a_file_without_a_frame_is_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(PolicyFileError, match=message) as caught:
        parse_policy(text, name="x.yaml")
    assert caught.value.problems[0].line == line


def test_a_rule_id_stands_once_in_a_file() -> None:
    one = "{id: a, effect: deny, reason: R., when: always}"
    assert problem(f"rules:\n  - {one}\n  - {one}\n").hint == "the first is on line 3"
    assert "id 'a' is taken" in problem(f"never: [{{id: a, reason: R., when: always}}]\nrules: [{one}]\n").message


def test_a_wrapper_may_hold_the_whole_policy() -> None:
    assert parse_policy("agent:\n  title: T\n", name="some/where/my agent.yaml").policy_id == "my-agent"
    assert parse_policy("workflow: {name: w}\n", name="x.yaml").policy_id == "w"
    assert parse_policy("agent: {title: T}\npolicy: p\n", name="x.yaml").policy_id == "p"
    assert parse_policy("agent: {title: T}\n", name="???").policy_id == "policy"


BASE = """
policy: base
segments: [standard]
autonomy:
  tiers: {auto: {mode: auto, at_most: {usd: 10, eur: 9}}, ask: {mode: approve}}
  matrix: [{action: refund, tier: auto}, {action: reply, tier: auto}]
never: [{id: lock, reason: Never., when: {charge.disputed: true}}]
rules: [{id: a, effect: allow, reason: Base., when: {charge.disputed: false}}]
limits: {tenant: [{id: day, window: 1d, count: 5}]}
risk: {approve_at: 5, factors: [{id: f, points: 1, reason: R., when: {order.known: true}}]}
"""


def test_a_file_may_change_what_it_extends() -> None:
    policy = parsed(
        """
        extends: base.yaml
        policy: child
        segments: [vip]
        autonomy:
          tiers: {auto: {at_most: {usd: 20}}}
          matrix: [{action: refund, tier: ask}, {segment: vip, action: refund, tier: auto}]
        rules: [{id: a, effect: needs_approval, reason: Child., when: {charge.disputed: false}}]
        limits: {tenant: [{id: day, window: 1d, count: 7}]}
        risk: {factors: [{id: f, points: 2, reason: R., when: {order.known: true}}]}
        """,
        base=BASE,
    )
    assert policy.policy_id == "child"
    assert policy.segments == ("standard", "vip")
    assert dict(policy.tiers["auto"].at_most or {}) == {"usd": 2000, "eur": 900}
    assert {(cell.segment, cell.action, cell.tier) for cell in policy.autonomy.matrix} == {
        (None, "refund", "ask"),
        (None, "reply", "auto"),
        ("vip", "refund", "auto"),
    }
    assert {rule.rule_id: rule.reason for rule in policy.rules} == {"lock": "Never.", "a": "Child."}
    assert [limit.count for limit in policy.limits] == [7]
    assert [factor.points for factor in policy.risk.factors] == [2]


def test_a_file_that_names_nothing_keeps_the_name_of_what_it_extends() -> None:
    assert parsed("extends: base.yaml\n", base=BASE).policy_id == "base"


def test_a_never_rule_cannot_be_replaced() -> None:
    found = problem(
        "extends: base.yaml\nrules: [{id: lock, effect: allow, reason: R., when: always}]\n",
        base=BASE,
    )
    assert "never-rule 'lock' of base.yaml cannot be replaced" in found.message


def test_a_mistake_below_names_the_file_below() -> None:
    found = problem("extends: base.yaml\n", base="policy: base\ntitel: x\n")
    assert (found.file, found.line) == ("base.yaml", 2)


@pytest.mark.parametrize(
    ("text", "files", "message"),
    [
        ("extends: base.yaml\n", {}, "no policy file 'base.yaml' to extend"),
        ("extends: [a]\n", {}, "no policy file '' to extend"),
        ("extends: tried.yaml\n", {}, "extends goes round in a circle"),
        ("extends: a.yaml\n", {"a": "extends: b.yaml\n", "b": "extends: a.yaml\n"}, "extends goes round in a circle"),
    ],
)
def test_what_cannot_be_extended_is_told(text: str, files: dict[str, str], message: str) -> None:
    assert message in problem(text, **files).message


def test_a_ruleset_brings_its_rules() -> None:
    text = "verification: [{type: policy, ruleset: more}, {type: schema, schema: s.json}]\n"
    found = parsed(text, more=f"policy: more\n{rule('always')}")
    assert [rule.rule_id for rule in found.rules] == ["tried"]
    assert all(check.resolved for check in found.verification)
    missing = parsed(text)
    assert [check.resolved for check in missing.verification] == [False, True]


def test_a_ruleset_must_not_repeat_a_rule() -> None:
    text = "verification: [{type: policy, ruleset: more}]\n" + rule("always")
    assert "is also a rule of this file" in problem(text, more=f"policy: more\n{rule('always')}").message


def test_rulesets_that_name_each_other_end() -> None:
    text = "policy: x\nverification: [{type: policy, ruleset: more}]\n"
    assert parsed(text, more=text).policy_id == "x"
