"""`countersign audit ...`: check the log, sign it, prove one ticket of it, and hand it out.

Exit status 1 where the log does not hold. The log of tenant `*`, where changes that concern everybody are written, is
read with `countersign --tenant '*' audit ...` as the owner of the database.
"""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from app.ambient import new_id, vault_of
from app.commanding import Commanding
from app.errors import UsageError
from app.event_lines import event_lines
from app.evidence_page import evidence_page
from app.exporting.command import feed_command
from app.exporting.feeding import SinkStanding, sink_standing
from app.exporting.named import sinks_now
from app.line_file import LineFile
from app.log_keys import load_signer, rotate
from app.log_words import (
    effect_form,
    effect_lines,
    is_well,
    status_form,
    status_lines,
    verification_form,
    verification_lines,
)
from app.owner import session_for
from app.tenants import TenantSettings
from app.terminal import commanding_of, operator, say, say_json
from app.witnessing import sinks_of
from connectors.witness.folder import WitnessFolder
from graph.audit.answering_for import Answered, answered_for
from graph.audit.catalogue import page
from graph.audit.errors import LogBroken
from graph.audit.evidence import evidence
from graph.audit.log import append
from graph.audit.note import split
from graph.audit.publish import publish
from graph.audit.sequence import Signer, sequence
from graph.audit.standing import Standing, standing
from graph.audit.verify import Published, Verification, verify

READERS = 3
"""Sessions that read the log at a time: while one part is hashed, the database spells another."""

VERIFIER = "verify_bundle.py"
EXPORTED = "log.exported"

Sent = tuple[str, int, str | None]
"""A sink's name, the size that it has, and why it has no more."""

