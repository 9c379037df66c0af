"""Doubles of those who take events: a collector over HTTP that may refuse, and a syslog server that may break off."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Syslog:
    """A server by RFC 5425's framing: it keeps whole messages, and resets the next `breaks` connections unread."""

    port: int
    breaks: int = 0
    messages: list[str] = field(default_factory=list)

    def read(self, content: bytes) -> None:
        while content:
            length, _, rest = content.partition(b" ")
            self.messages.append(rest[: int(length)].decode("ascii"))
            content = rest[int(length) :]


@contextmanager
def syslog(certificate: Path | None = None) -> Iterator[Syslog]:
    """A real server on this machine, with TLS where it has a certificate."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    double = Syslog(listener.getsockname()[1])
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    is_over = False

    def serve() -> None:
        while not is_over:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            if double.breaks:
                double.breaks -= 1
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()  # a reset
                continue
            try:
                if context is None:
                    double.read(_until_its_end(connection))
                else:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        double.read(_until_its_end(secured))
                        secured.unwrap()
            except OSError:
                pass  # a client that does not trust us
            finally:
                connection.close()

    thread = Thread(target=serve)
    thread.start()
    try:
        yield double
    finally:
        is_over = True
        thread.join()
        listener.close()


def _until_its_end(connection: socket.socket) -> bytes:
    content = b""
    while part := connection.recv(65536):
        content += part
    return content


def a_certificate(folder: Path) -> Path:
    """A file of a key and its own certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "siem.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
