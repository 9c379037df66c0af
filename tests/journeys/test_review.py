"""What reviewers see and do, below the pages: the card of a run, and each act with what comes of it at the vendors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import httpx

from app.ambient import new_id, new_key
from app.identity.roles import Role
from app.identity.sessions import Visitor
from app.notices.noticing import places_of
from app.notices.telling import Place, tell
from app.review.acts import Acted, Desk, Missing, NotAllowed, Said, TooLate, Unfit
from app.review.acts import Shop as Signs
from app.review.card import Act, Card, Tone
from app.waiting.remarks import Edits, edits
from graph.rulebook import publish
from graph.settlement.questions import Answer
from policies.shelf import shipped_text
from tests.app.api.programs import a_token, bearing
from tests.journeys.shop import Shop, charged_twice


def a_desk(shop: Shop) -> Desk:
    signs = Signs("Larkspur Goods", shop.runtime.tenant(shop.tenant).zendesk, "oauth client test")
    return Desk(shop.database.tenant, shop.runtime.vault, shop.clock.now, new_id, new_key, {shop.tenant: signs})


def a_visitor(shop: Shop, *roles: Role, account_id: str | None = None) -> Visitor:
    account_id = account_id or shop.reviewer.account_id
    known = frozenset(roles or (Role.CS_LEAD,))
    return Visitor(shop.tenant, account_id, "ses_1", "Lea Lead", "lead@shop.example", known, "form", shop.clock.now())


async def the_card(shop: Shop, ticket_id: str, visitor: Visitor | None = None) -> Card:
    card = await a_desk(shop).card(visitor or a_visitor(shop), (await shop.run(ticket_id))["run_id"])
    assert card is not None
    return card


async def test_the_card_says_what_will_happen_under_which_section_and_why_somebody_is_asked(shop: Shop) -> None:
    places = places_of(shop.settings)[shop.tenant]
    await told(shop, places)  # a place hears of what happens from then on
    ticket = await shop.arrives(charged_twice("90.00"))
    # The sandbox's receiver and its Slack have heard of the question, and of nobody's words.
    await told(shop, places)
    heard = (await shop.web.get(f"{shop.vendor_url}/sandbox/notices")).json()
    assert (len(heard["notices"]), heard["forged"]) == (2, 0)
    assert "people are asked" in str(heard["notices"][0])
    assert "Ana" not in str(heard)
    card = await the_card(shop, ticket)
    assert (card.standing.words, card.standing.tone) == ("Waiting for you", Tone.WAITING)
    (request,) = card.requests
    assert request.verdict_words == "Eligible"
    assert [ground.source.section_id for ground in request.grounds if ground.source] == [
        "refund-policy#8.1",
        "refund-policy#3.2",
    ]
    assert request.why_asked == "90.00 USD is more than the 50.00 USD of tier 'auto'"
    (refund,) = request.will
    assert (refund.words, refund.money and refund.money.minor) == ("Refund to Visa ·4242", 9000)
    assert refund.charge_id == shop.keys.charges["second"]
    assert [one.words for one in card.also] == ["Reply to Ana Ruiz", "+countersign +refunded · status → solved"]
    assert {one.source for one in request.statements} == {"Run", "Stripe"}
    assert all(one.holds for one in request.statements)
    assert card.writing is not None
    assert all(value in card.writing.text for value in card.writing.slots)
    assert card.understood[0].words == ("Charged twice",)
    agent = await the_card(shop, ticket, a_visitor(shop, Role.AGENT))
    assert agent.standing.words == "Waiting for cs lead or ops lead"
    assert not agent.may(Act.APPROVE)
    assert agent.acts[Act.APPROVE] == "This needs one of: cs lead, ops lead."
    assert agent.may(Act.TAKE_OVER)


async def told(shop: Shop, places: Sequence[Place]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for place in places:
            done = await tell(shop.database.tenant, shop.tenant, place, client, now=shop.clock.now())
            assert done is None or done.problem is None


async def test_words_that_may_not_leave_are_refused_before_anything_moves(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    desk, lead, card = a_desk(shop), a_visitor(shop), await the_card(shop, ticket)
    assert card.approval_id is not None
    link = await desk.answer(lead, card.approval_id, Said(Answer.APPROVE, reply="See https://evil.example/pay"))
    assert isinstance(link, Unfit)
    assert "evil.example" in link.why
    assert isinstance(await desk.answer(lead, card.approval_id, Said(Answer.ASK)), Unfit)
    assert isinstance(await desk.answer(lead, card.approval_id, Said(Answer.REJECT, reason_code="no such")), Unfit)
    agent = a_visitor(shop, Role.AGENT)
    assert isinstance(await desk.answer(agent, card.approval_id, Said(Answer.APPROVE)), NotAllowed)
    assert isinstance(await desk.answer(lead, "apr_0", Said(Answer.APPROVE)), Missing)
    await shop.work()
    assert shop.refunds() == []
    edited = await desk.answer(lead, card.approval_id, Said(Answer.APPROVE, reply="Hello Ana, it is on its way."))
    assert isinstance(edited, Acted)
    await shop.work()
    assert shop.refunds() == [("second", 9000, "usd")]
    assert shop.said(ticket, public=True) == ["Hello Ana, it is on its way."]
    assert isinstance(await desk.answer(lead, card.approval_id, Said(Answer.REJECT)), TooLate)
    # What the agent would not have been let write is the person's, and is remarked on wherever the edit is looked at.
    remark = "an amount that a verdict releases is not told"
    assert remark in edited.said
    done = await the_card(shop, ticket)
    assert done.decision == "Lea Lead approved it after editing the reply."
    assert done.writing is not None
    assert done.writing.remarks == (remark,)
    (said,) = await shop.rows("SELECT body FROM audit_event WHERE kind = 'approval.approved'")
    assert said["body"]["remarks"] == [{"check": "completeness", "reason": remark}]
    async with shop.database.tenant(shop.tenant) as session:
        counted = await edits(session, shop.tenant, since=shop.clock.now() - timedelta(days=90))
    assert counted == Edits(1, (("completeness", 1),))
    await shop.balanced()


async def test_the_customer_is_asked_in_the_reviewers_words_and_the_answer_brings_the_ticket_back(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    desk, lead, card = a_desk(shop), a_visitor(shop), await the_card(shop, ticket)
    assert card.approval_id is not None
    question = "Which of your two cards was charged twice?"
    assert isinstance(await desk.answer(lead, card.approval_id, Said(Answer.ASK, reply=question)), Acted)
    await shop.work()
    assert await shop.outcome(ticket) == ("waiting_for_customer", "missing_data")
    assert shop.said(ticket, public=True) == [question]
    assert shop.ticket(ticket)["status"] == "pending"
    await shop.customer_writes(ticket, "The Visa. I was charged twice for order 1042.")
    again = await the_card(shop, ticket)
    assert again.standing.tone is Tone.WAITING
    assert again.approval_id not in {None, card.approval_id}
    assert isinstance(await desk.answer(lead, card.approval_id, Said(Answer.APPROVE)), TooLate)
    assert shop.refunds() == []
    await shop.balanced()


async def test_programs_do_what_the_panel_does(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    run = f"/api/v1/runs/{(await shop.run(ticket))['run_id']}"
    headers = bearing(await a_token(shop.database.tenant, shop.tenant, Role.CS_LEAD, now=shop.clock.now()))
    card = (await shop.web.get(f"{run}/card", headers=headers)).json()
    assert card["requests"][0]["will"][0]["money"] == {"minor": 9000, "currency": "usd"}
    assert card["acts"]["approve"] is None
    words = {"reply": card["writing"]["text"] + " And you get a voucher. See https://evil.example/pay"}
    looked = (await shop.web.post(f"{run}/look", json=words, headers=headers)).json()
    assert ["evil.example" in one["reason"] for one in looked["refused"]] == [True]
    assert {one["check"] for one in looked["remarks"]} == {"offers"}
    (offer,) = looked["remarks"]
    assert "voucher" in words["reply"][offer["start"] : offer["end"]]
    liking = f"{run}/preferences/reply_language"
    until = (shop.clock.now() + timedelta(days=30)).date().isoformat()
    for value, status in (("es", 200), ("de", 200), ("xx", 422)):
        answer = await shop.web.put(liking, json={"value": value, "until": until}, headers=headers)
        assert answer.status_code == status, answer.text
    card = (await shop.web.get(f"{run}/card", headers=headers)).json()
    assert [one["shown"] for one in card["likings"]] == ["German"]
    assert [(await shop.web.delete(liking, headers=headers)).status_code for _ in range(2)] == [200, 409]
    for _ in range(2):
        assert (await shop.web.post(f"{run}/take-over", headers=headers)).status_code == 200
    await shop.work()
    assert (await shop.web.post(f"{run}/take-over", headers=headers)).status_code == 409
    outside = (await shop.web.get(f"{run}/card", headers=headers)).json()["outside"]
    (note,) = [one["effect_id"] for one in outside if one["can_undo"]]
    for _ in range(2):
        assert (await shop.web.post(f"{run}/undo", json={"effect_id": note}, headers=headers)).status_code == 200
    await shop.looks_out()
    assert "countersign" not in shop.ticket(ticket)["tags"]
    replayed = (await shop.web.get(f"{run}/replay", headers=headers)).json()
    assert (replayed["outcome"], replayed["decided"], replayed["today"]) == ("identical", 1, [])
    # Under a policy that says otherwise today, the same reading is decided otherwise; nothing comes of it.
    looser = shipped_text().replace("at_most: {usd: 50,", "at_most: {usd: 99,")
    async with shop.database.tenant(shop.tenant) as session:
        await publish(session, shop.tenant, looser, author="test", now=shop.clock.now())
    flipped = (await shop.web.get(f"{run}/replay", headers=headers)).json()
    assert flipped["outcome"] == "identical"
    assert [(one["before"], one["after"]) for one in flipped["today"]] == [("needs_approval, approve", "allow, auto")]
    assert shop.refunds() == []
    await shop.balanced()


async def test_what_an_update_changed_is_put_back_once_and_only_where_it_still_stands(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("20.00"))
    desk, lead = a_desk(shop), a_visitor(shop, Role.AGENT)
    held = await the_card(shop, ticket)
    assert held.hold is not None
    assert held.standing.tone is Tone.HELD
    assert isinstance(await desk.stop(lead, held.run_id), Acted)
    assert isinstance(await desk.stop(lead, held.run_id), TooLate)
    await shop.work()
    assert shop.refunds() == []
    card = await the_card(shop, ticket)
    assert card.standing.tone is Tone.STOPPED
    assert card.next_steps
    (note,) = [one for one in card.outside if one.can_undo]
    assert ("tags", "", "+countersign +countersign_handoff +countersign_human_took_over") in note.before_after
    tags = shop.ticket(ticket)["tags"]
    for _ in range(2):
        assert isinstance(await desk.undo(lead, card.run_id, note.effect_id), Acted)
    await shop.looks_out()
    assert {"countersign", "countersign_handoff"} <= set(tags)
    assert not {"countersign", "countersign_handoff"} & set(shop.ticket(ticket)["tags"])
    notes = shop.said(ticket, public=False)
    assert [one for one in notes if "no longer holds" in one] == [
        "Lea Lead undid a change of Countersign. The note that was written with it no longer holds."
    ]
    assert isinstance(await desk.undo(lead, card.run_id, "eff_0"), Missing)
    assert not (await the_card(shop, ticket)).may(Act.UNDO)
    await shop.balanced()


async def test_who_takes_over_stops_the_money_and_gets_a_note(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("20.00"))
    desk, lead, card = a_desk(shop), a_visitor(shop), await the_card(shop, ticket)
    for _ in range(2):
        assert isinstance(await desk.take_over(lead, card.run_id), Acted)
    await shop.work()
    assert shop.refunds() == []
    assert await shop.outcome(ticket) == ("handed_off", "human_took_over")
    (note,) = shop.said(ticket, public=False)
    assert lead.actor in note
    assert isinstance(await desk.take_over(lead, card.run_id), TooLate)
    assert isinstance(await desk.take_over(lead, "run_0"), Missing)
    await shop.balanced()


async def test_a_remembered_language_is_used_by_the_next_draft_shown_with_a_gloss_and_expires(shop: Shop) -> None:
    ticket = await shop.arrives(charged_twice("90.00"))
    desk, lead, card = a_desk(shop), a_visitor(shop), await the_card(shop, ticket)
    until = shop.clock.now() + timedelta(days=30)
    said = await desk.remember(lead, card.run_id, name="reply_language", value="es", expires_at=until)
    assert isinstance(said, Acted)
    bad = await desk.remember(lead, card.run_id, name="reply_language", value="xx", expires_at=until)
    assert isinstance(bad, Unfit)
    late = await desk.remember(lead, card.run_id, name="remedy", value="refund", expires_at=shop.clock.now())
    assert isinstance(late, Unfit)
    await shop.customer_writes(ticket, "I was charged twice for order 1042. Please refund the duplicate charge.")
    drafted = await the_card(shop, ticket)
    assert drafted.writing is not None
    assert drafted.writing.language == "Spanish"
    assert drafted.writing.text.startswith("Hola Ana")
    assert drafted.writing.gloss is not None
    assert drafted.writing.gloss.startswith("Hello Ana")
    assert [(one.label, one.shown) for one in drafted.likings] == [("Reply in", "Spanish")]
    assert isinstance(await desk.remember(lead, card.run_id, name="reply_language", value="", expires_at=until), Acted)
    assert (await the_card(shop, ticket)).likings == ()
    await shop.balanced()
