"""The control API under `/sandbox`: load worlds, act as people, move the clock, arm faults, read the end state.

Promises what the vendors would never offer: the truth of the doubles' own state, which is what judges read. It refuses
what a world's model refuses, with 400 and one sentence per problem.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.claude.answers import Answer
from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.receiver import Receiver
from connectors.sandbox.stripe.problems import StripeProblem
from connectors.sandbox.world.errors import WorldError
from connectors.sandbox.world.loading import Doubles, Keys, arrive, load
from connectors.sandbox.world.model import Setting, World
from connectors.sandbox.world.parts import FaultLine, Ticket
from connectors.sandbox.world.reading import read_json, validated
from connectors.sandbox.world.schedule import Schedule
from connectors.sandbox.zendesk.refusal import Refusal

M = TypeVar("M", bound=BaseModel)


class _Clock(Protocol):
    def now(self) -> datetime: ...

    def advance(self, seconds: float) -> datetime: ...


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Arrival(_Body):
    world: str
    ticket: Ticket


class _Advance(_Body):
    advance_s: Annotated[float, Field(ge=0)]


class _Faults(_Body):
    faults: tuple[FaultLine, ...]


class _CustomerWrites(_Body):
    body: str
    user_id: int | None = None
    public: bool = True


class _AgentWrites(_Body):
    body: str
    public: bool = True
    status: str | None = None


class _Status(_Body):
    status: str


class _HumanRefund(_Body):
    charge: str
    amount_minor: int


class _ScriptedAnswer(_Body):
    value: Any = None
    stop_reason: str = "end_turn"
    refused: str | None = None


class _Answers(_Body):
    answers: tuple[_ScriptedAnswer, ...]


@dataclass(slots=True)
class _Loaded:
    world: World
    keys: Keys


class ControlApi:
    """The routes over one sandbox's parts; `tick` lets happen what is due."""

    def __init__(
        self,
        *,
        doubles: Doubles,
        deliveries: Deliveries,
        schedule: Schedule,
        receiver: Receiver,
        clock: _Clock,
        tick: Callable[[], None],
    ) -> None:
        self._doubles = doubles
        self._deliveries = deliveries
        self._schedule = schedule
        self._receiver = receiver
        self._clock = clock
        self._tick = tick
        self._numbers = itertools.count(1)
        self._worlds: dict[str, _Loaded] = {}

    def routes(self) -> list[BaseRoute]:
        """All paths under `/sandbox`."""
        table: list[tuple[str, str, Callable[[Request], Awaitable[Any]]]] = [
            ("GET", "/health", self._health),
            ("POST", "/world", self._load_world),
            ("POST", "/tickets", self._new_ticket),
            ("GET", "/tickets", self._list_tickets),
            ("GET", "/tickets/{ticket_id:int}", self._show_ticket),
            ("DELETE", "/tickets/{ticket_id:int}", self._delete_ticket),
            ("POST", "/tickets/{ticket_id:int}/customer-writes", self._customer_writes),
            ("POST", "/tickets/{ticket_id:int}/agent-writes", self._agent_writes),
            ("POST", "/tickets/{ticket_id:int}/status", self._set_status),
            ("GET", "/clock", self._show_clock),
            ("POST", "/clock", self._advance),
            ("GET", "/faults", self._show_faults),
            ("POST", "/faults", self._add_faults),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/ledger", self._ledger),
            ("POST", "/refunds", self._human_refund),
            ("GET", "/deliveries", self._show_deliveries),
            ("GET", "/notices", self._show_notices),
            ("POST", "/claude/answers", self._script_answers),
        ]
        return [Route(f"/sandbox{path}", _guarded(endpoint), methods=[method]) for method, path, endpoint in table]

    async def _health(self, _: Request) -> dict[str, Any]:
        return {"ok": True, "now": self._clock.now().isoformat()}

    async def _load_world(self, request: Request) -> dict[str, Any]:
        setting = await _body(request, Setting)
        now = self._clock.now()
        loaded = _Loaded(setting.world, load(setting.world, self._doubles, now))
        for ticket in setting.all_tickets:
            loaded.keys = loaded.keys.with_ticket(arrive(ticket, setting.world, loaded.keys, self._doubles))
        self._schedule.add(setting.world, setting.all_tickets, loaded.keys, now)
        self._tick()
        name = f"w{next(self._numbers)}"
        self._worlds[name] = loaded
        return {"world": name, "keys": asdict(loaded.keys)}

    async def _new_ticket(self, request: Request) -> dict[str, Any]:
        arrival = await _body(request, _Arrival)
        loaded = self._worlds[arrival.world]
        # The world's later events belong to the tickets that came with it.
        still = loaded.world.model_copy(update={"later": ()})
        validated({"world": still, "ticket": arrival.ticket}, Setting, name="body", lines={})
        ticket_id = arrive(arrival.ticket, loaded.world, loaded.keys, self._doubles)
        loaded.keys = loaded.keys.with_ticket(ticket_id)
        return {"ticket_id": ticket_id}

    async def _list_tickets(self, _: Request) -> dict[str, Any]:
        return {"tickets": self._doubles.zendesk.tickets()}

    async def _show_ticket(self, request: Request) -> dict[str, Any]:
        ticket_id = request.path_params["ticket_id"]
        zendesk = self._doubles.zendesk
        return {
            "ticket": zendesk.ticket(ticket_id),
            "comments": zendesk.comments(ticket_id),
            "audits": zendesk.audits(ticket_id),
        }

    async def _delete_ticket(self, request: Request) -> dict[str, Any]:
        self._doubles.zendesk.delete_ticket(request.path_params["ticket_id"])
        return {}

    async def _customer_writes(self, request: Request) -> dict[str, Any]:
        body, ticket_id = await _body(request, _CustomerWrites), request.path_params["ticket_id"]
        zendesk = self._doubles.zendesk
        writer = body.user_id or int(str(zendesk.ticket(ticket_id)["requester_id"]))
        return {"ticket_id": zendesk.customer_writes(ticket_id, writer, body.body, public=body.public)}

    async def _agent_writes(self, request: Request) -> dict[str, Any]:
        body, ticket_id = await _body(request, _AgentWrites), request.path_params["ticket_id"]
        agent = self._doubles.agent_id()
        comment_id = self._doubles.zendesk.agent_writes(
            ticket_id,
            agent,
            body.body,
            public=body.public,
            status=body.status,
        )
        return {"comment_id": comment_id}

    async def _set_status(self, request: Request) -> dict[str, Any]:
        body = await _body(request, _Status)
        self._doubles.zendesk.change_status(request.path_params["ticket_id"], body.status)
        return {}

    async def _show_clock(self, _: Request) -> dict[str, Any]:
        return {"now": self._clock.now().isoformat(), "events_waiting": self._schedule.waiting()}

    async def _advance(self, request: Request) -> dict[str, Any]:
        body = await _body(request, _Advance)
        now = self._clock.advance(body.advance_s)
        self._tick()
        return {"now": now.isoformat(), "events_waiting": self._schedule.waiting(), "failed": self._schedule.failed}

    async def _show_faults(self, _: Request) -> dict[str, Any]:
        return {"struck": [{"at": place, "kind": kind.value} for place, kind in self._doubles.faults.struck]}

    async def _add_faults(self, request: Request) -> dict[str, Any]:
        body = await _body(request, _Faults)
        for line in body.faults:
            self._doubles.faults.add(line.fault())
        return {"armed": len(body.faults)}

    async def _clear_faults(self, _: Request) -> dict[str, Any]:
        self._doubles.faults.clear()
        return {}

    async def _ledger(self, _: Request) -> dict[str, Any]:
        return {"refunds": self._doubles.stripe.ledger()}

    async def _human_refund(self, request: Request) -> dict[str, Any]:
        body = await _body(request, _HumanRefund)
        made = self._doubles.stripe.add_refund(
            charge=body.charge,
            amount_minor=body.amount_minor,
            created=self._clock.now(),
        )
        return {"refund": made}

    async def _show_deliveries(self, request: Request) -> dict[str, Any]:
        if request.query_params.get("drain") == "true":
            await self._deliveries.drain()
        return {"busy": self._deliveries.busy(), "deliveries": [asdict(entry) for entry in self._deliveries.log]}

    async def _show_notices(self, _: Request) -> dict[str, Any]:
        return {"notices": [asdict(one) for one in self._receiver.received], "forged": self._receiver.forged}

    async def _script_answers(self, request: Request) -> dict[str, Any]:
        body = await _body(request, _Answers)
        self._doubles.claude.script(Answer(entry.value, entry.stop_reason, entry.refused) for entry in body.answers)
        return {"queued": len(body.answers)}


async def _body(request: Request, model: type[M]) -> M:
    return read_json(await request.body(), model, name="body")


def _guarded(endpoint: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose expected failures are answers."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await endpoint(request))
        except WorldError as error:
            return JSONResponse({"error": str(error), "problems": list(error.problems)}, status_code=400)
        except KeyError as error:
            return JSONResponse({"error": f"there is no {error.args[0]!r}"}, status_code=404)
        except Refusal as refusal:
            return JSONResponse({"error": json.dumps(refusal.body)}, status_code=refusal.status)
        except (StripeProblem, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return answer
