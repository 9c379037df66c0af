"""Webhooks: what is sent, how it is signed, to whom, and how the adapter reads it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from zenpy.lib.api_objects import Webhook

from connectors.errors import SignatureError
from connectors.sandbox.faults import FaultKind
from connectors.sandbox.zendesk.account import EVENT_TYPES
from connectors.sandbox.zendesk.events import TRIGGERED
from connectors.zendesk.events import EventKind, TicketEvent, parse
from connectors.zendesk.signing import INVOCATION_HEADER, SIGNATURE_HEADER, TEST_SECRET, TIMESTAMP_HEADER, verify
from connectors.zendesk.transport import VendorAnswer
from connectors.zendesk.update import NewComment, update_body
from tests.contract.zendesk.builders import WEBHOOK_SECRET, Make, Received, World


def check(world: World, hook: Received, secret: str = WEBHOOK_SECRET) -> None:
    verify(
        hook.raw,
        signature=hook.headers.get(SIGNATURE_HEADER),
        timestamp=hook.headers.get(TIMESTAMP_HEADER),
        secrets=(secret,),
        now=world.clock.now(),
    )


def read(hook: Received) -> TicketEvent:
    event = parse(hook.raw)
    assert isinstance(event, TicketEvent)
    return event


def test_a_signature_covers_timestamp_and_body_in_this_order(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/verifying/"""
    world.a_ticket()
    hook = world.webhooks()[0]
    timestamp = hook.headers[TIMESTAMP_HEADER]
    digest = hmac.new(WEBHOOK_SECRET.encode(), timestamp.encode() + hook.raw, hashlib.sha256).digest()
    assert hook.headers[SIGNATURE_HEADER] == base64.b64encode(digest).decode()
    assert timestamp == "2026-11-21T09:00:00Z"
    check(world, hook)


