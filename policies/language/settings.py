"""The other blocks of a policy file: tools, limits, budgets, questions, domains, privacy, models and the like."""

from __future__ import annotations

import re
from decimal import Decimal

from policies.decision import LimitScope, RunBudget
from policies.document import Domains, LimitRule, Logging, Privacy, Questions, RoleModels, Verification
from policies.fields import Kept, is_field, names_kept_from
from policies.language.reader import Reader, value_of
from policies.language.tree import Entry, Node, Place, Scalar, Table
from policies.money import CURRENCIES, Money
from policies.tools import ALIASES, FAMILIES, ToolEntry, ToolRules
from policies.vocabulary import ROLES_OF_RUNS, ModelRole, Tool

BUDGET_KEYS = ("tool_calls", "model_calls", "tokens", "spend_usd", "time")
BUDGET_ALIASES = {
    "max_tool_calls_per_task": "tool_calls",
    "max_model_calls_per_task": "model_calls",
    "max_tokens_per_task": "tokens",
    "max_spend_usd_per_task": "spend_usd",
    "max_time_per_task": "time",
}
PROVIDERS = ("claude", "anthropic")
"""Whom a run's texts may be kept from. The embedded model is part of this program and cannot be forbidden."""
LIMIT_KEYS = ("id", "window", "amount", "count", "applies_to")

_GUARD = re.compile(r"(?P<name>[a-z_.]+?)_over_(?P<amount>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?:_(?P<currency>[a-z]{3}))?")
_DOMAIN = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")
_MODEL = re.compile(r"local|claude-[a-z0-9-]{1,60}")
_EXPORT = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,62}(/\S*)?|https://[^\s/@]+(/\S*)?")
_PROMPT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_TOOL_NAMES = (*(tool.value for tool in Tool), *ALIASES, *(f"{family}*" for family in FAMILIES))


