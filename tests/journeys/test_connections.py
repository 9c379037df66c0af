"""The page of connectors in a whole shop: what was asked of the vendors, and what the agent can do with the answers."""

from __future__ import annotations

from app.ambient import new_id
from app.identity.roles import Role
from app.keys.credentials import tell_of_credentials
from connectors.sandbox.faults import FaultKind
from tests.app.web.people import Person, a_person
from tests.journeys.shop import Shop, charged_twice

API = "/api/v1/connectors"


async def asks(shop: Shop, who: Person, method: str, path: str = API) -> dict[str, object]:
    shop.web.cookies.clear()
    who.sits_at(shop.web)
    answer = await shop.web.request(method, path, headers={"x-csrf-token": who.form_token}, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_health_scopes_and_abilities_follow_the_vendors_the_switches_and_the_policy(shop: Shop) -> None:
    ops = await a_person(
        shop.database.tenant, shop.tenant, Role.OPS_LEAD, email="ops@shop.example", now=shop.clock.now()
    )
    vault = shop.runtime.vault
    assert await tell_of_credentials(shop.database.tenant, vault, shop.settings, shop.clock.now, new_id)
    ticket = await shop.arrives(charged_twice("24.90"))
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    found = await asks(shop, ops, "GET")
    items = {one["connector"]: one for one in found["items"]}  # type: ignore[attr-defined]
    assert items["stripe"]["calls"] > 0
    assert items["stripe"]["last_success"] is not None
    assert items["stripe"]["checked_at"] is None
    assert all(one["is_configured"] for one in items.values())
    found = await asks(shop, ops, "POST", f"{API}/check")
    items = {one["connector"]: one for one in found["items"]}  # type: ignore[attr-defined]
    assert set(items["stripe"]["may"].values()) == {"allowed"}
    assert items["zendesk"]["rate_left"] is not None
    assert items["stripe"]["rate_left"] is None
    since = items["stripe"]["credential_since"]
    assert since is not None
    able = {one["name"]: (one["can"], one["why"]) for one in found["abilities"]}  # type: ignore[attr-defined]
    assert able["stripe.refund"][0] == "alone"
    assert able["stripe.refund"][1].startswith("refund under tier auto, up to ")
    assert able["bulk email"] == ("no", "only a person may do this, whatever a policy says")

    # A key that lost its permission, a switch, and a connector that fell back.
    shop.goes_wrong("stripe.refunds.create", FaultKind.FORBIDDEN, times=5)
    await shop.switch_off("zendesk.reply")
    await shop.passes(hours=24)
    found = await asks(shop, await again(shop), "POST", f"{API}/check")
    able = {one["name"]: (one["can"], one["why"]) for one in found["abilities"]}  # type: ignore[attr-defined]
    assert able["stripe.refund"] == ("no", "the credential may not: refund charges")
    assert able["zendesk.reply"] == ("no", "switched off: an exercise")
    items = {one["connector"]: one for one in found["items"]}  # type: ignore[attr-defined]
    assert items["stripe"]["credential_since"] == since
    page = (await shop.web.get(f"/t/{shop.tenant}/connectors")).text
    assert "the same for 1 days" in page
    assert "the vendor does not say" in page
    secrets = [shop.settings.tenants[shop.tenant].stripe.api_key.get_secret_value()]  # type: ignore[union-attr]
    rows = await shop.rows("SELECT to_jsonb(connector_check)::text AS row FROM connector_check")
    assert not [one for one in secrets for row in rows if one in row["row"] or one in page]


async def again(shop: Shop) -> Person:
    """Days have passed, and sessions end."""
    now = shop.clock.now()
    return await a_person(shop.database.tenant, shop.tenant, Role.ADMIN, email="admin@shop.example", now=now)
