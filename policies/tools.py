"""Allow-lists, deny-lists and approvals of tools, by name, alias or family, with an optional amount.

Precedence, whatever the order of the file: a deny entry beats an approval, an approval beats an allow entry, and where
an allow-list exists everything it does not name is denied. `family.*` names every tool of the family. `NAME_over_50`
speaks only about more than 50.00 USD, `NAME_over_45_eur` about more than 45.00 EUR; for money in another currency such
an entry cannot be ruled out, so it asks for approval.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from policies.money import Money
from policies.vocabulary import ActionKind, Tool, Verdict

ALIASES: Final = MappingProxyType(
    {
        "zendesk.read_ticket": Tool.ZENDESK_READ,
        "zendesk.update_ticket": Tool.ZENDESK_UPDATE,
        "zendesk.add_comment": Tool.ZENDESK_REPLY,
        "external_email.send": Tool.ZENDESK_REPLY,
        "billing.read": Tool.STRIPE_READ,
        "billing.refund": Tool.STRIPE_REFUND,
        "billing.cancel_subscription": Tool.STRIPE_CANCEL_SUBSCRIPTION,
        "billing.cancel_payment": Tool.STRIPE_CANCEL_PAYMENT,
    },
)
"""Other people's words for our tools. A public reply reaches the customer as e-mail."""

FAMILIES: Final = MappingProxyType(
    {
        family: frozenset(
            tool for name, tool in [*((tool.value, tool) for tool in Tool), *ALIASES.items()] if name.startswith(family)
        )
        for family in ("zendesk.", "stripe.", "billing.", "orders.", "kb.", "model.", "external_email.")
    },
)

READS: Final = frozenset({Tool.ZENDESK_READ, Tool.STRIPE_READ, Tool.ORDERS_READ, Tool.KB_SEARCH, Tool.MODEL_CALL})
"""Tools that change nothing."""

TOOL_OF_ACTION: Final = MappingProxyType(
    {
        ActionKind.REFUND: Tool.STRIPE_REFUND,
        ActionKind.CANCEL_SUBSCRIPTION: Tool.STRIPE_CANCEL_SUBSCRIPTION,
        ActionKind.CANCEL_PAYMENT: Tool.STRIPE_CANCEL_PAYMENT,
        ActionKind.REPLY: Tool.ZENDESK_REPLY,
        ActionKind.ASK_CUSTOMER: Tool.ZENDESK_REPLY,
        ActionKind.HAND_OFF: Tool.ZENDESK_UPDATE,
    },
)
"""What an action calls. A proposal for a person (a label, a replacement) and a human-only action call nothing."""


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """A line of a list, as written and as understood. `over` restricts it to more than that amount."""

    written: str
    tools: frozenset[Tool]
    over: Money | None = None

    def speaks_about(self, tool: Tool, amount: Money | None) -> bool | None:
        """True, False, or None where the amount cannot be compared."""
        if tool not in self.tools:
            return False
        if self.over is None:
            return True
        if amount is None or amount.currency != self.over.currency:
            return None
        return amount.minor > self.over.minor


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the lists say about one call: the verdict and the entry that said it.

    `certain` is false where an amount could not be compared.
    """

    verdict: Verdict
    entry: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class ToolRules:
    """The three lists. `allow` None means that no allow-list was written: nothing is denied for missing in it."""

    allow: tuple[ToolEntry, ...] | None = None
    deny: tuple[ToolEntry, ...] = ()
    approve: tuple[ToolEntry, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether the file says nothing about tools at all."""
        return self.allow is None and not self.deny and not self.approve

    def refusal_to_read(self, tool: Tool) -> str | None:
        """Why a reading tool may not be called, or None where it may.

        Nobody can be asked before every read, so an entry that asks for approval refuses. An allow-list that names a
        tool which acts on a system opens that system to reading: nothing is decided without its facts.
        """
        for entries, word in ((self.deny, "tools.deny"), (self.approve, "approvals")):
            for entry in entries:
                if tool in entry.tools and entry.over is None:
                    return f"{word}:{entry.written}"
        if self.allow is None:
            return None
        system = tool.value.partition(".")[0]
        opened = {named.value.partition(".")[0] for entry in self.allow for named in entry.tools - READS}
        if system in opened or any(tool in entry.tools for entry in self.allow):
            return None
        return f"tools.allow:{tool.value} is not in it"

    def answer(self, tool: Tool, amount: Money | None = None) -> ToolAnswer | None:
        """What the lists say about calling the tool with the amount, or None where they say nothing."""
        unsure: ToolAnswer | None = None
        for entries, verdict, word in (
            (self.deny, Verdict.DENY, "tools.deny"),
            (self.approve, Verdict.NEEDS_APPROVAL, "approvals"),
        ):
            for entry in entries:
                speaks = entry.speaks_about(tool, amount)
                if speaks:
                    # A certain approval does not hide a denial that could not be ruled out: both end at a person.
                    return ToolAnswer(verdict, f"{word}:{entry.written}")
                if speaks is None:
                    unsure = unsure or ToolAnswer(Verdict.NEEDS_APPROVAL, f"{word}:{entry.written}", certain=False)
        if self.allow is None:
            return unsure
        named = [entry for entry in self.allow if entry.speaks_about(tool, amount)]
        if not named:
            return ToolAnswer(Verdict.DENY, f"tools.allow:{tool.value} is not in it")
        return unsure or ToolAnswer(Verdict.ALLOW, f"tools.allow:{named[0].written}")
