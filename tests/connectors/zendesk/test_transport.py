"""The wire under zenpy: where it sends, what it makes of strange answers, how long it is told to wait."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.errors import ConfigurationError, Throttled, VendorRefused, VendorUnavailable, WireError
from connectors.outcome import Unknown
from connectors.sandbox.server import RunningServer
from connectors.zendesk.client import ZendeskAdapter
from connectors.zendesk.credentials import ApiToken, OAuthClient
from connectors.zendesk.transport import check_base_url, retry_after_s

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TOKEN = "the-secret-token"
TICKET: dict[str, Any] = {
    "id": 7,
    "requester_id": 1,
    "submitter_id": 1,
    "status": "open",
    "created_at": "2026-11-21T09:00:00Z",
    "updated_at": "2026-11-21T09:00:00Z",
}


class Vendor:
    """An HTTP server that answers what it is told."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Response] = lambda _: JSONResponse({})
        self.requests: list[Request] = []
        app = Starlette(routes=[Route("/{rest:path}", self._serve, methods=["GET", "PUT", "POST"])])
        self._server = RunningServer(app).start()
        self.zendesk = self._adapter()

    def _adapter(self) -> ZendeskAdapter:
        return ZendeskAdapter(
            subdomain="shop",
            base_url=self._server.url,
            auth=ApiToken("bot@shop.example", TOKEN),
            timeout_s=5,
            now=lambda: NOW,
        )

    def asks_anew(self) -> None:
        """With an adapter that was not asked to wait."""
        self.zendesk.close()
        self.zendesk = self._adapter()

    async def _serve(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer(request)

    def close(self) -> None:
        self.zendesk.close()
        self._server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Vendor]:
    made = Vendor()
    yield made
    made.close()


@pytest.fixture
def vendor(server: Vendor) -> Vendor:
    server.requests.clear()
    server.asks_anew()
    return server


def test_the_credential_is_sent_and_the_client_is_named(vendor: Vendor) -> None:
    vendor.answer = lambda _: JSONResponse({"ticket": TICKET})
    assert vendor.zendesk.ticket(7).ticket_id == 7
    (request,) = vendor.requests
    assert request.url.path == "/api/v2/tickets/7.json"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["user-agent"] == "Countersign"


def test_a_link_to_another_host_gets_no_credential(vendor: Vendor) -> None:
    page = {
        "comments": [],
        "meta": {"has_more": True},
        "links": {"next": "https://evil.example/api/v2/tickets/7/comments.json?page[after]=x"},
    }
    vendor.answer = lambda _: JSONResponse(page)
    with pytest.raises(WireError, match=r"evil\.example"):
        vendor.zendesk.comments(7)
    assert len(vendor.requests) == 1


def test_a_redirect_is_not_followed(vendor: Vendor) -> None:
    vendor.answer = lambda _: RedirectResponse("/elsewhere")
    with pytest.raises(VendorRefused):
        vendor.zendesk.ticket(7)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    "response",
    [
        Response("<html>maintenance</html>", media_type="text/html"),
        Response("", media_type="application/json"),
        JSONResponse([]),
        JSONResponse("ticket"),
        JSONResponse({}),
        JSONResponse({"ticket": []}),
        JSONResponse({"ticket": None}),
        JSONResponse({"ticket": {"id": "seven"}}),
        JSONResponse({"ticket": {**TICKET, "updated_at": "lately"}}),
        JSONResponse({"ticket": {**TICKET, "tags": "vip"}}),
        JSONResponse({"ticket": {**TICKET, "custom_fields": [1]}}),
        JSONResponse({"ticket": {**TICKET, "via": []}}),
        JSONResponse({"error": "none"}),
    ],
)
def test_a_strange_answer_is_an_error_of_ours_and_never_zenpys(vendor: Vendor, response: Response) -> None:
    vendor.answer = lambda _: response
    with pytest.raises((WireError, VendorUnavailable)):
        vendor.zendesk.ticket(7)


