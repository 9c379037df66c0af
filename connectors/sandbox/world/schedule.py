"""Events that are still to come, fired as the sandbox's clock passes them.

Promises each event once, in the order of their times, however far the clock jumps. What an event cannot do any more
(write on a deleted ticket, refund what is gone) is noted in `failed` and does not stop the others.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from connectors.sandbox.stripe.problems import StripeProblem
from connectors.sandbox.world.loading import Doubles, Keys
from connectors.sandbox.world.model import World
from connectors.sandbox.world.parts import Later, LaterDispute, LaterRefund, Ticket
from connectors.sandbox.zendesk.refusal import Refusal


@dataclass(frozen=True, slots=True)
class _Event:
    later: Later
    world: World
    keys: Keys
    ticket: Ticket | None


class Schedule:
    """The timetable of one sandbox. Safe to share between threads."""

    def __init__(self, doubles: Doubles) -> None:
        self._doubles = doubles
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._due: list[tuple[datetime, int, _Event]] = []
        self.fired = 0
        self.failed: list[str] = []

    def add(self, world: World, tickets: tuple[Ticket, ...], keys: Keys, now: datetime) -> None:
        """Enter the later events of a world whose tickets have arrived."""
        with self._lock:
            for later in world.later:
                ticket = tickets[later.ticket] if later.ticket < len(tickets) else None
                due = now + timedelta(seconds=later.after_s)
                heapq.heappush(self._due, (due, next(self._numbers), _Event(later, world, keys, ticket)))

    def waiting(self) -> int:
        """How many events are still to come."""
        with self._lock:
            return len(self._due)

    def next_at(self) -> datetime | None:
        """When the next of them happens; None where none is to come."""
        with self._lock:
            return self._due[0][0] if self._due else None

    def fire(self, now: datetime) -> int:
        """Let everything happen that is due; how many events that were."""
        with self._lock:
            ready = []
            while self._due and self._due[0][0] <= now:
                ready.append(heapq.heappop(self._due)[2])
            for event in ready:
                try:
                    self._happen(event, now)
                except (Refusal, StripeProblem, ValueError) as error:
                    self.failed.append(f"{event.later.model_dump_json(exclude_none=True)}: {error}")
                self.fired += 1
        return len(ready)

    def _happen(self, event: _Event, now: datetime) -> None:
        later = event.later
        match later.human_refunds or later.dispute:
            case None:
                self._happen_in_zendesk(event)
            case LaterRefund() as refund:
                self._doubles.stripe.add_refund(
                    charge=event.keys.charges[refund.charge],
                    amount_minor=event.world.money(refund.charge, refund.amount).minor,
                    created=now,
                )
            case LaterDispute() as dispute:
                self._doubles.stripe.add_dispute(
                    charge=event.keys.charges[dispute.charge],
                    reason=dispute.reason,
                    status=dispute.status,
                    created=now,
                )
            case other:
                assert_never(other)

    def _happen_in_zendesk(self, event: _Event) -> None:
        later, zendesk = event.later, self._doubles.zendesk
        assert event.ticket is not None
        ticket_id = event.keys.tickets[later.ticket]
        if later.customer_writes is not None:
            writer = event.keys.customers[later.by or event.ticket.requester].zendesk_user_id
            zendesk.customer_writes(ticket_id, writer, later.customer_writes)
        elif later.agent_writes is not None:
            zendesk.agent_writes(ticket_id, self._doubles.agent_id(), later.agent_writes)
        elif later.ticket_deleted:
            zendesk.delete_ticket(ticket_id)
        elif later.status is not None:
            zendesk.change_status(ticket_id, later.status, user_id=self._doubles.agent_id())
