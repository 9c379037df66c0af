"""A cell moves up where people agreed for certain and people say yes, and down by itself where they do not agree."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from app.ambient import new_id
from app.autonomy.drifting import DEMOTED, watch
from app.autonomy.rules import AutonomyRules
from app.identity.accounts import Act
from app.identity.roles import Role
from graph.audit.catalogue import problems
from graph.lifecycle.desk import Desk
from graph.lifecycle.gates import record as record_gate
from graph.lifecycle.promotion import Cell, Report, record_promotion
from graph.lifecycle.publishing import Act as PolicyAct
from graph.lifecycle.requirements import REQUIRED_GATES
from graph.rulebook import deciding, load_policy
from graph.settlement.models import Effect
from policies.document import Policy
from policies.parse import parse_policy
from policies.rungs import Spot, raises_money, rung_above, rung_below, tier_at, with_tier
from policies.standalone import policy_source
from policies.vocabulary import ActionKind, Intent, Mode
from tests.app.autonomy.cells import POLICY, decided, published
from tests.app.waiting.test_queue import asks
from tests.app.web.conftest import door
from tests.app.web.door import TENANT, Door
from tests.app.web.people import a_person
from tests.app.web.waiting import NOW
from tests.policies.writing import parsed

__all__ = ["door"]
API = "/api/v1/autonomy"
DAY = NOW.date()
DUPLICATE = Spot(Intent.DUPLICATE_CHARGE, "standard", ActionKind.REFUND)
LOST = Spot(Intent.ITEM_NOT_RECEIVED, "standard", ActionKind.REFUND)


def test_a_rung_is_the_policys_own_and_moves_one_cell_and_no_other() -> None:
    policy = parsed(POLICY)
    above = rung_above(policy, DUPLICATE, DAY)
    assert above is not None
    assert above.name == "auto"  # the held and smaller one of three; `act` states no amount
    assert raises_money(DUPLICATE, tier_at(policy, DUPLICATE, DAY), above)
    raised = with_tier(policy, [(DUPLICATE, above)])
    assert parse_policy(policy_source(raised), name="again").content_hash == raised.content_hash
    others = [
        Spot(intent, segment, action)
        for intent in Intent
        for segment in ("standard", "vip")
        for action in (ActionKind.REFUND, ActionKind.REPLY)
    ]
    changed = [spot for spot in others if tier_at(policy, spot, DAY) != tier_at(raised, spot, DAY)]
    assert changed == [DUPLICATE]
    down = rung_below(policy, LOST, DAY)
    lowered = with_tier(policy, [(LOST, down)])
    assert [spot for spot in others if tier_at(policy, spot, DAY) != tier_at(lowered, spot, DAY)] == [LOST]
    assert tier_at(lowered, LOST, DAY).mode is Mode.APPROVE
    alone = parsed(POLICY.replace("    approve: {mode: approve}\n", "").replace("tier: approve", "tier: act"))
    assert tier_at(with_tier(alone, [(LOST, rung_below(alone, LOST, DAY))]), LOST, DAY).mode is Mode.APPROVE
    assert rung_above(policy, Spot(Intent.OTHER, "vip", ActionKind.DELETE_DATA), DAY) is None


async def test_money_needs_two_people_and_the_gate_and_then_the_cell_is_raised(door: Door) -> None:
    base = await published(door)
    await decided(door, range(70), said="used")
    await decided(door, [70], said="rejected", amount=9000)  # above the tier's amount: no evidence about it
    await decided(door, range(100, 170), said="used", kind=ActionKind.REPLY, intent=Intent.POLICY_QUESTION)
    ana = await a_person(door.database.tenant, TENANT, Role.OPS_LEAD, email="ana@shop.example")
    ben = await a_person(door.database.tenant, TENANT, Role.OPS_LEAD, email="ben@shop.example")
    agent = await a_person(door.database.tenant, TENANT, Role.AGENT, email="cid@shop.example")
    assert (await asks(door, agent, "POST", API)).status_code == 403

    found = (await asks(door, ana, "POST", API)).json()
    moves = {one["action"]: one for one in found["moves"]}
    refund, reply = moves["refund"], moves["reply"]
    assert (refund["to_tier"], refund["raises_money"], refund["evidence"]["asked"]) == ("auto", True, 70)
    assert (reply["to_tier"], reply["raises_money"]) == ("auto", False)
    assert len((await asks(door, ana, "POST", API)).json()["moves"]) == 2

    yes = f"{API}/{refund['move_id']}/yes"
    first = (await asks(door, ana, "PUT", yes, json={"why": "70 of 70"})).json()
    assert first["move"]["state"] == "half"
    assert (await asks(door, ana, "PUT", yes, json={})).status_code == 409
    assert (await version(door))[0] == base
    second = (await asks(door, ben, "PUT", yes, json={"why": "I looked"})).json()
    assert second["move"]["state"] == "accepted"
    assert len(second["lacking"]) == len(REQUIRED_GATES)
    await gated(door, second["move"]["policy_hash"])
    third = (await asks(door, ana, "PUT", yes, json={})).json()
    assert (third["move"]["state"], third["lacking"]) == ("applied", [])
    decides, policy = await version(door)
    assert decides == third["move"]["policy_hash"]
    assert tier_at(policy, DUPLICATE, DAY).name == "auto"

    # What was measured against the earlier version lapses, and is proposed anew; one person's yes is enough for words.
    found = (await asks(door, ana, "POST", API)).json()
    states = {one["move_id"]: one["state"] for one in found["moves"]}
    assert states[reply["move_id"]] == "stale"
    (again,) = [one for one in found["moves"] if one["state"] == "open"]
    page = (await asks(door, ana, "GET", f"/t/{TENANT}/autonomy")).text
    assert again["move_id"] in page
    only = (await asks(door, ana, "PUT", f"{API}/{again['move_id']}/yes", json={})).json()
    assert only["move"]["state"] == "accepted"
    await gated(door, only["move"]["policy_hash"])
    assert (await asks(door, ana, "PUT", f"{API}/{again['move_id']}/yes", json={})).json()["move"]["state"] == "applied"
    told = await door.rows("SELECT kind, body FROM audit_event ORDER BY seq")
    assert [one for event in told for one in problems(event["kind"], event["body"])] == []


async def test_too_little_or_too_mixed_evidence_proposes_nothing(door: Door) -> None:
    await published(door)
    await decided(door, range(40), said="used")
    await decided(door, range(100, 170), intent=Intent.CANCEL_ORDER, said="used")
    await decided(door, range(170, 178), intent=Intent.CANCEL_ORDER, said="rejected")
    # Small refunds cannot speak for large ones.
    await decided(door, range(200, 290), intent=Intent.COMPLAINT, said="used", amount=500)
    await decided(door, range(290, 300), intent=Intent.COMPLAINT, said="used", amount=4900)
    ana = await a_person(door.database.tenant, TENANT, Role.OPS_LEAD)
    found = (await asks(door, ana, "POST", API)).json()
    assert found["moves"] == []
    lacks = {one["intent"]: one["lacks"] for one in found["cells"]}
    assert "59 answers" in lacks["duplicate_charge"]
    assert "agreement of 95" in lacks["cancel_order"]
    assert "upper half" in lacks["complaint"]


async def test_what_the_suites_do_not_carry_is_not_proposed_and_a_no_holds(door: Door) -> None:
    await published(door)
    await decided(door, range(60), said="used")
    ana = await a_person(door.database.tenant, TENANT, Role.OPS_LEAD)
    days = iter([NOW - timedelta(days=2), NOW - timedelta(days=1)])
    for mode, proposed in ((Mode.APPROVE, 0), (Mode.AUTO, 1)):
        async with door.database.tenant(TENANT) as session:
            carried = Cell("duplicate_charge", None, 30, 900_000, 900_000, mode)
            act = PolicyAct("ci", next(days), "a run of the suites", new_id)
            await record_promotion(session, TENANT, Report("0" * 64, "abc", ("p" * 64,)), [carried], [], act)
        assert len((await asks(door, ana, "POST", API)).json()["moves"]) == proposed
    (move,) = (await asks(door, ana, "GET", API)).json()["moves"]
    assert (await asks(door, ana, "PUT", f"{API}/{move['move_id']}/no", json={"why": "not yet"})).status_code == 200
    (same,) = (await asks(door, ana, "POST", API)).json()["moves"]
    assert same["state"] == "declined"


async def test_disagreement_takes_the_rung_back_at_once_and_a_person_can_give_it_back(door: Door) -> None:
    base = await published(door)
    sessions = partial(door.database.tenant, TENANT)
    act = Act("autonomy", NOW, new_id)
    await decided(door, range(5), intent=Intent.ITEM_NOT_RECEIVED, blind="reject")
    await decided(door, range(5, 20), intent=Intent.ITEM_NOT_RECEIVED, blind="approve")
    assert await watch(sessions, TENANT, AutonomyRules(demotes=False), act) == []
    await held(door, 1)
    (move,) = await watch(sessions, TENANT, AutonomyRules(), act)
    assert (move.intent, move.from_tier, move.to_tier) == ("item_not_received", "auto", "approve")
    assert "15 of 20" in move.reason
    decides, policy = await version(door)
    assert decides == move.policy_hash != base
    assert tier_at(policy, LOST, DAY).mode is Mode.APPROVE
    assert await door.rows("SELECT state, reason FROM effect") == [{"state": "stopped", "reason": DEMOTED}]
    assert await watch(sessions, TENANT, AutonomyRules(), act) == []
    kinds = {row["kind"] for row in await door.rows("SELECT kind FROM audit_event")}
    assert {"autonomy.demoted", "policy.published", "effect.stopped"} <= kinds

    desk = Desk(sessions, TENANT)
    await desk.roll_back(base, PolicyAct("ops", NOW, "they were tired", new_id))
    assert (await version(door))[0] == base
    assert await watch(sessions, TENANT, AutonomyRules(), act) == []  # what was said before does not count again
    later = NOW + timedelta(hours=1)
    await decided(door, range(20, 34), intent=Intent.ITEM_NOT_RECEIVED, blind="reject", at=later)
    assert len(await watch(sessions, TENANT, AutonomyRules(), Act("autonomy", later, new_id))) == 1


async def version(door: Door) -> tuple[str, Policy]:
    async with door.database.tenant(TENANT) as session:
        decides = (await deciding(session, TENANT)).published
        assert decides is not None
        return decides, await load_policy(session, TENANT, decides)


async def gated(door: Door, policy_hash: str) -> None:
    async with door.database.tenant(TENANT) as session:
        for gate in REQUIRED_GATES:
            act = PolicyAct("ci", NOW, "", new_id)
            await record_gate(session, TENANT, policy_hash, gate, {}, act, passed=True)


async def held(door: Door, number: int) -> None:
    async with door.database.tenant(TENANT) as session:
        session.add(
            Effect(
                tenant_id=TENANT,
                effect_id=f"eff_{number}",
                run_id=f"run_{number}",
                ticket_id=str(number),
                cycle=1,
                kind="refund",
                business_key=f"k{number}",
                tool="stripe.refund",
                charge_id=f"ch_{number}",
                item_key="whole",
                amount_minor=2000,
                currency="usd",
                idempotency_key=f"key-{number}",
                actor="agent",
                created_at=NOW,
                due_at=NOW + timedelta(minutes=10),
            )
        )
