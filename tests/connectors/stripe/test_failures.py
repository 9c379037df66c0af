"""What the adapter makes of answers that no double gives: proxies, wrong addresses, half an API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.errors import AccessDenied, ConnectorError, VendorUnavailable, WireError
from connectors.outcome import Refused, Unknown, WriteOutcome
from connectors.sandbox.server import serve
from connectors.stripe.bodies import CancelWhen, cancel_subscription_body, refund_body
from connectors.stripe.client import StripeAdapter
from connectors.stripe.wire import RefundView
from policies.money import Money

KEY = "rk_test_000000000000secret"
BODY = refund_body("ch_1", Money(100, "usd"), intent_id="int_1")


class Answers:
    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []

    async def answer(self, request: Request) -> Response:
        self.requests.append((request.url.path, dict(request.headers), await request.body()))
        return self.responses.pop(0)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def adapter(answers: Answers) -> Iterator[StripeAdapter]:
    app = Starlette(routes=[Route("/{path:path}", answers.answer, methods=["GET", "POST", "DELETE"])])
    with serve(app) as server:
        adapter = StripeAdapter(KEY, base_url=server.url, timeout_s=2.0)
        yield adapter
        adapter.close()


@pytest.fixture
def refund(adapter: StripeAdapter) -> Callable[[], WriteOutcome[RefundView]]:
    return lambda: adapter.create_refund(BODY, idempotency_key="key-1")


ODD = [
    (Response("<html>Bad gateway</html>", 502), "server_error"),
    (Response("", 500), "server_error"),
    (Response('{"error": null}', 500), "server_error"),
    (Response('{"error": {}}', 503), "server_error"),
    (Response("<html>Welcome</html>", 200), "unreadable"),
    (Response("", 200), "unreadable"),
    (Response(b"\xff\xfe{}", 200), "unreadable"),
    (Response("[]", 200), "unreadable"),
    (Response("null", 200), "unreadable"),
    (Response("{}", 200), "unreadable"),
    (Response('{"object": "refund", "id": "re_1", "amount": "ten"}', 200), "unreadable"),
    (Response("{}", 302, {"location": "/elsewhere"}), "unreadable"),
    (Response("denied by the proxy", 403), "unreadable"),
    (Response("{}", 404), "unreadable"),
    (Response('{"error": "invalid_grant"}', 400), "unreadable"),
    (Response('{"error": {"message": "busy"}}', 409), "conflict"),
    (Response('{"error": {"message": "slow"}}', 429, {"retry-after": "7"}), "throttled"),
    (Response('{"error": {"message": "slow", "code": "rate_limit"}}', 400), "throttled"),
]


@pytest.mark.parametrize(("response", "why"), ODD)
def test_an_answer_that_proves_nothing_is_unknown(
    answers: Answers, refund: Callable[[], WriteOutcome[RefundView]], response: Response, why: str
) -> None:
    answers.responses.append(response)
    outcome = refund()
    assert isinstance(outcome, Unknown)
    assert outcome.why == why
    assert len(answers.requests) == 1


@pytest.mark.parametrize("response", [response for response, _ in ODD[:-2]])
def test_a_read_of_such_an_answer_is_an_error_of_ours(
    answers: Answers, adapter: StripeAdapter, response: Response
) -> None:
    answers.responses.append(response)
    with pytest.raises(ConnectorError):
        adapter.refunds_of("ch_1")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, '{"error": {"type": "invalid_request_error", "message": "no"}}', "invalid_request_error"),
        (400, '{"error": {"code": "charge_disputed", "message": "no"}}', "charge_disputed"),
        (402, '{"error": {"code": "card_declined", "message": "no"}}', "card_declined"),
        (404, '{"error": {"code": "resource_missing", "message": "no"}}', "resource_missing"),
        (401, '{"error": {"message": "no"}}', "access_denied"),
        (403, '{"error": {"message": "no"}}', "access_denied"),
        (400, '{"error": {"message": "no"}}', "invalid_request"),
    ],
)
def test_an_error_of_the_api_is_a_refusal(
    answers: Answers, refund: Callable[[], WriteOutcome[RefundView]], status: int, body: str, code: str
) -> None:
    answers.responses.append(Response(body, status, {"request-id": "req_1"}))
    outcome = refund()
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status, outcome.request_id) == (code, status, "req_1")


def test_a_replayed_500_without_a_readable_body_is_still_seen_as_replayed(
    answers: Answers, refund: Callable[[], WriteOutcome[RefundView]]
) -> None:
    answers.responses.append(Response("oops", 500, {"Idempotent-Replayed": "true"}))
    outcome = refund()
    assert isinstance(outcome, Unknown)
    assert outcome.replayed


def test_the_stored_bytes_are_what_is_sent(answers: Answers, refund: Callable[[], WriteOutcome[RefundView]]) -> None:
    answers.responses.extend([Response("", 500), Response("", 500)])
    refund()
    refund()
    (path, headers, sent), again = answers.requests
    assert path == "/v1/refunds"
    assert sent == b"amount=100&charge=ch_1&metadata[intent_id]=int_1&reason=requested_by_customer"
    assert again[2] == sent
    assert headers["idempotency-key"] == again[1]["idempotency-key"] == "key-1"
    assert headers["stripe-version"] == "2026-10-28.endive"
    assert "x-stripe-client-telemetry" not in headers


def test_nobody_listening_is_unknown_for_a_write_and_unavailable_for_a_read() -> None:
    with serve(Starlette()) as server:
        url = server.url
    adapter = StripeAdapter(KEY, base_url=url, timeout_s=1.0)
    outcome = adapter.create_refund(BODY, idempotency_key="key-1")
    assert isinstance(outcome, Unknown)
    assert outcome.why == "connection"
    with pytest.raises(VendorUnavailable):
        adapter.charge("ch_1")


@pytest.mark.parametrize(
    "page",
    [
        '{"object": "list", "data": [], "has_more": true}',
        '{"object": "list", "data": []}',
        '{"object": "list", "has_more": false}',
        '{"object": "list", "data": [1], "has_more": false}',
        '{"object": "list", "data": [{"id": null}], "has_more": true}',
    ],
)
def test_a_list_that_may_be_cut_short_is_an_error(answers: Answers, adapter: StripeAdapter, page: str) -> None:
    answers.responses.append(Response(page, 200))
    with pytest.raises(WireError):
        adapter.refunds_since(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_cannot_have_been_stored_is_not_sent(answers: Answers, adapter: StripeAdapter, key: str) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        adapter.create_refund(BODY, idempotency_key=key)
    assert answers.requests == []


def test_no_error_shows_the_key(answers: Answers, adapter: StripeAdapter) -> None:
    answers.responses.append(Response('{"error": {"message": "no"}}', 401))
    with pytest.raises(ConnectorError) as caught:
        adapter.charge("ch_1")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(adapter)


def test_a_merchant_without_search_is_identified_by_address_alone(answers: Answers, adapter: StripeAdapter) -> None:
    """https://docs.stripe.com/search : not available to merchants in India"""
    customer = '{"object": "customer", "id": "cus_1", "email": "a@example.com", "created": 1, "metadata": {}}'
    answers.responses.extend(
        [
            Response('{"error": {"message": "search is not available in your country"}}', 400),
            Response(f'{{"object": "list", "data": [{customer}], "has_more": false}}', 200),
        ]
    )
    found = adapter.find_customers(email="a@example.com", zendesk_user_id="5")
    assert [view.customer_id for view in found] == ["cus_1"]


