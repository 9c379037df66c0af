"""One update of a ticket, and the ways it can end."""

from __future__ import annotations

import json

import pytest
from zenpy.lib.api_objects import Ticket

from connectors.outcome import Done, Refused
from connectors.sandbox.zendesk.double import Said
from connectors.zendesk.transport import VendorAnswer
from connectors.zendesk.update import MARKER, NewComment, update_body
from tests.contract.zendesk.builders import Make, World

PUBLIC = NewComment("Your refund is on its way.", public=True)


def test_one_update_carries_comment_tags_fields_status_and_group(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket"""
    field, group = world.double.add_ticket_field("Refunded", "checkbox"), world.double.add_group("Refunds")
    ticket_id = world.a_ticket(tags=["vip", "new_order"])
    body = update_body(
        world.zendesk.ticket(ticket_id),
        marker="m-1",
        comment=PUBLIC,
        add_tags=["refunded"],
        remove_tags=["new_order"],
        custom_fields={field: True},
        status="solved",
        group_id=group,
    )
    outcome = world.zendesk.update_ticket(ticket_id, body)
    assert isinstance(outcome, Done)
    ticket = outcome.value.ticket
    assert (ticket.status, ticket.tags, ticket.group_id) == ("solved", ("refunded", "vip"), group)
    assert ticket.custom_field(field) is True
    assert outcome.value.audit is not None
    assert outcome.value.audit.custom == {MARKER: "m-1"}
    comment = world.zendesk.comments(ticket_id)[-1]
    assert (comment.body, comment.public, comment.author_id) == (PUBLIC.body, True, world.bot)
    assert len(world.double.audits(ticket_id)) == 2


def test_the_stored_body_goes_over_the_wire_unchanged(world: World) -> None:
    """zenpy sends what was set on the ticket, and the ticket's id, which Zendesk passes over."""
    field = world.double.add_ticket_field("Order")
    ticket_id = world.a_ticket(custom_fields={field: "7"})
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC, custom_fields={field: None})
    assert isinstance(world.zendesk.update_ticket(ticket_id, body), Done)
    assert world.zendesk.ticket(ticket_id).custom_field(field) is None


