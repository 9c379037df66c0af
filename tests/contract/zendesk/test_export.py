"""The incremental export, on which the sweeper for lost webhooks stands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.errors import AccessDenied, Throttled, VendorRefused
from connectors.sandbox.zendesk.limits import Limits
from connectors.zendesk.export import ExportPage
from tests.contract.zendesk.builders import Make, World


def exported(page: ExportPage) -> list[int]:
    return [ticket.ticket_id for ticket in page.tickets]


def test_the_export_leaves_out_the_last_minute(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/"""
    start = world.clock.now() - timedelta(hours=1)
    ticket_id = world.a_ticket()
    world.clock.advance(59)
    assert exported(world.zendesk.export(start=start)) == []
    world.clock.advance(1)
    page = world.zendesk.export(start=start)
    assert exported(page) == [ticket_id]
    assert page.end_of_stream


def test_pages_follow_the_cursor_to_the_end_of_the_stream(world_of: Make) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/#cursor-based-incremental-exports"""
    world = world_of(limits=Limits(export_page=2))
    start = world.clock.now() - timedelta(hours=1)
    tickets = [world.a_ticket() for _ in range(5)]
    world.clock.advance(120)
    page = world.zendesk.export(start=start)
    seen, ends = exported(page), [page.end_of_stream]
    while not page.end_of_stream:
        page = world.zendesk.export(cursor=page.after_cursor)
        seen += exported(page)
        ends.append(page.end_of_stream)
    assert seen == tickets
    assert ends == [False, False, True]


def test_a_later_change_shows_a_ticket_again_behind_the_cursor(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/#excluding-duplicate-items"""
    start = world.clock.now() - timedelta(hours=1)
    first, _ = world.a_ticket(), world.a_ticket()
    world.clock.advance(120)
    page = world.zendesk.export(start=start)
    assert world.zendesk.export(cursor=page.after_cursor).tickets == ()
    world.double.customer_writes(first, world.ana, "Hello?")
    world.clock.advance(120)
    assert exported(world.zendesk.export(cursor=page.after_cursor)) == [first]


def test_an_empty_page_keeps_its_cursor(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/#cursor-based-incremental-exports"""
    start = world.clock.now() - timedelta(hours=1)
    world.a_ticket()
    world.clock.advance(120)
    cursor = world.zendesk.export(start=start).after_cursor
    assert world.zendesk.export(cursor=cursor).after_cursor == cursor


def test_a_first_page_without_tickets_has_no_cursor(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/#cursor-based-incremental-exports"""
    page = world.zendesk.export(start=world.clock.now() - timedelta(hours=1))
    assert page == ExportPage((), None, end_of_stream=True)


def test_deleted_tickets_are_exported_as_deleted(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/"""
    start = world.clock.now() - timedelta(hours=1)
    ticket_id = world.a_ticket()
    world.double.delete_ticket(ticket_id)
    world.clock.advance(120)
    (ticket,) = world.zendesk.export(start=start).tickets
    assert ticket.is_deleted


def test_the_export_is_for_admins_only(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/"""
    world.double.set_role(world.bot, "agent")
    with pytest.raises(AccessDenied):
        world.zendesk.export(start=world.clock.now() - timedelta(hours=1))


def test_a_start_within_the_last_minute_is_refused(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/#start_time"""
    with pytest.raises(VendorRefused) as refused:
        world.zendesk.export(start=world.clock.now() - timedelta(seconds=30))
    assert refused.value.status == 422


def test_a_cursor_that_zendesk_did_not_make_is_refused(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/"""
    with pytest.raises(VendorRefused):
        world.zendesk.export(cursor="bm90IGEgY3Vyc29y")


def test_exports_have_a_rate_limit_of_their_own(world_of: Make) -> None:
    """https://developer.zendesk.com/api-reference/introduction/rate-limits/#endpoint-rate-limits"""
    world = world_of(limits=Limits(exports_per_minute=1))
    start = world.clock.now() - timedelta(hours=1)
    world.zendesk.export(start=start)
    with pytest.raises(Throttled):
        world.zendesk.export(start=start)
    world.clock.advance(60)
    world.zendesk.export(start=start)


def test_an_export_needs_a_start_or_a_cursor_and_not_both(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/"""
    with pytest.raises(ValueError, match="either"):
        world.zendesk.export()
    with pytest.raises(ValueError, match="either"):
        world.zendesk.export(start=world.clock.now(), cursor="x")
