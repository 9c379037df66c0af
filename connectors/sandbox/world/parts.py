"""The pieces of a scenario file: customers, charges, orders, tickets, what happens later, what people do.

Closed models: unknown keys are refused, and so is a float where an amount stands, since its digits are already lost.
Ages count back from the moment the world is loaded. Whether references lead somewhere is for `model` to say.
"""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connectors.sandbox.faults import Fault, FaultKind
from connectors.sandbox.stripe.objects import CARDS

AGENT: Final = "agent"
"""The name under which a comment comes from the shop's own agent."""


def _exact(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is not an exact amount: write a decimal literal such as 24.90")  # noqa: TRY004
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a decimal number: write it like 24.90") from error


def _decoded(value: object) -> object:
    if isinstance(value, bytes):
        return value
    try:
        return b64decode(str(value), validate=True)
    except ValueError as error:
        raise ValueError("the content is not Base64: encode the file's bytes") from error


Amount = Annotated[Decimal, BeforeValidator(_exact)]
Age = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, le=36_500)]
Key = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A piece of a world. Numbers may stand for text, so that an order may be called 1042."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, populate_by_name=True)


class Aged(Part):
    """Something that happened a while ago; just now where no age is given."""

    days_ago: Age | None = None
    hours_ago: Age | None = None
    minutes_ago: Age | None = None

    @model_validator(mode="after")
    def _one_age(self) -> Self:
        if sum(age is not None for age in (self.days_ago, self.hours_ago, self.minutes_ago)) > 1:
            raise ValueError("more than one age: give days_ago, hours_ago or minutes_ago")
        return self

    def at(self, now: datetime) -> datetime:
        """When it happened."""
        days, hours, minutes = (float(age or 0) for age in (self.days_ago, self.hours_ago, self.minutes_ago))
        return now - timedelta(days=days, hours=hours, minutes=minutes)


class Customer(Part):
    """A person: a Zendesk user and, unless `stripe` is false, a Stripe customer."""

    key: Key
    name: str
    email: str
    verified: bool = Field(default=True, description="the address is verified in Zendesk")
    segment: str | None = Field(default=None, description="goes into the Stripe customer's metadata")
    cc: tuple[Key, ...] = Field(default=(), description="customers carbon-copied on every ticket of this one")
    tags: tuple[str, ...] = Field(default=(), description="tags of the Zendesk user")
    locale: str = "en-US"
    phone: str | None = None
    shared: bool = Field(default=False, description="a user of another Zendesk account, from a shared ticket")
    stripe: bool = True
    stripe_email: str | None = Field(default=None, description="where it differs from the one in Zendesk")
    linked: bool = Field(default=False, description="the Stripe customer's metadata names the Zendesk user")
    metadata: dict[str, str] = Field(default_factory=dict, description="more metadata of the Stripe customer")


def _known_card(number: str) -> str:
    if number not in CARDS:
        raise ValueError(f"unknown test card {number!r}: use one of {', '.join(CARDS)}")
    return number


class Charge(Aged):
    """A payment. `order` names an order of this world, or simply is an order number; it goes into the metadata."""

    key: Key
    customer: Key
    amount: Amount
    currency: str
    description: str = ""
    order: str | None = None
    card: Annotated[str, AfterValidator(_known_card)] = "4242424242424242"
    captured: bool = True
    risk_level: Literal["normal", "elevated", "highest", "not_assessed", "unknown"] = "normal"
    billing_email: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class Goods(Part):
    """What may be said of an item, or of all items of an order. What is left out is unknown to the shop, too."""

    category: Literal["physical", "digital", "perishable", "custom"] | None = None
    final_sale: bool | None = None
    fulfilment: Literal["unfulfilled", "shipped", "delivered", "cancelled"] | None = None
    shipped_days_ago: Age | None = None
    delivered_days_ago: Age | None = None
    return_requested_days_ago: Age | None = None
    returned: bool | None = Field(default=None, description="the goods are back; just now, unless an age is given")
    returned_days_ago: Age | None = None


class Item(Goods):
    """A line of an order."""

    key: Key
    name: str | None = None
    amount: Amount | None = None
    quantity: Annotated[int, Field(ge=1)] | None = 1
    price_now: Amount | None = None


class Carrier(Part):
    """Who carries the parcel."""

    name: str | None = None
    tracking_url: str | None = None


class Order(Goods):
    """An order of the shop. Without items it has one, for what its charges paid; its words hold for all its items."""

    key: Key
    customer: Key
    number: str | None = Field(default=None, description="as customers write it; the key where left out")
    charge: Key | None = None
    charges: tuple[Key, ...] = ()
    currency: str | None = Field(default=None, description="where no charge tells it")
    items: tuple[Item, ...] | None = None
    placed_days_ago: Age | None = None
    promised_days_ago: Age | None = None
    promised_in_days: Age | None = None
    carrier: Carrier | None = None

    @property
    def order_id(self) -> str:
        """The shop's number of the order."""
        return self.number or self.key

    @property
    def charge_keys(self) -> tuple[str, ...]:
        """The charges that paid for it."""
        return (*([self.charge] if self.charge else []), *self.charges)