class SettingsReader:
    """Reads the blocks that hold plain settings."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    # tools

    def tools(self, node: Node | None, approvals: tuple[Entry, ...]) -> ToolRules:
        """`tools: {allow, deny}` and the entries of `approvals:` that name tools."""
        reader = self._reader
        entries = reader.table(node, "tools", ("allow", "deny"))
        allow = tuple(self._listed(value_of(entries, "allow"), "allow")) if "allow" in entries else None
        for listed in allow or ():
            if listed.over is not None:
                place = entries["allow"].key.place
                reader.wrong(place, f"allow entry {listed.written!r} has an amount", hint="put amounts into deny")
        approve: list[ToolEntry] = []
        for entry in approvals:
            reader.choice(entry.value, f"approval of {entry.key.text!r}", ("required",))
            tool = self._tool(entry.key)
            if tool is not None:
                approve.append(tool)
        return ToolRules(
            allow=None if allow is None else _sorted(allow),
            deny=_sorted(self._listed(value_of(entries, "deny"), "deny")),
            approve=_sorted(approve),
        )

    def _listed(self, node: Node | None, what: str) -> list[ToolEntry]:
        found = (self._tool(item) for item in self._reader.items(node, what))
        return [entry for entry in found if entry is not None]

    def _tool(self, node: Node) -> ToolEntry | None:
        written = node.text if isinstance(node, Scalar) else ""
        name, over = written, None
        guard = _GUARD.fullmatch(written)
        if guard is not None:
            name, currency = guard["name"], guard["currency"] or "usd"
            if currency not in CURRENCIES:
                self._reader.wrong(node.place, f"unknown currency {currency!r}", value=currency, names=CURRENCIES)
                return None
            minor = self._reader.amount(Scalar(node.place, guard["amount"], quoted=False), currency)
            over = None if minor is None else Money(minor, currency)
        tools = _tools_named(name)
        if not tools:
            self._reader.wrong(
                node.place,
                f"unknown tool {written[:80]!r}",
                value=written,
                names=_TOOL_NAMES,
                hint="a tool, an alias, `family.*`, or any of them with `_over_50`",
            )
            return None
        return ToolEntry(written, tools, over)

    # limits and budgets

    def limits(self, node: Node | None) -> tuple[tuple[LimitRule, ...], dict[str, Entry]]:
        """`limits:`: caps per customer and tenant; and the budget keys that articles write here."""
        reader = self._reader
        entries = reader.table(node, "limits", ("customer", "tenant", *BUDGET_ALIASES))
        limits: dict[str, LimitRule] = {}
        places: dict[str, Place] = {}
        for scope in LimitScope:
            for item in reader.items(value_of(entries, scope.value), scope.value):
                limit = self._limit(item, scope)
                if limit is None:
                    continue
                first = places.setdefault(limit.limit_id, item.place)
                if first is not item.place and first.file == item.place.file:
                    hint = f"the first is on line {first.line}"
                    reader.wrong(
                        item.place, f"limit {limit.limit_id!r} is there twice", value=limit.limit_id, hint=hint
                    )
                limits[limit.limit_id] = limit
        return tuple(limits[limit_id] for limit_id in sorted(limits)), {
            BUDGET_ALIASES[key]: entry for key, entry in entries.items() if key in BUDGET_ALIASES
        }

    def _limit(self, node: Node, scope: LimitScope) -> LimitRule | None:
        reader = self._reader
        entries = reader.table(node, "a limit", LIMIT_KEYS)
        limit_id = reader.word(reader.required(entries, "id", node.place, "a limit"), "id")
        window_s = reader.seconds(reader.required(entries, "window", node.place, "a limit"), "window")
        amounts = reader.amounts(value_of(entries, "amount"), "amount")
        count = reader.integer(value_of(entries, "count"), "count", most=1_000_000)
        applies = reader.choice(value_of(entries, "applies_to"), "applies_to", ("automatic", "all"))
        if "amount" not in entries and "count" not in entries:
            reader.wrong(node.place, "a limit caps nothing", hint="add `amount:` or `count:`")
        if window_s == 0:
            reader.wrong(node.place, "a limit's window is empty", value="0", hint="write 1h, 1d or 90d")
        if limit_id is None or window_s is None:
            return None
        return LimitRule(limit_id, scope, window_s, amounts, count, automatic_only=applies != "all")

    def budgets(self, node: Node | None, aliases: dict[str, Entry]) -> RunBudget:
        """`budgets:` of one run. Every call counts, a repeated one too."""
        reader = self._reader
        entries = dict(reader.table(node, "budgets", BUDGET_KEYS))
        for key, entry in aliases.items():
            if key in entries:
                reader.wrong(
                    entry.key.place, f"{entry.key.text!r} is also set as budgets.{key}", hint="keep one of them"
                )
            entries[key] = entry
        return RunBudget(
            tool_calls=reader.integer(value_of(entries, "tool_calls"), "tool_calls"),
            model_calls=reader.integer(value_of(entries, "model_calls"), "model_calls"),
            tokens=reader.integer(value_of(entries, "tokens"), "tokens"),
            spend_usd_micros=self._micros(value_of(entries, "spend_usd")),
            seconds=reader.seconds(value_of(entries, "time"), "time"),
        )

    def _micros(self, node: Node | None) -> int | None:
        """US dollars with up to six decimals as millionths: model calls cost less than a cent."""
        if node is None:
            return None
        if isinstance(node, Scalar) and not node.quoted and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", node.text):
            return int(Decimal(node.text).scaleb(6))
        self._reader.wrong(node.place, "spend_usd must be a decimal number", hint="write 0.25, at most six decimals")
        return None

    # the rest

    def questions(self, node: Node | None) -> Questions:
        """`questions: {max: 2, wait: 7d}`."""
        entries = self._reader.table(node, "questions", ("max", "wait"))
        most = self._reader.integer(value_of(entries, "max"), "max", most=10)
        wait_s = self._reader.seconds(value_of(entries, "wait"), "wait")
        return Questions(
            Questions().max_questions if most is None else most,
            Questions().wait_s if wait_s is None else wait_s,
        )

    def domains(self, node: Node | None) -> Domains:
        """`domains: {recipients: [...], links: [...]}`; `*.example.com` permits every name below example.com."""
        entries = self._reader.table(node, "domains", ("recipients", "links"))
        return Domains(
            self._domain_list(value_of(entries, "recipients"), "recipients"),
            self._domain_list(value_of(entries, "links"), "links"),
        )

    def _domain_list(self, node: Node | None, what: str) -> tuple[str, ...]:
        found: list[str] = []
        for item in self._reader.items(node, what):
            written = item.text if isinstance(item, Scalar) else ""
            if _DOMAIN.fullmatch(written):
                found.append(written)
            else:
                self._reader.wrong(
                    item.place, f"{written[:80]!r} is no domain", value=written, hint="like shop.example.com"
                )
        return tuple(sorted(set(found)))

    def privacy(self, node: Node | None) -> Privacy:
        """`privacy: {never_read, never_model, never_log, forbidden_providers}`."""
        entries = self._reader.table(node, "privacy", (*Kept, "forbidden_providers"))
        never_read, never_model, never_log = (self._fields(value_of(entries, kept), kept) for kept in Kept)
        providers = self._reader.items(value_of(entries, "forbidden_providers"), "forbidden_providers")
        named = {self._reader.choice(item, "a provider", PROVIDERS) for item in providers}
        forbidden = tuple(sorted(name for name in named if name is not None))
        return Privacy(never_read, never_model, never_log, forbidden)

    def _fields(self, node: Node | None, kept: Kept) -> tuple[str, ...]:
        names = tuple(names_kept_from(kept))
        found: set[str] = set()
        for item in self._reader.items(node, kept):
            written = item.text if isinstance(item, Scalar) else ""
            if is_field(written, kept):
                found.add(written)
            else:
                self._reader.wrong(
                    item.place,
                    f"{kept} cannot name {written[:80]!r}",
                    value=written,
                    names=names,
                    hint=f"write one of {', '.join(names)}",
                )
        return tuple(sorted(found))

    def models(self, node: Node | None) -> tuple[RoleModels, ...]:
        """`models: {draft: {order: [claude-sonnet-5-5, local], prompt: draft}}`, by role."""
        reader = self._reader
        entries = reader.table(node, "models", ROLES_OF_RUNS)
        found: list[RoleModels] = []
        for role, entry in sorted(entries.items()):
            wishes = reader.table(entry.value, role, ("order", "prompt"))
            prompt = reader.word(value_of(wishes, "prompt"), "prompt")
            if prompt is not None and not _PROMPT.fullmatch(prompt):
                hint = "small letters, digits and -"
                reader.wrong(wishes["prompt"].value.place, f"{prompt!r} names no prompt", value=prompt, hint=hint)
            order = self._order(value_of(wishes, "order"))
            if order or prompt is not None:
                found.append(RoleModels(ModelRole(role), order, prompt))
        return tuple(found)

    def _order(self, node: Node | None) -> tuple[str, ...]:
        names = self._reader.words(node, "order")
        for name in names:
            if node is not None and not _MODEL.fullmatch(name):
                self._reader.wrong(
                    node.place, f"{name!r} is no model", value=name, hint="write a Claude model's id, or local"
                )
        return names

    def logging(self, node: Node | None) -> Logging:
        """`logging:`. Redaction may be stated as on; it cannot be switched off."""
        reader = self._reader
        entries = reader.table(node, "logging", ("retention_days", "pii_redaction", "trace_export"))
        redaction = reader.choice(
            value_of(entries, "pii_redaction"),
            "pii_redaction",
            ("true", "enabled", "false", "disabled"),
        )
        if redaction in {"false", "disabled"}:
            reader.wrong(
                entries["pii_redaction"].value.place,
                "redaction of personal data cannot be switched off",
                value=redaction,
                hint="write true or remove the key",
            )
        days = reader.integer(value_of(entries, "retention_days"), "retention_days", least=1, most=3660)
        return Logging(
            Logging().retention_days if days is None else days, self._export(value_of(entries, "trace_export"))
        )

    def _export(self, node: Node | None) -> str | None:
        target = self._reader.text(node, "trace_export", longest=500)
        if target is None or node is None or _EXPORT.fullmatch(target):
            return target
        hint = "write s3://BUCKET/PREFIX, or an address that begins with https://"
        self._reader.wrong(node.place, "trace_export must be an address", value=target, hint=hint)
        return None

    def verification(self, node: Node | None) -> tuple[Verification, ...]:
        """`verification:`, a list of `{type: schema, schema: NAME}` and `{type: policy, ruleset: NAME}`.

        `included: true` says that the ruleset's rules stand in this file already.
        """
        reader = self._reader
        found: list[Verification] = []
        for item in reader.items(node, "verification"):
            kind = item.get("type") if isinstance(item, Table) else None
            is_policy = isinstance(kind, Scalar) and kind.text == "policy"
            entries = reader.table(
                item, "a verification", ("type", "ruleset", "included") if is_policy else ("type", "schema")
            )
            word = reader.choice(
                reader.required(entries, "type", item.place, "a verification"),
                "type",
                ("schema", "policy"),
            )
            key = "ruleset" if is_policy else "schema"
            target = reader.word(reader.required(entries, key, item.place, "a verification"), key)
            included = "included" in entries and reader.flag(entries["included"].value, "included")
            if word is not None and target is not None:
                found.append(Verification(word, target, resolved=not is_policy or included is True))
        return tuple(found)


def _sorted(entries: tuple[ToolEntry, ...] | list[ToolEntry]) -> tuple[ToolEntry, ...]:
    return tuple(sorted(set(entries), key=lambda entry: entry.written))


def _tools_named(name: str) -> frozenset[Tool]:
    if name.endswith(".*"):
        return FAMILIES.get(name[:-1], frozenset())
    if name in ALIASES:
        return frozenset({ALIASES[name]})
    return frozenset(tool for tool in Tool if tool.value == name)
