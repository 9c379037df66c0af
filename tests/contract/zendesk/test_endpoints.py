"""Endpoints that the adapter does not use but a Zendesk account has, driven by zenpy or plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from zenpy.lib.api_objects import Ticket, User, Webhook

from connectors.zendesk.transport import VendorAnswer
from tests.contract.zendesk.builders import API_TOKEN, BOT_EMAIL, CLIENT_SECRET, World

AUTH = (f"{BOT_EMAIL}/token", API_TOKEN)


def get(world: World, path: str) -> requests.Response:
    return requests.get(f"{world.url}/api/v2{path}", auth=AUTH, timeout=5)


def token(world: World, **values: Any) -> requests.Response:
    wanted = {"grant_type": "client_credentials", "client_id": "countersign", "client_secret": CLIENT_SECRET, **values}
    return requests.post(f"{world.url}/oauth/tokens", json=wanted, timeout=5)


def test_a_ticket_is_made_with_a_requester_who_is_new(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#creating-a-ticket-with-a-new-requester"""
    requester = User(name="New Person", email="new@example.com")
    made = world.zendesk.raw().tickets.create(
        Ticket(subject="Hello", comment={"body": "First.", "public": True}, requester=requester, tags=["VIP now"])
    )
    ticket = world.zendesk.ticket(made.ticket.id)
    assert ticket.requester_id == world.double.user_id("new@example.com")
    assert ticket.submitter_id == world.bot
    assert (ticket.channel, ticket.tags) == ("api", ("now", "vip"))


