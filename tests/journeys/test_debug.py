from __future__ import annotations
import pytest
from tests.journeys.shop import Shop, charged_twice, a_setting
from connectors.sandbox.faults import FaultKind
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*You probably want to use:DeprecationWarning")

async def dump(shop):
    for row in await shop.rows("SELECT kind, body FROM audit_event ORDER BY seq"):
        b=row["body"]; print(row["kind"], {k:v for k,v in b.items() if k in("node","goto","operation","outcome","detail","reason","intents","confidence_percent","for","kind","error","requests", "findings","effect")})
