"""The vendor's error answers: status, body and headers, word for word where an exchange was recorded."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox.faults import Fault, FaultKind
from connectors.sandbox.zendesk.records import Json


class Refusal(Exception):
    """An error answer. Nothing was changed."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body.get('error')}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def not_found() -> Refusal:
    """404, as recorded for a ticket, a group and a macro that do not exist."""
    return Refusal(404, {"error": "RecordNotFound", "description": "Not found"})


def not_authenticated(*, bearer: bool) -> Refusal:
    """401: no user for this credential (https://developer.zendesk.com/api-reference/introduction/security-and-auth/)."""
    if bearer:
        text = "The access token provided is expired, revoked, malformed or invalid for other reasons."
        return Refusal(401, {"error": "invalid_token", "error_description": text})
    return Refusal(401, {"error": "Couldn't authenticate you"})


def forbidden() -> Refusal:
    """403: the credential lacks the scope or the role."""
    message = (
        "You do not have access to this page. Please contact the account owner of this help desk for further help."
    )
    return Refusal(403, {"error": {"title": "Forbidden", "message": message}})


def update_conflict() -> Refusal:
    """409: the ticket changed since `updated_stamp`."""
    text = "Safe Update prevented the update due to outdated ticket data."
    return Refusal(409, {"error": "UpdateConflict", "description": text})


def invalid(field: str, description: str) -> Refusal:
    """422: the record may not take this value."""
    return Refusal(
        422,
        {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": {field: [{"description": description}]},
        },
    )


def bad_request(error: str, description: str) -> Refusal:
    """400: the request cannot be read."""
    return Refusal(400, {"error": error, "description": description})


def too_many_requests(retry_after_s: int, what: str) -> Refusal:
    """429 with the seconds to wait (https://developer.zendesk.com/api-reference/introduction/rate-limits/)."""
    return Refusal(
        429,
        {"error": "APIRateLimitExceeded", "description": f"Number of allowed {what} exceeded"},
        {"Retry-After": str(retry_after_s)},
    )


def of_fault(fault: Fault) -> Refusal:
    """The answer that a fault asks for instead of the true one."""
    if fault.kind is FaultKind.TOO_MANY_REQUESTS:
        return too_many_requests(fault.retry_after_s, "API requests per minute")
    if fault.kind is FaultKind.FORBIDDEN:
        return forbidden()
    if fault.kind is FaultKind.UNAVAILABLE:
        body: Json = {"error": "ServiceUnavailable", "description": "Please try again in a moment"}
        return Refusal(503, body, {"Retry-After": str(fault.retry_after_s)})
    return Refusal(500, {"error": "InternalError", "description": "Internal server error"})
