"""The client of the sandbox's control API, for the demo and for judges.

Promises plain values: dictionaries in the vendors' own shapes where a double is asked, dataclasses for the rest. It
refuses to guess: an answer that is no success raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx

from connectors.sandbox.deliveries import Delivery
from connectors.sandbox.world.errors import WorldError
from connectors.sandbox.world.loading import CustomerIds, Keys
from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.parts import FaultLine, Ticket


@dataclass(frozen=True, slots=True)
class LoadedWorld:
    """A world that stands in the sandbox. `name` is how to add tickets to it."""

    name: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class TicketState:
    """A ticket as the double has it, in the vendor's shapes; comments carry `author_role`, oldest first."""

    ticket: Mapping[str, Any]
    comments: tuple[Mapping[str, Any], ...]
    audits: tuple[Mapping[str, Any], ...]

    @property
    def status(self) -> str:
        """`new`, `open`, `pending`, `hold`, `solved`, `closed` or `deleted`."""
        return str(self.ticket["status"])

    @property
    def tags(self) -> frozenset[str]:
        """The ticket's tags."""
        return frozenset(self.ticket["tags"])


class SandboxControl:
    """One sandbox, by its address.

    Args:
        base_url: such as `http://127.0.0.1:8090`.
        timeout_s: how long one call may take; draining deliveries may take as long.
    """

    def __init__(self, base_url: str, *, timeout_s: float = 60.0) -> None:
        self._client = httpx.Client(base_url=f"{base_url.rstrip('/')}/sandbox", timeout=timeout_s, trust_env=False)

    def healthy(self) -> bool:
        """Whether the sandbox answers."""
        try:
            return self._client.get("/health").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def load(self, setting: Setting) -> LoadedWorld:
        """Load a world; its tickets arrive at once and webhooks fire.

        Raises:
            WorldError: the sandbox refuses it.
        """
        answer = self._post("/world", setting.model_dump(mode="json", by_alias=True, exclude_defaults=True))
        keys = answer["keys"]
        return LoadedWorld(
            name=answer["world"],
            keys=Keys(
                customers={key: CustomerIds(**ids) for key, ids in keys["customers"].items()},
                charges=keys["charges"],
                orders=keys["orders"],
                subscriptions=keys["subscriptions"],
                refunds=tuple(keys["refunds"]),
                tickets=tuple(keys["tickets"]),
            ),
        )

    def new_ticket(self, world: str, ticket: Ticket) -> int:
        """One more ticket in a world that stands; its id."""
        body = {"world": world, "ticket": ticket.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
        return int(self._post("/tickets", body)["ticket_id"])

    def tickets(self) -> tuple[Mapping[str, Any], ...]:
        """All tickets in the vendor's shape."""
        return tuple(self._get("/tickets")["tickets"])

    def ticket(self, ticket_id: int) -> TicketState:
        """One ticket's end state, also where it is deleted."""
        answer = self._get(f"/tickets/{ticket_id}")
        return TicketState(answer["ticket"], tuple(answer["comments"]), tuple(answer["audits"]))

    def customer_writes(self, ticket_id: int, body: str, *, user_id: int | None = None) -> int:
        """The requester, or another user, answers; the id of the ticket that holds the comment."""
        return int(self._post(f"/tickets/{ticket_id}/customer-writes", {"body": body, "user_id": user_id})["ticket_id"])

    def agent_writes(self, ticket_id: int, body: str, *, public: bool = True, status: str | None = None) -> int:
        """The shop's agent comments; the comment's id."""
        sent = {"body": body, "public": public, "status": status}
        return int(self._post(f"/tickets/{ticket_id}/agent-writes", sent)["comment_id"])

    def set_status(self, ticket_id: int, status: str) -> None:
        """An admin sets the status."""
        self._post(f"/tickets/{ticket_id}/status", {"status": status})

    def delete_ticket(self, ticket_id: int) -> None:
        """An admin deletes the ticket."""
        self._read(self._client.delete(f"/tickets/{ticket_id}"))

    def now(self) -> datetime:
        """The sandbox's time."""
        return datetime.fromisoformat(self._get("/clock")["now"])

    def advance(self, seconds: float) -> datetime:
        """Move the clock; what is due by then has happened when this returns."""
        return datetime.fromisoformat(self._post("/clock", {"advance_s": seconds})["now"])

    def events_waiting(self) -> int:
        """How many later events have not happened yet."""
        return int(self._get("/clock")["events_waiting"])

    def arm(self, faults: Iterable[FaultLine]) -> None:
        """Arm faults."""
        self._post("/faults", {"faults": [line.model_dump(mode="json") for line in faults]})

    def disarm(self) -> None:
        """Disarm all faults."""
        self._read(self._client.delete("/faults"))

    def struck(self) -> tuple[tuple[str, str], ...]:
        """The faults that have struck, as (place, kind)."""
        return tuple((entry["at"], entry["kind"]) for entry in self._get("/faults")["struck"])

    def ledger(self) -> tuple[Mapping[str, Any], ...]:
        """Every refund that the double of Stripe has made, oldest first; see `StripeDouble.ledger`."""
        return tuple(self._get("/ledger")["refunds"])

    def refund_by_hand(self, charge: str, amount_minor: int) -> str:
        """A person refunds in the Dashboard; the refund's id."""
        return str(self._post("/refunds", {"charge": charge, "amount_minor": amount_minor})["refund"])

    def deliveries(self, *, drain: bool = False) -> tuple[Delivery, ...]:
        """What became of the webhooks; with `drain`, after the last one has arrived or been given up."""
        answer = self._get("/deliveries", {"drain": "true"} if drain else {})
        return tuple(Delivery(**entry) for entry in answer["deliveries"])

    def script_claude(self, answers: Iterable[Mapping[str, Any]]) -> None:
        """Queue answers of the model, each with `value`, `stop_reason` or `refused`."""
        self._post("/claude/answers", {"answers": [dict(answer) for answer in answers]})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._read(self._client.get(path, params=dict(params or {})))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._read(self._client.post(path, json=dict(body)))

    @staticmethod
    def _read(response: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = response.json() if response.content else {}
        if response.status_code != httpx.codes.OK:
            problems = body.get("problems") or [str(body.get("error", response.text))]
            raise WorldError(tuple(problems))
        return body
