"""One scenario: a world, a ticket, what people do, and what must be true in the end.

The format has a version and is published as a JSON Schema beside the suites (`countersign evals schema`). Closed
models: an unknown key is refused. Promises that an expectation can come true in its world: a refund names a charge of
it and no more than that charge took. It refuses a scenario that expects nothing, because whatever happens would be
right.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from connectors.sandbox.world.model import Setting, World
from connectors.sandbox.world.parts import Amount, Charge, Key, Part
from policies.errors import MoneyError
from policies.money import Money
from policies.vocabulary import ActionKind, Intent, Mode, Outcome, Reason, Verdict

FORMAT_VERSION: Final = 1
SHIPPED_POLICY: Final = "shipped"

Place = tuple[str | int, ...]
Status = Literal["new", "open", "pending", "hold", "solved", "closed", "deleted"]


class ExpectedRefund(Part):
    """A refund in the ledger of Stripe's double. What was refunded before the ticket arrived is not listed."""

    charge: Key
    amount: Amount


class ExpectedAction(Part):
    """What the policy answered about one request of the ticket. What is left out is not looked at."""

    kind: ActionKind
    intent: Intent | None = None
    verdict: Verdict | None = None
    section: str | None = None
    rule: str | None = None
    mode: Mode | None = None


class ExpectedReply(Part):
    """What the public replies say, all of them together. Upper and lower case are the same."""

    sent: bool | None = Field(default=None, description="whether the customer was answered at all")
    mentions: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    cites: tuple[str, ...] = Field(default=(), description="sections, such as refund-policy#3.2")
    language: str | None = Field(default=None, description="ISO 639-1 code of the language it is written in")


class ExpectedNote(Part):
    """What the internal notes for colleagues say, all of them together."""

    mentions: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class ExpectedEffects(Part):
    """How the ticket and Stripe's other objects stand in the end."""

    status: Status | None = None
    tags_add: tuple[str, ...] = Field(default=(), description="tags that are on the ticket")
    tags_never: tuple[str, ...] = Field(default=(), description="tags that are not")
    cancelled_subscriptions: tuple[Key, ...] | None = Field(
        default=None, description="all that end, now or with their period; empty: none"
    )
    cancelled_payments: tuple[Key, ...] | None = Field(
        default=None, description="charges whose authorisation was released, all of them"
    )


class Bounds(Part):
    """What the ticket may use up."""

    model_calls: Annotated[int, Field(ge=0)] | None = None
    tool_calls: Annotated[int, Field(ge=0)] | None = None
    cost_usd: Amount | None = None
    work_s: Annotated[float, Field(gt=0)] | None = Field(default=None, description="seconds in the nodes")


class CustomerLine(Part):
    """What a simulated customer writes once the shop has answered them. Each line is said once."""

    body: Annotated[str, Field(min_length=1)]
    if_said: tuple[str, ...] = Field(
        default=(),
        description="only where the shop's newest reply says one of these; upper and lower case are the same",
    )
    after_s: Annotated[float, Field(ge=0, le=30 * 86_400)] = Field(default=1800, description="seconds after the reply")


class SimulatedCustomer(Part):
    """What the first ticket's requester does after the shop's replies: by their script, or played by a model."""

    says: tuple[CustomerLine, ...] = Field(
        default=(), description="the script; after each reply the first line left that fits is said"
    )
    goal: str | None = Field(default=None, description="what they want, for a model that plays them")
    manner: Literal["polite", "angry", "vague", "chatty", "adversarial"] = "polite"
    knows: tuple[str, ...] = Field(default=(), description="all that they know, for a model that plays them")
    turns: Annotated[int, Field(ge=1, le=20)] = Field(default=4, description="messages after the first one at most")

    @model_validator(mode="after")
    def _speaks(self) -> Self:
        if not self.says and self.goal is None:
            raise ValueError("a customer who can say nothing: write a script under `says`, a `goal`, or both")
        return self


class Expectation(Part):
    """What must be true when nothing moves any more. At least one key besides an empty one."""

    outcome: Outcome | tuple[Outcome, ...] | None = Field(default=None, description="of the first ticket; or any of")
    outcomes: tuple[Outcome, ...] = Field(default=(), description="one for each ticket, where several arrive")
    reason: Reason | tuple[Reason, ...] | None = Field(default=None, description="of the first ticket; or any of")
    refunds: tuple[ExpectedRefund, ...] | None = Field(default=None, description="all of them; empty: none")
    refunds_at_most: tuple[ExpectedRefund, ...] | None = Field(
        default=None, description="instead of `refunds`: these, some of them or none"
    )
    actions: tuple[ExpectedAction, ...] = Field(default=(), description="each is among what was decided")
    reply: ExpectedReply | None = None
    note: ExpectedNote | None = None
    effects: ExpectedEffects | None = None
    within: Bounds | None = None

    @property
    def is_empty(self) -> bool:
        """Whether whatever happened would be right."""
        stated = (self.outcome, self.refunds, self.refunds_at_most, *self.outcomes, *self.actions, *self.any_reason)
        parts = (self.reply, self.note, self.effects, self.within)
        return all(one is None for one in stated) and all(one is None or one == type(one)() for one in parts)

    @property
    def all_refunds(self) -> tuple[ExpectedRefund, ...]:
        """The refunds that may be in the ledger."""
        return self.refunds or self.refunds_at_most or ()

    @property
    def any_outcome(self) -> tuple[Outcome, ...]:
        """The outcomes that are right for the first ticket; empty where it is not looked at."""
        return _several(self.outcome) or self.outcomes[:1]

    @property
    def any_reason(self) -> tuple[Reason, ...]:
        """The reasons that are right; empty where it is not looked at."""
        return _several(self.reason)


