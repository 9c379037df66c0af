"""Errors of the settlement: broken promises of a caller. What may be expected to happen is a return value instead.

SettlementError
├── MissingRow      no such effect or approval in this tenant
└── WrongRequest    an effect that contradicts itself: its amount's currency is not the charge's, money without a charge
"""

from __future__ import annotations


class SettlementError(Exception):
    """Root of this package's errors."""


class MissingRow(SettlementError):
    """No such effect or approval in this tenant."""


class WrongRequest(SettlementError):
    """An effect that contradicts itself."""
