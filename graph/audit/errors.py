"""Errors of the log.

AuditError
└── NotCanonicalError   a value that has no canonical JSON, so that its hash could not be repeated; fix the caller
"""

from __future__ import annotations


class AuditError(Exception):
    """Root of this package's errors."""


class NotCanonicalError(AuditError):
    """A value that has no canonical JSON."""
