"""The three ends of a vendor write. Unknown is a value, never a silent retry.

Which answer means what is decided per vendor in its client; the rule is in docs/reliability.md: a 2xx is Done, a
validation error is Refused, everything that leaves the effect in doubt (time-out, reset, 409, 429, 5xx, a body cut
short) is Unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The vendor confirmed the effect. `value` is what it answered, in our words."""

    value: T
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The vendor definitely did not do it, and the same request will be refused again.

    `code` is the vendor's word (`charge_already_refunded`), `detail` its sentence. `status` is the HTTP status.
    """

    code: str
    detail: str
    status: int
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have happened.

    `why` is one of `timeout`, `connection`, `conflict`, `throttled`, `server_error`, `unreadable`. `replayed` is true
    where the vendor said that it repeated a stored answer, so that asking again with the same key cannot help.
    """

    why: str
    detail: str
    status: int | None = None
    retry_after_s: float | None = None
    replayed: bool = False
    request_id: str | None = None


WriteOutcome = Done[T] | Refused | Unknown
