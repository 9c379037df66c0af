"""Stripe's error body, as an exception inside the double. https://docs.stripe.com/api/errors ."""

from __future__ import annotations

from connectors.sandbox.stripe.objects import Thing


class StripeProblem(Exception):
    """An answer that is not a 2xx.

    `headers` go out beside the usual ones.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.headers = headers or {}

    def body(self) -> Thing:
        """The JSON that Stripe answers with."""
        problem: Thing = {"message": self.message, "type": self.kind}
        if self.code is not None:
            problem |= {"code": self.code, "doc_url": f"https://stripe.com/docs/error-codes/{self.code}"}
        if self.param is not None:
            problem["param"] = self.param
        return {"error": problem}


def missing(kind: str, wanted: str, *, param: str, status: int = 404) -> StripeProblem:
    """No such object. https://docs.stripe.com/error-codes#resource-missing ."""
    return StripeProblem(status, f"No such {kind}: '{wanted}'", code="resource_missing", param=param)


def invalid(message: str, *, param: str, code: str | None = None) -> StripeProblem:
    """A parameter that fails validation, so that nothing is executed and nothing stored under the key."""
    return StripeProblem(400, message, param=param, code=code)