def test_a_comments_visibility_defaults_to_the_first_comments(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#json-format"""
    ticket_id = world.a_ticket(comments=[Said(world.agent, "Private from the start.", public=False)])
    body = json.dumps({"ticket": {"comment": {"body": "Said without a visibility."}}})
    assert isinstance(world.zendesk.update_ticket(ticket_id, body), Done)
    assert [comment.public for comment in world.zendesk.comments(ticket_id)] == [False, False]


def test_the_metadata_of_an_update_is_on_its_audit_and_its_comment(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#setting-metadata"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m-2", comment=PUBLIC)
    world.zendesk.update_ticket(ticket_id, body)
    assert world.zendesk.comments(ticket_id)[-1].custom == {MARKER: "m-2"}
    assert world.zendesk.audits(ticket_id)[-1].custom == {MARKER: "m-2"}
    assert world.zendesk.find_marker(ticket_id, "m-2")
    assert world.zendesk.find_marker(ticket_id, "m-2", has_comment=False)
    assert not world.zendesk.find_marker(ticket_id, "m-3")


def test_an_update_that_changes_nothing_makes_no_audit_and_keeps_no_metadata(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#setting-metadata"""
    ticket_id = world.a_ticket(tags=["vip"])
    before = world.zendesk.ticket(ticket_id)
    world.clock.advance(30)
    outcome = world.zendesk.update_ticket(ticket_id, update_body(before, marker="m-4", add_tags=["vip"]))
    assert isinstance(outcome, Done)
    assert outcome.value.audit is None
    assert outcome.value.ticket == before
    assert not world.zendesk.find_marker(ticket_id, "m-4", has_comment=False)


def test_metadata_over_a_kilobyte_is_refused(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#setting-metadata"""
    ticket_id = world.a_ticket()
    body = json.dumps({"ticket": {"metadata": {"note": "x" * 1100}, "comment": {"body": "Hello."}}})
    outcome = world.zendesk.update_ticket(ticket_id, body)
    assert isinstance(outcome, Refused)
    assert outcome.code == "invalid"


def test_a_safe_update_of_a_newer_ticket_is_a_conflict(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#protecting-against-ticket-update-collisions"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC)
    world.clock.advance(10)
    world.double.customer_writes(ticket_id, world.ana, "Never mind, it arrived.")
    outcome = world.zendesk.update_ticket(ticket_id, body)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("conflict", 409)
    assert len(world.zendesk.comments(ticket_id)) == 2


def test_sending_the_same_body_again_is_a_conflict(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#protecting-against-ticket-update-collisions"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC)
    world.clock.advance(1)
    assert isinstance(world.zendesk.update_ticket(ticket_id, body), Done)
    again = world.zendesk.update_ticket(ticket_id, body)
    assert isinstance(again, Refused)
    assert again.code == "conflict"
    assert len(world.zendesk.comments(ticket_id)) == 2


def test_two_writes_within_one_second_are_not_seen_as_a_collision(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#protecting-against-ticket-update-collisions

    `updated_at` has whole seconds, so the marker must be looked for as well.
    """
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC)
    world.double.customer_writes(ticket_id, world.ana, "In the same second.")
    assert isinstance(world.zendesk.update_ticket(ticket_id, body), Done)


def test_without_a_safe_update_the_last_write_wins(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#protecting-against-ticket-update-collisions"""
    ticket_id = world.a_ticket()
    world.clock.advance(10)
    world.double.change_status(ticket_id, "pending")
    outcome = world.zendesk.update_ticket(ticket_id, json.dumps({"ticket": {"status": "solved"}}))
    assert isinstance(outcome, Done)
    assert world.zendesk.ticket(ticket_id).status == "solved"


def test_tags_in_an_update_replace_all_tags(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/tags/"""
    ticket_id = world.a_ticket(tags=["one", "two"])
    world.zendesk.update_ticket(ticket_id, json.dumps({"ticket": {"tags": ["Three", "two"]}}))
    assert world.zendesk.ticket(ticket_id).tags == ("three", "two")


def test_additional_tags_on_a_single_update_are_not_relied_on(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/adding-tags-to-tickets-without-overwriting-existing-tags/

    They are documented for bulk updates only; a key that is not permitted is dropped without an error, as recorded.
    """
    ticket_id = world.a_ticket(tags=["one"])
    world.zendesk.update_ticket(ticket_id, json.dumps({"ticket": {"additional_tags": ["two"]}}))
    assert world.zendesk.ticket(ticket_id).tags == ("one",)


def test_a_closed_ticket_cannot_be_updated(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#creating-a-follow-up-ticket"""
    ticket_id = world.a_ticket()
    world.double.change_status(ticket_id, "closed")
    ticket = world.zendesk.ticket(ticket_id)
    assert ticket.is_closed
    outcome = world.zendesk.update_ticket(ticket_id, update_body(ticket, marker="m", comment=PUBLIC))
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("closed", 422)


def test_a_deleted_ticket_cannot_be_updated(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#delete-ticket"""
    ticket_id = world.a_ticket()
    body = update_body(world.zendesk.ticket(ticket_id), marker="m", comment=PUBLIC)
    world.double.delete_ticket(ticket_id)
    outcome = world.zendesk.update_ticket(ticket_id, body)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.status) == ("not_found", 404)
    assert len(world.double.comments(ticket_id)) == 1


def test_a_ticket_holds_five_thousand_comments_and_can_still_be_changed_otherwise(world_of: Make) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#creating-ticket-comments"""
    world = world_of(webhooks=False)
    ticket_id = world.a_ticket(comments=[Said(world.ana, "again")] * 5000)
    ticket = world.zendesk.ticket(ticket_id)
    outcome = world.zendesk.update_ticket(ticket_id, update_body(ticket, marker="m", comment=PUBLIC))
    assert isinstance(outcome, Refused)
    assert outcome.code == "invalid"
    outcome = world.zendesk.update_ticket(ticket_id, update_body(ticket, marker="m", status="solved"))
    assert isinstance(outcome, Done)


def test_an_unknown_status_is_refused(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#json-format"""
    outcome = world.zendesk.update_ticket(world.a_ticket(), json.dumps({"ticket": {"status": "resolved"}}))
    assert isinstance(outcome, Refused)
    assert outcome.code == "invalid"


def test_the_requesters_answer_reopens_a_solved_ticket(world: World) -> None:
    """https://support.zendesk.com/hc/en-us/articles/4408886739098"""
    ticket_id = world.a_ticket()
    world.double.change_status(ticket_id, "solved")
    world.double.customer_writes(ticket_id, world.ana, "It is still missing.")
    assert world.zendesk.ticket(ticket_id).status == "open"


def test_an_answer_to_a_closed_ticket_makes_a_follow_up_with_its_tags(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#creating-a-follow-up-ticket"""
    ticket_id = world.a_ticket(tags=["vip"])
    world.double.change_status(ticket_id, "closed")
    follow_up = world.double.customer_writes(ticket_id, world.ana, "It came back.")
    assert follow_up != ticket_id
    assert world.zendesk.ticket(follow_up).tags == ("vip",)
    assert len(world.zendesk.comments(ticket_id)) == 1


def test_a_comment_on_behalf_of_somebody_is_flagged(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#author-id"""
    ticket_id = world.a_ticket()
    body = json.dumps({"ticket": {"comment": {"body": "Please refund.", "author_id": world.ana, "public": True}}})
    world.zendesk.update_ticket(ticket_id, body)
    comment = world.zendesk.comments(ticket_id)[-1]
    assert (comment.author_id, comment.flags) == (world.ana, (11,))
    assert world.zendesk.audits(ticket_id)[-1].author_id == world.bot


def test_a_merged_ticket_is_closed(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#merge-tickets-into-target-ticket"""
    source, target = world.a_ticket(), world.a_ticket()
    world.double.merge(source, target)
    merged = world.zendesk.ticket(source)
    assert merged.is_closed
    assert "closed_by_merge" in merged.tags
    assert not world.zendesk.comments(target)[-1].public


def test_an_idempotency_key_makes_one_ticket_and_nothing_else(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency"""
    zendesk = world.zendesk.raw()
    zendesk.tickets.session.headers["Idempotency-Key"] = "k-1"
    first = zendesk.tickets.create(Ticket(subject="Once", description="Only once."))
    again = zendesk.tickets.create(Ticket(subject="Once", description="Only once."))
    assert first.ticket.id == again.ticket.id
    with pytest.raises(VendorAnswer) as refused:
        zendesk.tickets.create(Ticket(subject="Another", description="Another."))
    assert refused.value.status == 400
    # An update is not protected: the same comment is written twice.
    for _ in range(2):
        zendesk.tickets.update(Ticket(id=first.ticket.id, comment={"body": "Twice.", "public": False}))
    assert [comment["body"] for comment in world.double.comments(first.ticket.id)] == ["Only once.", "Twice.", "Twice."]


def test_the_tags_endpoints_add_set_and_remove(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/tags/#add-tags"""
    ticket_id = world.a_ticket(tags=["one"])
    tickets = world.zendesk.raw().tickets
    tickets.add_tags(ticket_id, ["two"])
    assert world.zendesk.ticket(ticket_id).tags == ("one", "two")
    tickets.delete_tags(ticket_id, ["one"])
    assert world.zendesk.ticket(ticket_id).tags == ("two",)
    tickets.set_tags(ticket_id, ["three"])
    assert world.zendesk.ticket(ticket_id).tags == ("three",)
