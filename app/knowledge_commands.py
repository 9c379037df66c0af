"""`countersign kb refresh|health|gaps`: knowledge that lives at Zendesk, what is wrong with it, what is missing.

`kb ingest`, `search` and `score` are the knowledge package's own and stand beside these.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.adapters import zendesk_adapter
from app.ambient import new_id, vault_of
from app.commanding import Commanding
from app.db import Database
from app.errors import UsageError
from app.terminal import commanding_of, operator, say, say_json
from connectors.zendesk.client import ZendeskAdapter
from graph.knowledge.refresh import Librarian, Refreshed, refresh
from graph.knowledge.use import used_sections
from kb.commands import app as documents
from kb.health import Concern, Health, health
from policies.money import Money

if TYPE_CHECKING:
    from graph.knowledge.gaps import Gap

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Days = Annotated[int, typer.Option(min=1, max=3_650, help="How many days back.")]

SHOWN: Final = 10

app = typer.Typer(name="kb", help="Knowledge: documents in, cited sections out.", no_args_is_help=True)
app.registered_commands.extend(documents.registered_commands)


@app.command("refresh")
def refresh_command(
    ctx: typer.Context,
    *,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what changed: archived articles and macros are left as they are.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring in the Help Center's articles and the macros: what changed is embedded, what is archived is retired."""
    commanding = commanding_of(ctx)
    tenant = commanding.settings.tenants.get(commanding.tenant_id)
    if tenant is None or tenant.zendesk is None:
        raise UsageError(f"tenant {commanding.tenant_id!r} has no Zendesk; docs/connecting.md says how to connect one")
    zendesk = zendesk_adapter(tenant.zendesk, now=commanding.now)
    try:
        done = commanding.run(_refresh(commanding, zendesk, is_whole=not changed))
    finally:
        zendesk.close()
    if as_json:
        say_json(asdict(done))
    else:
        say(_refreshed(done))


@app.command("health")
def health_command(ctx: typer.Context, *, days: Days = 90, as_json: Json = False) -> None:
    """Sections that are stale, run out, contradict each other, or were not used. Exit status 1 for a contradiction."""
    commanding = commanding_of(ctx)
    found = commanding.run(_health(commanding, timedelta(days=days)))
    if as_json:
        say_json(_health_form(found))
    else:
        say(_health_lines(found, days))
    raise typer.Exit(1 if found.contradicting or found.ended else 0)


@app.command("gaps")
def gaps_command(ctx: typer.Context, *, days: Days = 30, as_json: Json = False) -> None:
    """What was handed off and no section answers, most tickets first, each with an outline of what to write."""
    commanding = commanding_of(ctx)
    found = commanding.run(_gaps(commanding, timedelta(days=days)))
    if as_json:
        say_json({"days": days, "gaps": [asdict(gap) for gap in found]})
    elif not found:
        say([f"no gap: what was handed off in {days} days has a section, or no section could have helped"])
    else:
        say(line for place, gap in enumerate(found, start=1) for line in _gap_lines(place, gap))


async def _refresh(commanding: Commanding, zendesk: ZendeskAdapter, *, is_whole: bool) -> Refreshed:
    database = Database(commanding.storage.app_url, pool_size=2)
    librarian = Librarian(
        sessions=database.tenant,
        tenant_id=commanding.tenant_id,
        zendesk=zendesk,
        embed=commanding.embed,
        now=commanding.now,
        new_id=new_id,
        actor=operator(),
    )
    try:
        return await refresh(librarian, is_whole=is_whole)
    finally:
        await database.close()


async def _health(commanding: Commanding, window: timedelta) -> Health:
    tenant_id, now = commanding.tenant_id, commanding.now()
    async with commanding.tenant_session() as session:
        cited = await used_sections(session, tenant_id, since=now - window)
        return await health(session, tenant_id=tenant_id, cited=cited, embed=commanding.embed, now=now)


async def _gaps(commanding: Commanding, window: timedelta) -> list[Gap]:
    # It clusters with scikit-learn, which takes two seconds that a search need not pay.
    from graph.knowledge.gaps import gaps  # noqa: PLC0415

    now = commanding.now()
    async with commanding.tenant_session() as session:
        return await gaps(
            session,
            tenant_id=commanding.tenant_id,
            vault=vault_of(commanding.settings),
            embed=commanding.embed,
            since=now - window,
            now=now,
        )


def _refreshed(done: Refreshed) -> list[str]:
    first = (
        f"{done.articles} changed articles read: {done.added} sections added, {done.retired} retired, "
        f"{done.embedded} embedded; {done.documents_retired} documents retired"
    )
    return [first, *(f"  stays as it was: {problem}" for problem in done.unreadable)]


def _health_form(found: Health) -> dict[str, object]:
    def concerns(listed: tuple[Concern, ...]) -> list[dict[str, object]]:
        return [{**asdict(one), "day": one.day.isoformat()} for one in listed]

    return {
        "sections": found.sections,
        "stale": concerns(found.stale),
        "ending": concerns(found.ending),
        "ended": concerns(found.ended),
        "uncited": concerns(found.uncited),
        "contradicting": [asdict(one) for one in found.contradicting],
    }


def _health_lines(found: Health, days: int) -> list[str]:
    lines = [f"{found.sections} sections are current"]
    for pair in found.contradicting:
        lines += [
            f"CONTRADICTION about {pair.about} (alike {pair.similarity:.2f})",
            f"  {pair.one.section_id} v{pair.one.version}: {pair.one.sentence}",
            f"  {pair.other.section_id} v{pair.other.version}: {pair.other.sentence}",
        ]
    groups = (
        ("no longer in force, and still current", found.ended),
        ("ending within 30 days", found.ending),
        ("unchanged for a year", found.stale),
        (f"not used in {days} days", found.uncited),
    )
    for title, listed in groups:
        lines.append(f"{title}: {len(listed)}")
        lines += [f"  {one.section_id} v{one.version} ({one.heading}), {one.day}" for one in listed[:SHOWN]]
        if len(listed) > SHOWN:
            lines.append(f"  and {len(listed) - SHOWN} more; --json lists all")
    return lines


def _gap_lines(place: int, gap: Gap) -> list[str]:
    money = ", ".join(str(Money(minor, currency)) for currency, minor in gap.money_minor.items())
    near = gap.outline.nearest
    beside = f"beside {near.section_id} ({near.similarity:.2f})" if near else "in a document of its own"
    return [
        f"{place}. {gap.outline.heading}: {len(gap.tickets)} tickets{f', {money} asked for' if money else ''}",
        f"   tickets {', '.join(gap.tickets[:SHOWN])}; understood as {', '.join(gap.outline.intents) or 'nothing'}",
        f"   write {beside}:  ## {gap.outline.heading} {{#{gap.outline.section_id}}}",
        *(f"   - answers: {' '.join(question.split())}" for question in gap.outline.questions),
    ]
