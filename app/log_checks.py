"""What `countersign doctor` says about the log: its key, its sinks, and what stops signing or publishing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from app.db import Database
from app.errors import AppError
from app.exporting.feeding import NEVER_FED, SinkStanding, sink_standing
from app.exporting.named import sinks_now
from app.findings import Check, note, ok, wrong
from app.log_keys import FILE, load_signer
from app.log_words import fed_line
from app.settings import Settings, machine_clock
from app.storage import Storage
from app.witnessing import sinks_of
from graph.audit.standing import Standing, standing

ENOUGH_SINKS: Final = 2


def key_findings(settings: Settings) -> Iterator[Check]:
    """Who signs, and where to; nothing is made."""
    path = settings.data_dir / FILE
    if settings.audit.signing_key is None and not path.exists():
        yield note("log key", f"will be made in {str(path)!r} at the first start", "back it up once it is there")
    else:
        try:
            yield ok("log key", f"signs as {load_signer(settings).name!r}")
        except AppError as error:
            yield wrong("log key", str(error), "")
    names = [sink.name for sink in sinks_of(settings, machine_clock)]
    if len(settings.audit.sinks) >= ENOUGH_SINKS:
        yield ok("log sinks", f"checkpoints are published to {', '.join(names)}")
    else:
        told = f"checkpoints are published to {', '.join(names)} only"
        advice = "set audit.sinks to two places that the database's owner cannot write; see docs/audit.md"
        yield note("log sinks", told, advice)


def log_findings(settings: Settings, storage: Storage) -> Iterator[Check]:
    """How far each tenant's log is signed and published."""
    names = [sink.name for sink in sinks_of(settings, machine_clock)]
    for tenant_id, (found, fed) in asyncio.run(_standings(storage, settings, names)).items():
        subject = f"{tenant_id} log"
        if found.is_well:
            yield ok(subject, f"{found.signed} of {found.events} events are signed")
        if found.problem is not None:
            yield wrong(subject, f"nothing more is signed: {found.problem}", "compare with what was published")
        for sink in found.sinks:
            if sink.problem is not None:
                told = f"{sink.name} has {sink.size} of {found.signed} events since {_moment(sink.published_at)}"
                yield wrong(subject, f"{told}: {sink.problem}", "see docs/audit.md")
        yield from (_export(f"{tenant_id} exports", one) for one in fed)


def _export(subject: str, one: SinkStanding) -> Check:
    if one.problem == NEVER_FED:
        return note(subject, fed_line(one), "a worker begins with it; `countersign audit feed` does it now")
    if one.problem is not None:
        return wrong(subject, fed_line(one), "it is offered the same events until it takes them")
    return ok(subject, fed_line(one))


async def _standings(
    storage: Storage, settings: Settings, names: list[str]
) -> dict[str, tuple[Standing, list[SinkStanding]]]:
    database = Database(storage.app_url, pool_size=1)
    found = {}
    try:
        for tenant_id, tenant in sorted(settings.tenants.items()):
            async with database.tenant(tenant_id) as session:
                exports = await sinks_now(session, tenant_id, tenant, machine_clock)
                fed = [await sink_standing(session, tenant_id, sink.name) for sink in exports]
                found[tenant_id] = (await standing(session, tenant_id, names), fed)
    finally:
        await database.close()
    return found


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else "ever"