@pytest.mark.parametrize(
    "response",
    [
        Response("<html>", media_type="text/html"),
        JSONResponse({}),
        JSONResponse([]),
        JSONResponse({"ticket": {"id": 7}}),
    ],
)
def test_a_strange_confirmation_of_an_update_is_unknown(vendor: Vendor, response: Response) -> None:
    vendor.answer = lambda _: response
    outcome = vendor.zendesk.update_ticket(7, '{"ticket":{"status":"open"}}')
    assert isinstance(outcome, Unknown)
    assert outcome.why == "unreadable"
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    "body", [b"", b"Too many", b"[]", b'{"error": {"title": "T", "message": "M"}}', b'{"error": 7}']
)
def test_an_error_in_any_shape_is_understood(vendor: Vendor, body: bytes) -> None:
    vendor.answer = lambda _: Response(body, status_code=429, headers={"Retry-After": "7"})
    with pytest.raises(Throttled) as throttled:
        vendor.zendesk.ticket(7)
    assert throttled.value.retry_after_s == 7
    assert len(vendor.requests) == 1


def test_a_search_limit_is_not_read_into_an_invalid_request(vendor: Vendor) -> None:
    vendor.answer = lambda _: JSONResponse({"error": "invalid", "description": "no"}, status_code=422)
    with pytest.raises(VendorRefused) as refused:
        vendor.zendesk.ticket(7)
    assert (refused.value.status, refused.value.code) == (422, "invalid")


def test_no_secret_shows_in_errors_reprs_or_logs(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.answer = lambda _: JSONResponse({"error": "Couldn't authenticate you"}, status_code=401)
    with pytest.raises(VendorRefused) as refused:
        vendor.zendesk.ticket(7)
    outcome = vendor.zendesk.update_ticket(7, '{"ticket":{"comment":{"body":"words of a customer"}}}')
    shown = f"{refused.value!r} {outcome!r} {vendor.zendesk!r} {ApiToken('a@b.example', TOKEN)!r} {caplog.text}"
    assert TOKEN not in shown
    assert "words of a customer" not in shown


@pytest.mark.parametrize(
    ("headers", "status", "seconds"),
    [
        ({"Retry-After": "93"}, 429, 93.0),
        ({"Retry-After": "0"}, 429, 0.0),
        ({"Retry-After": "Sat, 21 Nov 2026 09:00:30 GMT"}, 429, 30.0),
        ({"Retry-After": "Sat, 21 Nov 2026 08:00:00 GMT"}, 503, 0.0),
        ({"Retry-After": "soon"}, 429, 60.0),
        ({"ratelimit-reset": "12"}, 429, 12.0),
        ({}, 429, 60.0),
        ({}, 503, None),
        ({"Retry-After": "5"}, 503, 5.0),
    ],
)
def test_how_long_to_wait_is_read_from_number_date_or_limit(
    headers: dict[str, str], status: int, seconds: float | None
) -> None:
    assert retry_after_s(headers, status=status, now=NOW) == seconds


@pytest.mark.parametrize("base_url", ["zendesk", "ftp://x", "http://", "http://h/path", "http://h?x=1", "http://u:p@h"])
def test_a_base_address_is_scheme_host_and_port(base_url: str) -> None:
    with pytest.raises(ConfigurationError):
        check_base_url(base_url)


@pytest.mark.parametrize("subdomain", ["", "a.b", "shop.zendesk.com", "a/b", "shop@evil"])
def test_a_subdomain_cannot_lead_elsewhere(subdomain: str) -> None:
    with pytest.raises(ConfigurationError):
        ZendeskAdapter(
            subdomain=subdomain, base_url=None, auth=ApiToken("a@b.example", TOKEN), timeout_s=1, now=lambda: NOW
        )


def test_a_credential_with_a_part_missing_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        ApiToken("", TOKEN)
    with pytest.raises(ConfigurationError):
        OAuthClient("id", "secret", " ")


def test_a_vendor_that_is_not_there_is_unavailable() -> None:
    zendesk = ZendeskAdapter(
        subdomain="shop",
        base_url="http://127.0.0.1:1",
        auth=ApiToken("a@b.example", TOKEN),
        timeout_s=1,
        now=lambda: NOW,
    )
    with pytest.raises(VendorUnavailable):
        zendesk.ticket(7)
    outcome = zendesk.update_ticket(7, '{"ticket":{}}')
    assert isinstance(outcome, Unknown)
    assert outcome.why == "connection"
    zendesk.close()
