"""What the commands about policy versions print: lines for a person, values for a program. Nothing is changed here."""

from __future__ import annotations

from typing import Final

from graph.lifecycle.canary import Arm, Figures
from graph.lifecycle.desk import Compared
from graph.lifecycle.models import PolicySchedule
from graph.lifecycle.publishing import Answer, Done, Refused
from graph.rulebook import PolicyVersion

SHOWN_HASH: Final = 12
SHOWN_CHANGES: Final = 12


def answer_form(tenant_id: str, compared: Compared | None, answer: Answer | PolicySchedule) -> dict[str, object]:
    """What became of a wish, for a program."""
    form: dict[str, object] = {"tenant": tenant_id}
    if compared is not None:
        form |= {"policy_hash": compared.version.policy_hash, "before": compared.base_hash, **compared.change.body()}
    match answer:
        case Refused():
            missing = [{"what": one.what, "do": one.words} for one in answer.lacking]
            return form | {"changed": False, "refused": answer.why, "lacking": missing}
        case Done():
            told = {"policy_hash": answer.policy_hash, "before": answer.before, "changed": answer.changed}
            return form | told | {"share_percent": answer.share}
        case _:
            return form | {"changed": True, "schedule": entry_form(answer)}


def answer_lines(tenant_id: str, compared: Compared | None, answer: Answer | PolicySchedule) -> list[str]:
    """What became of a wish to let a version decide, for a person."""
    lines = change_lines(compared) if compared is not None else []
    match answer:
        case Refused():
            return [*lines, *refused_lines(answer)]
        case Done():
            return [*lines, _decides(tenant_id, answer)]
        case _:
            return [*lines, entry_line(answer)]


def approved_lines(compared: Compared, answer: Answer) -> list[str]:
    """What became of a second person's yes, for a person."""
    if isinstance(answer, Refused):
        return [*change_lines(compared), *refused_lines(answer)]
    again = "" if answer.changed else ", as you had before"
    instead = answer.before[:SHOWN_HASH] if answer.before is not None else "nothing"
    return [*change_lines(compared), f"you approve of {answer.policy_hash[:SHOWN_HASH]} instead of {instead}{again}"]


def refused_lines(refused: Refused) -> list[str]:
    """Why nothing was changed, each thing that is missing on a line of its own."""
    if not refused.lacking:
        return [f"nothing was changed: {refused.why}"]
    return ["nothing was changed: it loosens, so it still needs", *(f"- {one.words}" for one in refused.lacking)]


def change_lines(compared: Compared) -> list[str]:
    """What would change, the first regions in words."""
    change, decides = compared.change, compared.base_hash
    if decides is None or decides == compared.version.policy_hash:
        return []
    more = len(change.regions) - SHOWN_CHANGES
    short = compared.version.policy_hash[:SHOWN_HASH]
    return [
        f"{short} compared with {decides[:SHOWN_HASH]}, which decides now: {change.direction}",
        *(f"  {region}" for region in change.regions[:SHOWN_CHANGES]),
        *([f"  and {more} more"] if more > 0 else []),
    ]


def _decides(tenant_id: str, done: Done) -> str:
    short = done.policy_hash[:SHOWN_HASH]
    if not done.changed:
        return f"nothing to do: {short} decides for {tenant_id} already"
    if done.share is not None:
        return f"{short} decides {done.share} % of the tickets of {tenant_id} from now on, as a canary"
    instead = f" instead of {done.before[:SHOWN_HASH]}" if done.before is not None else ""
    return f"{short} decides for {tenant_id} from now on{instead}"


def version_line(version: PolicyVersion) -> str:
    """A version, for a person."""
    share = f" {version.canary_percent} %" if version.canary_percent is not None else ""
    published = "never published"
    if version.published_at is not None:
        published = f"published {version.published_at:%Y-%m-%d %H:%M:%S UTC} by {version.published_by}"
    state = f"{version.state}{share}"
    short = version.policy_hash[:SHOWN_HASH]
    return f"{short}  {state:11}  {version.policy_id}  {published}, written by {version.author}"


def version_form(version: PolicyVersion) -> dict[str, object]:
    """A version, for a program."""
    published_at = version.published_at
    return {
        "policy_hash": version.policy_hash,
        "policy_id": version.policy_id,
        "state": version.state,
        "author": version.author,
        "created_at": version.created_at.isoformat(),
        "published_at": published_at.isoformat() if published_at is not None else None,
        "published_by": version.published_by,
        "share_percent": version.canary_percent,
    }


def entry_form(entry: PolicySchedule) -> dict[str, object]:
    """A change on the calendar, for a program."""
    return {
        "schedule_id": entry.schedule_id,
        "policy_hash": entry.policy_hash,
        "state": entry.state,
        "starts_at": entry.starts_at.isoformat(),
        "ends_at": entry.ends_at.isoformat() if entry.ends_at is not None else None,
        "reverts_to": entry.reverts_to,
        "made_by": entry.made_by,
        "why": entry.why,
        "note": entry.note,
    }


def entry_line(entry: PolicySchedule) -> str:
    """A change on the calendar, for a person."""
    until = f" until {entry.ends_at:%Y-%m-%d %H:%M UTC}" if entry.ends_at is not None else ""
    note = f": {entry.note}" if entry.note is not None else ""
    return (
        f"{entry.schedule_id}  {entry.state:9}  {entry.policy_hash[:SHOWN_HASH]}  from "
        f"{entry.starts_at:%Y-%m-%d %H:%M UTC}{until}, by {entry.made_by}{note}"
    )


def canary_form(seen: Figures | None) -> dict[str, object]:
    """Both arms of a canary, for a program."""
    if seen is None:
        return {"running": False}
    told: dict[str, object] = {"running": True, "policy_hash": seen.policy_hash, "share_percent": seen.share}
    return told | {"canary": seen.canary.form(), "stable": seen.stable.form(), "worse": seen.worse()}


def canary_lines(seen: Figures | None) -> list[str]:
    """Both arms of a canary, for a person."""
    if seen is None:
        return ["no canary runs; `countersign policy publish FILE --canary 10` starts one"]
    head = f"{seen.policy_hash[:SHOWN_HASH]} decides {seen.share} % of the tickets"
    return [head, _arm_line("canary", seen.canary), _arm_line("others", seen.stable)]


def _arm_line(name: str, arm: Arm) -> str:
    return (
        f"{name}: {arm.runs} ended runs, {arm.errors} with errors, {arm.violations} with violations, "
        f"{arm.overrides} overridden by people, {arm.model_failures} without a model's answer"
    )
