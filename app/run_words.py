"""The story of a run in plain words, and as JSON. Pure: it reads nothing and decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from app.run_story import Judged, Story
from graph.audit.models import AuditEvent
from graph.models.triage import Claims, Triage
from graph.runs.models import Run
from graph.settlement.models import Approval, Effect
from policies.money import Money

STATES: Final[Mapping[str, str]] = {
    "held": "reserved, can be stopped until it is sent",
    "sending": "on its way",
    "unknown": "sent, and whether it happened is being found out",
    "settled": "done and confirmed",
    "released": "did not happen, reservation given back",
    "stopped": "stopped before anything was sent",
    "human": "a person must look at the vendor",
    "reversed": "taken back by the vendor",
}
"""What each state of an effect means to a reader."""


def run_form(run: Run) -> dict[str, object]:
    """A run's row as JSON values."""
    return {
        "run_id": run.run_id,
        "ticket_id": run.ticket_id,
        "state": run.state,
        "wait_for": run.wait_for,
        "wait_until": _stamp(run.wait_until),
        "outcome": run.outcome,
        "reason": run.reason,
        "intents": list(run.intents),
        "actions": list(run.actions),
        "policy_hash": run.policy_hash,
        "reply_sent": run.reply_sent,
        "tool_calls": run.tool_calls,
        "model_calls": run.model_calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost_usd": f"{run.cost_usd_micros / 1_000_000:.6f}",
        "started_at": _stamp(run.started_at),
        "ended_at": _stamp(run.ended_at),
    }


def run_line(run: Run) -> str:
    """A run in one line."""
    wants = words(", ".join(run.intents)) or "not understood yet"
    return f"{run.ticket_id:>8}  {_standing(run):34}  {run.started_at:%Y-%m-%d %H:%M:%S}  {run.run_id}  {wants}"


def story_form(story: Story) -> dict[str, object]:
    """A story as JSON values."""
    page = story.page
    return {
        **run_form(story.run),
        "erased": story.is_erased,
        "ticket": {"subject": page.snapshot.subject, "newest": page.snapshot.newest} if page.snapshot else None,
        "understood": _triage_form(story.triage),
        "decisions": [judged_form(one) for one in story.judged],
        "effects": [_effect_form(effect) for effect in page.effects],
        "approval": _approval_form(page.approval),
        "reply": page.draft,
        "steps": [
            {"seq": event.seq, "at": _stamp(event.at), "kind": event.kind, **event.body} for event in page.events
        ],
    }


def story_lines(story: Story) -> Iterator[str]:
    """A story for a reader."""
    run = story.run
    yield f"Ticket {run.ticket_id}: {_standing(run)}"
    until = f", ended {_moment(run.ended_at)}" if run.ended_at else ""
    yield f"  run {run.run_id}, started {_moment(run.started_at)}{until}"
    yield (
        f"  {run.tool_calls} tool calls, {run.model_calls} model calls, "
        f"{run.cost_usd_micros / 1_000_000:.6f} USD, policy {(run.policy_hash or '')[:12]}"
    )
    if story.is_erased:
        yield "  The person was erased, or the time to keep this was over: what was sealed cannot be read any more."
    yield from _ticket_lines(story)
    yield from _decision_lines(story)
    yield from _effect_lines(story)
    yield from _person_lines(story.page.approval)
    if story.page.draft is not None:
        yield from ("", "Reply" if run.reply_sent else "Reply, not sent")
        yield from (f"  | {line}" for line in story.page.draft.splitlines())
    yield from ("", "Outcome", f"  {_standing(run)}", "", "Steps")
    yield from (_step_line(event) for event in story.page.events)


def words(name: str) -> str:
    """A word of a closed list as people write it."""
    return name.replace("_", " ")


def _ticket_lines(story: Story) -> Iterator[str]:
    snapshot, triage = story.page.snapshot, story.triage
    if snapshot is not None:
        yield from ("", "The customer wrote", f"  {snapshot.subject}")
        yield from (f"  | {line}" for line in snapshot.newest.splitlines())
    if triage is None:
        return
    yield from ("", "Understood")
    yield from (f"  {words(score.intent.value)} ({score.confidence} %)" for score in triage.intents)
    claimed = _claimed(triage.claims)
    if claimed:
        yield f"  says: {', '.join(claimed)}"
    if triage.person_reasons:
        yield f"  a person should look: {words(', '.join(reason.value for reason in triage.person_reasons))}"
    if triage.injection_suspected:
        yield "  the text tries to instruct the agent; it was treated as text"


def _claimed(claims: Claims) -> list[str]:
    said = [
        words(name)
        for name in ("not_received", "delivered", "damaged", "wrong_item", "unauthorised", "duplicate", "unopened")
        if getattr(claims, name) is True
    ]
    said += [f"order {order_id}" for order_id in claims.order_ids]
    return said + [
        _money(amount.minor, amount.currency) or f"{amount.minor} in some currency" for amount in claims.amounts
    ]


