"""A collector over HTTPS: a batch is one POST of lines of JSON, and any 2xx is a receipt for all of it.

Splunk's raw endpoint, Elastic's and OpenSearch's pipelines, Vector, Fluent Bit and Logstash take it as it is. Redirects
are not followed and no proxy of the environment is used: events go where the settings say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from connectors.errors import AccessDenied, VendorRefused, VendorUnavailable

PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
DENYING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Collector:
    """Sends batches to one address; `authorization` is the whole value of that header, such as `Splunk TOKEN`."""

    url: str
    authorization: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    def post(self, lines: Sequence[str]) -> None:
        """Send one batch.

        Raises:
            VendorUnavailable: no answer, or one that may change.
            AccessDenied: the header is wrong.
            VendorRefused: the collector does not want it; somebody has to look.
        """
        headers = {"Content-Type": "application/x-ndjson"}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        body = "".join(f"{line}\n" for line in lines).encode()
        try:
            with httpx.Client(trust_env=False, timeout=self.timeout_s, follow_redirects=False) as client:
                answer = client.post(self.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise VendorUnavailable(f"the collector does not answer ({type(error).__name__})") from error
        if answer.is_success:
            return
        told, status = f"the collector answers {answer.status_code}", answer.status_code
        if answer.is_server_error or status in PASSING:
            raise VendorUnavailable(f"{told}; it is asked again")
        if status in DENYING:
            raise AccessDenied(f"{told}; check authorization", status=status)
        raise VendorRefused(f"{told}: look at its own log for the reason", status=status)
