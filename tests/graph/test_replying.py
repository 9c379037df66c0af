"""What a reply says, which checks it must pass, and what a colleague reads in the note."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.orders.wire import CarrierView, Fulfilment
from connectors.stripe.wire import RefundView
from connectors.stripe.words import RefundStatus
from graph.checks.evidence import ground_of
from graph.dossier import ChargeHistory, Dossier
from graph.drafting import Draft, Paragraph, draft_of, first_name, paragraphs, plainer, questions
from graph.note import NEXT, WHY, Findings, note_text
from graph.planning import Answer, Item, Plan
from graph.replies.templates import Template
from graph.sections import Section, Sections
from graph.verdicts import Decided, Verdicts
from graph.verifying import CHECKS, MAX_CHARACTERS, Evidence, evidence_of, remarks, verify
from policies.document import Domains
from policies.money import Money
from policies.proposal import Candidate, Missing
from policies.vocabulary import ActionKind, Intent, Reason, Verdict
from tests.graph.cases import (
    NOW,
    a_charge,
    a_decision,
    a_dossier,
    a_refund,
    a_snapshot,
    a_subscription,
    a_triage,
    ago,
    an_item,
    an_order,
)

SECTION = Section("refund-policy#2", 1, "Returns", "We take goods back within 30 days. We promise.", None, 1.0, 0.8)
SECTIONS = Sections((SECTION,))
REFUNDED = Verdicts((Decided(a_refund(), a_decision()),))
PLAN = Plan((Item(Intent.DUPLICATE_CHARGE, (a_refund(),)),))


def a_draft(
    plan: Plan = PLAN,
    verdicts: Verdicts = REFUNDED,
    dossier: Dossier | None = None,
    effected: dict[str, str | None] | None = None,
) -> Draft:
    said = paragraphs(plan, verdicts, dossier or a_dossier(a_charge()), SECTIONS, effected or {})
    return draft_of(said, language="en", name="Ana Ruiz", shop="Larkspur Goods")


def templates(draft: Draft) -> list[Template]:
    return [one.template for one in draft.paragraphs]


def evidence(verdicts: Verdicts = REFUNDED, *, asks: bool = False) -> Evidence:
    return Evidence(
        verdicts,
        SECTIONS,
        Domains(links=("help.larkspur-goods.example",)),
        asks=asks,
        ground=ground_of(a_dossier(a_charge()), verdicts),
        name="Ana",
        shop="Larkspur Goods",
    )


def checks(draft: Draft, verdicts: Verdicts = REFUNDED, *, edited: str | None = None, asks: bool = False) -> set[str]:
    return {finding.check for finding in verify(draft, evidence(verdicts, asks=asks), edited=edited)}


def test_a_refund_is_told_with_its_amount_card_and_section() -> None:
    draft = a_draft()
    assert templates(draft) == [Template.REFUND_DONE_DUPLICATE]
    assert draft.cites == ("refund-policy#3.2",)
    for words in ("$24.90", "Visa ending in 4242", "Ana", "Larkspur Goods", "refund-policy#3.2"):
        assert words in draft.text
    assert checks(draft) == set()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending", Template.REFUND_PENDING),
        ("requires_action", Template.REFUND_PENDING),
        ("succeeded", Template.REFUND_DONE_DUPLICATE),
    ],
)
def test_what_is_said_follows_stripes_word(status: str, expected: Template) -> None:
    assert templates(a_draft(effected={"ch_1": status})) == [expected]


def test_without_a_card_its_digits_are_left_out() -> None:
    assert "ending in" not in a_draft(dossier=a_dossier(a_charge(card=None))).text


def test_a_cancelled_subscription_names_its_last_day() -> None:
    cancel = Candidate(
        ActionKind.CANCEL_SUBSCRIPTION, Intent.CANCEL_SUBSCRIPTION, subscription_id="sub_1", timing="period_end"
    )
    verdicts = Verdicts((Decided(cancel, a_decision(section="subscription-policy#2.1")),))
    dossier = a_dossier(subscriptions=(a_subscription(),))
    draft = a_draft(Plan((Item(Intent.CANCEL_SUBSCRIPTION, (cancel,)),)), verdicts, dossier)
    assert draft.paragraphs[0].slots == {"ends_on": a_subscription().items[0].current_period_end.date()}
    now = replace(cancel, timing="now")
    plan, verdicts = Plan((Item(Intent.CANCEL_SUBSCRIPTION, (now,)),)), Verdicts((Decided(now, a_decision()),))
    assert templates(a_draft(plan, verdicts, dossier)) == [Template.SUBSCRIPTION_CANCELLED_NOW]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (an_item(), Template.ORDER_DELIVERED),
        (an_item(fulfilment=Fulfilment.SHIPPED, delivered_at=None), Template.ORDER_SHIPPED),
        (an_item(fulfilment=Fulfilment.UNFULFILLED, delivered_at=None, shipped_at=None), Template.ORDER_NOT_SHIPPED),
        (an_item(fulfilment=Fulfilment.DELIVERED, delivered_at=None, shipped_at=None), Template.ORDER_NOT_SHIPPED),
    ],
)
def test_where_an_order_is_follows_from_its_items(item: object, expected: Template) -> None:
    order = an_order("1042", "ch_1", item, carrier=CarrierView("PostNord", "https://evil.example"))  # type: ignore[arg-type]
    reply = Candidate(ActionKind.REPLY, Intent.ORDER_STATUS, order_id="1042")
    plan = Plan((Item(Intent.ORDER_STATUS, (reply,), answer=Answer.ORDER_STATUS),))
    draft = a_draft(plan, Verdicts((Decided(reply, a_decision(section=None)),)), a_dossier(orders=(order,)))
    assert templates(draft) == [expected]
    assert "evil.example" not in draft.text


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (RefundStatus.SUCCEEDED, Template.REFUND_STATUS_SUCCEEDED),
        (RefundStatus.PENDING, Template.REFUND_STATUS_PENDING),
        (RefundStatus.FAILED, Template.REFUND_STATUS_FAILED),
        (RefundStatus.UNKNOWN, Template.REFUND_STATUS_PENDING),
        (None, Template.NO_REFUND_FOUND),
    ],
)
def test_where_a_refund_is_follows_from_the_newest_one(status: RefundStatus | None, expected: Template) -> None:
    def a_refund_view(status: RefundStatus, days: float) -> RefundView:
        return RefundView("re_1", "ch_1", "pi", Money(500, "usd"), status, None, None, None, ago(days=days), {})

    older = a_refund_view(RefundStatus.CANCELED, 9)
    refunds = () if status is None else (older, a_refund_view(status, 1))
    plan = Plan((Item(Intent.REFUND_STATUS, answer=Answer.REFUND_STATUS),))
    dossier = a_dossier(a_charge(), history={"ch_1": ChargeHistory(refunds=refunds)})
    assert templates(a_draft(plan, Verdicts(()), dossier)) == [expected]


def test_an_answer_from_policy_quotes_the_section_as_it_is_stored() -> None:
    plan = Plan((Item(Intent.POLICY_QUESTION, answer=Answer.POLICY),))
    draft = a_draft(plan, Verdicts(()))
    assert SECTION.text in draft.text
    assert checks(draft, Verdicts(())) == set()  # the shop's own policy may promise
    other = replace(draft, paragraphs=(replace(draft.paragraphs[0], slots={"heading": "Returns", "quote": "Free!"}),))
    assert "quotations" in checks(other, Verdicts(()))


def test_the_same_thing_is_said_and_asked_once() -> None:
    assert len(paragraphs(Plan((*PLAN.items, *PLAN.items)), REFUNDED, a_dossier(a_charge()), SECTIONS, {})) == 1
    asked = Item(Intent.REFUND_REQUEST, missing=frozenset({Missing.ORDER_NUMBER}))
    assert [one.template for one in questions(Plan((asked, asked)))] == [Template.ASK_ORDER_NUMBER]


@pytest.mark.parametrize("missing", list(Missing))
def test_whatever_may_be_missing_can_be_asked_for(missing: Missing) -> None:
    said = questions(Plan((Item(Intent.REFUND_REQUEST, missing=frozenset({missing})),)))
    draft = draft_of(said, language="en", name="Ana", shop="Larkspur Goods")
    assert "?" in draft.text or "please" in draft.text.lower()
    assert checks(draft, Verdicts(())) == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ana Ruiz", "Ana"),
        ("Jos\u00e9", "Jos\u00e9"),
        ("Anne-Marie O'Neil", "Anne-Marie"),
        ("https://evil.example", ""),
        ("$1,000,000 refund", ""),
        ("<b>Ana</b>", ""),
        ("", ""),
        ("A" * 200, ""),
        ("{{amount}}", ""),
    ],
)
def test_of_a_profiles_name_only_a_plain_first_word_is_taken(name: str, expected: str) -> None:
    assert first_name(name) == expected


def with_text(text: str) -> Draft:
    return replace(a_draft(), text=f"{a_draft().text}\n\n{text}")


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("See https://evil.example/help", "links"),
        ("See www.evil.example", "links"),
        ("See https://help.larkspur-goods.example.evil.example", "links"),
        ("See https://help.larkspur-goods.example@evil.example/", "links"),
        ("The refund is re_1AbCdEfGh9.", "internal"),
        ("run_0123456789abcdef", "internal"),
        ("Write to bob.stone@customers.example", "personal_data"),
        ("Your card 4242 4242 4242 4242 was used", "personal_data"),
        ("We are liable for this.", "admission"),
        ("We guarantee that it arrives.", "assurances"),
        ("You will be refunded tomorrow.", "dates"),
        ("You also get $50.00.", "amounts"),
        ("You also get EUR 50.", "amounts"),
        ("Dear ${name}", "slots"),
        ("{{amount}}", "slots"),
        ("x" * (MAX_CHARACTERS + 1), "shape"),
    ],
)
def test_a_reply_that_says_too_much_does_not_pass(text: str, check: str) -> None:
    assert check in checks(with_text(text))


def test_a_link_to_the_shops_own_help_passes() -> None:
    assert checks(with_text("See https://help.larkspur-goods.example/returns")) == set()


def test_an_empty_reply_does_not_pass() -> None:
    assert "shape" in checks(replace(a_draft(), text=" \n "))


def test_money_that_was_denied_or_differs_is_not_promised() -> None:
    denied = Verdicts((Decided(a_refund(), a_decision(Verdict.DENY)),))
    assert "promises" in checks(a_draft(), denied)
    other = Verdicts((Decided(a_refund(2491), a_decision()),))
    assert "promises" in checks(a_draft(), other)
    assert "promises" in checks(a_draft(), Verdicts((Decided(a_refund(currency="eur"), a_decision()),)))


def test_a_section_that_nobody_found_is_not_cited() -> None:
    paragraph = Paragraph(Template.ORDER_NOT_SHIPPED, {"order": "1042"}, "refund-policy#99")
    draft = draft_of((paragraph,), language="en", name="Ana", shop="Larkspur Goods")
    assert "citations" in checks(draft)


def test_a_person_answers_for_edited_words_but_not_for_links_ids_or_personal_data() -> None:
    bold = "The parcel comes on Monday, we promise, and you keep 15 % of it."
    assert checks(a_draft(), edited=bold) == set()
    noted = remarks(a_draft(), evidence(), bold)
    assert {one.check for one in noted} >= {"dates", "assurances", "numbers"}
    assert {bold[slice(*one.place)] for one in noted if one.place} >= {"Monday", "we promise", "15 %"}
    # Money that no verdict releases is nobody's to promise: limits and approvals would mean nothing.
    assert checks(a_draft(), edited="We will refund $50 on top.") == {"promises"}
    assert checks(a_draft(), edited="See https://evil.example") == {"links"}
    assert checks(a_draft(), edited="It is ch_1AbCdEfGh9") == {"internal"}
    assert checks(a_draft(), edited="Ask bob.stone@customers.example") == {"personal_data"}
    assert checks(a_draft(), edited="  ") == {"shape"}


def test_every_check_has_an_id_of_its_own_and_says_what_it_keeps() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS) >= 15
    assert all(check.keeps for check in CHECKS)


@pytest.mark.parametrize("language", ["es", "fr", "de", "pt", "ja"])
def test_a_reply_in_the_customers_language_has_a_gloss_for_who_cannot_read_it(language: str) -> None:
    said = paragraphs(PLAN, REFUNDED, a_dossier(a_charge()), SECTIONS, {})
    draft = draft_of(said, language=language, name="Ana Ruiz", shop="Larkspur Goods")
    assert draft.gloss == a_draft().text
    assert draft.text != draft.gloss
    assert draft.gloss in note_text(findings(draft=draft))
    assert a_draft().gloss == ""


def test_a_denied_request_is_never_drafted_as_if_it_had_been_granted() -> None:
    denied = Verdicts((Decided(a_refund(), a_decision(Verdict.DENY)),))
    draft = a_draft(verdicts=denied)
    assert templates(draft) == [Template.DENIED]
    assert "refunded" not in draft.text
    assert checks(draft, denied) == set()


def test_a_part_of_a_payment_names_the_part_and_the_whole() -> None:
    part = a_refund(1000, intent=Intent.ITEM_DAMAGED_OR_WRONG, item_key="i1", order_id="1042")
    order = an_order("1042", "ch_1", an_item(minor=1000))
    plan, verdicts = Plan((Item(part.intent, (part,)),)), Verdicts((Decided(part, a_decision()),))
    draft = a_draft(plan, verdicts, a_dossier(a_charge(), orders=(order,)))
    assert templates(draft) == [Template.REFUND_DONE_PARTIAL]
    for words in ("$10.00 of the $24.90", "stoneware pitcher", "order 1042", "We are sorry that what you received"):
        assert words in draft.text
    assert draft.text.lower().count("sorry") == 1


def test_what_others_named_is_left_out_where_it_is_no_plain_word() -> None:
    order = an_order("1042", "ch_1", an_item(name="<b>FREE</b> https://evil.example"))
    part = a_refund(1000, intent=Intent.ITEM_DAMAGED_OR_WRONG, item_key="i1", order_id="1042 https://evil.example")
    plan, verdicts = Plan((Item(part.intent, (part,)),)), Verdicts((Decided(part, a_decision()),))
    assert "evil" not in a_draft(plan, verdicts, a_dossier(a_charge(), orders=(order,))).text


def test_a_plainer_draft_says_the_same_without_names() -> None:
    said = plainer(paragraphs(PLAN, REFUNDED, a_dossier(a_charge()), SECTIONS, {}))
    draft = draft_of(said, language="en", name="", shop="Larkspur Goods")
    assert "$24.90" in draft.text
    assert "4242" not in draft.text
    assert checks(draft) == set()


def test_a_bank_that_did_not_take_the_money_is_told_as_such() -> None:
    draft = a_draft(effected={"ch_1": "failed"})
    assert templates(draft) == [Template.REFUND_FAILED]
    assert checks(draft) == set()


def test_the_evidence_of_a_run_holds_its_facts_and_nothing_of_its_draft() -> None:
    snapshot = a_snapshot("Ana Ruiz")
    found = evidence_of(
        snapshot,
        a_dossier(a_charge()),
        REFUNDED,
        SECTIONS,
        domains=Domains(),
        asks=False,
        shop="Larkspur Goods",
    )
    assert found.name == "Ana"
    assert Money(2490, "usd") in found.ground.amounts
    assert "4242" in found.ground.words
    assert found.released == {Money(2490, "usd")}
    elsewhere = replace(a_draft(), text=a_draft().text.replace("Hello Ana", "Hello Maria"))
    assert {one.check for one in verify(elsewhere, found)} == {"personal_data"}


def findings(reason: Reason = Reason.POLICY_DENIED, **parts: object) -> Findings:
    empty = dict.fromkeys(("note", "snapshot", "triage", "dossier", "sections", "plan", "verdicts", "draft"))
    return Findings(reason=reason, **{**empty, "settled": 0, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_makes_a_note_that_says_why_and_what_to_do(reason: Reason) -> None:
    text = note_text(findings(reason))
    assert reason.value in text
    assert WHY[reason] in text
    assert "Suggested next steps" in text
    assert NEXT.get(reason, "Read the ticket") in text


def test_a_note_holds_wants_facts_verdicts_sections_and_the_draft() -> None:
    charge = a_charge(is_disputed=True)
    denied = Verdicts((Decided(a_refund(), a_decision(Verdict.DENY)),))
    label = Candidate(ActionKind.RETURN_LABEL, Intent.RETURN_OR_EXCHANGE, order_id="1042")
    text = note_text(
        findings(
            note="limit shop-day",
            triage=a_triage(Intent.DUPLICATE_CHARGE, order_ids=("1042",)),
            dossier=a_dossier(charge, orders=(an_order(),)),
            sections=SECTIONS,
            plan=Plan((Item(Intent.DUPLICATE_CHARGE, (a_refund(),), proposals=(label,)),)),
            verdicts=denied,
            draft=a_draft(),
            settled=1,
        )
    )
    for words in (
        "limit shop-day",
        "duplicate_charge (95 %)",
        "1042",
        "disputed",
        "refund of 24.90 USD: deny by rule duplicate-charge, section refund-policy#3.2",
        "refund-policy#2 (Returns)",
        "send a return label",
        "already done for this ticket: 1 change(s)",
        "Draft of a reply",
    ):
        assert words in text


def test_a_charges_description_cannot_break_out_of_its_line() -> None:
    charge = a_charge(description="Order 1\n\nSuggested next steps\n- refund everything", created_at=NOW)
    lines = note_text(findings(dossier=a_dossier(charge))).splitlines()
    assert lines.count("Suggested next steps") == 1
