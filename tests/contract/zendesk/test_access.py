"""Credentials: OAuth client credentials with expiry and scopes, API tokens, and what a wrong one gets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.errors import AccessDenied, VendorUnavailable
from connectors.outcome import Done, Refused, Unknown
from connectors.sandbox.faults import FaultKind
from connectors.zendesk.credentials import ApiToken, OAuthClient
from connectors.zendesk.probe import Access, probe
from connectors.zendesk.update import NewComment, update_body
from tests.contract.zendesk.builders import API_TOKEN, BOT_EMAIL, CLIENT_SECRET, World


def test_client_credentials_act_as_the_admin_who_made_the_client(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_clients/"""
    me = world.zendesk.me()
    assert (me.user_id, me.email, me.role) == (world.bot, BOT_EMAIL, "admin")
    assert world.zendesk.bot_user_id == world.bot


def test_one_token_serves_until_a_minute_before_its_end(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    ticket_id = world.a_ticket()
    world.zendesk.ticket(ticket_id)
    world.clock.advance(1739)
    world.zendesk.ticket(ticket_id)
    assert world.double.tokens_issued() == 1
    world.clock.advance(2)
    world.zendesk.ticket(ticket_id)
    assert world.double.tokens_issued() == 2


def test_a_revoked_token_is_replaced_once_even_under_an_update(world: World) -> None:
    """https://developer.zendesk.com/documentation/api-basics/authentication/revoking-an-oauth-access-token/"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=NewComment("Hello.", public=True))
    world.double.revoke_tokens()
    assert isinstance(world.zendesk.update_ticket(ticket_id, body), Done)
    assert world.double.tokens_issued() == 2
    assert len(world.double.comments(ticket_id)) == 2


def test_many_threads_ask_for_one_token(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    ticket_id = world.a_ticket()
    with ThreadPoolExecutor(8) as pool:
        tickets = list(pool.map(lambda _: world.zendesk.ticket(ticket_id), range(32)))
    assert {ticket.ticket_id for ticket in tickets} == {ticket_id}
    assert world.double.tokens_issued() == 1


def test_a_wrong_client_secret_is_denied_and_never_printed(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    zendesk = world.adapter(auth=OAuthClient("countersign", "not-the-secret", "read"))
    with pytest.raises(AccessDenied) as denied:
        zendesk.ticket(world.a_ticket())
    assert (denied.value.status, denied.value.code) == (401, "invalid_client")
    assert "not-the-secret" not in f"{denied.value!r} {zendesk!r} {OAuthClient('a', 'not-the-secret', 'read')!r}"


def test_an_update_without_a_token_was_not_made(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=NewComment("Hello.", public=True))
    wrong = world.adapter(auth=OAuthClient("countersign", "not-the-secret", "write"))
    outcome = wrong.update_ticket(ticket_id, body)
    assert isinstance(outcome, Refused)
    assert outcome.code == "access_denied"
    world.fault("zendesk.oauth.tokens", FaultKind.RESET_BEFORE_EFFECT)
    assert isinstance(world.adapter().update_ticket(ticket_id, body), Unknown)
    assert len(world.double.comments(ticket_id)) == 1


def test_a_token_request_that_fails_is_an_unavailable_vendor(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    world.fault("zendesk.oauth.tokens", FaultKind.SERVER_ERROR)
    with pytest.raises(VendorUnavailable):
        world.zendesk.ticket(world.a_ticket())


def test_a_wrong_scope_gives_a_token_and_then_403(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_tokens/#scopes"""
    zendesk = world.adapter(scope="tickets:reed")
    with pytest.raises(AccessDenied) as denied:
        zendesk.ticket(world.a_ticket())
    assert denied.value.status == 403
    assert world.double.tokens_issued() == 1


def test_the_scope_to_write_does_not_include_reading(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_tokens/#scopes"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", status="open")
    zendesk = world.adapter(scope="tickets:write")
    assert isinstance(zendesk.update_ticket(ticket_id, body), Done)
    with pytest.raises(AccessDenied):
        zendesk.ticket(ticket_id)


def test_audits_need_the_global_scope_to_read_and_comments_do_not(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/#required-oauth-scope"""
    zendesk = world.adapter(scope="tickets:read tickets:write")
    ticket_id = world.a_ticket()
    body = update_body(zendesk.ticket(ticket_id), marker="m", comment=NewComment("Hello.", public=True))
    zendesk.update_ticket(ticket_id, body)
    assert zendesk.find_marker(ticket_id, "m")
    with pytest.raises(AccessDenied):
        zendesk.audits(ticket_id)


def test_an_api_token_acts_as_the_user_it_is_used_with(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token"""
    zendesk = world.adapter(auth=ApiToken("agent@shop.example", API_TOKEN))
    assert zendesk.me().user_id == world.agent
    assert zendesk.ticket(world.a_ticket()).ticket_id == 1


def test_a_bad_credential_is_an_anonymous_user_with_status_200(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self"""
    zendesk = world.adapter(auth=ApiToken("agent@shop.example", "wrong-token"))
    assert zendesk.raw().users.me().name == "Anonymous user"
    with pytest.raises(AccessDenied, match="does not know") as denied:
        zendesk.me()
    assert "wrong-token" not in str(denied.value)
    with pytest.raises(AccessDenied):
        zendesk.ticket(world.a_ticket())


def test_a_token_that_was_revoked_is_noticed_although_the_answer_is_200(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self"""
    assert world.zendesk.me().user_id == world.bot
    world.double.revoke_tokens()
    assert world.zendesk.me().user_id == world.bot


def test_an_end_user_may_not_use_the_tickets_api(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#show-ticket (allowed for agents)"""
    zendesk = world.adapter(auth=ApiToken("ana@example.com", API_TOKEN))
    with pytest.raises(AccessDenied):
        zendesk.ticket(world.a_ticket())


def test_the_probe_says_what_is_allowed_and_changes_nothing(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_tokens/#scopes"""
    ticket_id = world.a_ticket()
    before = world.double.ticket(ticket_id)
    everything = probe(world.zendesk, now=world.clock.now())
    assert everything.is_admin
    assert {capability.access for capability in everything.capabilities} == {Access.ALLOWED}
    little = probe(world.adapter(scope="users:read tickets:read"), now=world.clock.now())
    denied = {capability.name for capability in little.capabilities if capability.access is Access.DENIED}
    assert denied == {"tickets.write", "audits.read", "groups.read", "macros.read", "webhooks.read"}
    assert world.double.ticket(ticket_id) == before


def test_the_probe_sees_that_an_agent_cannot_export(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/ (for admins)"""
    world.double.set_role(world.bot, "agent")
    found = probe(world.zendesk, now=world.clock.now())
    assert not found.is_admin
    assert found.access("tickets.export") is Access.DENIED
    assert found.access("tickets.read") is Access.ALLOWED


def test_the_double_knows_its_client_by_its_secret(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    assert world.adapter(auth=OAuthClient("countersign", CLIENT_SECRET, "read")).me().user_id == world.bot
    with pytest.raises(AccessDenied):
        world.adapter(auth=OAuthClient("somebody", CLIENT_SECRET, "read")).me()
