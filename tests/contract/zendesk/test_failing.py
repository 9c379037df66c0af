"""Faults, rate limits and what the adapter makes of them: nothing is ever sent twice, and nobody sleeps."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from connectors.errors import AccessDenied, Throttled, VendorUnavailable
from connectors.outcome import Done, Refused, Unknown
from connectors.sandbox.faults import FaultKind
from connectors.sandbox.zendesk.limits import Limits
from connectors.zendesk.update import NewComment, update_body
from tests.contract.zendesk.builders import Make, World

PUBLIC = NewComment("Your refund is on its way.", public=True)
UPDATE = "zendesk.tickets.update"


@pytest.fixture
def tight(world_of: Make) -> World:
    return world_of(limits=Limits(requests_per_minute=6, updates_per_ticket=2))


@pytest.mark.parametrize(
    ("kind", "why", "made"),
    [
        (FaultKind.TIMEOUT_BEFORE_EFFECT, "timeout", False),
        (FaultKind.TIMEOUT_AFTER_EFFECT, "timeout", True),
        (FaultKind.RESET_BEFORE_EFFECT, "connection", False),
        (FaultKind.RESET_AFTER_EFFECT, "connection", True),
        (FaultKind.TRUNCATED_BODY, "unreadable", True),
        (FaultKind.SERVER_ERROR, "server_error", False),
        (FaultKind.UNAVAILABLE, "server_error", False),
        (FaultKind.TOO_MANY_REQUESTS, "throttled", False),
    ],
)
def test_an_update_in_doubt_is_unknown_and_its_marker_tells(
    world: World, kind: FaultKind, why: str, *, made: bool
) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    zendesk = world.adapter(timeout_s=1.5) if why == "timeout" else world.zendesk
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m-1", comment=PUBLIC)
    world.fault(UPDATE, kind)
    outcome = zendesk.update_ticket(ticket_id, body)
    assert isinstance(outcome, Unknown)
    assert outcome.why == why
    world.clock.advance(outcome.retry_after_s or 0)
    assert world.zendesk.find_marker(ticket_id, "m-1") is made
    # Struck once, so it was sent once: a second send would have gone through.
    assert len(world.double.comments(ticket_id)) == (2 if made else 1)


@pytest.mark.parametrize("kind", [FaultKind.TOO_MANY_REQUESTS, FaultKind.UNAVAILABLE])
def test_a_retry_after_is_handed_on_and_not_slept_through(world: World, kind: FaultKind) -> None:
    """https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/best-practices-for-avoiding-rate-limiting/"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC)
    world.fault(UPDATE, kind, retry_after_s=30)
    started = time.monotonic()
    outcome = world.zendesk.update_ticket(ticket_id, body)
    assert time.monotonic() - started < 3
    assert isinstance(outcome, Unknown)
    assert outcome.retry_after_s == 30


def test_a_throttled_read_raises_with_the_seconds_to_wait(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/best-practices-for-avoiding-rate-limiting/"""
    ticket_id = world.a_ticket()
    world.fault("zendesk.tickets.show", FaultKind.TOO_MANY_REQUESTS, retry_after_s=93)
    with pytest.raises(Throttled) as throttled:
        world.zendesk.ticket(ticket_id)
    assert throttled.value.retry_after_s == 93
    world.clock.advance(93)
    assert world.zendesk.ticket(ticket_id).ticket_id == ticket_id


def test_in_a_storm_hardly_a_call_is_made_beyond_the_limit(world_of: Make) -> None:
    """https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/best-practices-for-avoiding-rate-limiting/"""
    world = world_of(limits=Limits(requests_per_minute=100))
    ticket_id = world.a_ticket()
    before, made, refused = world.stage.calls, 0, 0
    for _ in range(3):
        for _ in range(200):
            try:
                world.zendesk.ticket(ticket_id)
                made += 1
            except Throttled:
                refused += 1
        world.clock.advance(60)
    assert (made, refused) == (300, 300)
    tokens = world.double.tokens_issued()
    assert world.stage.calls - before - tokens == 303


def test_a_limit_of_the_export_does_not_hold_up_other_calls(world_of: Make) -> None:
    """https://developer.zendesk.com/api-reference/introduction/rate-limits/#endpoint-rate-limits"""
    world = world_of(limits=Limits(exports_per_minute=1))
    ticket_id, start = world.a_ticket(), world.clock.now() - timedelta(hours=1)
    world.zendesk.export(start=start)
    for _ in range(2):
        with pytest.raises(Throttled):
            world.zendesk.export(start=start)
    assert world.zendesk.ticket(ticket_id).ticket_id == ticket_id


@pytest.mark.parametrize(
    "kind",
    [FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE, FaultKind.RESET_BEFORE_EFFECT, FaultKind.TRUNCATED_BODY],
)
def test_a_read_that_fails_may_be_made_again(world: World, kind: FaultKind) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    ticket_id = world.a_ticket()
    world.fault("zendesk.comments.list", kind)
    with pytest.raises(VendorUnavailable):
        world.zendesk.comments(ticket_id)
    assert len(world.zendesk.comments(ticket_id)) == 1


def test_a_read_that_takes_too_long_is_given_up(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    zendesk = world.adapter(timeout_s=1.5)
    ticket_id = world.a_ticket()
    world.fault("zendesk.tickets.show", FaultKind.TIMEOUT_BEFORE_EFFECT)
    with pytest.raises(VendorUnavailable, match="in time"):
        zendesk.ticket(ticket_id)


def test_a_forbidden_update_is_refused(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC)
    world.fault(UPDATE, FaultKind.FORBIDDEN)
    outcome = world.zendesk.update_ticket(ticket_id, body)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("access_denied", 403)


def test_a_forbidden_read_is_access_denied(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    world.fault("zendesk.users.show", FaultKind.FORBIDDEN)
    with pytest.raises(AccessDenied, match="scopes"):
        world.zendesk.user(world.ana)


def test_answers_announce_the_accounts_rate_limit(tight: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/rate-limits/#response-headers"""
    tight.zendesk.ticket(tight.a_ticket())
    limits = tight.zendesk.rate_limits()
    assert limits is not None
    assert (limits.limit, limits.remaining, limits.resets_s) == (6, 5, 60)


def test_beyond_the_accounts_rate_limit_comes_429_until_the_minute_is_over(tight: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/rate-limits/"""
    ticket_id = tight.a_ticket()
    for _ in range(6):
        tight.zendesk.ticket(ticket_id)
    tight.clock.advance(20)
    with pytest.raises(Throttled) as throttled:
        tight.zendesk.ticket(ticket_id)
    assert throttled.value.retry_after_s == 40
    tight.clock.advance(40)
    assert tight.zendesk.ticket(ticket_id).ticket_id == ticket_id


def test_one_user_may_update_one_ticket_only_so_often_in_ten_minutes(tight: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/rate-limits/#endpoint-rate-limits"""
    ticket_id = tight.a_ticket()
    outcomes = []
    for number in range(3):
        body = update_body(tight.zendesk.ticket(ticket_id), marker=f"m-{number}", add_tags=[f"tag_{number}"])
        outcomes.append(tight.zendesk.update_ticket(ticket_id, body))
        tight.clock.advance(60)
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Unknown]
    assert isinstance(outcomes[2], Unknown)
    assert outcomes[2].retry_after_s == 480
    tight.clock.advance(600)
    body = update_body(tight.zendesk.ticket(ticket_id), marker="m-9", add_tags=["late"])
    assert isinstance(tight.zendesk.update_ticket(ticket_id, body), Done)
