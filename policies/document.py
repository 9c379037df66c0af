"""What a policy file says, as frozen values. Nothing here decides; `policies.evaluate` does.

All money is in minor units per currency, all durations in seconds. Two policies are equal when their canonical forms
are, whatever the order and the comments of their files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

from policies.breakers import Breaker
from policies.conditions import Condition
from policies.decision import LimitScope, RunBudget
from policies.tools import ToolRules
from policies.vocabulary import ActionKind, Intent, Mode, ModelRole, Reason, Verdict

Amounts = Mapping[str, int]
"""Minor units by currency. A currency that is not in it has no amount, which never means zero or unbounded."""

NO_AMOUNTS: Final[Amounts] = MappingProxyType({})
DEFAULT_ROLES: Final = ("agent", "cs_lead", "ops_lead")
"""From the least to the most senior, where the file declares none."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days on which something holds, in UTC, both ends included. None is open."""

    first: date | None = None
    last: date | None = None

    def covers(self, day: date) -> bool:
        """Whether the day lies inside."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


ALWAYS: Final = Window()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    `priority` only chooses which of several rules with the same effect is named; it never changes a verdict.
    `skip_unknown`: the author states that this rule stays silent where a fact it asks about is unknown. `never` marks a
    never-rule, which a file that extends this one cannot replace.
    """

    rule_id: str
    section: str | None
    effect: Verdict
    reason: str
    condition: Condition
    approvers: tuple[str, ...] = ()
    cause: Reason | None = None
    priority: int = 0
    skip_unknown: bool = False
    never: bool = False
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Band:
    """A tier's amounts on certain days, instead of its ordinary ones."""

    window: Window
    at_most: Amounts


@dataclass(frozen=True, slots=True)
class Tier:
    """A rung of autonomy with its bounds.

    `at_most` None covers every amount; a listed currency covers up to its amount, an unlisted one nothing.
    """

    name: str
    mode: Mode
    at_most: Amounts | None = None
    min_confidence_percent: int = 0
    hold_s: int = 0
    approvers: tuple[str, ...] = ()
    section: str | None = None
    during: tuple[Band, ...] = ()

    def amounts_on(self, day: date) -> Amounts | None:
        """The amounts that hold on the day: the smallest of the bands that cover it, else the ordinary ones."""
        bands = [band.at_most for band in self.during if band.window.covers(day)]
        if not bands:
            return self.at_most
        shared = set(bands[0]).intersection(*bands[1:])
        return {currency: min(band[currency] for band in bands) for currency in shared}


@dataclass(frozen=True, slots=True)
class Cell:
    """A line of the autonomy matrix. None stands for any."""

    intent: Intent | None
    segment: str | None
    action: ActionKind | None
    brand: str | None
    tier: str
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Autonomy:
    """Tiers and the matrix of intent, segment, action and brand. A cell that nobody listed is `default`."""

    tiers: tuple[Tier, ...] = ()
    matrix: tuple[Cell, ...] = ()
    default: Mode = Mode.DRAFT


