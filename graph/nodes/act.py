"""act: ask the settlement for the approved effects, in one transaction. Nothing leaves from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from connectors.stripe.bodies import (
    CancelWhen,
    RefundReason,
    cancel_payment_body,
    cancel_subscription_body,
    refund_body,
)
from connectors.stripe.wire import INSTALLATION_KEY, ChargeView
from graph.audit.log import NewEvent, append_all
from graph.breakers.money import is_of_breaker, limits_of, trip_for
from graph.breakers.trips import Watched
from graph.digests import of_actions, of_evidence
from graph.dossier import Dossier
from graph.runs import leases
from graph.settlement.approvals import consume
from graph.settlement.installation import installation_of
from graph.settlement.models import ApprovalState, Effect, EffectKind
from graph.settlement.questions import Binding, NotPending, Stale, Used
from graph.settlement.requests import (
    AlreadyIntended,
    ChargeFacts,
    EffectRequest,
    Exhausted,
    ReserveAnswer,
    Reserved,
    SwitchedOff,
    Tripped,
)
from graph.settlement.reserve import Means, reserve_all
from graph.snapshot import Snapshot
from graph.state import RunState
from graph.step import Step, StepContext, hand_off
from graph.verdicts import Decided, Verdicts
from graph.withholding import readable_charge
from policies.decision import Decision, Limit
from policies.vocabulary import ActionKind, Intent, Mode, Reason, Tool, Verdict

FRESH_FOR = timedelta(seconds=60)
"""How long what was read of a charge counts as its present state."""
TOOLS = {
    ActionKind.REFUND: Tool.STRIPE_REFUND,
    ActionKind.CANCEL_SUBSCRIPTION: Tool.STRIPE_CANCEL_SUBSCRIPTION,
    ActionKind.CANCEL_PAYMENT: Tool.STRIPE_CANCEL_PAYMENT,
}
KINDS = {
    ActionKind.REFUND: EffectKind.REFUND,
    ActionKind.CANCEL_SUBSCRIPTION: EffectKind.CANCEL_SUBSCRIPTION,
    ActionKind.CANCEL_PAYMENT: EffectKind.CANCEL_PAYMENT,
}


class _Undone(Exception):
    """Not all effects could be reserved, so none is."""

    def __init__(self, step: Step, limit_id: str | None = None) -> None:
        super().__init__(step.goto)
        self.step = step
        self.limit_id = limit_id


async def act(context: StepContext) -> Step:
    """Approved effects → reservations."""
    verdicts = await context.load("verdicts", Verdicts)
    snapshot = await context.load("snapshot", Snapshot)
    dossier = await context.load("dossier", Dossier)
    dossier = await _read_again(context, verdicts, dossier)
    comment_id = snapshot.newest_comment_id
    evidence = of_evidence(context.tenant_id, verdicts, dossier.charges or (), comment_id=comment_id)
    try:
        async with context.runtime.sessions(context.tenant_id) as session:
            await leases.check(session, context.tenant_id, context.ticket_id, token=context.context.token)
            ours = await _ours(session, context)
            used, stop = await _check_approval(session, context, verdicts, evidence, ours)
            if stop is not None:
                # That the approval no longer holds is kept, with its event; nothing is reserved.
                await append_all(session, context.tenant_id, used)
                return stop
            mark = await installation_of(session, context.tenant_id)
            requests = [_request(context, one, dossier, snapshot, mark) for one in verdicts.executable]
            answers = await reserve_all(session, context.tenant_id, requests, _means(context), events=used)
            effects = _effects(answers, ours)
    except _Undone as undone:
        if undone.limit_id is not None and is_of_breaker(undone.limit_id):
            return await _trip(context, undone.limit_id)
        return undone.step
    reserved = [answer.effect_id for answer in answers if isinstance(answer, Reserved)]
    goto = "settle" if effects else "answer"
    return Step(goto, RunState(effects=effects), body={"effects": effects, "reserved": reserved})


async def _trip(context: StepContext, limit_id: str) -> Step:
    """A breaker of money has no room left: it trips, and nothing of this run is done without a person."""
    async with context.runtime.sessions(context.tenant_id) as session:
        why = await trip_for(
            session, context.tenant_id, context.policy, limit_id, now=context.now, new_id=context.runtime.new_id
        )
    return hand_off(Reason.BREAKER_TRIPPED, note=why)


def _means(context: StepContext) -> Means:
    runtime = context.runtime
    return Means(now=context.now, new_id=runtime.new_id, new_key=runtime.new_key, vault=runtime.vault)


async def _read_again(context: StepContext, verdicts: Verdicts, dossier: Dossier) -> Dossier:
    """The dossier with the charges' figures of this moment, where a person took their time to say yes."""
    if context.now - dossier.read_at <= FRESH_FOR:
        return dossier
    acted_on = {one.candidate.charge_id for one in verdicts.executable if one.candidate.charge_id is not None}
    read_at = context.runtime.now()
    fresh: dict[str, ChargeView] = {}
    for charge_id in sorted(acted_on):
        charge = await context.gate.read(
            Tool.STRIPE_READ,
            "charges.show",
            charge_id,
            partial(context.tenant.stripe.charge, charge_id),
        )
        fresh[charge_id] = readable_charge(charge, context.policy.privacy)
    charges = tuple(fresh.get(charge.charge_id, charge) for charge in dossier.charges or ())
    return replace(dossier, charges=charges, read_at=read_at) if fresh else dossier


