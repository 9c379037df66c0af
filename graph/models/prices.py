"""List prices of Claude models, with the day they were read, and what a call costs by them.

Source: https://platform.claude.com/docs/en/about-claude/pricing, read on 2026-11-01. Cache writes cost 1.25 times the
input price for five minutes; cache reads cost a share of it that differs by model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READ_ON: Final = "2026-11-01"


@dataclass(frozen=True, slots=True)
class Price:
    """Thousandths of a dollar per million tokens. A cached token costs `cache_read_permille` of the input price."""

    input_milli_usd: int
    output_milli_usd: int
    cache_read_permille: int = 100


PRICES: Final = {
    "claude-opus-5-5": Price(4_000, 20_000, 50),
    "claude-sonnet-5-5": Price(2_000, 10_000, 50),
    "claude-haiku-5-5": Price(100, 500),
    "claude-fable-5-1": Price(10_000, 50_000, 25),
}
UNLISTED: Final = Price(10_000, 50_000)
"""A model without a listed price is counted at the dearest one, so that a budget errs on the safe side."""


def cost_usd_micros(
    model: str,
    *,
    input_tokens: int,
    cache_write_tokens: int,
    cache_read_tokens: int,
    output_tokens: int,
) -> int:
    """Millionths of a dollar for one call, rounded up.

    >>> cost_usd_micros("claude-haiku-5-5", input_tokens=1000, cache_write_tokens=0, cache_read_tokens=0,
    output_tokens=100) 150
    """
    price = PRICES.get(model, UNLISTED)
    # thousandths of a dollar per million tokens x tokens = billionths of a dollar; permille and quarter need x 1000
    input_billionths = price.input_milli_usd * (
        1000 * input_tokens + 1250 * cache_write_tokens + price.cache_read_permille * cache_read_tokens
    )
    output_billionths = price.output_milli_usd * 1000 * output_tokens
    return -(-(input_billionths + output_billionths) // 1_000_000)
