"""The task contract: what each tool takes, how it fails, the way back; what models answer; what never happens. Pure.

Parameters of writes come from the functions that build their bodies, and schemas of models' answers from the forms that
read them, so this cannot say something else than what is sent and taken.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from connectors.stripe.bodies import CancelWhen, cancel_payment_body, cancel_subscription_body, refund_body
from connectors.zendesk.update import update_body
from graph.models.question import schema_of
from graph.models.roles.draft import DraftForm
from graph.models.roles.plan import ChoiceForm
from graph.models.roles.safety import SafetyForm
from graph.models.roles.summary import SummaryForm
from graph.models.roles.triage import TriageForm
from policies.locked import FLAGS, HUMAN_ONLY
from policies.money import Money
from policies.tools import READS
from policies.vocabulary import ModelRole, Tool

FORMS: Final[Mapping[ModelRole, type[BaseModel]]] = {
    ModelRole.TRIAGE: TriageForm,
    ModelRole.PLAN: ChoiceForm,
    ModelRole.DRAFT: DraftForm,
    ModelRole.SUMMARISE: SummaryForm,
    ModelRole.SAFETY: SafetyForm,
}

READ_FAILS: Final = (
    "a read that does not come back is tried again later, the run waits; a refusal is a fact that is not known; "
    "denied access makes the connector draft-only"
)
WRITE_FAILS: Final = (
    "done, refused or unknown. Unknown keeps what was reserved and is asked for again with the same key, then looked "
    "up in the vendor's list, then given to a person; nothing is sent after twenty hours"
)

_WHAT: Final[Mapping[Tool, str]] = {
    Tool.ZENDESK_READ: "reads the ticket, its comments, its requester, groups and macros",
    Tool.ZENDESK_REPLY: "writes one public comment, with tags and status in the same update",
    Tool.ZENDESK_UPDATE: "writes an internal note, tags, status, group and fields",
    Tool.STRIPE_READ: "reads customers, charges, refunds, disputes, warnings and subscriptions",
    Tool.STRIPE_REFUND: "refunds one charge by an explicit amount",
    Tool.STRIPE_CANCEL_SUBSCRIPTION: "cancels one subscription, at the end of its period or now",
    Tool.STRIPE_CANCEL_PAYMENT: "releases one payment that was authorised and not captured",
    Tool.ORDERS_READ: "reads orders from the shop's service or mapped fields",
    Tool.KB_SEARCH: "searches the shop's documents, on this installation",
    Tool.MODEL_CALL: "asks a model for a value of a finite type",
}
_WAY_BACK: Final[Mapping[Tool, str]] = {
    Tool.ZENDESK_REPLY: "none: the customer has it; before it leaves it can be stopped while it is held",
    Tool.ZENDESK_UPDATE: "undone from the trace of the run: tags, status and group are put back where nobody changed "
    "them since, and a note is withdrawn",
    Tool.STRIPE_REFUND: "none once it left: a card refund cannot be taken back; during its hold anybody may stop it, "
    "and it stops by itself when the customer writes or the ticket or charge changes",
    Tool.STRIPE_CANCEL_SUBSCRIPTION: "at the end of a period: by hand at Stripe until then; now: a new subscription",
    Tool.STRIPE_CANCEL_PAYMENT: "none: the customer must pay anew",
}
INVARIANTS: Final = (
    "no amount, id, address, link or text of policy from a model reaches a decision",
    "refunded and reserved never pass what was captured; spent and reserved never pass a cap",
    "an intended refund is at most one refund at Stripe",
    "nothing is sent before its key, its bytes and the time are committed",
    "deny beats needs_approval beats allow; what matches nothing asks a person; an error denies",
    "a change and its event are one transaction",
    "a transaction sees one tenant's rows",
)


def contract() -> dict[str, Any]:
    """The whole contract."""
    return {
        "tools": [_tool(tool) for tool in Tool],
        "models_answer": {role.value: schema_of(form) for role, form in FORMS.items()},
        "invariants": list(INVARIANTS),
        "never": never_rules(),
    }


def never_rules() -> list[str]:
    """What no policy file can change, in words."""
    flags = [f"{rule}: {effect.value} where {why}" for rule, _, effect, _, _, why, _ in FLAGS]
    refunds = [
        "locked.no-amount: a refund moves more than nothing",
        "locked.currency: a refund is paid in the currency of its charge",
        "locked.remaining: a refund is never larger than what is left of its charge",
    ]
    people = [f"locked.human-only: {kind.value} is never done by the agent" for kind in sorted(HUMAN_ONLY)]
    return [*flags, *refunds, *people]


def _tool(tool: Tool) -> dict[str, Any]:
    is_read = tool in READS
    return {
        "tool": tool.value,
        "what": _WHAT[tool],
        "changes_something": not is_read,
        "parameters": _parameters(tool),
        "errors": READ_FAILS if is_read else WRITE_FAILS,
        "way_back": "nothing to take back" if is_read else _WAY_BACK[tool],
    }


def _parameters(tool: Tool) -> list[str]:
    """The names of what is sent, from who builds it."""
    bodies = {
        Tool.STRIPE_REFUND: lambda: refund_body("ch_1", Money(1, "usd"), intent_id="eff_1"),
        Tool.STRIPE_CANCEL_SUBSCRIPTION: lambda: cancel_subscription_body(
            "sub_1", when=CancelWhen.PERIOD_END, intent_id="eff_1", prorate=False
        ),
        Tool.STRIPE_CANCEL_PAYMENT: lambda: cancel_payment_body("pi_1"),
    }
    if tool in bodies:
        return sorted(json.loads(bodies[tool]()))
    if tool in {Tool.ZENDESK_REPLY, Tool.ZENDESK_UPDATE}:
        kinds = inspect.signature(update_body).parameters.values()
        return [one.name for one in kinds if one.kind is inspect.Parameter.KEYWORD_ONLY]
    return []
