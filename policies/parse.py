"""Policy text to a `Policy`, or every error of the file at once with line and column.

Nothing is guessed: an unknown key, an undeclared word or an amount without a currency refuses the file. Reading other
files (`extends:`, `ruleset:`) is the caller's: it passes `resolve`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from policies.canonical import content_hash
from policies.document import Policy, Rule, Verification
from policies.errors import PolicyFileError, Problem
from policies.language.autonomy import AutonomyReader, declared_roles
from policies.language.breakers import BreakerReader
from policies.language.conditions import ConditionReader
from policies.language.inherit import IDENTITY, MAX_CHAIN, Resolve, load_tree
from policies.language.reader import Reader, value_of
from policies.language.rules import RuleReader
from policies.language.settings import SettingsReader
from policies.language.tree import Entry, Node, Table

KEYS: Final = (
    *IDENTITY,
    "title",
    "version",
    "description",
    "extends",
    "segments",
    "brands",
    "languages",
    "channels",
    "documents",
    "autonomy",
    "rules",
    "never",
    "tools",
    "approvals",
    "limits",
    "risk",
    "budgets",
    "questions",
    "domains",
    "privacy",
    "logging",
    "verification",
    "canary",
    "breakers",
    "models",
)
APPROVAL_KEYS: Final = ("expire_after", "roles", "approvers", "four_eyes_above")


def _no_other_files(_name: str) -> None:
    return None


def parse_policy(text: str, *, name: str, resolve: Resolve = _no_other_files) -> Policy:
    """Read a policy file.

    Args:
        text: its content.
        name: the file's name, for messages and as the id of a policy that names none.
        resolve: gives the text of another policy file by the name that stands under `extends:` or, with `.yaml` added,
            under `ruleset:`; None where there is none.

    Returns:
        The policy with its content hash.

    Raises:
        PolicyFileError: with every problem found.
    """
    return _parse(text, name, resolve, depth=0)


def _parse(text: str, name: str, resolve: Resolve, depth: int) -> Policy:
    problems: list[Problem] = []
    tree = load_tree(text, name=name, resolve=resolve, problems=problems)
    reader = Reader(problems)
    entries = reader.table(tree, "a policy file", KEYS)
    policy = _File(reader, entries, tree, name).policy()
    reader.finish()
    policy = _with_rulesets(policy, tree, resolve, depth)
    return replace(policy, content_hash=content_hash(policy))


class _File:
    """One file under reading: the words it declares, then the blocks that use them."""

    def __init__(self, reader: Reader, entries: Mapping[str, Entry], tree: Table, name: str) -> None:
        self._reader = reader
        self._entries = entries
        self._tree = tree
        self._name = name
        self._segments = self._declared("segments")
        self._brands = self._declared("brands")
        self._documents = self._declared("documents")
        self._languages = self._declared("languages")
        self._channels = self._declared("channels")
        approvals = reader.entries(self._node("approvals"), "approvals")
        # A key with a dot is a tool that needs approval; the others are about the people who approve.
        self._tool_approvals = tuple(entry for entry in approvals if "." in entry.key.text)
        people = tuple(entry for entry in approvals if "." not in entry.key.text)
        self._approvals = reader.table(Table(tree.place, people, len(people)), "approvals", APPROVAL_KEYS)
        self._roles = declared_roles(reader, value_of(self._approvals, "roles"))

    def policy(self) -> Policy:
        reader = self._reader
        settings = SettingsReader(reader)
        people = AutonomyReader(
            reader,
            segments=self._segments,
            brands=self._brands,
            documents=self._documents,
            roles=self._roles,
        )
        conditions = ConditionReader(reader, self._labels())
        rules = RuleReader(reader, conditions, self._documents, self._roles)
        limits, budget_keys = settings.limits(self._node("limits"))
        policy_id = self._identity()
        autonomy = people.autonomy(self._node("autonomy"))
        tiers = tuple(tier.name for tier in autonomy.tiers)
        return Policy(
            policy_id=policy_id,
            title=reader.text(self._node("title"), "title", longest=200) or policy_id,
            version=reader.word(self._node("version"), "version"),
            description=reader.text(self._node("description"), "description"),
            segments=self._segments,
            brands=self._brands,
            languages=self._languages,
            channels=self._channels,
            documents=self._documents,
            autonomy=autonomy,
            rules=rules.rules(self._node("never"), self._node("rules")),
            tools=settings.tools(self._node("tools"), self._tool_approvals),
            approvals=people.approvals(self._approvals),
            limits=limits,
            risk=rules.risk(self._node("risk")),
            budgets=settings.budgets(self._node("budgets"), budget_keys),
            questions=settings.questions(self._node("questions")),
            domains=settings.domains(self._node("domains")),
            privacy=settings.privacy(self._node("privacy")),
            logging=settings.logging(self._node("logging")),
            verification=settings.verification(self._node("verification")),
            canary_percent=self._canary(),
            breakers=BreakerReader(reader, brands=self._brands, tiers=tiers).breakers(self._node("breakers")),
            models=settings.models(self._node("models")),
        )

    def _node(self, key: str) -> Node | None:
        return value_of(self._entries, key)

    def _declared(self, key: str) -> tuple[str, ...]:
        return tuple(sorted(self._reader.words(self._node(key), key)))

    def _labels(self) -> Mapping[str, tuple[str, ...]]:
        """Words that conditions may use for open facts, where the file declares any."""
        declared = {
            "requester.segment": self._segments,
            "request.brand": self._brands,
            "request.language": self._languages,
            "request.channel": self._channels,
        }
        return MappingProxyType(
            {fact: words for fact, words in declared.items() if words or fact == "requester.segment"}
        )

    def _identity(self) -> str:
        """The policy's id: what stands under its wrapper key, under `name:`, or the file's own name."""
        named = [self._entries[key] for key in IDENTITY if key in self._entries]
        for second in named[1:]:
            self._reader.wrong(second.key.place, "a policy has one name", hint=f"keep `{named[0].key.text}:`")
        if not named:
            self._reader.wrong(self._tree.place, "the policy has no name", hint="add `policy: NAME` as the first line")
            return ""
        return self._reader.word(named[0].value, named[0].key.text) or ""

    def _canary(self) -> int:
        entries = self._reader.table(self._node("canary"), "canary", ("share_percent",))
        return self._reader.integer(value_of(entries, "share_percent"), "share_percent", most=100) or 0


def _with_rulesets(policy: Policy, tree: Table, resolve: Resolve, depth: int) -> Policy:
    """The policy with the rules of every ruleset that `resolve` finds. Two rules of one id refuse the file."""
    rules: dict[str, Rule] = {rule.rule_id: rule for rule in policy.rules}
    checks: list[Verification] = []
    problems: list[Problem] = []
    for check in policy.verification:
        is_open = check.kind == "policy" and not check.resolved and depth < MAX_CHAIN
        text = resolve(f"{check.target}.yaml") if is_open else None
        if text is None:
            checks.append(check)
            continue
        for rule in _parse(text, f"{check.target}.yaml", resolve, depth + 1).rules:
            if rule.rule_id in rules:
                message = f"rule {rule.rule_id!r} of ruleset {check.target!r} is also a rule of this file"
                problems.append(tree.place.problem(message, value=rule.rule_id, hint="rename one of them"))
            rules[rule.rule_id] = rule
        checks.append(replace(check, resolved=True))
    if problems:
        raise PolicyFileError(tuple(problems))
    return replace(policy, rules=tuple(rules[rule_id] for rule_id in sorted(rules)), verification=tuple(checks))