def test_a_key_without_search_permission_is_not_taken_for_a_merchant_without_search(
    answers: Answers, adapter: StripeAdapter
) -> None:
    answers.responses.append(Response('{"error": {"message": "needs rak_customer_read"}}', 403))
    with pytest.raises(AccessDenied):
        adapter.find_customers(email="a@example.com", zendesk_user_id="5")


def test_a_subscription_that_lives_on_after_a_404_is_refused(answers: Answers, adapter: StripeAdapter) -> None:
    item = '{"id": "si_1", "price": {}, "current_period_start": 1, "current_period_end": 2}'
    alive = (
        '{"object": "subscription", "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1, '
        f'"cancel_at_period_end": false, "items": {{"data": [{item}]}}}}'
    )
    answers.responses.extend([Response('{"error": {"code": "resource_missing"}}', 404), Response(alive, 200)])
    body = cancel_subscription_body("sub_1", when=CancelWhen.NOW, intent_id="int_1", prorate=False)
    outcome = adapter.cancel_subscription(body, idempotency_key="key-1")
    assert isinstance(outcome, Refused)
    assert outcome.code == "resource_missing"


def test_a_404_that_cannot_be_looked_into_is_unknown(answers: Answers, adapter: StripeAdapter) -> None:
    answers.responses.extend([Response('{"error": {"code": "resource_missing"}}', 404), Response("", 502)])
    body = cancel_subscription_body("sub_1", when=CancelWhen.NOW, intent_id="int_1", prorate=False)
    assert isinstance(adapter.cancel_subscription(body, idempotency_key="key-1"), Unknown)


def test_what_a_netrc_file_or_a_proxy_says_does_not_matter_to_the_sandbox(
    answers: Answers, adapter: StripeAdapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    answers.responses.append(Response('{"object": "list", "data": [], "has_more": false}', 200))
    assert adapter.refunds_of("ch_1") == ()
    assert answers.requests[0][1]["authorization"] == f"Bearer {KEY}"