class Scenario(Setting):
    """A scenario as it is played."""

    id: Key
    why: str | None = Field(default=None, description="the reason why this scenario exists")
    tags: tuple[str, ...] = ()
    policy: str | dict[str, Any] = Field(
        default=SHIPPED_POLICY, description="`shipped`, `starter`, a file beside this one, or the policy itself"
    )
    knowledge: Literal["shop", "none"] | None = Field(
        default=None, description="documents besides world.articles; those of the demo shop with a shipped policy"
    )
    goes_on_s: Annotated[float, Field(ge=0, le=366 * 86_400)] = Field(
        default=0, description="business time that passes at least, so that what is waited for may run out"
    )
    customer: SimulatedCustomer | None = Field(default=None, description="who writes again when the shop answers")
    switches_off: tuple[str, ...] = Field(default=(), description="tools whose kill switch is thrown before")
    expect: Expectation

    @model_validator(mode="after")
    def _possible(self) -> Self:
        problems = [*_impossible(self)]
        if problems:
            raise ValidationError.from_exception_data("Scenario", problems)
        return self

    def minor(self, refund: ExpectedRefund) -> int:
        """An expected refund in minor units of its charge's currency."""
        return self.world.money(refund.charge, refund.amount).minor

    def tagged(self, kind: str) -> str | None:
        """The value of the tag `kind:value`."""
        return next((tag.partition(":")[2] for tag in self.tags if tag.startswith(f"{kind}:")), None)


def _several(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - one of an enumeration, several, or none
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _problem(place: Place, sentence: str) -> InitErrorDetails:
    # The sentence is passed as a value, since a brace in it would be taken for a placeholder.
    return InitErrorDetails(
        type=PydanticCustomError("scenario", "{sentence}", {"sentence": sentence}), loc=place, input=None
    )


def _impossible(scenario: Scenario) -> Iterator[InitErrorDetails]:
    """Why the expectation can never come true."""
    expect = scenario.expect
    tickets = len(scenario.all_tickets)
    if not tickets:
        yield _problem(("ticket",), "there is no ticket: write one, its requester a customer of the world")
    if expect.is_empty:
        yield _problem(("expect",), "nothing is expected, so nothing could be wrong: write at least `outcome:`")
    if expect.outcomes and len(expect.outcomes) != tickets:
        yield _problem(("expect", "outcomes"), f"{len(expect.outcomes)} outcomes for {tickets} tickets: one for each")
    if expect.any_reason and set(expect.any_outcome) == {Outcome.RESOLVED}:
        yield _problem(("expect", "reason"), "what is resolved has no reason: leave it out, or expect another outcome")
    yield from _impossible_money(scenario)
    yield from _impossible_words(expect)
    yield from _unknown_keys(scenario)


def _impossible_money(scenario: Scenario) -> Iterator[InitErrorDetails]:
    charges = {charge.key: charge for charge in scenario.world.charges}
    left = {key: _refundable(charge, scenario.world) for key, charge in charges.items()}
    expect = scenario.expect
    if expect.refunds is not None and expect.refunds_at_most is not None:
        yield _problem(("expect", "refunds_at_most"), "refunds are stated already: keep one of the two")
    for number, refund in enumerate(expect.all_refunds):
        place = ("expect", "refunds" if expect.refunds else "refunds_at_most", number)
        charge = charges.get(refund.charge)
        if charge is None:
            yield _problem((*place, "charge"), f"unknown charge {refund.charge!r}: add it to world.charges")
            continue
        try:
            money = Money.parse(str(refund.amount), charge.currency)
        except MoneyError as error:
            yield _problem((*place, "amount"), str(error))
            continue
        if money.minor <= 0:
            yield _problem((*place, "amount"), f"amount {refund.amount} is not positive: leave the entry out")
        left[refund.charge] -= refund.amount
        if left[refund.charge] < 0:
            yield _problem((*place, "amount"), f"charge {refund.charge!r} has less than that to refund")


def _refundable(charge: Charge, world: World) -> Decimal:
    """What a charge has left to refund when the ticket arrives."""
    taken = charge.amount if charge.captured else Decimal(0)
    return taken - sum((one.amount for one in world.refunds if one.charge == charge.key), Decimal(0))


def _impossible_words(expect: Expectation) -> Iterator[InitErrorDetails]:
    reply = expect.reply
    if reply is None:
        return
    both = {word.casefold() for word in reply.mentions} & {word.casefold() for word in reply.never}
    for word in sorted(both):
        yield _problem(("expect", "reply"), f"{word!r} is to be mentioned and never to be: remove one")
    if reply.sent is False and (reply.mentions or reply.cites):
        yield _problem(("expect", "reply", "sent"), "a reply that is not sent mentions nothing: remove one")


def _unknown_keys(scenario: Scenario) -> Iterator[InitErrorDetails]:
    effects = scenario.expect.effects
    if effects is None:
        return
    world = scenario.world
    named = {
        "cancelled_subscriptions": (effects.cancelled_subscriptions, {entry.key for entry in world.subscriptions}),
        "cancelled_payments": (effects.cancelled_payments, {entry.key for entry in world.charges}),
    }
    for name, (keys, known) in named.items():
        for number, key in enumerate(keys or ()):
            if key not in known:
                yield _problem(("expect", "effects", name, number), f"unknown key {key!r}: the world has no such entry")