def test_another_secret_or_another_body_does_not_verify(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/verifying/"""
    world.a_ticket()
    hook = world.webhooks()[0]
    with pytest.raises(SignatureError):
        check(world, hook, "another-secret")
    with pytest.raises(SignatureError):
        check(world, Received(hook.headers, hook.raw + b" "))


def test_a_webhook_names_account_webhook_and_invocation(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/"""
    world.a_ticket()
    first, second = world.webhooks()
    assert first.headers["x-zendesk-account-id"].isdigit()
    assert first.headers["x-zendesk-webhook-id"] == second.headers["x-zendesk-webhook-id"]
    assert first.headers[INVOCATION_HEADER] != second.headers[INVOCATION_HEADER]


def test_a_new_ticket_is_told_as_created_and_as_a_comment(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/"""
    ticket_id = world.a_ticket()
    created, commented = [read(hook) for hook in world.webhooks()]
    assert (created.kind, commented.kind) == (EventKind.CREATED, EventKind.COMMENT_ADDED)
    assert created.ticket_id == commented.ticket_id == ticket_id
    assert created.actor_id == world.ana
    assert commented.comment is not None
    assert (commented.comment.is_staff, commented.comment.is_public) == (False, True)


def test_an_envelope_has_ids_as_strings_and_statuses_in_upper_case(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/"""
    ticket_id = world.a_ticket()
    (body,) = world.events("created")
    assert body["subject"] == f"zen:ticket:{ticket_id}"
    assert body["zendesk_event_version"] == "2022-11-06"
    assert isinstance(body["account_id"], int)
    assert body["detail"]["id"] == str(ticket_id)
    assert body["detail"]["requester_id"] == str(world.ana)
    assert body["detail"]["status"] == "NEW"
    assert "custom_fields" not in body["detail"]


def test_the_events_of_one_change_share_a_sequence(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/#event-object-common-properties"""
    world.a_ticket()
    created, commented = (hook.body["event"]["meta"]["sequence"] for hook in world.webhooks())
    assert created["id"] == commented["id"]
    assert (created["position"], commented["position"]) == (1, 2)


def test_a_changed_status_is_told_with_what_it_was(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/#status-changed"""
    world.double.change_status(world.a_ticket(), "solved")
    (body,) = world.events("status_changed")
    assert body["event"]["current"] == "SOLVED"
    assert body["event"]["previous"] == "NEW"


def test_changed_tags_are_told_as_added_and_removed(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/#tags-changed"""
    ticket_id = world.a_ticket(tags=["one"])
    world.double.change(ticket_id, world.agent, tags=["two"])
    (body,) = world.events("tags_changed")
    assert (body["event"]["tags_added"], body["event"]["tags_removed"]) == (["two"], ["one"])


def test_a_changed_custom_field_is_told_with_its_id(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/#custom-field-changed"""
    field = world.double.add_ticket_field("Order")
    ticket_id = world.a_ticket()
    world.double.change(ticket_id, world.agent, custom_fields=[{"id": field, "value": "7"}])
    (body,) = world.events("custom_field_changed")
    assert body["event"]["field"]["id"] == str(field)
    assert body["event"]["current"] == "7"


def test_our_own_updates_are_told_with_our_own_actor(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/#comment-added"""
    ticket_id = world.a_ticket()
    body = update_body(
        world.zendesk.ticket(ticket_id), marker="m", comment=NewComment("Hello.", public=True), status="pending"
    )
    world.zendesk.update_ticket(ticket_id, body)
    ours = [read(hook) for hook in world.webhooks()][2:]
    assert {event.kind for event in ours} == {EventKind.COMMENT_ADDED, EventKind.STATUS_CHANGED}
    assert {event.actor_id for event in ours} == {world.zendesk.bot_user_id}
    comment = next(event.comment for event in ours if event.comment is not None)
    assert comment.is_staff


def test_deleting_and_merging_are_told(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/#ticket-soft-deleted"""
    first, second, third = world.a_ticket(), world.a_ticket(), world.a_ticket()
    world.double.merge(first, second)
    world.double.delete_ticket(third)
    (merged,), (deleted,) = world.events("merged"), world.events("soft_deleted")
    assert merged["event"]["target_ticket_id"] == str(second)
    assert deleted["detail"]["status"] == "DELETED"


def test_each_event_has_an_id_that_a_repeated_delivery_keeps(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/#webhook-retries"""
    world.fault("zendesk.webhook", FaultKind.WEBHOOK_DUPLICATED)
    world.a_ticket()
    ids = [read(hook).event_id for hook in world.webhooks()]
    assert len(ids) == 3
    assert len(set(ids)) == 2


def test_a_conflict_is_tried_again_and_an_error_is_not(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/#webhook-retries"""
    world.consumer.statuses = [409]
    world.a_ticket()
    assert len(world.webhooks()) == 3
    world.consumer.statuses = [500, 500]
    world.a_ticket()
    assert len(world.webhooks()) == 5


def test_a_lost_webhook_leaves_a_ticket_that_only_the_export_knows(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/#webhook-retries"""
    world.fault("zendesk.webhook", FaultKind.WEBHOOK_DROPPED, times=2)
    start = world.clock.now()
    ticket_id = world.a_ticket()
    assert world.webhooks() == []
    world.clock.advance(120)
    assert [ticket.ticket_id for ticket in world.zendesk.export(start=start).tickets] == [ticket_id]


def test_a_webhook_made_through_the_api_has_a_secret_of_its_own(world: World) -> None:
    """https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#show-webhook-signing-secret"""
    webhooks = world.zendesk.raw().webhooks
    made = webhooks.create(
        Webhook(
            name="Countersign",
            endpoint=world.hook,
            http_method="POST",
            request_format="json",
            status="active",
            subscriptions=["zen:event-type:ticket.created"],
        )
    )
    secret = webhooks.show_secret(made).secret
    assert secret not in {WEBHOOK_SECRET, TEST_SECRET}
    world.a_ticket()
    (hook,) = [hook for hook in world.webhooks() if hook.headers["x-zendesk-webhook-id"] == made.id]
    assert hook.body["type"] == "zen:event-type:ticket.created"
    check(world, hook, secret)
    assert len(list(webhooks.list())) == 2


def test_a_webhook_has_events_or_a_trigger_and_never_both(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/creating-and-monitoring-webhooks/"""
    with pytest.raises(VendorAnswer) as refused:
        world.zendesk.raw().webhooks.create(
            Webhook(name="Both", endpoint=world.hook, subscriptions=[EVENT_TYPES[0], TRIGGERED])
        )
    assert refused.value.status == 400


def test_a_triggers_webhook_sends_our_template(world: World) -> None:
    """https://support.zendesk.com/hc/en-us/articles/4408886858138"""
    webhook_id = world.double.add_webhook(world.hook, secret="trigger-secret", subscriptions=[TRIGGERED])
    ticket_id = world.a_ticket('A "quoted" {{subject}}', subject='He said "refund"')
    (hook,) = [hook for hook in world.webhooks() if hook.headers["x-zendesk-webhook-id"] == webhook_id]
    check(world, hook, "trigger-secret")
    event = read(hook)
    assert (event.kind, event.ticket_id, event.actor_id) == (EventKind.TRIGGERED, ticket_id, world.ana)
    assert (
        event.event_id == f"trigger:{ticket_id}:2026-11-21T09:00:00+00:00:{event.comment and event.comment.comment_id}"
    )


def test_testing_an_unsaved_webhook_signs_with_the_public_test_secret(world: World) -> None:
    """https://developer.zendesk.com/documentation/webhooks/verifying/#signing-secrets-for-webhook-testing"""
    world.zendesk.raw().webhooks.test(request={"endpoint": world.hook})
    (hook,) = world.webhooks()
    digest = hmac.new(TEST_SECRET.encode(), hook.headers[TIMESTAMP_HEADER].encode() + hook.raw, hashlib.sha256).digest()
    assert hook.headers[SIGNATURE_HEADER] == base64.b64encode(digest).decode()


def test_the_same_seed_gives_the_same_ids(world_of: Make) -> None:
    """A repeated run can be compared with the first one."""

    def told() -> list[str]:
        world = world_of()
        world.a_ticket()
        return [hook.body["id"] for hook in world.webhooks()]

    assert told() == told()
