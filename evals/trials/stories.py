"""The tickets of trials: a charge made twice, decided and refunded without a person."""

from __future__ import annotations

from typing import Final

from connectors.sandbox.world.model import Setting
from connectors.sandbox.world.reading import read_yaml

_TWICE: Final = """
world:
  customers: [{{key: c, name: Ana Ruiz, email: ana.{number}@customers.example}}]
  charges:
    - {{key: first, customer: c, amount: {amount}, currency: usd, days_ago: 3.01, description: Order, order: "{order}"}}
    - {{key: second, customer: c, amount: {amount}, currency: usd, days_ago: 3, description: Order, order: "{order}"}}
ticket:
  requester: c
  subject: Charged twice for order {order}
  comments:
    - from: c
      body: >-
        Hello, my bank statement shows two charges of ${amount} for order {order}. I only ordered once, please refund
        the second charge.
"""
FIRST_ORDER: Final = 20_000


def charged_twice(number: int = 1, *, amount: str = "24.90") -> Setting:
    """One customer's charge made twice; `number` tells customers and orders apart."""
    story = _TWICE.format(number=number, order=FIRST_ORDER + number, amount=amount)
    return read_yaml(story, Setting, name="a trial's world")