def test_a_ticket_cannot_be_made_for_nobody(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket"""
    tickets = world.zendesk.raw().tickets
    with pytest.raises(VendorAnswer) as refused:
        tickets.create(Ticket(subject="Hello", description="First.", requester_id=12))
    assert refused.value.status == 422
    with pytest.raises(VendorAnswer):
        tickets.create(Ticket(subject="Hello", description=" "))


def test_a_follow_up_takes_the_tags_of_its_closed_ticket(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#creating-a-follow-up-ticket"""
    source = world.a_ticket(tags=["vip"])
    tickets = world.zendesk.raw().tickets
    unrelated = tickets.create(Ticket(description="Not closed yet.", via_followup_source_id=source))
    world.double.change_status(source, "closed")
    follow_up = tickets.create(Ticket(description="Again.", via_followup_source_id=source))
    own_tags = tickets.create(Ticket(description="Again.", via_followup_source_id=source, tags=["own"]))
    assert unrelated.ticket.tags == []
    assert follow_up.ticket.tags == ["vip"]
    assert own_tags.ticket.tags == ["own"]


def test_an_admin_deletes_a_ticket_and_it_can_be_restored(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#delete-ticket"""
    ticket_id = world.a_ticket()
    world.zendesk.raw().tickets.delete(Ticket(id=ticket_id))
    assert get(world, f"/tickets/{ticket_id}.json").json() == {"error": "RecordNotFound", "description": "Not found"}
    world.double.restore_ticket(ticket_id)
    assert world.zendesk.ticket(ticket_id).status == "new"
    world.double.set_role(world.bot, "agent")
    with pytest.raises(VendorAnswer) as refused:
        world.zendesk.raw().tickets.delete(Ticket(id=ticket_id))
    assert refused.value.status == 403


def test_lists_are_paged_by_offset_where_no_cursor_is_asked_for(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/pagination/#using-offset-pagination"""
    for _ in range(3):
        world.a_ticket()
    first = get(world, "/tickets.json?per_page=2").json()
    assert ([ticket["id"] for ticket in first["tickets"]], first["count"]) == ([1, 2], 3)
    assert first["previous_page"] is None
    second = get(world, first["next_page"].removeprefix("https://shop.zendesk.com/api/v2")).json()
    assert ([ticket["id"] for ticket in second["tickets"]], second["next_page"]) == ([3], None)


def test_a_cursor_walks_a_list_newest_first_where_asked(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments"""
    ticket_id = world.a_ticket("one")
    world.double.customer_writes(ticket_id, world.ana, "two")
    world.double.customer_writes(ticket_id, world.ana, "three")
    page = get(world, f"/tickets/{ticket_id}/comments.json?page[size]=2&sort=-created_at").json()
    assert [comment["body"] for comment in page["comments"]] == ["three", "two"]
    assert page["meta"]["has_more"] is True
    last = get(world, page["links"]["next"].removeprefix("https://shop.zendesk.com/api/v2")).json()
    assert [comment["body"] for comment in last["comments"]] == ["one"]


@pytest.mark.parametrize("query", ["page[size]=0", "page[size]=x", "page[size]=1&page[after]=%%%", "page=0"])
def test_a_page_that_cannot_be_is_a_bad_request(world: World, query: str) -> None:
    """https://developer.zendesk.com/api-reference/introduction/pagination/"""
    assert get(world, f"/groups.json?{query}").status_code == 400


def test_listing_tickets_announces_its_own_limit(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/rate-limits/#endpoint-rate-limits"""
    answer = get(world, "/tickets.json")
    assert answer.headers["zendesk-ratelimit-tickets-index"] == "total=100; remaining=99; resets=60"
    for spelling in ("x-rate-limit", "ratelimit-limit", "rate-limit"):
        assert answer.headers[spelling] == "2500"


def test_several_users_are_shown_at_once(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/users/#show-many-users"""
    users = world.zendesk.raw().users(ids=[world.ana, world.agent])
    assert {user.name for user in users} == {"Ana Ruiz", "Agent Smith"}


def test_macros_and_ticket_fields_are_shown(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#list-ticket-fields"""
    macro = world.double.add_macro("Close", [("status", "solved")])
    field = world.double.add_ticket_field("Order", "text")
    zendesk = world.zendesk.raw()
    assert zendesk.macros(id=macro).title == "Close"
    assert [shown.id for shown in zendesk.ticket_fields()] == [field]
    assert get(world, "/macros/1.json").status_code == 404


def test_a_webhook_can_be_shown_and_deleted(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#delete-webhook"""
    webhooks = world.zendesk.raw().webhooks
    webhook_id = next(iter(webhooks.list())).id
    assert webhooks(id=webhook_id).endpoint == world.hook
    webhooks.delete(Webhook(id=webhook_id))
    assert get(world, f"/webhooks/{webhook_id}").status_code == 404
    world.a_ticket()
    assert world.webhooks() == []


def test_testing_a_webhook_tells_what_its_consumer_answered(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#test-webhook"""
    webhook_id = world.double.add_webhook(world.hook, secret="s")
    world.consumer.statuses = [418]
    url = f"{world.url}/api/v2/webhooks/test"
    tested = requests.post(f"{url}?webhook_id={webhook_id}", json={}, auth=AUTH, timeout=5).json()
    assert tested["response"]["status_code"] == 418
    gone = requests.post(url, json={"request": {"endpoint": "http://127.0.0.1:1/"}}, auth=AUTH, timeout=5).json()
    assert gone["response"]["status_code"] == 0
    assert requests.post(url, json={}, auth=AUTH, timeout=5).status_code == 400
    assert requests.post(url, json={}, timeout=5).status_code == 401


def test_the_life_of_a_token_can_be_asked_for_within_bounds(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    assert token(world, expires_in=300).json()["expires_in"] == 300
    assert token(world).json()["expires_in"] == 1800
    assert token(world, expires_in=299).status_code == 422
    assert token(world, expires_in=172_801).status_code == 422


def test_other_grants_are_not_given(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/"""
    answer = token(world, grant_type="password")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("authorization", ["", "Basic %%%", "Basic eDp5", "Bearer nobody", "Digest x"])
def test_a_credential_that_cannot_be_read_is_401(world: World, authorization: str) -> None:
    """https://developer.zendesk.com/api-reference/introduction/security-and-auth/"""
    headers = {"Authorization": authorization}
    answer = requests.get(f"{world.url}/api/v2/tickets/1.json", headers=headers, timeout=5)
    assert answer.status_code == 401


def test_json_that_cannot_be_read_is_400(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#request-format"""
    ticket_id = world.a_ticket()
    for raw in (
        b"{",
        b"\xff",
        b"{}",
        b'{"ticket": 1}',
        b'{"ticket": {"comment": "x"}}',
        b'{"ticket": {"custom_fields": 1}}',
    ):
        answer = requests.put(f"{world.url}/api/v2/tickets/{ticket_id}.json", data=raw, auth=AUTH, timeout=5)
        assert answer.status_code == 400, raw
    assert len(world.double.audits(ticket_id)) == 1


def test_an_unknown_endpoint_is_404(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/requests/#response-codes"""
    assert get(world, "/nothing/here.json").status_code == 404


def test_an_agents_reply_can_assign_and_set_the_status(world: World) -> None:
    """https://support.zendesk.com/hc/en-us/articles/4408886739098 (a new ticket that is assigned becomes open)"""
    first, second = world.a_ticket(), world.a_ticket()
    world.double.agent_writes(first, world.agent, "I take it.", assignee=world.agent)
    world.double.agent_writes(second, world.agent, "Done.", status="solved")
    assert (world.zendesk.ticket(first).status, world.zendesk.ticket(first).assignee_id) == ("open", world.agent)
    assert world.zendesk.ticket(second).status == "solved"
    assert world.double.comments(first)[-1]["author_role"] == "agent"
    assert len(world.double.tickets()) == 2


def test_nobody_has_an_address_that_was_never_given(world: World) -> None:
    """The end state is read by address, so a wrong one must not pass for a user."""
    with pytest.raises(KeyError):
        world.double.user_id("nobody@example.com")
