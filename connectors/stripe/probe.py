"""What a Stripe credential may do, for `countersign doctor`.

Promises to change nothing: reads ask for one object, writes are sent so that they must fail after Stripe has checked
the permission and before anything happens (a refund of nothing, a cancellation of an id that cannot exist).
It refuses to guess: a need whose answer was neither a yes nor a no is reported as unknown.

Stripe publishes no list of which permission an endpoint needs; its 403 names it
(https://docs.stripe.com/keys/restricted-api-keys), so the probe reads it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import stripe

from connectors.stripe.failures import missing_permission, read_failure
from connectors.stripe.transport import API_VERSION

_NOBODY: Final = "countersign_permission_probe"
_REFUSED_AFTER_CHECK: Final = frozenset({400, 404})


class Grant(StrEnum):
    """Whether the key has what a need asks for."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing Countersign does with Stripe. `permission` is Stripe's word where it named the missing one."""

    name: str
    is_write: bool
    grant: Grant
    permission: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A credential as Stripe sees it."""

    is_restricted: bool
    is_live: bool
    api_version: str
    needs: tuple[Need, ...]

    @property
    def missing(self) -> tuple[Need, ...]:
        """The needs that the key cannot serve."""
        return tuple(need for need in self.needs if need.grant is Grant.MISSING)


def probe(client: stripe.StripeClient, api_key: str) -> Probe:
    """Try every need once.

    Raises:
        AccessDenied: Stripe does not know the key at all.
        VendorUnavailable: Stripe did not answer.
    """
    reads = tuple(_try(name, call, is_write=False) for name, call in _reads(client))
    writes = tuple(_try(name, call, is_write=True) for name, call in _writes(client))
    return Probe(
        is_restricted=api_key.startswith("rk_"),
        is_live="_live_" in api_key,
        api_version=API_VERSION,
        needs=reads + writes,
    )


def _reads(client: stripe.StripeClient) -> Iterator[tuple[str, Callable[[], object]]]:
    v1 = client.v1
    yield "read customers", lambda: v1.customers.list({"limit": 1})
    yield "read charges", lambda: v1.charges.list({"limit": 1})
    yield "read payment intents", lambda: v1.payment_intents.list({"limit": 1})
    yield "read refunds", lambda: v1.refunds.list({"limit": 1})
    yield "read disputes", lambda: v1.disputes.list({"limit": 1})
    yield "read early fraud warnings", lambda: v1.radar.early_fraud_warnings.list({"limit": 1})
    yield "read subscriptions", lambda: v1.subscriptions.list({"limit": 1})


def _writes(client: stripe.StripeClient) -> Iterator[tuple[str, Callable[[], object]]]:
    v1 = client.v1
    # Neither a charge nor a payment intent is named, so there is nothing to refund.
    yield "refund charges", lambda: v1.refunds.create({})
    yield "cancel subscriptions", lambda: v1.subscriptions.cancel(f"sub_{_NOBODY}")
    yield "cancel payment intents", lambda: v1.payment_intents.cancel(f"pi_{_NOBODY}")


def _try(name: str, call: Callable[[], object], *, is_write: bool) -> Need:
    try:
        call()
    except stripe.PermissionError as error:
        return Need(name, is_write, Grant.MISSING, missing_permission(error))
    except stripe.InvalidRequestError as error:
        checked = is_write and error.http_status in _REFUSED_AFTER_CHECK
        return Need(name, is_write, Grant.GRANTED if checked else Grant.UNKNOWN)
    except stripe.StripeError as error:
        raise read_failure(error) from error
    return Need(name, is_write, Grant.UNKNOWN if is_write else Grant.GRANTED)
