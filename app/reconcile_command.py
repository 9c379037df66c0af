"""`countersign reconcile`: our books against Stripe's, tenant by tenant. Exit status 1 where they differ.

Like the worker's own comparison it takes in refunds that Stripe has and we have not; it sends nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from app.adapters import stripe_adapter
from app.ambient import new_id
from app.commanding import Commanding
from app.db import Database
from app.errors import UsageError
from app.terminal import commanding_of, named_tenant, say, say_json
from connectors.stripe.client import StripeAdapter
from graph.settlement.reconcile import Drift
from graph.settlement.reconcile import reconcile as compare
from policies.money import Money


def reconcile(
    ctx: typer.Context,
    *,
    hours: Annotated[int, typer.Option(min=1, max=24 * 365, help="How far back to compare.")] = 26,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare our effects, Stripe's refunds and the log. Exit status 1 where they differ."""
    commanding = commanding_of(ctx)
    adapters = _adapters(commanding, named_tenant(ctx))
    drifts = commanding.run(_compare_all(commanding, commanding.storage.app_url, adapters, hours))
    is_clean = all(drift.is_clean for drift in drifts.values())
    if as_json:
        say_json({"ok": is_clean, "hours": hours, "tenants": [_form(name, drift) for name, drift in drifts.items()]})
    else:
        for name, drift in drifts.items():
            say(_told(name, drift))
    raise typer.Exit(0 if is_clean else 1)


def _adapters(commanding: Commanding, named: str | None) -> dict[str, StripeAdapter]:
    tenants = commanding.settings.tenants
    if named is not None and named not in tenants:
        raise UsageError(f"no tenant {named!r} is configured; there are {', '.join(sorted(tenants)) or 'none'}")
    chosen = [named] if named is not None else sorted(tenants)
    stage = commanding.settings.environment
    adapters = {name: stripe_adapter(stripe, stage) for name in chosen if (stripe := tenants[name].stripe) is not None}
    if not adapters:
        raise UsageError("no tenant with Stripe is configured; `countersign doctor` says what is missing")
    return adapters


async def _compare_all(
    commanding: Commanding, app_url: str, adapters: dict[str, StripeAdapter], hours: int
) -> dict[str, Drift]:
    database = Database(app_url, pool_size=2)
    try:
        return {
            name: await compare(
                database.tenant,
                name,
                refunds_since=adapter.refunds_since,
                since=commanding.now() - timedelta(hours=hours),
                now=commanding.now,
                new_id=new_id,
            )
            for name, adapter in adapters.items()
        }
    finally:
        await database.close()
        for adapter in adapters.values():
            adapter.close()


def _form(tenant_id: str, drift: Drift) -> dict[str, object]:
    return {
        "tenant": tenant_id,
        "ok": drift.is_clean,
        "compared": drift.compared,
        "drift_minor": dict(sorted(drift.minor.items())),
        "seen": {what.value: count for what, count in drift.seen.items()},
        "missing": list(drift.missing),
        "orphans": list(drift.orphans),
        "unlogged": list(drift.unlogged),
        "unapproved": list(drift.unapproved),
    }


def _told(tenant_id: str, drift: Drift) -> list[str]:
    verdict = "the books agree" if drift.is_clean else "THE BOOKS DIFFER"
    lines = [f"{tenant_id}: {verdict}; {drift.compared} refunds compared"]
    lines += [
        f"  {Money(minor, currency)} ({minor} minor units) more at Stripe than in our books"
        for currency, minor in sorted(drift.minor.items())
        if minor
    ]
    groups = (
        ("settled here and not at Stripe", drift.missing),
        ("at Stripe under an intent that did not make it", drift.orphans),
        ("settled without an event in the log", drift.unlogged),
        ("settled without the approval it needed", drift.unapproved),
    )
    return lines + [f"  {what}: {one}" for what, found in groups for one in found]