def _decision_lines(story: Story) -> Iterator[str]:
    yield from ("", "Decided")
    if not story.run.actions:
        yield "  nothing"
    if not story.judged:
        yield from (f"  {_action_text(action)}" for action in story.run.actions)
    for one in story.judged:
        yield f"  {_action_text(one.decided.row())}"
        for match in one.decided.decision.reasons:
            section = f" [{match.section}]" if match.section else ""
            yield f"    {words(match.effect.value)}: {match.reason} (rule {match.rule}{section})"
            if match.margin is not None:
                yield f"      {match.margin}"
            yield from _fact_lines(one, match.rule)
        if not one.facts:
            yield "    the facts cannot be shown: what is stored does not give the digest of the decision"


def _fact_lines(one: Judged, rule: str) -> Iterator[str]:
    for traced in one.rules:
        if traced.rule == rule:
            for condition, _, seen in traced.comparisons:
                yield (
                    f"      fact: {condition}"
                    if condition.endswith(f" is {seen}")
                    else f"      fact: {condition} (is {seen})"
                )


def _action_text(action: Mapping[str, object]) -> str:
    amount = _money(action.get("amount_minor"), action.get("currency"))
    of = f" of {amount}" if amount else ""
    on = f" on {action['charge']}" if action.get("charge") else ""
    section = f", section {action['section']}" if action.get("section") else ""
    verdict = words(str(action["verdict"]))
    mode = words(str(action["mode"]))
    return f"{words(str(action['kind']))}{of}{on}: {verdict} by rule {action['rule']}{section}; tier {mode}"


def _effect_lines(story: Story) -> Iterator[str]:
    if not story.page.effects:
        return
    yield from ("", "Done outside")
    for effect in story.page.effects:
        money = _money(effect.amount_minor, effect.currency)
        of = f" of {money}" if money else ""
        where = f" as {effect.vendor_object}" if effect.vendor_object else ""
        why = f" ({words(effect.reason)})" if effect.reason else ""
        until = f" at {_moment(effect.due_at)}" if effect.state == "held" else ""
        yield f"  {words(effect.kind)}{of}: {STATES.get(effect.state, effect.state)}{until}{where}{why}"


def _person_lines(approval: Approval | None) -> Iterator[str]:
    if approval is None:
        return
    roles = words(" or ".join(approval.approvers))
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    yield from ("", "A person was asked", f"  {roles}: {approval.state}{by}, asked {_moment(approval.requested_at)}")


def _step_line(event: AuditEvent) -> str:
    body = event.body
    told = ""
    if "node" in body:
        told = f"{body['node']} -> {body.get('goto')}"
    elif "operation" in body:
        told = f"{body['operation']} {body.get('reference', '')} {body.get('outcome', '')}"
    elif "role" in body:
        told = f"{body['role']} by {body.get('model', '')}"
    elif "effect_id" in body or "effect" in body:
        told = str(body.get("effect_id") or body.get("effect"))
    latency = f"{body['latency_ms']:>6} ms" if "latency_ms" in body else " " * 9
    return f"  {event.seq:>6}  {event.at:%H:%M:%S.%f}"[:-3] + f" {latency}  {event.kind:18} {told}".rstrip()


def _standing(run: Run) -> str:
    state = words(run.outcome or run.state)
    waits = f", waits for {run.wait_for}" if run.state == "waiting" and run.wait_for and not run.outcome else ""
    return f"{state}{waits}" + (f" ({words(run.reason)})" if run.reason else "")


def _money(minor: object, currency: object) -> str:
    if isinstance(minor, int) and isinstance(currency, str):
        return str(Money(minor, currency))
    return ""


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _triage_form(triage: Triage | None) -> dict[str, object] | None:
    if triage is None:
        return None
    return {
        "intents": [{"intent": one.intent.value, "confidence_percent": one.confidence} for one in triage.intents],
        "language": triage.language,
        "claims": _claimed(triage.claims),
        "needs_person": [reason.value for reason in triage.person_reasons],
        "injection_suspected": triage.injection_suspected,
    }


def judged_form(one: Judged) -> dict[str, object]:
    """A decision as JSON values, with its facts and the rules that had a say."""
    decision = one.decided.decision
    return {
        **one.decided.row(),
        "approvers": list(decision.approvers),
        "input_hash": decision.input_hash,
        "facts": dict(sorted(one.facts.items())) or None,
        "rules": [
            {
                "rule": match.rule,
                "section": match.section,
                "effect": match.effect.value,
                "reason": match.reason,
                "certain": match.certain,
                "margin": match.margin,
            }
            for match in decision.reasons
        ],
    }


def _effect_form(effect: Effect) -> dict[str, object]:
    return {
        "effect_id": effect.effect_id,
        "kind": effect.kind,
        "state": effect.state,
        "amount_minor": effect.amount_minor,
        "currency": effect.currency,
        "charge": effect.charge_id,
        "vendor_object": effect.vendor_object,
        "vendor_status": effect.vendor_status,
        "attempts": effect.attempts,
        "reason": effect.reason,
        "due_at": _stamp(effect.due_at),
        "settled_at": _stamp(effect.settled_at),
    }


def _approval_form(approval: Approval | None) -> dict[str, object] | None:
    if approval is None:
        return None
    return {
        "approval_id": approval.approval_id,
        "state": approval.state,
        "approvers": list(approval.approvers),
        "required": approval.required,
        "approved_by": list(approval.approved_by),
        "decided_by": approval.decided_by,
        "requested_at": _stamp(approval.requested_at),
        "expires_at": _stamp(approval.expires_at),
    }
