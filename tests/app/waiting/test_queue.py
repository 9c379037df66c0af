"""The queue in its order, who has what, and answers that count once for exactly what was looked at."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from app.ambient import new_id, new_key, vault_of
from app.db import Database
from app.identity.roles import Role
from app.identity.sessions import Visitor
from app.review.acts import Acted, Desk, NotAllowed, Said
from app.settings import Settings
from app.waiting.answering import Answering
from app.waiting.items import ItemKind
from graph.settlement.questions import Answer
from tests.app.waiting.questions import a_question
from tests.app.web.conftest import door
from tests.app.web.door import TENANT, Door, opened, settings_of
from tests.app.web.people import Person, a_person
from tests.app.web.waiting import NOW

__all__ = ["door"]
API = "/api/v1/queue"


async def asks(door: Door, who: Person, method: str, path: str, **sent: Any) -> httpx.Response:
    """A call from a page of somebody's."""
    door.client.cookies.clear()
    who.sits_at(door.client)
    headers = {"x-csrf-token": who.form_token, "accept": "application/json"}
    return await door.client.request(method, path, headers=headers, **sent)


async def listed(door: Door, who: Person, **wish: str) -> list[str]:
    answer = await asks(door, who, "GET", API, params=wish)
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


async def test_what_is_due_first_comes_first_and_filters_leave_out_the_rest(door: Door, tmp_path: Path) -> None:
    await a_question(door, tmp_path, 1, asked_at=NOW - timedelta(minutes=5))
    await a_question(door, tmp_path, 2, asked_at=NOW - timedelta(hours=6), amount_minor=9000, approvers=("ops_lead",))
    await a_question(door, tmp_path, 3, asked_at=NOW - timedelta(hours=1), expires_in=timedelta(minutes=170))
    await a_question(door, tmp_path, 4, asked_at=NOW - timedelta(hours=2), customer="Björn Åkesson", currency="eur")
    lead = await a_person(door.database.tenant, TENANT)
    # 2 is late; 3 expires before its four hours are over, so it is due first of the others.
    assert await listed(door, lead) == ["apr_2", "apr_3", "apr_4", "apr_1"]
    assert await listed(door, lead, view="mine") == ["apr_3", "apr_4", "apr_1"]
    assert await listed(door, lead, q="björn duplicate") == ["apr_4"]
    assert await listed(door, lead, currency="usd", least_minor="2491") == ["apr_2"]
    assert await listed(door, lead, role="ops_lead") == ["apr_2"]
    assert await listed(door, lead, kind=ItemKind.HOLD.value) == []
    answer = await asks(door, lead, "GET", API, params={"q": "nothing like it"})
    assert (answer.json()["items"], answer.json()["counts"]["question"], answer.json()["overdue"]) == ([], 4, 1)