async def _ours(session: AsyncSession, context: StepContext) -> frozenset[str]:
    """The effects that this run has asked for already: a node may run twice."""
    query = select(col(Effect.effect_id)).where(
        col(Effect.tenant_id) == context.tenant_id,
        col(Effect.run_id) == context.run_id,
    )
    return frozenset((await session.execute(query)).scalars())


async def _check_approval(  # noqa: PLR0911 - one return for each way an approval can stand
    session: AsyncSession,
    context: StepContext,
    verdicts: Verdicts,
    evidence: str,
    ours: frozenset[str],
) -> tuple[tuple[NewEvent, ...], Step | None]:
    """The approval's events, and where to go instead where it does not hold.

    INVARIANT: what needs a person is reserved only in the transaction that uses up that person's approval.
    """
    approval_id = context.state.get("approval_id")
    if approval_id is None:
        if any(one.decision.acts_alone is not Verdict.ALLOW for one in verdicts.decided):
            return (), hand_off(Reason.NEEDS_APPROVAL, note="no approval was asked for")
        return (), None
    bound_to = Binding(of_actions(context.tenant_id, verdicts), context.state["policy_hash"], evidence)
    answer, events = await consume(
        session,
        approval_id,
        bound_to,
        tenant_id=context.tenant_id,
        now=context.now,
        new_id=context.runtime.new_id,
    )
    match answer:
        case Used():
            return events, None
        case NotPending(state=ApprovalState.USED) if ours or not verdicts.executable:
            return events, None  # this node used it before it was interrupted, in the transaction that reserved
        case NotPending(state=ApprovalState.EXPIRED):
            return events, hand_off(Reason.APPROVAL_EXPIRED)
        case Stale(what=what):
            return events, Step("intake", body={"approval_stale": list(what)})
        case NotPending(state=state):
            return events, hand_off(Reason.HUMAN_TOOK_OVER, note=f"the approval is {state.value}")


def _effects(answers: tuple[ReserveAnswer, ...], ours: frozenset[str]) -> list[str]:
    """The effects of this run; raises where one of them cannot be had, so that none is."""
    effects: list[str] = []
    for answer in answers:
        match answer:
            case Reserved(effect_id=effect_id):
                effects.append(effect_id)
            case AlreadyIntended(effect_id=effect_id, state=state):
                if effect_id not in ours:
                    note = f"the same effect is {state.value} already ({effect_id})"
                    raise _Undone(hand_off(Reason.STALE, note=note))
                effects.append(effect_id)
            case Exhausted(limit_id=limit_id, detail=detail):
                step = hand_off(Reason.BUDGET_EXHAUSTED, note=f"limit {limit_id}: {detail}")
                raise _Undone(step, limit_id)
            case SwitchedOff(tool=tool, reason=reason):
                raise _Undone(hand_off(Reason.KILL_SWITCH, note=f"{tool} is switched off: {reason}"))
            case Tripped(why=why):
                raise _Undone(hand_off(Reason.BREAKER_TRIPPED, note=why))
    return effects


