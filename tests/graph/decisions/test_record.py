"""A decision is kept with its facts and without a person, once for each action, and met with what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.db import Database
from graph.decisions.past import read_past
from graph.decisions.record import UNLISTED, record, target_of, without_persons
from graph.verdicts import Decided
from policies.evaluate import decide
from policies.facts import Facts
from policies.money import Money
from policies.proposal import Candidate
from policies.vocabulary import ActionKind, Intent, Verdict
from policies.whatif.deciding import VERDICTS, decide_all
from policies.whatif.history import prepared
from tests.policies.shipped import base_facts, shipped

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def decided(charge_id: str = "ch_1", **changes: object) -> Decided:
    facts = Facts(base_facts(**changes))
    amount = facts["action.amount_minor"]
    assert isinstance(amount, int)
    candidate = Candidate(
        ActionKind.REFUND, Intent.DUPLICATE_CHARGE, charge_id=charge_id, amount=Money(amount, "usd"), order_id="1042"
    )
    return Decided(candidate, decide(shipped(), facts, now=NOW), facts.by_name)


async def keep(database: Database, tenant: str, *found: Decided, run_id: str = "run_1", cycle: int = 1) -> None:
    async with database.tenant(tenant) as session:
        await record(session, found, tenant_id=tenant, run_id=run_id, ticket_id="77", cycle=cycle, now=NOW)


async def test_a_recorded_decision_is_decided_again_as_it_was(database: Database, tenant: str) -> None:
    one = decided()
    await keep(database, tenant, one, decided("ch_2", action__amount_minor=9000))
    async with database.tenant(tenant) as session:
        past = await read_past(session, tenant)
    assert past["ticket"].to_list() == ["77", "77"]
    assert past["at"].to_list() == [NOW, NOW]
    assert Facts({name: past[name][0] for name in one.facts}).digest == one.decision.input_hash
    again = decide_all(shipped(), prepared(past))
    assert [VERDICTS[place].value for place in again.frame["verdict"]] == past["verdict"].to_list()
    assert [again.grounds[place].rule for place in again.frame["ground"]] == past["rule"].to_list()


async def test_a_step_that_runs_again_leaves_one_row_for_each_action(database: Database, tenant: str) -> None:
    await keep(database, tenant, decided(), decided("ch_2"))
    await keep(database, tenant, decided(action__amount_minor=1000))
    async with database.tenant(tenant) as session:
        past = await read_past(session, tenant)
    assert past["action.amount_minor"].to_list() == [1000]


async def test_only_the_last_cycle_of_a_run_counts(database: Database, tenant: str) -> None:
    await keep(database, tenant, decided(), cycle=1)
    await keep(database, tenant, decided(action__amount_minor=2000), cycle=2)
    await keep(database, tenant, decided(action__amount_minor=3000), run_id="run_2", cycle=1)
    async with database.tenant(tenant) as session:
        past = await read_past(session, tenant)
    assert past["action.amount_minor"].to_list() == [2000, 3000]


async def test_a_cycle_that_decides_nothing_any_more_leaves_nothing(database: Database, tenant: str) -> None:
    await keep(database, tenant, decided())
    await keep(database, tenant)
    async with database.tenant(tenant) as session:
        assert (await read_past(session, tenant)).is_empty()


async def test_since_leaves_out_what_is_older(database: Database, tenant: str) -> None:
    await keep(database, tenant, decided())
    async with database.tenant(tenant) as session:
        assert len(await read_past(session, tenant, since=NOW)) == 1
        assert (await read_past(session, tenant, since=NOW + timedelta(seconds=1))).is_empty()


async def test_no_other_tenant_sees_a_decision(database: Database, tenant: str) -> None:
    await keep(database, tenant, decided())
    async with database.tenant("another") as session:
        assert (await session.execute(text("SELECT count(*) FROM decision"))).scalar_one() == 0


async def test_a_row_names_nobody_and_quotes_no_id_of_a_vendor(database: Database, tenant: str) -> None:
    await keep(database, tenant, decided(requester__segment="Ana Ruiz <ana@example.com>", request__brand="north"))
    async with database.tenant(tenant) as session:
        row = (await session.execute(text("SELECT to_jsonb(d)::text FROM decision AS d"))).scalar_one()
    assert "Ana" not in row
    assert "ch_1" not in row
    assert "1042" not in row
    assert f'"requester.segment": "{UNLISTED}"' in row
    assert '"request.brand": "north"' in row


@pytest.mark.parametrize("word", ["ana@example.com", "Ana Ruiz", "+1 555 0100", "5550100", "x" * 41, ""])
def test_an_open_word_that_is_no_label_is_not_kept(word: str) -> None:
    assert without_persons({"requester.segment": word}) == {"requester.segment": UNLISTED}


@pytest.mark.parametrize("word", ["wholesale", "vip-2", "en", "north.shop"])
def test_a_label_is_kept(word: str) -> None:
    assert without_persons({"requester.segment": word, "action.amount_minor": 5}) == {
        "requester.segment": word,
        "action.amount_minor": 5,
    }


def test_a_target_tells_items_apart_and_names_none() -> None:
    assert target_of("ch_1", "whole") != target_of("ch_1", "line_1")
    assert target_of("ch_1", "whole") != target_of("ch_2", "whole")
    assert target_of(None, "whole") is None


async def test_an_action_without_money_is_kept_too(database: Database, tenant: str) -> None:
    facts = Facts({"action.kind": "hand_off"})
    one = replace(
        decided(),
        candidate=Candidate(ActionKind.HAND_OFF, Intent.OTHER),
        decision=decide(shipped(), facts, now=NOW),
        facts=facts.by_name,
    )
    assert one.decision.verdict is Verdict.ALLOW
    await keep(database, tenant, one)
    async with database.tenant(tenant) as session:
        past = await read_past(session, tenant)
    assert past.select("verdict", "action.kind", "refunded_minor").rows() == [("allow", "hand_off", None)]
