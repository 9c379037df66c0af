"""Errors of the log.

AuditError
├── NotCanonicalError   a value that has no canonical JSON, so that its hash could not be repeated; fix the caller
├── CheckpointError     a checkpoint or a key that is not what it should be; nothing is believed because of it
└── LogBroken           the log does not hold, so nothing is signed; somebody has to look
"""

from __future__ import annotations


class AuditError(Exception):
    """Root of this package's errors."""


class NotCanonicalError(AuditError):
    """A value that has no canonical JSON."""


class CheckpointError(AuditError):
    """A checkpoint or a key that is not what it should be."""


class LogBroken(AuditError):
    """The log does not hold."""