Time = Annotated[str | None, typer.Option(help="A time with its zone, like 2026-11-01T00:00:00+00:00.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(name="audit", help="Verify, sign, prove and export the log.", no_args_is_help=True)


@app.command("verify")
def verify_command(
    ctx: typer.Context,
    *,
    checkpoints: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A file of checkpoints that were published.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the log again and compare it with its checkpoints. Exit status 1 where something does not hold.

    Without --checkpoints, those of the folders that the settings name are compared.
    """
    commanding = commanding_of(ctx)
    storage, tenant_id = commanding.storage, commanding.tenant_id
    signer = load_signer(commanding.settings)
    published = _published(commanding, signer, checkpoints)

    async def work() -> tuple[Verification, float]:
        async with AsyncExitStack() as stack:
            one, *others = [await stack.enter_async_context(session_for(storage, tenant_id)) for _ in range(READERS)]
            started = time.perf_counter()
            found = await verify(one, tenant_id, keys=signer.keys(tenant_id), published=published, others=others)
            return found, time.perf_counter() - started

    found, seconds = commanding.run(work())
    if as_json:
        say_json(verification_form(found, len(published), seconds))
    else:
        say(verification_lines(tenant_id, found, len(published), seconds))
    raise typer.Exit(0 if found.holds else 1)


@app.command("status")
def status_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """How far the log is signed, published and exported, and what is the matter. Exit status 1 where something is."""
    commanding = commanding_of(ctx)
    storage, tenant_id = commanding.storage, commanding.tenant_id
    signer, names = (
        load_signer(commanding.settings),
        [sink.name for sink in sinks_of(commanding.settings, commanding.now)],
    )

    async def work() -> tuple[Standing, list[SinkStanding]]:
        async with session_for(storage, tenant_id) as session:
            tenant = commanding.settings.tenants.get(tenant_id, TenantSettings())
            exports = await sinks_now(session, tenant_id, tenant, commanding.now)
            fed = [await sink_standing(session, tenant_id, sink.name) for sink in exports]
            return await standing(session, tenant_id, names), fed

    found, fed = commanding.run(work())
    if as_json:
        say_json(status_form(found, fed, signer, tenant_id))
    else:
        say(status_lines(found, fed, signer, tenant_id))
    raise typer.Exit(0 if is_well(found, fed) else 1)


@app.command("checkpoint")
def checkpoint_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Sign what is new and publish it now, instead of when a worker comes by. Exit status 1 where that fails."""
    commanding = commanding_of(ctx)
    signer, _ = load_signer(commanding.settings), commanding.storage
    results = commanding.run(_signed_and_published(commanding, signer))
    if as_json:
        say_json({"published": [{"sink": name, "size": size, "problem": why} for name, size, why in results]})
    else:
        say(f"{name}: {why or f'has {size} events'}" for name, size, why in results)
    raise typer.Exit(1 if any(why for _, _, why in results) else 0)


@app.command("prove")
def prove_command(
    ctx: typer.Context,
    ticket: Annotated[str, typer.Argument(metavar="TICKET", help="The ticket's id at Zendesk.")],
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the bundle.")] = Path(),
    open_: Annotated[
        bool, typer.Option("--open", help="Put what was sealed into the bundle: personal data of the customer.")
    ] = False,
) -> None:
    """Write a ticket's evidence: a bundle, a page to read, and the program that checks the bundle anywhere.

    The checkpoint that it leads to is published first, so that an auditor finds it among those that were.
    """
    commanding = commanding_of(ctx)
    tenant_id, signer, storage = commanding.tenant_id, load_signer(commanding.settings), commanding.storage
    vault = vault_of(commanding.settings) if open_ else None

    async def work() -> tuple[dict[str, Any] | None, list[Sent]]:
        await _tell(commanding, EXPORTED, {"what": "evidence", "ticket_id": ticket, "opened": open_})
        sent = await _signed_and_published(commanding, signer)
        async with session_for(storage, tenant_id) as session:
            return await evidence(session, tenant_id, ticket, signer, vault=vault), sent

    bundle, sent = commanding.run(work())
    if bundle is None:
        raise UsageError(f"no event of ticket {ticket!r} in the log of {tenant_id}; `countersign runs list` shows them")
    out.mkdir(parents=True, exist_ok=True)
    stem = f"ticket-{ticket}"
    written = {
        f"{stem}.json": json.dumps(bundle, ensure_ascii=False, indent=1) + "\n",
        f"{stem}.html": evidence_page(bundle),
        VERIFIER: (files("graph.audit") / VERIFIER).read_text("utf-8"),
    }
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8")
    say(
        [
            f"{len(bundle['events'])} events of ticket {ticket}, each with its proof",
            f"the bundle {out / stem}.json, the page {out / stem}.html",
            f"check it anywhere: python {VERIFIER} {stem}.json --key {bundle['keys'][0]}",
            *(f"its checkpoint is not published to {name} yet: {why}" for name, _, why in sent if why),
        ]
    )


@app.command("export")
def export_command(
    ctx: typer.Context,
    *,
    ticket: Annotated[str | None, typer.Option(help="Of this ticket only.")] = None,
    since: Time = None,
    until: Time = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Append to this file what it lacks, instead of printing.")
    ] = None,
) -> None:
    """Print the log, a line of JSON for each event. Sealed values stay sealed.

    With --out an export that broke off goes on after the last event of the file, and each later one adds what is new.
    """
    commanding = commanding_of(ctx)
    storage, start, end = commanding.storage, _time(since), _time(until)
    file = None if out is None else LineFile.opened(out)

    async def work() -> int:
        about: dict[str, object] = {"what": "log" if ticket is None else "ticket", "ticket_id": ticket}
        about |= {"since": since, "until": until, "after": file.last_seq if file else None}
        await _tell(commanding, EXPORTED, {name: value for name, value in about.items() if value is not None})
        write, count = (file.append if file else typer.echo), 0
        async with session_for(storage, commanding.tenant_id) as session:
            lines = event_lines(
                session,
                commanding.tenant_id,
                ticket_id=ticket,
                since=start,
                until=end,
                after=file.last_seq if file else -1,
            )
            async for line in lines:
                write(line)
                count += 1
        return count

    try:
        count = commanding.run(work())
    finally:
        if file is not None:
            file.close()
    if out is not None:
        say([f"{count} events added to {out}"])


app.command("feed")(feed_command)


@app.command("keys")
def keys_command(ctx: typer.Context) -> None:
    """Print the verifier keys of the log, the present one first: what an auditor must have from you."""
    commanding = commanding_of(ctx)
    say(str(key) for key in load_signer(commanding.settings).keys(commanding.tenant_id))


@app.command("effects")
def effects_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Who answers for each change outside, from the log alone. Exit status 1 where the log does not say for one."""
    commanding = commanding_of(ctx)
    storage, tenant_id = commanding.storage, commanding.tenant_id

    async def work() -> list[Answered]:
        async with session_for(storage, tenant_id) as session:
            return await answered_for(session, tenant_id)

    found = commanding.run(work())
    if as_json:
        say_json({"ok": not any(one.missing for one in found), "effects": [effect_form(one) for one in found]})
    else:
        say(effect_lines(found))
    raise typer.Exit(1 if any(one.missing for one in found) else 0)


@app.command("kinds")
def kinds_command() -> None:
    """Print the catalogue of events: each kind, what it means and its fields."""
    typer.echo(page(), nl=False)


@app.command("rotate")
def rotate_command(ctx: typer.Context) -> None:
    """Make a new signing key; checkpoints of the old one stay valid. Workers sign with it from their next start."""
    commanding = commanding_of(ctx)
    _, tenant_id = commanding.storage, commanding.tenant_id

    async def work() -> Signer:
        before = load_signer(commanding.settings).keys(tenant_id)[0]
        signer = rotate(commanding.settings)
        await _tell(commanding, "log.key_rotated", {"before": str(before), "after": str(signer.keys(tenant_id)[0])})
        return signer

    say(str(key) for key in commanding.run(work()).keys(tenant_id))


def _time(given: str | None) -> datetime | None:
    try:
        time = None if given is None else datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError(f"{given!r} is no time: write it like 2026-11-01T00:00:00+00:00") from error
    if time is not None and time.tzinfo is None:
        raise UsageError(f"{given!r} has no zone: write it like 2026-11-01T00:00:00+00:00")
    return time


def _published(commanding: Commanding, signer: Signer, given: list[Path] | None) -> list[Published]:
    """The checkpoints to compare with, each with the file it is from."""
    paths = given
    if paths is None:
        folders = [one for one in sinks_of(commanding.settings, commanding.now) if isinstance(one, WitnessFolder)]
        paths = [one.path(signer.origin(commanding.tenant_id)) for one in folders]
    return [Published(note, str(path)) for path in paths if path.exists() for note in split(path.read_text("utf-8"))]


async def _signed_and_published(commanding: Commanding, signer: Signer) -> list[Sent]:
    """Sign what is new and give it to each sink: its name, the size that it has, and what is the matter if anything.

    Raises:
        LogBroken: as `_sign`.
    """
    size, results = await _sign(commanding, signer), list[Sent]()
    for sink in sinks_of(commanding.settings, commanding.now):
        done = await publish(
            lambda tenant_id: session_for(commanding.storage, tenant_id),
            commanding.tenant_id,
            signer,
            sink,
            now=commanding.now(),
            at_once=True,
        )
        results.append((sink.name, done.size if done else size, done.problem if done else None))
    return results


async def _sign(commanding: Commanding, signer: Signer) -> int:
    """Sign what is new; the size of the log then.

    Raises:
        LogBroken: the log does not hold, or another process keeps signing it.
    """
    async with session_for(commanding.storage, commanding.tenant_id) as session:
        done = await sequence(session, commanding.tenant_id, signer, at_once=True)
    if done.problem is not None:
        raise LogBroken(done.problem)
    return done.checkpoint.size if done.checkpoint is not None else 0


async def _tell(commanding: Commanding, kind: str, about: dict[str, object]) -> None:
    """The log says who did something with it; what is handed out, before it leaves."""
    async with session_for(commanding.storage, commanding.tenant_id) as session:
        await append(
            session,
            tenant_id=commanding.tenant_id,
            at=commanding.now(),
            kind=kind,
            actor=operator(),
            new_id=new_id,
            body=about,
        )
