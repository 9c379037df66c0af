"""Tickets, comments and users as the vendor shows them, read through the adapter."""

from __future__ import annotations

import pytest

from connectors.errors import VendorRefused, WireError
from connectors.sandbox.zendesk.double import Said
from connectors.sandbox.zendesk.records import Attachment
from connectors.zendesk.wire import AUTHOR_FLAGS, MAIL_FLAGS
from tests.contract.zendesk.builders import SUBDOMAIN, World


def test_a_ticket_is_shown_with_lower_case_status_and_number_ids(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#json-format"""
    ticket = world.zendesk.ticket(world.a_ticket(tags=["vip"]))
    assert ticket.status == "new"
    assert ticket.requester_id == world.ana
    assert ticket.channel == "email"
    assert ticket.tags == ("vip",)
    assert ticket.updated_stamp == "2026-11-21T09:00:00Z"
    assert not ticket.has_copies


def test_tickets_are_numbered_from_one(world: World) -> None:
    """https://support.zendesk.com/hc/en-us/articles/4408835059482"""
    assert [world.a_ticket(), world.a_ticket()] == [1, 2]


def test_a_ticket_that_was_soft_deleted_is_not_found(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#delete-ticket"""
    ticket_id = world.a_ticket()
    world.double.delete_ticket(ticket_id)
    with pytest.raises(VendorRefused) as refused:
        world.zendesk.ticket(ticket_id)
    assert refused.value.status == 404
    assert refused.value.code == "RecordNotFound"


def test_a_ticket_that_never_was_is_not_found(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#show-ticket"""
    with pytest.raises(VendorRefused, match="404"):
        world.zendesk.ticket(999)


def test_carbon_copied_users_are_listed(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#setting-email-ccs"""
    bob = world.double.add_user(name="Bob", email="bob@example.com")
    ticket = world.zendesk.ticket(world.a_ticket(cc=[bob]))
    assert ticket.email_cc_ids == (bob,)
    assert ticket.has_copies


def test_custom_fields_are_a_list_of_ids_and_values(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/#setting-custom-field-values"""
    field = world.double.add_ticket_field("Order number")
    ticket = world.zendesk.ticket(world.a_ticket(custom_fields={field: "1042"}))
    assert ticket.custom_field(field) == "1042"
    assert ticket.custom_field(field + 1) is None


def test_comments_come_oldest_first_and_keep_their_text(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments"""
    text = "**Bold** <b>& plain</b> ünï “quotes” \n\n> 1 < 2"
    ticket_id = world.a_ticket(text)
    world.clock.advance(5)
    world.double.agent_writes(ticket_id, world.agent, "An internal note.", public=False)
    first, second = world.zendesk.comments(ticket_id)
    assert first.body == text
    assert (first.public, second.public) == (True, False)
    assert second.author_id == world.agent
    assert first.created_at < second.created_at
    assert "&lt;b&gt;" in first.html_body


def test_comments_are_read_through_all_pages(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/pagination/#using-cursor-pagination"""
    ticket_id = world.a_ticket()
    for number in range(1, 205):
        world.double.customer_writes(ticket_id, world.ana, f"message {number}")
    comments = world.zendesk.comments(ticket_id)
    assert len(comments) == 205
    assert [comment.body for comment in comments[1:]] == [f"message {number}" for number in range(1, 205)]


def test_a_full_last_page_ends_the_list(world: World) -> None:
    """https://developer.zendesk.com/api-reference/introduction/pagination/#using-cursor-pagination"""
    ticket_id = world.a_ticket()
    for number in range(1, 200):
        world.double.customer_writes(ticket_id, world.ana, f"message {number}")
    assert len(world.zendesk.comments(ticket_id)) == 200


def test_attachments_are_shown_with_name_type_and_size(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/"""
    said = Said(world.ana, "See the photo.", attachments=[Attachment("broken.jpg", "image/jpeg", 81_234)])
    ticket_id = world.a_ticket(comments=[said])
    (attachment,) = world.zendesk.comments(ticket_id)[0].attachments
    assert (attachment.file_name, attachment.content_type, attachment.size) == ("broken.jpg", "image/jpeg", 81_234)


def test_flags_of_a_doubtful_comment_are_in_its_metadata(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#comment-flags"""
    comments = [Said(world.ana, "Not signed in.", flags=[3]), Said(world.ana, "An out-of-office answer.", flags=[4])]
    doubtful, automatic = world.zendesk.comments(world.a_ticket(comments=comments))
    assert (doubtful.flags, automatic.flags) == ((3,), (4,))
    assert not AUTHOR_FLAGS.isdisjoint(doubtful.flags)
    assert (AUTHOR_FLAGS | MAIL_FLAGS).isdisjoint(automatic.flags)


def test_a_mail_that_may_not_come_from_its_sender_is_flagged_and_not_trusted(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#comment-flags
    https://support.zendesk.com/hc/en-us/articles/4408844012058
    """
    (comment,) = world.zendesk.comments(world.a_ticket(comments=[Said(world.ana, "Hello.", flags=[14])]))
    assert not MAIL_FLAGS.isdisjoint(comment.flags)
    assert (comment.is_trusted, comment.suspension_cause) == (False, None)


def test_a_mail_that_was_suspended_and_let_through_names_the_cause(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/reference-guides/suspensions-reference/"""
    (comment,) = world.zendesk.comments(world.a_ticket(comments=[Said(world.ana, "Hello.", suspension=17)]))
    assert (comment.is_trusted, comment.suspension_cause, comment.flags) == (False, 17, ())


def test_a_mail_shows_its_sender_and_a_web_form_does_not(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/reference-guides/via-types/"""
    own, other = world.zendesk.comments(
        world.a_ticket(comments=[Said(world.ana, "Hello."), Said(world.ana, "Again.", sender="ana@work.example")])
    )
    assert (own.from_address, other.from_address) == ("ana@example.com", "ana@work.example")
    (written,) = world.zendesk.comments(world.a_ticket(channel="web"))
    assert written.from_address is None


def test_a_user_of_a_shared_ticket_is_another_accounts(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format"""
    assert not world.zendesk.user(world.ana).is_shared
    world.double.share_user(world.ana)
    assert world.zendesk.user(world.ana).is_shared


def test_a_file_is_fetched_by_its_link_up_to_a_size(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/"""
    file = Attachment("my photo.png", "image/png", 4, b"\x89PNG")
    said = Said(world.ana, "See the photo.", attachments=[file, Attachment("gone.png", "image/png", 4)])
    (comment,) = world.zendesk.comments(world.a_ticket(comments=[said]))
    photo, gone = comment.attachments
    assert world.zendesk.attachment(photo.content_url, max_bytes=4) == b"\x89PNG"
    assert world.zendesk.attachment(photo.content_url, max_bytes=3) is None
    with pytest.raises(VendorRefused) as refused:
        world.zendesk.attachment(gone.content_url, max_bytes=4)
    assert (type(refused.value), refused.value.status) == (VendorRefused, 404)


@pytest.mark.parametrize("url", ["https://files.example/a.png", "http://shop.zendesk.com/a.png", "file:///etc/passwd"])
def test_a_file_that_lies_elsewhere_is_never_asked_for(world: World, url: str) -> None:
    """https://developer.zendesk.com/documentation/api-basics/best-practices/working-with-url-properties/"""
    with pytest.raises(WireError, match="only Zendesk's own hosts"):
        world.zendesk.attachment(url, max_bytes=100)


def test_a_comment_without_flags_has_no_flags_in_its_metadata(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#comment-flags"""
    ticket_id = world.a_ticket()
    (comment,) = world.double.comments(ticket_id)
    assert "flags" not in str(comment["metadata"])
    assert world.zendesk.comments(ticket_id)[0].flags == ()


def test_a_strangers_answer_becomes_a_flagged_private_comment(world: World) -> None:
    """https://support.zendesk.com/hc/en-us/articles/4408843002650"""
    ticket_id = world.a_ticket()
    mallory = world.double.add_user(name="Mallory", email="mallory@example.com", verified=False)
    world.double.customer_writes(ticket_id, mallory, "Refund it to me instead.")
    comment = world.zendesk.comments(ticket_id)[-1]
    assert not comment.public
    assert comment.flags == (2,)


def test_a_user_is_shown_with_role_locale_and_external_id(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format"""
    user_id = world.double.add_user(
        name="Bob",
        email="bob@example.com",
        verified=False,
        locale="de",
        external_id="c-1",
        phone="+49301234",
        tags=["vip"],
    )
    user = world.zendesk.user(user_id)
    assert (user.name, user.email, user.is_verified, user.role) == ("Bob", "bob@example.com", False, "end-user")
    assert (user.locale, user.external_id, user.phone, user.tags) == ("de", "c-1", "+49301234", ("vip",))
    assert not user.is_staff
    assert world.zendesk.user(world.agent).is_staff


def test_a_suspended_user_is_shown_as_such(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format"""
    world.double.suspend_user(world.ana)
    assert world.zendesk.user(world.ana).is_suspended


def test_whether_one_address_is_verified_is_in_the_identities(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/users/user_identities/"""
    bob = world.double.add_user(name="Bob", email="bob@example.com", verified=False)
    (identity,) = world.zendesk.identities(bob)
    assert (identity.kind, identity.value, identity.is_verified) == ("email", "bob@example.com", False)
    assert world.zendesk.identities(world.ana)[0].is_verified


def test_groups_and_macros_are_listed(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/groups/groups/#list-groups"""
    world.double.add_group("Refunds")
    world.double.add_macro("Close", [("status", "solved")])
    assert [group.name for group in world.zendesk.groups()] == ["Refunds"]
    (macro,) = world.zendesk.macros()
    assert (macro.title, macro.actions) == ("Close", (("status", "solved"),))


def test_an_account_without_groups_has_an_empty_list(world: World) -> None:
    """https://developer.zendesk.com/api-reference/ticketing/groups/groups/#list-groups"""
    assert world.zendesk.groups() == ()


def test_links_lead_to_the_accounts_own_host(world: World) -> None:
    """https://developer.zendesk.com/documentation/ticketing/managing-tickets/working-with-url-properties/"""
    shown = world.double.ticket(world.a_ticket())
    assert shown["url"] == f"https://{SUBDOMAIN}.zendesk.com/api/v2/tickets/1.json"
