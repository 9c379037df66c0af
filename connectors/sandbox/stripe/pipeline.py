"""What happens to every request: key, permission, idempotency, validation, execution, answer, and the fault between.

The order is Stripe's: a bad key, a rate limit and a missing permission come before the idempotency layer and leave no
trace in it; validation comes after it and is not kept; from execution on, the answer is kept whatever it is.
https://docs.stripe.com/api/idempotent_requests , https://docs.stripe.com/error-low-level
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.faults import Fault, FaultKind, Faults
from connectors.sandbox.faulty import strike
from connectors.sandbox.stripe import forms
from connectors.sandbox.stripe.books import Books
from connectors.sandbox.stripe.idempotency import IdempotencyStore, Scope, Stored
from connectors.sandbox.stripe.keys import Keys
from connectors.sandbox.stripe.objects import Thing
from connectors.sandbox.stripe.operations import Call, Operation
from connectors.sandbox.stripe.problems import StripeProblem
from connectors.sandbox.stripe.webhooks import API_VERSION, Cause

_BEFORE_THE_KEY: Final = frozenset({FaultKind.TOO_MANY_REQUESTS, FaultKind.UNAVAILABLE, FaultKind.FORBIDDEN})
_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


class Pipeline:
    """Turns a request for an operation into Stripe's answer."""

    def __init__(
        self,
        *,
        books: Books,
        keys: Keys,
        faults: Faults,
        lock: threading.RLock,
        tick: Callable[[], None],
        account: str,
    ) -> None:
        self._books = books
        self._keys = keys
        self._faults = faults
        self._lock = lock
        self._tick = tick
        self._account = account
        self.store = IdempotencyStore()

    async def serve(self, operation: Operation, request: Request) -> Response:
        """Answer one request."""
        raw = (await request.body()).decode("utf-8", "replace") if request.method == "POST" else request.url.query
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        with self._lock:
            request_id = self._books.new_id("req")
        call = Call(
            form=forms.parse(raw),
            target=request.path_params.get("id", ""),
            path=request.url.path,
            cause=Cause(request_id, key),
        )
        fault = self._faults.next(operation.place)

        def error(struck: Fault) -> Response:
            return self._answer(call, request, _fault_problem(struck, self._keys, operation))

        try:
            self._admit(operation, request)
        except StripeProblem as problem:
            return self._answer(call, request, problem)
        if fault is not None and fault.kind in _BEFORE_THE_KEY:
            return error(fault)
        if key is None:
            return await self._execute(operation, call, request, fault, error)
        return await self._keyed(operation, call, request, fault, error)

    async def _execute(
        self,
        operation: Operation,
        call: Call,
        request: Request,
        fault: Fault | None,
        error: Callable[[Fault], Response],
    ) -> Response:
        async def handle() -> Response:
            try:
                return self._answer(call, request, self._run(operation, call))
            except StripeProblem as problem:
                return self._answer(call, request, problem)

        return await strike(fault, request, handle, error)

    async def _keyed(
        self,
        operation: Operation,
        call: Call,
        request: Request,
        fault: Fault | None,
        error: Callable[[Fault], Response],
    ) -> Response:
        scope = (request.headers.get("stripe-account", self._account), call.cause.idempotency_key or "")
        try:
            with self._lock:
                stored = self.store.begin(scope, call.path, call.form, self._books.now)
        except StripeProblem as problem:
            return self._answer(call, request, problem)

        async def handle() -> Response:
            answer = stored if stored is not None else self._first(operation, call, scope, fault)
            return self._repeat(call, request, answer, replayed=stored is not None)

        if fault is not None and fault.kind is FaultKind.SERVER_ERROR:
            # A 500 is the answer of an execution, so it is kept and repeated.
            return await handle()
        try:
            return await strike(fault, request, handle, error)
        finally:
            if stored is None:
                with self._lock:
                    self.store.release(scope)

    def _first(self, operation: Operation, call: Call, scope: Scope, fault: Fault | None) -> Stored:
        """Execute a request that carries a new key, and keep its answer if it came to an execution."""
        request_id = call.cause.request_id or ""
        with self._lock:
            try:
                _validate(operation, call)
            except StripeProblem as problem:
                self.store.release(scope)
                return Stored(problem.status, problem.body(), request_id)
            if fault is not None and fault.kind is FaultKind.SERVER_ERROR:
                broken = _fault_problem(fault, self._keys, operation)
                answer = Stored(broken.status, broken.body(), request_id)
            else:
                answer = self._outcome(operation, call, request_id)
            self.store.finish(scope, answer)
            return answer

    def _outcome(self, operation: Operation, call: Call, request_id: str) -> Stored:
        self._tick()
        try:
            return Stored(200, copy.deepcopy(operation.run(call)), request_id)
        except StripeProblem as problem:
            return Stored(problem.status, problem.body(), request_id)

    def _run(self, operation: Operation, call: Call) -> Thing:
        with self._lock:
            self._tick()
            _validate(operation, call)
            return copy.deepcopy(operation.run(call))

    def _admit(self, operation: Operation, request: Request) -> None:
        key = self._keys.identify(request.headers.get("authorization"))
        version = request.headers.get("stripe-version")
        if version is not None and not _VERSION.fullmatch(version):
            raise StripeProblem(400, f"Invalid Stripe API version: {version}.")
        self._keys.permit(key, operation.permission)

    def _answer(self, call: Call, request: Request, answer: Thing | StripeProblem) -> Response:
        if isinstance(answer, StripeProblem):
            return _response(call, request, answer.status, answer.body(), answer.headers)
        return _response(call, request, 200, answer, {})

    @staticmethod
    def _repeat(call: Call, request: Request, answer: Stored, *, replayed: bool) -> Response:
        headers = {"Original-Request": answer.request_id}
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return _response(call, request, answer.status, answer.body, headers)


def _validate(operation: Operation, call: Call) -> None:
    forms.known_only(call.form, operation.allowed)
    operation.check(call.form)


def _response(call: Call, request: Request, status: int, body: Thing, headers: dict[str, str]) -> Response:
    sent = {
        "Request-Id": call.cause.request_id or "",
        "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
        **headers,
    }
    if call.cause.idempotency_key is not None:
        sent["Idempotency-Key"] = call.cause.idempotency_key
    return Response(json.dumps(body, indent=2), status, headers=sent, media_type="application/json")


def _fault_problem(fault: Fault, keys: Keys, operation: Operation) -> StripeProblem:
    """https://docs.stripe.com/rate-limits , https://docs.stripe.com/api/errors ."""
    if fault.kind is FaultKind.FORBIDDEN:
        return keys.denial("rk_test_************", operation.permission)
    if fault.kind is FaultKind.TOO_MANY_REQUESTS:
        return StripeProblem(
            429,
            "Request rate limit exceeded. You can learn more about rate limits here "
            "https://stripe.com/docs/rate-limits.",
            code="rate_limit",
            headers={"Retry-After": str(fault.retry_after_s), "Stripe-Rate-Limited-Reason": "global-rate"},
        )
    status = 503 if fault.kind is FaultKind.UNAVAILABLE else 500
    headers = {"Retry-After": str(fault.retry_after_s)} if status != 500 else {}  # noqa: PLR2004 - HTTP status
    return StripeProblem(
        status,
        "An unknown error occurred. Please try again, or contact support at https://support.stripe.com/.",
        kind="api_error",
        headers=headers,
    )
