"""A witness over HTTP, as https://c2sp.org/tlog-witness describes it.

It is given a checkpoint and the proof that it continues what the witness saw last, and keeps or refuses it.

Any receiver that answers 2xx will do. Where a secret is shared, each request carries an HMAC-SHA256 over its time and
body in `Countersign-Signature: t=SECONDS,v1=HEX`. Redirects are not followed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import httpx

from connectors.errors import AccessDenied, VendorRefused, VendorUnavailable
from connectors.witness.errors import SawAnotherSize

SIGNATURE_HEADER = "Countersign-Signature"


@dataclass(frozen=True, slots=True)
class WitnessService:
    """Sends checkpoints to one address."""

    name: str
    url: str
    now: Callable[[], datetime]
    secret: str | None = None
    every_s: float = 60.0
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        return f"WitnessService({self.name!r}, {self.url!r})"

    def newest(self, origin: str) -> str | None:  # noqa: ARG002
        """Nothing: a witness is not asked, it objects."""
        return None

    def keep(self, note: str, *, origin: str, old: int, proof: Sequence[bytes]) -> None:  # noqa: ARG002 - the note has it
        """Hand over one note.

        Args:
            note: the signed checkpoint.
            origin: of the log.
            old: the size of the checkpoint that the witness saw last.
            proof: that the log of that size begins this one.

        Raises:
            SawAnotherSize: the witness saw another checkpoint last than the proof begins with.
            VendorUnavailable: no answer, or one that may change.
            VendorRefused: the witness refuses; somebody has to look.
        """
        lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), "", note]
        body = "\n".join(lines).encode()
        try:
            answer = httpx.post(
                self.url, content=body, headers=self._headers(body), timeout=self.timeout_s, follow_redirects=False
            )
        except httpx.HTTPError as error:
            raise VendorUnavailable(f"the witness at {self.url!r} does not answer: {type(error).__name__}") from error
        self._read(answer)

    def _read(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        told = f"the witness at {self.url!r} answers {answer.status_code}"
        if answer.status_code == HTTPStatus.CONFLICT and answer.text.strip().isdecimal():
            raise SawAnotherSize(int(answer.text.strip()[:18]))
        if answer.is_server_error or answer.status_code in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
            raise VendorUnavailable(f"{told}; it is asked again")
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise AccessDenied(f"{told}; check its secret and that it knows our key", status=answer.status_code)
        raise VendorRefused(f"{told}: look at its own log for the reason", status=answer.status_code)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.secret is not None:
            seconds = int(self.now().timestamp())
            signed = hmac.new(self.secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
            headers[SIGNATURE_HEADER] = f"t={seconds},v1={signed}"
        return headers
