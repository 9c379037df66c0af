"""Corrections are grouped, hide who they are about, and speak for a change with the tickets it would affect."""

from __future__ import annotations

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.corrections.masks import Mask, numbered
from app.identity.roles import Role
from graph.audit.catalogue import problems
from graph.redaction.profile import KnownProfile
from policies.parse import parse_policy
from policies.rungs import Spot, tier_at
from policies.vocabulary import ActionKind, Intent, Mode
from tests.app.autonomy.cells import decided, published
from tests.app.waiting.questions import an_action
from tests.app.waiting.test_queue import asks
from tests.app.web.conftest import door
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import NOW

__all__ = ["door"]
API = "/api/v1/corrections"
LOST = Intent.ITEM_NOT_RECEIVED
KNOWN = KnownProfile(("Ana Ruiz",), ("ana.ruiz@customers.example",))


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["AB-1042", "77-31", "X9 8"]))
def test_what_is_known_of_a_customer_is_in_no_scenario(before: str, after: str, order: str) -> None:
    mask = Mask(KNOWN, numbered([order, "12"]))
    hidden = mask.hidden(f"{before} Ana Ruiz <ana.ruiz@customers.example> wrote about order {order} {after}")
    assert "Ana Ruiz" not in hidden
    assert "ana.ruiz@" not in hidden
    assert f"order {order} " not in hidden
    assert "order 1001" in hidden


async def corrected(door: Door, numbers: range, rule: str, reason: str | None, **changes: object) -> None:
    """Rejected questions whose runs are about a rule."""
    await decided(door, numbers, intent=LOST, said="rejected")
    for number in numbers:
        action = an_action(intent=LOST.value, rule=rule, **changes)
        await door.rows(
            "UPDATE run SET actions = jsonb_build_array(CAST(:action AS jsonb)) WHERE run_id = :run RETURNING 1",
            action=json.dumps(action),
            run=f"run_{number}",
        )
    await door.rows(
        "UPDATE approval SET reason_code = :reason WHERE run_id = ANY(:runs) RETURNING 1",
        reason=reason,
        runs=[f"run_{number}" for number in numbers],
    )


async def test_alike_corrections_are_one_report_and_give_one_proposal_with_its_tickets(door: Door) -> None:
    base = await published(door)
    await corrected(door, range(4), "pays", "wrong_policy")
    await corrected(door, range(4, 6), "pays", "wrong_amount")
    await decided(door, range(10, 13), intent=LOST, said="used")
    await decided(door, range(20, 25), intent=LOST)  # done alone, nobody asked
    await decided(door, range(30, 31), intent=LOST, blind="reject")
    await decided(door, range(40, 41), intent=LOST, said="rejected", at=NOW - timedelta(days=120))
    await door.rows("UPDATE approval SET sealed_reply = 'x' WHERE run_id = 'run_10' RETURNING 1")
    lead = await a_person(door.database.tenant, TENANT, Role.CS_LEAD)
    found = (await asks(door, lead, "GET", API)).json()["groups"]
    told = [(one["cause"], one["reason_code"], one["count"]) for one in found]
    assert told[:2] == [("rejected", "wrong_policy", 4), ("rejected", "wrong_amount", 2)]
    assert sorted(told[2:]) == [("edited", "", 1), ("judged", "", 1)]

    group = {name: found[0][name] for name in ("cause", "reason_code", "intent", "action", "rule")}
    for kind, tickets in (("article", 4), ("policy", 15)):
        made = [(await asks(door, lead, "POST", f"{API}/proposals", json={**group, "kind": kind})).json() for _ in "ab"]
        assert made[0] == made[1]
        assert len(made[0]["tickets"]) == tickets, kind
    (draft,) = await door.rows(
        "SELECT source_text, state FROM policy_version WHERE policy_hash = :hash", hash=made[0]["policy_hash"]
    )
    assert draft["state"] == "draft"
    policy = parse_policy(draft["source_text"], name="draft")
    for segment in policy.segments:
        assert tier_at(policy, Spot(LOST, segment, ActionKind.REFUND), NOW.date()).mode is Mode.APPROVE
    assert await door.rows("SELECT policy_hash FROM policy_version WHERE state = 'published'") == [
        {"policy_hash": base}
    ]
    nobody = {**group, "rule": "another", "kind": "article"}
    assert (await asks(door, lead, "POST", f"{API}/proposals", json=nobody)).status_code == 409
    done = f"{API}/proposals/{made[0]['proposal_id']}"
    assert (await asks(door, lead, "PUT", done, json={"state": "done"})).json()["state"] == "done"
    assert (await asks(door, lead, "PUT", done, json={"state": "done"})).status_code == 409

    # Without what the run read there is nothing to make a scenario of, and nobody corrected the others.
    for run_id, said in (("run_0", "is gone"), ("run_20", "nobody corrected")):
        answer = await asks(door, lead, "POST", f"{API}/scenarios", json={"run_id": run_id})
        assert (answer.status_code, said in answer.json()["detail"]) == (409, True)
    wanted = {"title": "Call Ana on +1 202 555 0147 about card 4242 4242 4242 4242"}
    incident = (await asks(door, lead, "POST", "/api/v1/incidents", json=wanted)).json()
    assert "0147" not in incident["title"]
    assert "4242" not in incident["title"]
    open_one = f"/api/v1/incidents/{incident['incident_id']}"
    answer = await asks(door, lead, "PUT", open_one, json={"cause": "haste", "closes": True})
    assert (answer.status_code, "lacks measures" in answer.json()["detail"]) == (409, True)
    guard = {"candidate_id": "cand_none"}
    assert (await asks(door, lead, "PUT", open_one, json=guard)).status_code == 409
    written = await door.rows("SELECT kind, body FROM audit_event ORDER BY seq")
    assert [one for event in written for one in problems(event["kind"], event["body"])] == []
    assert {"correction.proposed", "correction.ended", "incident.opened"} <= {event["kind"] for event in written}