@dataclass(frozen=True, slots=True)
class ApproverBand:
    """Who may approve up to an amount. None has no upper bound."""

    at_most: Amounts | None
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approvals:
    """Who says yes, and for how long a yes may be given."""

    expires_s: int = 72 * 3600
    roles: tuple[str, ...] = DEFAULT_ROLES
    bands: tuple[ApproverBand, ...] = ()
    four_eyes_above: Amounts | None = None

    def may_approve(self, role: str, required: tuple[str, ...]) -> bool:
        """Whether the role is one of the required ones or more senior than one of them."""
        if role in required:
            return True
        if role not in self.roles:
            return False
        ranks = [self.roles.index(other) for other in required if other in self.roles]
        return bool(ranks) and self.roles.index(role) >= min(ranks)

    def needs_four_eyes(self, amount_minor: int, currency: str) -> bool:
        """Whether two people must approve. A currency without a stated amount needs them for any money."""
        if self.four_eyes_above is None:
            return False
        return amount_minor > self.four_eyes_above.get(currency, 0)


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A cap over a window. `automatic_only` leaves out what a person approved."""

    limit_id: str
    scope: LimitScope
    window_s: int
    amounts: Amounts | None
    count: int | None
    automatic_only: bool = True


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """Points that a condition adds to the risk of an action. Where the condition is unknown, positive points count."""

    factor_id: str
    points: int
    reason: str
    condition: Condition
    skip_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Risk:
    """The visible risk score; from `approve_at` points on a person must say yes."""

    factors: tuple[RiskFactor, ...] = ()
    approve_at: int | None = None


@dataclass(frozen=True, slots=True)
class Questions:
    """How often a customer is asked, and how long an answer is waited for, in seconds."""

    max_questions: int = 2
    wait_s: int = 7 * 86400


@dataclass(frozen=True, slots=True)
class Domains:
    """Where mail may go and links may point. `shop.example` permits itself only, `*.shop.example` what is below it.

    Links to domains that are not listed are not permitted. A reply goes to the ticket's requester and nobody else;
    where recipients are listed, only to one whose address is in them.
    """

    recipients: tuple[str, ...] = ()
    links: tuple[str, ...] = ()

    def permits_link(self, host: str) -> bool:
        """Whether a reply may hold a link to the host."""
        return _covers(self.links, host)

    def permits_recipient(self, address: str) -> bool:
        """Whether a reply may go to the address of a requester."""
        return not self.recipients or _covers(self.recipients, address.rpartition("@")[2])


def _covers(domains: tuple[str, ...], host: str) -> bool:
    name = host.lower().rstrip(".")
    return any(name == domain or (domain.startswith("*.") and name.endswith(domain[1:])) for domain in domains)


@dataclass(frozen=True, slots=True)
class Privacy:
    """Fields (`policies.fields`) that are never read, sent to a model or logged; providers that are forbidden."""

    never_read: tuple[str, ...] = ()
    never_model: tuple[str, ...] = ()
    never_log: tuple[str, ...] = ()
    forbidden_providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleModels:
    """Which models answer a role under this policy, in the order of trying, and by which prompt.

    No models, or no prompt, leaves the installation's. `local` in the order ends it at the embedded model.
    """

    role: ModelRole
    models: tuple[str, ...] = ()
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Logging:
    """Retention and export of run logs. Redaction has no switch: it is always on."""

    retention_days: int = 365
    trace_export: str | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """A check that a result must pass: a schema by name, or a ruleset.

    `resolved` is false for a ruleset that was not found, whose rules therefore never allow anything.
    """

    kind: str
    target: str
    resolved: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A whole policy. `content_hash` is the SHA-256 of its canonical form and is its identity."""

    policy_id: str
    title: str
    content_hash: str = ""
    version: str | None = None
    description: str | None = None
    segments: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    autonomy: Autonomy = field(default_factory=Autonomy)
    rules: tuple[Rule, ...] = ()
    tools: ToolRules = field(default_factory=ToolRules)
    approvals: Approvals = field(default_factory=Approvals)
    limits: tuple[LimitRule, ...] = ()
    risk: Risk = field(default_factory=Risk)
    budgets: RunBudget = field(default_factory=RunBudget)
    questions: Questions = field(default_factory=Questions)
    domains: Domains = field(default_factory=Domains)
    privacy: Privacy = field(default_factory=Privacy)
    logging: Logging = field(default_factory=Logging)
    verification: tuple[Verification, ...] = ()
    canary_percent: int = 0
    breakers: tuple[Breaker, ...] = ()
    models: tuple[RoleModels, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and other.content_hash == self.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    @property
    def tiers(self) -> Mapping[str, Tier]:
        """The tiers by name."""
        return {tier.name: tier for tier in self.autonomy.tiers}