def _request(
    context: StepContext, one: Decided, dossier: Dossier, snapshot: Snapshot, mark: str | None
) -> EffectRequest:
    candidate, decision = one.candidate, one.decision
    charge = next((entry for entry in dossier.charges or () if entry.charge_id == candidate.charge_id), None)
    alone = decision.acts_alone is Verdict.ALLOW
    tool = TOOLS[candidate.kind]
    is_refund = candidate.kind is ActionKind.REFUND
    watched = Watched(candidate.intent.value, snapshot.brand, decision.tier)
    return EffectRequest(
        tenant_id=context.tenant_id,
        run_id=context.run_id,
        ticket_id=context.ticket_id,
        cycle=context.state["cycle"],
        kind=KINDS[candidate.kind],
        tool=tool.value,
        actor="agent",
        body=_body(context, one, charge, mark),
        item_key=candidate.item_key,
        charge=_charge_facts(charge, dossier) if is_refund and charge is not None else None,
        amount=candidate.amount if is_refund else None,
        customer_id=dossier.customer.customer_id if dossier.customer else None,
        subscription_id=candidate.subscription_id,
        payment_id=charge.payment_intent_id if charge is not None else None,
        subject_id=snapshot.subject_id,
        approval_id=context.state.get("approval_id"),
        policy_hash=decision.policy_hash,
        decision_digest=decision.input_hash,
        credential=context.tenant.credentials.get("stripe"),
        limits=_limits(context, one, watched) if is_refund else (),
        hold_s=decision.hold_s if alone else _hold_after_yes_s(context, decision) if is_refund else 0,
        ticket_stamp=snapshot.version,
        watched=watched if alone else None,
    )


def _hold_after_yes_s(context: StepContext, decision: Decision) -> int:
    """How long approved money waits, in which a person can still stop it: the `hold` of the tier that asks people."""
    tiers = context.policy.autonomy.tiers
    return next((tier.hold_s for tier in tiers if tier.name == decision.tier and tier.mode is Mode.APPROVE), 0)


def _limits(context: StepContext, one: Decided, watched: Watched) -> tuple[Limit, ...]:
    """The policy's limits, and for what nobody approves its breakers of money."""
    if one.decision.acts_alone is not Verdict.ALLOW or one.candidate.amount is None:
        return one.decision.limits
    return (*one.decision.limits, *limits_of(context.policy, watched, one.candidate.amount.currency))


def _charge_facts(charge: ChargeView, dossier: Dossier) -> ChargeFacts:
    return ChargeFacts(
        charge_id=charge.charge_id,
        customer_id=charge.customer_id,
        currency=charge.amount.currency,
        captured_minor=charge.captured_amount.minor,
        refunded_minor=charge.refunded.minor,
        read_at=dossier.read_at,
        is_disputed=charge.is_disputed,
    )


def _body(context: StepContext, one: Decided, charge: ChargeView | None, mark: str | None) -> Callable[[str], str]:
    candidate = one.candidate
    metadata = {"run_id": context.run_id, "zendesk_ticket_id": context.ticket_id}
    if mark is not None:
        metadata[INSTALLATION_KEY] = mark
    match candidate.kind:
        case ActionKind.REFUND:
            assert candidate.charge_id is not None
            assert candidate.amount is not None
            charge_id, amount = candidate.charge_id, candidate.amount
            twice = candidate.intent is Intent.DUPLICATE_CHARGE
            reason = RefundReason.DUPLICATE if twice else RefundReason.REQUESTED_BY_CUSTOMER
            return lambda effect_id: refund_body(
                charge_id,
                amount,
                intent_id=effect_id,
                reason=reason,
                metadata=metadata,
            )
        case ActionKind.CANCEL_SUBSCRIPTION:
            assert candidate.subscription_id is not None
            subscription_id = candidate.subscription_id
            when = CancelWhen.NOW if candidate.timing == "now" else CancelWhen.PERIOD_END
            return lambda effect_id: cancel_subscription_body(
                subscription_id,
                when=when,
                intent_id=effect_id,
                prorate=False,
            )
        case _:
            assert charge is not None
            assert charge.payment_intent_id is not None
            payment_id = charge.payment_intent_id
            return lambda _effect_id: cancel_payment_body(payment_id)
