"""A double of AWS KMS that enforces what moto does not: a disabled key makes and opens nothing.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html names DisabledException, InvalidCiphertextException
for another encryption context, and AccessDeniedException.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Refused(Exception):
    """What KMS answers with status 400."""


@dataclass
class Kms:
    """One key."""

    url: str = ""
    is_enabled: bool = True
    opened: int = 0
    _key: AESGCM = field(default_factory=lambda: AESGCM(os.urandom(32)))

    def answer(self, operation: str, form: dict[str, Any]) -> dict[str, str]:
        if not self.is_enabled:
            raise Refused("DisabledException")
        context = json.dumps(form.get("EncryptionContext", {}), sort_keys=True).encode()
        if operation == "GenerateDataKey":
            plain, nonce = os.urandom(32), os.urandom(12)
            blob = nonce + self._key.encrypt(nonce, plain, context)
            return {"Plaintext": base64.b64encode(plain).decode(), "CiphertextBlob": base64.b64encode(blob).decode()}
        assert operation == "Decrypt"
        self.opened += 1
        blob = base64.b64decode(form["CiphertextBlob"])
        try:
            plain = self._key.decrypt(blob[:12], blob[12:], context)
        except InvalidTag as error:
            raise Refused("InvalidCiphertextException") from error
        return {"Plaintext": base64.b64encode(plain).decode()}


@contextmanager
def kms() -> Iterator[Kms]:
    """The double over HTTP, as boto3 talks to it."""
    double = Kms()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = 200, double.answer(self.headers["X-Amz-Target"].partition(".")[2], form)
            except Refused as error:
                status, answer = 400, {"__type": str(error), "message": "refused"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
