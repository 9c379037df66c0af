"""A file of a comment, fetched with a bound on its size, and with the credential only for the account's own host.

`content_url` leads to the account, which may send on to a host of Zendesk's for files. Nobody else is asked.
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/
https://developer.zendesk.com/documentation/api-basics/best-practices/working-with-url-properties/
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from connectors.errors import Throttled, VendorRefused, VendorUnavailable, WireError
from connectors.zendesk.transport import DEFAULT_PAUSE_S, Credentials

FILE_HOSTS: Final = (".zdusercontent.com", ".zendesk.com")
MAX_REDIRECTS: Final = 3
_CHUNK: Final = 64 * 1024


class Files:
    """Files of one account's comments. Blocking; safe to share between threads.

    Args:
        subdomain: the account's.
        base_url: where the account is served instead, such as the sandbox; checked already.
        credentials: for the account's own host.
        timeout_s: for connecting and for each wait for bytes.
    """

    def __init__(self, *, subdomain: str, base_url: str | None, credentials: Credentials, timeout_s: float) -> None:
        self._host = f"{subdomain}.zendesk.com"
        self._base_url = base_url
        self._credentials = credentials
        self._timeout_s = timeout_s

    def read(self, content_url: str, *, max_bytes: int) -> bytes | None:
        """The file, or None where it is larger than that.

        Raises:
            VendorRefused: it is gone, or the credential may not see it; also where malware was found in it.
            VendorUnavailable: no answer, or one that asks to come again.
            WireError: the link leads away from Zendesk.
        """
        url = content_url
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(MAX_REDIRECTS + 1):
                try:
                    with self._get(session, url) as response:
                        if not response.is_redirect:
                            return _content(response, max_bytes)
                        url = urljoin(url, response.headers["Location"])
                except requests.RequestException as error:
                    raise VendorUnavailable(f"cannot read a file ({type(error).__name__}): try again") from error
        raise WireError(f"a file's link is passed on more than {MAX_REDIRECTS} times: it was not read")

    def _get(self, session: requests.Session, url: str) -> requests.Response:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_own = host == self._host
        if parts.scheme != "https" or parts.port not in {None, 443} or not (is_own or host.endswith(FILE_HOSTS)):
            raise WireError(f"a file's link leads to {parts.netloc!r}: only Zendesk's own hosts are asked")
        headers = {"Authorization": self._credentials.authorization()} if is_own else {}
        if is_own and self._base_url is not None:
            url = f"{self._base_url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return session.get(url, headers=headers, timeout=self._timeout_s, stream=True, allow_redirects=False)


def _content(response: requests.Response, max_bytes: int) -> bytes | None:
    status = response.status_code
    if status == requests.codes.too_many_requests:
        raise Throttled("cannot read a file: Zendesk asks to wait", retry_after_s=DEFAULT_PAUSE_S)
    if status >= requests.codes.internal_server_error:
        raise VendorUnavailable(f"cannot read a file (status {status}): try again")
    if status != requests.codes.ok:
        # Never `AccessDenied`: one private file must not take the whole connector's right to act.
        raise VendorRefused(f"Zendesk refuses a file (status {status})", status=status)
    read = bytearray()
    for chunk in response.iter_content(_CHUNK):
        read += chunk
        if len(read) > max_bytes:
            return None
    return bytes(read)
