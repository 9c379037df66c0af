"""Rows `model_calls` and `model_tokens`: what a resolved one-intent ticket asks of Claude, and its cost by list prices.

The runs are those of row `run`, but understood and worded by Claude's double, over the real SDK; its clerk answers in
the forms that are asked for. The double counts a token for four characters; the vendor's tokenizer may count a third
more, which `input_tokens_a_third_more` shows. Each ticket is another customer's, so no answer is on file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pydantic import SecretStr
from sqlalchemy import text

from app.runtime import open_advancer
from app.sandboxed import CLAUDE_KEY
from app.settings import ModelSettings, Provider
from connectors.sandbox.control import SandboxControl
from evals.bench.place import TENANT, Place, doubles, opened_place
from evals.bench.rows import Row, Sample
from evals.bench.run import prepared

MOST_CALLS: Final = 2
MOST_INPUT_TOKENS: Final = 6_000
_USED: Final = text(
    """
    SELECT run.model_calls, run.input_tokens, run.output_tokens, run.cost_usd_micros,
           (SELECT coalesce(sum((body ->> 'cached_tokens')::int), 0) FROM audit_event
             WHERE audit_event.tenant_id = run.tenant_id AND audit_event.run_id = run.run_id
               AND kind = 'model.called') AS cached_tokens
      FROM run WHERE tenant_id = :tenant AND outcome = 'resolved' ORDER BY started_at
    """,
)


_BY_ROLE: Final = text(
    """
    SELECT event.body ->> 'role' AS role, count(*) AS calls,
           sum((event.body ->> 'input_tokens')::int) AS input_tokens,
           sum((event.body ->> 'cached_tokens')::int) AS cached_tokens,
           sum((event.body ->> 'output_tokens')::int) AS output_tokens,
           sum((event.body ->> 'cost_usd_micros')::bigint) AS cost_usd_micros
      FROM audit_event AS event JOIN run USING (tenant_id, run_id)
     WHERE event.tenant_id = :tenant AND event.kind = 'model.called' AND run.outcome = 'resolved'
     GROUP BY 1 ORDER BY 1
    """,
)
"""Each role is one node's: triage, plan, draft."""


def model_cost(*, is_quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Calls, tokens and dollars of a resolved ticket with Claude."""
    with opened_place() as place, doubles(place) as control:
        return asyncio.run(_measure(place, control, 3 if is_quick else 20, say))


async def _measure(place: Place, control: SandboxControl, tickets: int, say: Callable[[str], None]) -> list[Row]:
    claude = ModelSettings(provider=Provider.CLAUDE, api_key=SecretStr(CLAUDE_KEY), base_url=place.doubles_url)
    settings = place.settings.model_copy(update={"models": claude})
    async with open_advancer(settings, place.storage) as (advancer, database):
        bench = await prepared(advancer, database, control)
        for number in range(tickets):
            await bench.one()
            say(f"model_cost ticket {number + 1} of {tickets}")
        async with database.tenant(TENANT) as session:
            used = (await session.execute(_USED, {"tenant": TENANT})).all()
            by_role = (await session.execute(_BY_ROLE, {"tenant": TENANT})).all()
    inputs = Sample.of([float(row.input_tokens) for row in used])
    dollars = Sample.of([row.cost_usd_micros / 1_000_000 for row in used])
    parts = {
        "resolved": float(len(used)),
        "input_tokens_a_third_more": inputs.median * 4 / 3,
        "cached_tokens": Sample.of([float(row.cached_tokens) for row in used]).median,
        "output_tokens": Sample.of([float(row.output_tokens) for row in used]).median,
        "list_price_usd": dollars.median,
        "list_price_usd_first_ticket": used[0].cost_usd_micros / 1_000_000,
    }
    for role in by_role:
        for name in ("input_tokens", "cached_tokens", "output_tokens"):
            parts[f"{role.role}_{name}"] = getattr(role, name) / len(used)
        parts[f"{role.role}_usd"] = role.cost_usd_micros / 1_000_000 / len(used)
    calls = Sample.of([float(row.model_calls) for row in used])
    return [
        Row("model_calls", calls, "calls/ticket", None, MOST_CALLS + 1, is_limit=True),
        Row("model_tokens", inputs, "input tokens/ticket", None, MOST_INPUT_TOKENS, is_limit=True, parts=parts),
    ]
