"""How a request to the double is answered: fault, limit, credential, then the endpoint, under the account's lock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.faults import Fault, Faults
from connectors.sandbox.faulty import strike
from connectors.sandbox.zendesk.access import Access, Caller
from connectors.sandbox.zendesk.account import Account
from connectors.sandbox.zendesk.limits import Meter
from connectors.sandbox.zendesk.records import Json
from connectors.sandbox.zendesk.refusal import Refusal, bad_request, not_authenticated, of_fault


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    caller: Caller
    path: Mapping[str, int | str]
    query: Mapping[str, str]
    body: Json
    headers: Mapping[str, str]
    url: str

    def number(self, name: str) -> int:
        """A numeric part of the path."""
        return int(self.path[name])

    def part(self, name: str) -> Json:
        """An object of the body.

        Raises:
            Refusal: 400 where it is missing.
        """
        value = self.body.get(name)
        if not isinstance(value, dict):
            raise bad_request("InvalidValue", f"Parameter {name} is required")
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. `body` is `None` where there is none."""

    body: Json | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Endpoint = Callable[[Call], Answer]


class Desk:
    """The front of the double: makes routes out of endpoints."""

    def __init__(self, account: Account, access: Access, meter: Meter, faults: Faults) -> None:
        self.account = account
        self.access = access
        self.meter = meter
        self._faults = faults

    def routes(self, place: str, method: str, path: str, endpoint: Endpoint) -> list[Route]:
        """Routes of one endpoint, with and without `.json`.

        Args:
            place: names the endpoint to the faults.
            method: the HTTP method.
            path: a Starlette path below `/api/v2`.
            endpoint: called with the account's lock held.
        """

        async def serve(request: Request) -> Response:
            raw = await request.body()

            async def handle() -> Response:
                return self._answer(request, raw, endpoint)

            return await strike(self._faults.next(place), request, handle, fault_response)

        return [Route(f"/api/v2{path}{suffix}", serve, methods=[method]) for suffix in ("", ".json")]

    def token_route(self) -> Route:
        """`POST /oauth/tokens`, which asks for no credential but the client's own."""

        async def serve(request: Request) -> Response:
            raw = await request.body()

            async def handle() -> Response:
                try:
                    with self.account.lock:
                        return JSONResponse(self.access.grant(read_json(raw)))
                except Refusal as refusal:
                    return refused(refusal)

            return await strike(self._faults.next("zendesk.oauth.tokens"), request, handle, fault_response)

        return Route("/oauth/tokens", serve, methods=["POST"])

    def unknown_route(self) -> Route:
        """Everything else below `/api/v2`: 404 with the vendor's body for an unknown path."""

        async def serve(request: Request) -> Response:
            body: Json = {"error": {"title": "Invalid endpoint", "message": "Not found"}}
            del request
            return JSONResponse(body, status_code=404)

        return Route("/api/v2/{rest:path}", serve, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])

    def _answer(self, request: Request, raw: bytes, endpoint: Endpoint) -> Response:
        headers: dict[str, str] = {}
        try:
            with self.account.lock:
                headers.update(self.meter.account())
                answer = endpoint(self._call(request, raw))
                headers.update(answer.headers)
        except Refusal as refusal:
            return refused(refusal, headers)
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        return JSONResponse(answer.body, status_code=answer.status, headers=headers)

    def _call(self, request: Request, raw: bytes) -> Call:
        authorization = request.headers.get("authorization", "")
        caller = self.access.caller(authorization)
        if caller is None:
            raise not_authenticated(bearer=authorization.lower().startswith("bearer"))
        path = request.url.path.removesuffix(".json")
        return Call(
            caller=caller,
            path=request.path_params,
            query=dict(request.query_params),
            body=read_json(raw),
            headers=request.headers,
            url=f"{self.account.site}{path}.json",
        )


def read_json(raw: bytes) -> Json:
    """A body as an object; no body is an empty one.

    Raises:
        Refusal: 400.
    """
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, UnicodeDecodeError) as error:
        raise bad_request("Unprocessable JSON", "Server could not parse JSON") from error
    return body if isinstance(body, dict) else {}


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal as a response."""
    return JSONResponse(refusal.body, status_code=refusal.status, headers={**(headers or {}), **refusal.headers})


def fault_response(fault: Fault) -> Response:
    """The vendor's own answer for an injected error."""
    return refused(of_fault(fault))
