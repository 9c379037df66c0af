"""What a run needs from outside, gathered once by the composition root and passed as an argument.

Nothing here opens a connection or reads a setting. Time, ids and keys of idempotency are functions, so that tests and
harnesses choose them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from connectors.orders.client import OrdersAdapter
from connectors.orders.metadata import OrderMapping
from connectors.stripe.client import StripeAdapter
from connectors.zendesk.client import ZendeskAdapter
from graph.models.gateway import Gateway
from graph.tenancy import Sessions
from graph.vault import Vault
from kb.search import Rerank

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant's connectors and choices. `credentials` names each connector's credential, never its secret."""

    tenant_id: str
    zendesk: ZendeskAdapter
    stripe: StripeAdapter
    orders: OrdersAdapter | None
    order_mapping: OrderMapping | None
    credentials: Mapping[str, str]
    shop_name: str = "our shop"
    currency: str = "usd"
    review_group_id: int | None = None
    brand_ids: frozenset[int] = frozenset()
    segments: Mapping[str, str] = field(default_factory=dict)
    default_segment: str = "standard"
    reissues_lost_refunds: bool = False
    help_center: bool = False
    hold_out_percent: int = 0  # of the tickets, which people have alone, so that there is something to compare with
    channels: frozenset[str] = frozenset({"email", "web", "api", "mobile", "mobile_sdk", "web_form"})


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything a worker works with."""

    sessions: Sessions
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    new_key: Callable[[], str]
    vault: Vault
    tenant: Callable[[str], Tenant]
    gateway: Gateway
    embed: Embed
    worker_id: str
    lease_s: float = 3.0
    rerank: Rerank | None = None
    sections_found: int = 5  # of the knowledge that a run looks at, best first
