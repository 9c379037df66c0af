"""What a policy keeps back: fields, domains, tools that read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.document import Domains
from policies.fields import FIELDS, Kept, is_field, names_field, names_kept_from
from policies.vocabulary import Tool
from tests.policies.writing import parsed


@pytest.mark.parametrize("kept", list(Kept))
def test_a_list_takes_the_fields_that_are_declared_for_it_and_no_other(kept: Kept) -> None:
    allowed = set(names_kept_from(kept))
    assert allowed
    for field in FIELDS:
        assert is_field(field.name, kept) is (field.name in allowed)
        assert is_field(f"{field.name}.key", kept) is (field.name in allowed and field.is_open)


def test_an_open_field_names_all_of_its_kind_and_a_key_only_itself() -> None:
    assert names_field(["charge.metadata"], "charge.metadata.iban")
    assert names_field(["charge.metadata.iban"], "charge.metadata.iban")
    assert not names_field(["charge.metadata.iban"], "charge.metadata.ibanx")
    assert not names_field([], "charge.metadata.iban")


@pytest.mark.parametrize(
    ("listed", "host", "permitted"),
    [
        ("shop.example", "shop.example", True),
        ("shop.example", "SHOP.example.", True),
        ("shop.example", "evil.shop.example", False),
        ("*.shop.example", "help.shop.example", True),
        ("*.shop.example", "a.help.shop.example", True),
        ("*.shop.example", "shop.example", False),
        ("*.shop.example", "evilshop.example", False),
        ("shop.example", "", False),
    ],
)
def test_a_domain_permits_itself_and_a_star_what_is_below_it(listed: str, host: str, permitted: bool) -> None:  # noqa: FBT001
    assert Domains(links=(listed,)).permits_link(host) is permitted
    assert Domains(recipients=(listed,)).permits_recipient(f"ana@{host}") is permitted


def test_without_a_list_no_link_is_permitted_and_every_requester_gets_an_answer() -> None:
    assert not Domains().permits_link("shop.example")
    assert Domains().permits_recipient("ana@shop.example")


@pytest.mark.parametrize(
    ("tools", "tool", "refusal"),
    [
        ("", Tool.STRIPE_READ, None),
        ("tools: {deny: [billing.read]}", Tool.STRIPE_READ, "tools.deny:billing.read"),
        ("tools: {deny: [billing.refund_over_50]}", Tool.STRIPE_READ, None),
        ("approvals: {orders.read: required}", Tool.ORDERS_READ, "approvals:orders.read"),
        ("tools: {allow: [zendesk.read_ticket]}", Tool.ZENDESK_READ, None),
        ("tools: {allow: [zendesk.read_ticket]}", Tool.STRIPE_READ, "tools.allow:stripe.read is not in it"),
        ("tools: {allow: [billing.refund]}", Tool.STRIPE_READ, None),
        ("tools: {allow: [billing.refund], deny: [stripe.read]}", Tool.STRIPE_READ, "tools.deny:stripe.read"),
        ("tools: {allow: [billing.refund]}", Tool.MODEL_CALL, "tools.allow:model.call is not in it"),
        ("tools: {allow: ['zendesk.*']}", Tool.KB_SEARCH, "tools.allow:kb.search is not in it"),
    ],
)
def test_lists_of_tools_open_a_system_to_reading_or_close_it(tools: str, tool: Tool, refusal: str | None) -> None:
    assert parsed(tools).tools.refusal_to_read(tool) == refusal


def test_the_page_about_policies_lists_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    for kept in Kept:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{kept}` |")]
        assert re.findall(r"`([a-z_.]+)`", row)[1:] == list(names_kept_from(kept))
