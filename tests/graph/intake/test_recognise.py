"""What an event means: our own updates mean nothing, and what was taken in means nothing again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from graph.intake.models import InboxEvent
from graph.intake.recognise import SWEPT, Meaning, Recognised, recognise

BOT, ANA, AGENT = 1, 11, 5
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def an_event(kind: str = "comment_added", **details: object) -> InboxEvent:
    said = {"actor_id": ANA, "author_id": ANA, "comment_id": 70, "is_staff": False, "is_public": True, **details}
    return InboxEvent(
        tenant_id="demo", source="zendesk", event_id="e", kind=kind, ticket_id="7", received_at=NOW, details=said
    )


def means(event: InboxEvent, last_comment_id: int = 0) -> Recognised:
    return recognise(event, bot_user_id=BOT, last_comment_id=last_comment_id)


@pytest.mark.parametrize("kind", ["created", "comment_added", "triggered", SWEPT])
def test_a_customers_message_asks_to_read_the_ticket(kind: str) -> None:
    assert means(an_event(kind)).meaning is Meaning.CUSTOMER_MESSAGE


@pytest.mark.parametrize("kind", ["created", "comment_added", "triggered", "status_changed", "tags_changed"])
@pytest.mark.parametrize("who", [{"actor_id": BOT}, {"author_id": BOT}])
def test_our_own_updates_mean_nothing(kind: str, who: dict[str, object]) -> None:
    assert means(an_event(kind, **who)) == Recognised(Meaning.NOTHING, "own_update")


def test_an_agents_public_comment_is_a_persons_and_a_private_one_is_nobodys_business() -> None:
    assert means(an_event(author_id=AGENT, is_staff=True)).meaning is Meaning.STAFF_MESSAGE
    private = means(an_event(author_id=AGENT, is_staff=True, is_public=False))
    assert private == Recognised(Meaning.NOTHING, "private_comment")


@pytest.mark.parametrize(("comment_id", "meaning"), [(69, Meaning.NOTHING), (70, Meaning.NOTHING)])
def test_a_comment_that_was_taken_in_is_not_taken_in_again(comment_id: int, meaning: Meaning) -> None:
    assert means(an_event(comment_id=comment_id), last_comment_id=70).meaning is meaning
    assert means(an_event(comment_id=71), last_comment_id=70).meaning is Meaning.CUSTOMER_MESSAGE


def test_a_ticket_is_created_once() -> None:
    assert means(an_event("created"), last_comment_id=70) == Recognised(Meaning.NOTHING, "already_seen")


@pytest.mark.parametrize("kind", ["soft_deleted", "permanently_deleted", "marked_as_spam", "merged"])
@pytest.mark.parametrize("actor_id", [AGENT, BOT])
def test_a_ticket_that_is_gone_is_gone_whoever_removed_it(kind: str, actor_id: int) -> None:
    assert means(an_event(kind, actor_id=actor_id)).meaning is Meaning.TICKET_GONE


@pytest.mark.parametrize("kind", ["status_changed", "tags_changed", "custom_field_changed", "agent_assignment_changed"])
def test_a_change_by_somebody_else_is_a_change(kind: str) -> None:
    assert means(an_event(kind, actor_id=AGENT)) == Recognised(Meaning.TICKET_CHANGED, "no_new_message")


@pytest.mark.parametrize("kind", ["undeleted", "other"])
def test_what_says_nothing_new_is_recorded_with_its_reason(kind: str) -> None:
    assert means(an_event(kind)) == Recognised(Meaning.NOTHING, "no_new_message")


def test_a_triggers_event_that_does_not_say_who_wrote_is_a_hint_to_look() -> None:
    hint = an_event("triggered", author_id=None, is_staff=None, is_public=None)
    assert means(hint).meaning is Meaning.CUSTOMER_MESSAGE