class Subscription(Part):
    """A Stripe subscription. `used` says whether it was used since the last renewal; the orders service knows it."""

    key: Key
    customer: Key
    price: Amount
    currency: str = "usd"
    period: Literal["day", "week", "month", "year"]
    started_days_ago: Age = Decimal(0)
    used: bool | None = None
    status: Literal["active", "trialing", "past_due", "canceled", "unpaid", "incomplete"] = "active"
    charge: Key | None = Field(default=None, description="the charge that paid the current period")


class Dispute(Aged):
    """A dispute, or an inquiry where the status begins with `warning`."""

    charge: Key
    reason: str
    status: str


class EarlyFraudWarning(Aged):
    """An early fraud warning of the card network."""

    charge: Key
    actionable: bool = True


class Refund(Aged):
    """A refund that was made before, by somebody else."""

    charge: Key
    amount: Amount
    reason: Literal["duplicate", "requested_by_customer"] | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class Article(Part):
    """A page of the help centre. The doubles do not hold it: who runs the scenario ingests it."""

    id: Key
    title: str
    text: str
    labels: tuple[str, ...] = ()


class LaterDispute(Part):
    """A dispute that is still to come."""

    charge: Key
    reason: str
    status: str = "needs_response"


class LaterRefund(Part):
    """A refund that a person makes in the Dashboard."""

    charge: Key
    amount: Amount


class Later(Part):
    """One event after `after_s` seconds of the sandbox's clock. `ticket` is the position of the ticket it is about."""

    after_s: Annotated[float, Field(ge=0)]
    ticket: Annotated[int, Field(ge=0)] = 0
    by: Key | None = Field(default=None, description="the customer who writes; the requester where left out")
    customer_writes: str | None = None
    agent_writes: str | None = None
    human_refunds: LaterRefund | None = None
    dispute: LaterDispute | None = None
    ticket_deleted: Literal[True] | None = None
    status: Literal["new", "open", "pending", "hold", "solved", "closed"] | None = None

    @model_validator(mode="after")
    def _one_event(self) -> Self:
        happenings = (
            self.customer_writes,
            self.agent_writes,
            self.human_refunds,
            self.dispute,
            self.ticket_deleted,
            self.status,
        )
        if sum(happening is not None for happening in happenings) != 1:
            raise ValueError(
                "not exactly one event: give customer_writes, agent_writes, human_refunds, dispute, ticket_deleted "
                "or status",
            )
        return self


class FaultLine(Part):
    """A fault to arm; see `connectors.sandbox.faults.Fault`."""

    at: Key
    kind: FaultKind
    times: Annotated[int, Field(ge=1)] = 1
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    delay_s: Annotated[float, Field(ge=0)] = 30.0
    retry_after_s: Annotated[int, Field(ge=0)] = 1

    def fault(self) -> Fault:
        """The fault."""
        return Fault(**self.model_dump())


class Reviewer(Part):
    """What a person does when a run waits for one."""

    when: Literal["waiting"]
    do: Literal["approve", "edit", "reject", "stop"]
    who: Key = Field(alias="as")
    reply: str | None = Field(default=None, description="the edited reply")
    amount: Amount | None = Field(default=None, description="the edited amount")
    note: str | None = None
    after_s: Annotated[float, Field(ge=0)] = 0.0


class Attachment(Part):
    """A file on a comment."""

    name: str
    content_type: str = "application/octet-stream"
    size: Annotated[int, Field(ge=0)] = 0
    content: Annotated[bytes, BeforeValidator(_decoded)] = Field(
        default=b"", description="in Base64; without it the file can be listed and not be fetched"
    )

    @property
    def size_bytes(self) -> int:
        """Its size: the content's, where there is one."""
        return len(self.content) or self.size


class TicketComment(Part):
    """A comment: from a customer of the world, or from `agent`. `flags` are Zendesk's numbers for what is doubtful."""

    who: Key = Field(alias="from")
    body: str
    public: bool = True
    flags: tuple[int, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    suspension: int | None = Field(default=None, description="the cause for which Zendesk had suspended it")
    sender: str | None = Field(default=None, description="the address of a mail, where it is not the author's")


class Ticket(Part):
    """A ticket that arrives once the world stands."""

    requester: Key
    channel: str = "email"
    subject: str = ""
    comments: Annotated[tuple[TicketComment, ...], Field(min_length=1)]
    cc: tuple[Key, ...] = ()
    tags: tuple[str, ...] = ()
    custom_fields: dict[str, str | bool | int | None] = Field(default_factory=dict, description="by the field's title")
