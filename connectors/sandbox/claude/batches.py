"""Message batches of Claude's double: taken at once, answered when their time has come, kept as lines of results.

https://platform.claude.com/docs/en/build-with-claude/batch-processing . Promises the vendor's life of a batch:
`in_progress`, perhaps `canceling`, `ended`; counts that stay zero until then; a request that the vendor would refuse is
an errored line and no error of the batch. It refuses ids that are malformed or used twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.sandbox.claude.requests import Refusal, invalid

EXPIRES_AFTER: Final = timedelta(hours=24)
_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Answering = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Answers the parameters of one request as a message; raises `Refusal` where the vendor would refuse it."""


@dataclass(slots=True)
class Batch:
    """One batch. `lines` are there once it has ended."""

    batch_id: str
    requests: list[dict[str, Any]]
    created_at: datetime
    cancelled_at: datetime | None = None
    ended_at: datetime | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The vendor's word for where it stands."""
        if self.ended_at is not None:
            return "ended"
        return "in_progress" if self.cancelled_at is None else "canceling"

    def body(self, base_url: str) -> dict[str, Any]:
        """The batch as the vendor shows it."""
        kinds = [line["result"]["type"] for line in self.lines]
        counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
        results = f"{base_url}v1/messages/batches/{self.batch_id}/results"
        return {
            "id": self.batch_id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": {"processing": 0 if self.lines else len(self.requests), **counts},
            "created_at": self.created_at.isoformat(),
            "expires_at": (self.created_at + EXPIRES_AFTER).isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "cancel_initiated_at": None if self.cancelled_at is None else self.cancelled_at.isoformat(),
            "archived_at": None,
            "results_url": results if self.ended_at is not None else None,
        }


class Batches:
    """The batches of one key.

    Args:
        answer: what the model says to one request.
        takes: how long a batch is in progress, by the sandbox's time.
    """

    def __init__(self, answer: Answering, *, takes: timedelta = timedelta(seconds=1)) -> None:
        self._answer = answer
        self._takes = takes
        self._batches: dict[str, Batch] = {}

    def create(self, raw: bytes, batch_id: str, now: datetime) -> Batch:
        """Take a batch.

        Raises:
            Refusal: its shape is wrong, or an id is.
        """
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise invalid("the request body is not valid JSON") from error
        requests = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(requests, list) or not requests:
            raise invalid("requests: at least one request is required")
        names: set[str] = set()
        for number, request in enumerate(requests):
            name = request.get("custom_id") if isinstance(request, dict) else None
            if not isinstance(name, str) or not _ID.fullmatch(name) or name in names:
                raise invalid(f"requests.{number}.custom_id: must be unique and match ^[a-zA-Z0-9_-]{{1,64}}$")
            if not isinstance(request.get("params"), dict):
                raise invalid(f"requests.{number}.params: field required")
            names.add(name)
        self._batches[batch_id] = Batch(batch_id, requests, now)
        return self._batches[batch_id]

    def look(self, batch_id: str, now: datetime) -> Batch:
        """The batch as it stands now; what has become due is answered.

        Raises:
            Refusal: there is none.
        """
        batch = self._batches.get(batch_id)
        if batch is None:
            raise Refusal(404, "not_found_error", f"message batch {batch_id} not found")
        if batch.ended_at is None and now >= batch.created_at + self._takes:
            batch.lines = [self._line(request, batch) for request in reversed(batch.requests)]  # in no promised order
            batch.ended_at = now
        return batch

    def cancel(self, batch_id: str, now: datetime) -> Batch:
        """Let it end without sending what has not been sent."""
        batch = self.look(batch_id, now)
        if batch.ended_at is None and batch.cancelled_at is None:
            batch.cancelled_at = now
        return batch

    def _line(self, request: Mapping[str, Any], batch: Batch) -> dict[str, Any]:
        result: dict[str, Any]
        if batch.cancelled_at is not None:
            result = {"type": "canceled"}
        else:
            try:
                result = {"type": "succeeded", "message": self._answer(request["params"])}
            except Refusal as refusal:
                error = {"type": refusal.kind, "message": refusal.message}
                result = {"type": "errored", "error": {"type": "error", "error": error}}
        return {"custom_id": request["custom_id"], "result": result}
