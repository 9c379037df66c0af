"""`rules:`, `never:` and `risk:` of a policy file."""

from __future__ import annotations

from policies.conditions import Condition
from policies.document import Risk, RiskFactor, Rule
from policies.language.conditions import ConditionReader
from policies.language.reader import Reader, value_of
from policies.language.tree import Node, Place
from policies.vocabulary import Reason, Verdict

RULE_KEYS = (
    "id",
    "section",
    "effect",
    "reason",
    "when",
    "approvers",
    "cause",
    "priority",
    "if_unknown",
    "valid",
)
NEVER_KEYS = ("id", "section", "reason", "when", "cause", "priority", "if_unknown", "valid")
RESERVED = ("autonomy", "tools", "approvals", "limits", "risk", "locked", "run", "no-match", "evaluation-error")
"""Names of what speaks beside the rules of a file; no rule may be called like it."""


class RuleReader:
    """Reads the rules of one file."""

    def __init__(
        self,
        reader: Reader,
        conditions: ConditionReader,
        documents: tuple[str, ...],
        roles: tuple[str, ...],
    ) -> None:
        self._reader = reader
        self._conditions = conditions
        self._documents = documents
        self._roles = roles
        self._places: dict[str, Place] = {}
        self._never: set[str] = set()

    def rules(self, never: Node | None, ordinary: Node | None) -> tuple[Rule, ...]:
        """The rules of both lists. A never-rule denies; a rule of an extending file replaces one of the same id."""
        found: dict[str, Rule] = {}
        for what, node in (("never", never), ("rules", ordinary)):
            for item in self._reader.items(node, what):
                rule = self._rule(item, never=what == "never")
                if rule is not None:
                    found[rule.rule_id] = rule
        return tuple(found[rule_id] for rule_id in sorted(found))

    def _rule(self, node: Node, *, never: bool) -> Rule | None:
        reader = self._reader
        entries = reader.table(node, "a rule", NEVER_KEYS if never else RULE_KEYS)
        rule_id = self._identifier(reader.required(entries, "id", node.place, "a rule"))
        if never and rule_id is not None:
            self._never.add(rule_id)
        effect = Verdict.DENY if never else self._effect(reader.required(entries, "effect", node.place, "a rule"))
        reason = reader.text(reader.required(entries, "reason", node.place, "a rule"), "reason", longest=400)
        condition = self._conditions.block(reader.required(entries, "when", node.place, "a rule"))
        unknown = reader.choice(value_of(entries, "if_unknown"), "if_unknown", ("ask", "skip"))
        if unknown is not None and effect is Verdict.ALLOW:
            reader.wrong(
                entries["if_unknown"].key.place, "an allow rule never holds where a fact is unknown", hint="remove"
            )
        approvers = reader.one_or_many(
            value_of(entries, "approvers"),
            "approvers",
            lambda item: reader.choice(item, "a role", self._roles),
        )
        if approvers and effect is not Verdict.NEEDS_APPROVAL:
            reader.wrong(
                entries["approvers"].key.place, "only a needs_approval rule names approvers", hint="remove them"
            )
        cause = reader.choice(value_of(entries, "cause"), "cause", [reason.value for reason in Reason])
        priority = reader.integer(value_of(entries, "priority"), "priority", least=-1000, most=1000)
        section = reader.section(value_of(entries, "section"), self._documents)
        window = reader.window(value_of(entries, "valid"))
        if rule_id is None or effect is None or reason is None or condition is None:
            return None
        return Rule(
            rule_id=rule_id,
            section=section,
            effect=effect,
            reason=reason,
            condition=condition,
            approvers=approvers,
            cause=None if cause is None else Reason(cause),
            priority=priority or 0,
            skip_unknown=unknown == "skip",
            never=never,
            window=window,
        )

    def _effect(self, node: Node | None) -> Verdict | None:
        word = self._reader.choice(node, "effect", [verdict.value for verdict in Verdict])
        return None if word is None else Verdict(word)

    def _identifier(self, node: Node | None) -> str | None:
        """A rule's id: free, but unique in the file and not the name of something built in."""
        rule_id = self._reader.word(node, "id")
        if node is None or rule_id is None:
            return None
        if rule_id.partition(".")[0].partition(":")[0] in RESERVED:
            self._reader.wrong(node.place, f"id {rule_id!r} is the name of something built in", value=rule_id)
            return None
        first = self._places.get(rule_id)
        if first is not None and first.file == node.place.file:
            hint = f"the first is on line {first.line}"
            self._reader.wrong(node.place, f"id {rule_id!r} is taken", value=rule_id, hint=hint)
            return None
        if first is not None and rule_id in self._never:
            self._reader.wrong(node.place, f"never-rule {rule_id!r} of {first.file} cannot be replaced", value=rule_id)
            return None
        self._places[rule_id] = node.place
        return rule_id

    # risk

    def risk(self, node: Node | None) -> Risk:
        """`risk: {approve_at: 60, factors: [{id, points, reason, when}]}`."""
        if node is None:
            return Risk()
        reader = self._reader
        entries = reader.table(node, "risk", ("approve_at", "factors"))
        approve_at = reader.integer(value_of(entries, "approve_at"), "approve_at", least=1, most=10_000)
        found: dict[str, RiskFactor] = {}
        for item in reader.items(value_of(entries, "factors"), "factors"):
            factor = self._factor(item)
            if factor is not None:
                found[factor.factor_id] = factor
        return Risk(tuple(found[factor_id] for factor_id in sorted(found)), approve_at)

    def _factor(self, node: Node) -> RiskFactor | None:
        reader = self._reader
        entries = reader.table(node, "a risk factor", ("id", "points", "reason", "when", "if_unknown"))
        factor_id = self._identifier(reader.required(entries, "id", node.place, "a risk factor"))
        points = reader.integer(
            reader.required(entries, "points", node.place, "a risk factor"),
            "points",
            least=-1000,
            most=1000,
        )
        reason = reader.text(reader.required(entries, "reason", node.place, "a risk factor"), "reason", longest=400)
        condition: Condition | None = self._conditions.block(
            reader.required(entries, "when", node.place, "a risk factor"),
        )
        unknown = reader.choice(value_of(entries, "if_unknown"), "if_unknown", ("count", "skip"))
        if factor_id is None or points is None or reason is None or condition is None:
            return None
        return RiskFactor(factor_id, points, reason, condition, skip_unknown=unknown == "skip")