async def test_work_is_assigned_by_role_and_amount_and_whoever_may_answer_still_can(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    whole = settings_of(tmp_path).model_dump()
    whole["tenants"][TENANT]["review"]["assign"] = [
        {"to": "agent", "at_most": {"usd": 2000}},
        {"to": "lea@shop.example", "above": {"usd": 2000}, "at_most": {"usd": 4000}},
        {"to": "ops_lead", "intents": ["duplicate_charge"]},
    ]
    settings = Settings.model_validate(whole)
    async with opened(settings, database, database_url) as door:
        people = {
            Role.AGENT: await a_person(database.tenant, TENANT, Role.AGENT, email="sam@shop.example"),
            Role.CS_LEAD: await a_person(database.tenant, TENANT, Role.CS_LEAD, email="lea@shop.example"),
            Role.OPS_LEAD: await a_person(database.tenant, TENANT, Role.OPS_LEAD, email="olu@shop.example"),
        }
        anybody = tuple(role.value for role in people)
        for number, minor in ((1, 2000), (2, 2001), (3, 4000), (4, 4001)):
            await a_question(door, tmp_path, number, amount_minor=minor, approvers=anybody)
        await a_question(door, tmp_path, 5, amount_minor=2000, currency="eur", approvers=anybody)
        mine = {role: await listed(door, one, view="mine") for role, one in people.items()}
        assert mine == {
            Role.AGENT: ["apr_1"],
            Role.CS_LEAD: ["apr_2", "apr_3"],
            Role.OPS_LEAD: ["apr_4", "apr_5"],
        }
        lead = people[Role.CS_LEAD]
        assert len(await listed(door, lead)) == 5
        item = (await asks(door, lead, "GET", f"{API}/apr_4")).json()
        assert (item["assigned"], item["may_answer"]) == ("ops_lead", True)
        page = (await door.client.get(f"/t/{TENANT}/queue")).text
        assert "for lea@shop.example" in page
    whole["tenants"][TENANT]["review"]["assign"][0]["to"] = "agnet"
    with pytest.raises(ValidationError, match="there is no role 'agnet'; did you mean 'agent'"):
        Settings.model_validate(whole)


async def test_one_person_has_an_item_until_they_let_it_go_or_their_time_is_over(door: Door, tmp_path: Path) -> None:
    await a_question(door, tmp_path, 1)
    ana = await a_person(door.database.tenant, TENANT, Role.AGENT, email="ana@shop.example")
    ben = await a_person(door.database.tenant, TENANT, Role.AGENT, email="ben@shop.example")
    lead = await a_person(door.database.tenant, TENANT)
    path = f"{API}/apr_1/claim"

    assert (await asks(door, ana, "PUT", path, json={})).json()["account_id"] == ana.account.account_id
    assert (await asks(door, ana, "PUT", path, json={})).status_code == 200  # still theirs, for longer
    assert (await asks(door, ben, "PUT", path, json={})).status_code == 409
    assert (await asks(door, ben, "DELETE", path)).json()["repeated"] is True
    assert await listed(door, ben, view="free") == []
    given = {"account_id": ben.account.account_id}
    assert (await asks(door, ana, "PUT", path, json=given)).status_code == 403
    assert (await asks(door, lead, "PUT", path, json=given)).status_code == 200
    assert await listed(door, ben, view="taken") == ["apr_1"]
    await door.rows("UPDATE review_claim SET ends_at = now() - interval '1 second' RETURNING 1")
    assert await listed(door, ana, view="free") == ["apr_1"]
    assert (await asks(door, ana, "PUT", path, json={})).status_code == 200
    assert (await asks(door, ana, "DELETE", path)).json()["repeated"] is False
    told = [
        row["kind"] for row in await door.rows("SELECT kind FROM audit_event WHERE kind LIKE 'review%' ORDER BY seq")
    ]
    assert told.count("review.claimed") == 4
    assert told[-1] == "review.released"


async def test_of_many_who_take_an_item_at_once_one_has_it(door: Door, tmp_path: Path) -> None:
    await a_question(door, tmp_path, 1)
    people = [await a_person(door.database.tenant, TENANT, email=f"p{n}@shop.example") for n in range(4)]

    async def takes(who: Person) -> int:
        headers = {"x-csrf-token": who.form_token, "origin": str(door.client.base_url).rstrip("/")}
        headers["cookie"] = f"countersign-{TENANT}={who.token}"
        return (await door.client.put(f"{API}/apr_1/claim", json={}, headers=headers)).status_code

    assert sorted(await asyncio.gather(*map(takes, people))) == [200, 409, 409, 409]


async def test_a_decision_counts_once_for_the_actions_that_were_looked_at(door: Door, tmp_path: Path) -> None:
    digest = await a_question(door, tmp_path, 1)
    lead = await a_person(door.database.tenant, TENANT)
    other = await a_person(door.database.tenant, TENANT, email="other@shop.example")
    path = f"{API}/apr_1/decision"
    stale = {"decision": "approve", "action_digest": "0" * 64}
    assert (await asks(door, lead, "PUT", path, json=stale)).status_code == 409
    assert (await door.rows("SELECT state FROM approval"))[0]["state"] == "pending"
    yes = {"decision": "approve", "action_digest": digest}
    first, second = await asks(door, lead, "PUT", path, json=yes), await asks(door, lead, "PUT", path, json=yes)
    assert (first.status_code, first.json()["repeated"]) == (200, False), first.text
    assert (second.status_code, second.json()["repeated"]) == (200, True)
    assert (await asks(door, lead, "PUT", path, json={"decision": "reject", "reason_code": "other"})).status_code == 409
    assert (await asks(door, other, "PUT", path, json=yes)).status_code == 409
    told = await door.rows("SELECT count(*) AS n FROM audit_event WHERE kind = 'approval.approved'")
    assert told == [{"n": 1}]
    assert await listed(door, lead) == []


async def test_what_is_alike_is_approved_together_each_for_itself(door: Door, tmp_path: Path) -> None:
    digests = {f"apr_{n}": await a_question(door, tmp_path, n, amount_minor=1000 + n) for n in range(1, 5)}
    await a_question(door, tmp_path, 5, rule="another")
    await a_question(door, tmp_path, 6, required=2)
    lead = await a_person(door.database.tenant, TENANT)
    answer = await asks(door, lead, "GET", API)
    assert answer.json()["batches"] == 1
    alike = {item["item_id"]: item["alike"] for item in answer.json()["items"]}
    assert len({alike[one] for one in digests}) == 1
    assert alike["apr_5"] not in {alike["apr_1"], None}
    assert alike["apr_6"] is None

    async def together(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
        items = [{"item_id": name, "action_digest": digest} for name, digest in pairs]
        done = await asks(door, lead, "POST", f"{API}/batch", json={"items": items})
        return [(one["item_id"], one["outcome"]) for one in done.json()["items"]]

    assert {outcome for _, outcome in await together(("apr_1", digests["apr_1"]), ("apr_5", digests["apr_1"]))} == {
        "unfit"
    }
    await door.rows("UPDATE approval SET state = 'stale' WHERE approval_id = 'apr_3' RETURNING 1")
    wrong = ("apr_2", digests["apr_1"])
    pairs = [("apr_1", digests["apr_1"]), wrong, *((one, digests[one]) for one in ("apr_3", "apr_4"))]
    done = dict(await together(*pairs))
    assert done == {"apr_1": "approved", "apr_2": "too_late", "apr_3": "too_late", "apr_4": "approved"}
    states = {row["approval_id"]: row["state"] for row in await door.rows("SELECT approval_id, state FROM approval")}
    assert states["apr_1"] == states["apr_4"] == "approved"
    assert states["apr_2"] == states["apr_5"] == "pending"


async def test_the_page_answers_what_is_open_and_shows_text_as_text(door: Door, tmp_path: Path) -> None:
    digest = await a_question(door, tmp_path, 1, customer="<script>alert(1)</script>")
    lead = await a_person(door.database.tenant, TENANT)
    door.client.cookies.clear()
    lead.sits_at(door.client)
    page = await door.client.get(f"/t/{TENANT}/queue")
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text
    assert f'value="{digest}"' in page.text
    form = {"csrf": lead.form_token, "decision": "approve", "digest": digest}
    done = await door.client.post(f"/t/{TENANT}/queue/apr_1/answer?view=mine", data=form)
    assert done.status_code == 303, done.text
    assert done.headers["location"].startswith(f"/t/{TENANT}/queue?view=mine&said=Approved")
    assert "Nothing waits for a person" in (await door.client.get(f"/t/{TENANT}/queue")).text


async def test_much_money_is_not_approved_from_the_queue_by_whoever_came_in_a_while_ago(
    door: Door, tmp_path: Path
) -> None:
    digest = await a_question(door, tmp_path, 1, amount_minor=9000)
    lead = await a_person(door.database.tenant, TENANT)
    roles, at = frozenset({Role.CS_LEAD}), datetime.now(UTC)
    visitor = Visitor(TENANT, lead.account.account_id, "s", "Lea", "lea@shop.example", roles, "", at)
    desk = Desk(door.database.tenant, vault_of(settings_of(tmp_path)), lambda: at, new_id, new_key)
    yes = Said(Answer.APPROVE)
    made = await Answering(desk, lambda _, actions: bool(list(actions))).answer(visitor, "apr_1", yes, digest)
    assert isinstance(made, NotAllowed)
    assert (await door.rows("SELECT state FROM approval"))[0]["state"] == "pending"
    assert isinstance(await Answering(desk, lambda _, actions: not list(actions)).answer(visitor, "apr_1", yes), Acted)
