"""A syslog server over TCP or TLS: messages of RFC 5424, each behind its length as RFC 5425 and RFC 6587 have it.

Syslog knows no receipt. So each batch has a connection of its own that we end first, and the server must end it in
turn: one that broke off, or that hangs, is a batch that is sent again.
https://www.rfc-editor.org/rfc/rfc5424 https://www.rfc-editor.org/rfc/rfc5425 https://www.rfc-editor.org/rfc/rfc6587
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from connectors.errors import ConfigurationError, VendorUnavailable

LOG_AUDIT: Final = 13
"""The facility, as section 6.2.1 numbers it."""

_CHUNK: Final = 4096


class Severity(IntEnum):
    """What a message's urgency is, as section 6.2.1 numbers it."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `at` as RFC 3339 has it with at most six decimals, `kind` of at most 32 letters, `text` in ASCII."""

    at: str
    kind: str
    text: str
    severity: Severity = Severity.INFORMATIONAL

    def frame(self, host: str) -> bytes:
        """The message behind its length in octets.

        >>> Message("2026-11-21T09:00:00.000000Z", "run.ended", "{}").frame("cs-1")
        b'69 <110>1 2026-11-21T09:00:00.000000Z cs-1 countersign - run.ended - {}'
        """
        priority = LOG_AUDIT * 8 + self.severity
        content = f"<{priority}>1 {self.at} {host} countersign - {self.kind} - {self.text}".encode("ascii")
        return b"%d %b" % (len(content), content)


@dataclass(frozen=True, slots=True)
class SyslogServer:
    """One server; with `is_tls` its certificate is checked against the machine's authorities, or those of `ca_file`."""

    host: str
    port: int
    is_tls: bool = True
    ca_file: Path | None = None
    timeout_s: float = 10.0

    def send(self, messages: Sequence[Message]) -> None:
        """Send one batch.

        Raises:
            VendorUnavailable: no connection, or one that did not end well.
            ConfigurationError: `ca_file` cannot be read.
        """
        name = socket.gethostname() or "-"
        frames = b"".join(message.frame(name) for message in messages)
        context = self._context() if self.is_tls else None
        try:
            with socket.create_connection((self.host, self.port), timeout=self.timeout_s) as plain:
                if context is None:
                    _hand_over(plain, frames)
                else:
                    with context.wrap_socket(plain, server_hostname=self.host) as secured:
                        _hand_over_secured(secured, frames)
        except OSError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            raise VendorUnavailable(
                f"the syslog server {self.host}:{self.port} did not take the messages ({reason})"
            ) from error

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"ca_file {str(self.ca_file)!r} cannot be used ({type(error).__name__})"
            ) from error


def _hand_over(connection: socket.socket, frames: bytes) -> None:
    connection.sendall(frames)
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(_CHUNK):
        pass  # what it says is not ours to read; its end is what is waited for


def _hand_over_secured(connection: ssl.SSLSocket, frames: bytes) -> None:
    connection.sendall(frames)
    # A server that closes without the protocol's goodbye has read what came before; one that reset has not.
    with contextlib.suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        connection.unwrap()
