"""List prices of Claude models, with the day they were read, and what a call costs by them.

Source: https://platform.claude.com/docs/en/about-claude/pricing and each model's own page, read on 2026-11-21. Cache
writes cost 1.25 times the input price for five minutes; cache reads cost a share of it that differs by model; a batch
costs half of everything. A price may step up for the whole request where its prompt is long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connectors.claude.wire import TokenUsage

READ_ON: Final = "2026-11-21"


@dataclass(frozen=True, slots=True)
class Price:
    """Thousandths of a dollar per million tokens. A cached token costs `cache_read_permille` of the input price.

    From `long_above` tokens of input on, both prices are `long_factor` times as high.
    """

    input_milli_usd: int
    output_milli_usd: int
    cache_read_permille: int = 100
    long_above: int | None = None
    long_factor: int = 1


PRICES: Final = {
    "claude-opus-5-5": Price(4_000, 20_000, 50),
    "claude-sonnet-5-5": Price(2_000, 10_000),
    "claude-haiku-5-5": Price(100, 500, long_above=100_000, long_factor=5),
    "claude-fable-5-1": Price(10_000, 50_000, 25),
}
UNLISTED: Final = Price(10_000, 50_000)
"""A model without a listed price is counted at the dearest one, so that a budget errs on the safe side."""


def cost_usd_micros(model: str, usage: TokenUsage, *, is_batch: bool = False) -> int:
    """Millionths of a dollar for one call, rounded up.

    >>> cost_usd_micros("claude-haiku-5-5", TokenUsage(1000, 0, 0, 100))
    150
    """
    price = PRICES.get(model, UNLISTED)
    # thousandths of a dollar per million tokens x tokens = billionths of a dollar; permille and quarter need x 1000
    billionths = price.input_milli_usd * (
        1000 * usage.input_tokens
        + 1250 * usage.cache_write_tokens
        + price.cache_read_permille * usage.cache_read_tokens
    )
    billionths += price.output_milli_usd * 1000 * usage.output_tokens
    if price.long_above is not None and usage.total_input_tokens > price.long_above:
        billionths *= price.long_factor
    return -(-billionths // (2_000_000 if is_batch else 1_000_000))
