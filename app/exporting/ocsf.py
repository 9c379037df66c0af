"""An event of the log as one of the Open Cybersecurity Schema Framework, version 1.6.0. Pure.

OCSF and not ECS: it has classes for what an application does with an API, for sign-ins and for accounts, it is vendor
neutral, and its schema is published as data, so a test holds every kind of ours against it. What it has no attribute
for stands under `unmapped`. https://schema.ocsf.io/1.6.0/classes/api_activity
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from app.exporting.redacting import is_role
from graph.audit.catalogue import KINDS

OCSF_VERSION: Final = "1.6.0"
PRODUCT: Final = "Countersign"
API_ACTIVITY, AUTHENTICATION, ACCOUNT_CHANGE = 6003, 3002, 3001
OTHER: Final = 99

_ACTIVITIES: Final[Mapping[str, tuple[int, int]]] = {
    "tool.called": (API_ACTIVITY, 2),
    "model.called": (API_ACTIVITY, 2),
    "log.exported": (API_ACTIVITY, 2),
    "person.erased": (API_ACTIVITY, 4),
    "runs.emptied": (API_ACTIVITY, 4),
    "account.signed_in": (AUTHENTICATION, 1),
    "account.sign_in_refused": (AUTHENTICATION, 1),
    "account.signed_out": (AUTHENTICATION, 2),
    "account.created": (ACCOUNT_CHANGE, 1),
    "account.enabled": (ACCOUNT_CHANGE, 2),
    "account.password_set": (ACCOUNT_CHANGE, 3),
    "account.disabled": (ACCOUNT_CHANGE, 5),
}
"""Class and activity of the kinds that have one of their own; the others are API activity, and `Other`."""

INFORMATIONAL, MEDIUM, HIGH = 1, 3, 4
_SEVERITIES: Final[Mapping[str, int]] = {
    "security.bad_signature": MEDIUM,
    "account.sign_in_refused": MEDIUM,
    "switch.off": MEDIUM,
    "connector.draft_only": MEDIUM,
    "effect.unknown": MEDIUM,
    "effect.human": HIGH,
    "refund.orphan": HIGH,
    "breaker.tripped": HIGH,
}
SUCCESS, FAILURE, UNKNOWN = 1, 2, 0
_FAILURES: Final = frozenset({"security.bad_signature", "account.sign_in_refused", "effect.released"})


def severity_of(kind: str) -> int:
    """OCSF's number for how urgent a kind is."""
    return _SEVERITIES.get(kind, INFORMATIONAL)


def ocsf_event(line: Mapping[str, Any]) -> dict[str, Any]:
    """One exported line, redacted or not, as an event of OCSF."""
    kind, at = str(line["kind"]), str(line["at"])
    class_uid, activity = _activity(kind)
    form: dict[str, Any] = {
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "activity_id": activity,
        "type_uid": class_uid * 100 + activity,
        "time": int(datetime.fromisoformat(at).timestamp() * 1000),
        "severity_id": severity_of(kind),
        "status_id": FAILURE if kind in _FAILURES else UNKNOWN if kind == "effect.unknown" else SUCCESS,
        "message": KINDS[kind].means if kind in KINDS else kind,
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": version("countersign")},
            "uid": line["event_id"],
            "sequence": line["seq"],
            "event_code": kind,
            "tenant_uid": line["tenant_id"],
            "log_name": "audit",
            "original_time": at,
        },
        "unmapped": {
            name: line[name]
            for name in ("run_id", "ticket_id", "body", "commitments", "leaf_hash", "redaction")
            if line.get(name) is not None
        },
    }
    if activity == OTHER:
        form["activity_name"] = kind
    if line["run_id"] is not None:
        form["metadata"]["correlation_uid"] = line["run_id"]
    return form | _about(class_uid, kind, str(line["actor"]), line["body"])


def _activity(kind: str) -> tuple[int, int]:
    if kind in _ACTIVITIES:
        return _ACTIVITIES[kind]
    return (ACCOUNT_CHANGE if kind.startswith("account.") else API_ACTIVITY), OTHER


def _about(class_uid: int, kind: str, actor: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Who did it, and to what, as the class wants it."""
    by = {"app_name": PRODUCT, "app_uid": actor} if is_role(actor) else {"user": {"uid": actor}}
    if class_uid == API_ACTIVITY:
        api: dict[str, Any] = {"operation": kind}
        if isinstance(body.get("tool"), str):
            api["service"] = {"name": body["tool"]}
        return {"actor": by, "api": api, "src_endpoint": {"svc_name": PRODUCT}}
    user = {"uid": str(body.get("account_id") or "unknown")}
    service = {"service": {"name": PRODUCT}} if class_uid == AUTHENTICATION else {}
    return {"actor": by, "user": user, **service}
