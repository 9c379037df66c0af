"""`countersign policy`: the commands of the policy package, and those that change which version decides.

Promises: a file that cannot be read publishes nothing and is refused with line and column; every change of the version
is an event in the log; running runs keep the version that they began with. What needs no database starts none, so
imports that reach one stand inside of the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.errors import UsageError
from app.terminal import commanding_of, operator, say, say_json
from app.whatif_commands import app as whatif_app
from policies.commands import MAX_FILE_BYTES, beside
from policies.commands import app as policy_app
from policies.errors import PolicyFileError
from policies.parse import parse_policy
from policies.shelf import SHIPPED, shipped_text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from app.commanding import Commanding
    from graph.rulebook import PolicyVersion

SHORTEST_PREFIX: Final = 6
SHOWN_HASH: Final = 12

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Author = Annotated[str | None, typer.Option("--author", help="Who publishes; this machine's account where left out.")]

app = typer.Typer(name="policy", help="Check, explain, try and publish policy files.", no_args_is_help=True)
app.registered_commands.extend(policy_app.registered_commands)
app.registered_commands.extend(whatif_app.registered_commands)
app.registered_groups.extend(policy_app.registered_groups)


@app.command("publish")
def publish_command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="A policy file, or `shipped`.")],
    *,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Let a policy file decide from now on. Runs that have begun keep the version they began with."""
    text = _publishable(file)
    commanding = commanding_of(ctx)
    about: dict[str, object] = {"file": Path(file).name}
    before, after = commanding.run(_let_decide(commanding, text, author or operator(), about))
    _report(commanding, before, after, as_json=as_json)


@app.command("rollback")
def rollback_command(
    ctx: typer.Context,
    version: Annotated[str | None, typer.Argument(help="Beginning of the version's hash; the one before else.")] = None,
    *,
    author: Author = None,
    as_json: Json = False,
) -> None:
    """Let an earlier version decide again."""
    commanding = commanding_of(ctx)

    async def work() -> tuple[str | None, str]:
        async with commanding.tenant_session() as session:
            chosen = _chosen(await _read(session, commanding.tenant_id), version)
        about: dict[str, object] = {"rollback": True}
        return await _let_decide(commanding, chosen.source_text, author or operator(), about)

    before, after = commanding.run(work())
    _report(commanding, before, after, as_json=as_json)


@app.command("versions")
def versions_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List every version, the one that was published last first."""
    commanding = commanding_of(ctx)

    async def work() -> Sequence[PolicyVersion]:
        async with commanding.tenant_session() as session:
            return await _read(session, commanding.tenant_id)

    versions = commanding.run(work())
    if as_json:
        say_json({"versions": [_form(version) for version in versions]})
    elif not versions:
        say([f"tenant {commanding.tenant_id} has no version yet; `countersign policy publish FILE` makes one"])
    else:
        say(
            f"{version.policy_hash[:SHOWN_HASH]}  {version.state:9}  {version.policy_id}  published "
            f"{version.published_at:%Y-%m-%d %H:%M:%S UTC} by {version.published_by}, written by {version.author}"
            for version in versions
        )


def _publishable(file: str) -> str:
    """The text of a policy file that stands alone: a version must mean the same on every machine, for ever.

    Raises:
        UsageError: it cannot be read; the first problem with line and column.
    """
    if file == SHIPPED:
        return shipped_text()
    text = _text(file)
    try:
        resolved = parse_policy(text, name=file, resolve=beside(Path(file).parent))
    except PolicyFileError as error:
        more = len(error.problems) - 1
        rest = f" (and {more} more: `countersign policy check {file}` lists them)" if more else ""
        raise UsageError(f"{error.problems[0]}{rest}") from error
    try:
        alone = parse_policy(text, name=file)
    except PolicyFileError as error:
        raise UsageError(f"{error.problems[0]}: a published version stands alone, so write it as one file") from error
    if alone.content_hash != resolved.content_hash:
        raise UsageError(
            f"{file!r} takes rules from other files: a published version stands alone, so put them into it"
        )
    return text


def _text(file: str) -> str:
    try:
        with Path(file).open("rb") as handle:
            raw = handle.read(MAX_FILE_BYTES + 1)
        text = raw.decode()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {file!r}: {reason}; give a policy file, or `shipped`") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise UsageError(f"{file}:{line}:{column}: this byte is not UTF-8; save the file as UTF-8") from error
    if len(raw) > MAX_FILE_BYTES:
        raise UsageError(f"{file!r} is longer than {MAX_FILE_BYTES} bytes; no policy is that long")
    return text


async def _let_decide(
    commanding: Commanding, text: str, author: str, about: dict[str, object]
) -> tuple[str | None, str]:
    """Publish in one transaction with its event; the hashes that decided before and decide now."""
    from sqlalchemy import select, update
    from sqlmodel import col

    from app.ambient import new_id
    from graph.audit.log import append
    from graph.rulebook import PolicyVersion, VersionState, publish

    tenant_id, now = commanding.tenant_id, commanding.now()
    policy_hash = parse_policy(text, name="the policy file").content_hash
    is_published = (
        col(PolicyVersion.tenant_id) == tenant_id,
        col(PolicyVersion.state) == VersionState.PUBLISHED.value,
    )
    async with commanding.tenant_session() as session:
        hashes = select(col(PolicyVersion.policy_hash)).where(*is_published).with_for_update()
        published = set((await session.execute(hashes)).scalars())
        if published == {policy_hash}:
            return policy_hash, policy_hash
        # One policy decides for a tenant, whatever name the new one has.
        retire = update(PolicyVersion).where(*is_published).values(state=VersionState.RETIRED.value)
        await session.execute(retire)
        await publish(session, tenant_id, text, author=author, now=now)
        before = min(published - {policy_hash}, default=None)
        await append(
            session,
            tenant_id=tenant_id,
            at=now,
            kind="policy.published",
            actor=author,
            new_id=new_id,
            body={"policy_hash": policy_hash, "before": before, **about},
        )
    return before, policy_hash


def _report(commanding: Commanding, before: str | None, after: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"tenant": commanding.tenant_id, "policy_hash": after, "before": before, "changed": before != after})
    elif before == after:
        say([f"nothing to do: {after[:SHOWN_HASH]} decides for {commanding.tenant_id} already"])
    else:
        instead = f" instead of {before[:SHOWN_HASH]}" if before is not None else ""
        say([f"{after[:SHOWN_HASH]} decides for {commanding.tenant_id} from now on{instead}"])


async def _read(session: AsyncSession, tenant_id: str) -> Sequence[PolicyVersion]:
    from sqlmodel import col, select

    from graph.rulebook import PolicyVersion

    query = select(PolicyVersion).where(col(PolicyVersion.tenant_id) == tenant_id)
    return (await session.execute(query.order_by(col(PolicyVersion.published_at).desc().nulls_last()))).scalars().all()


def _chosen(versions: Sequence[PolicyVersion], prefix: str | None) -> PolicyVersion:
    if prefix is None:
        earlier = [version for version in versions if version.state == "retired"]
        if not earlier:
            raise UsageError("no earlier version to go back to; `countersign policy versions` lists what there is")
        return earlier[0]
    if len(prefix) < SHORTEST_PREFIX:
        raise UsageError(f"version {prefix!r} is too short; give at least {SHORTEST_PREFIX} characters of its hash")
    found = [version for version in versions if version.policy_hash.startswith(prefix)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} versions begin with {prefix!r}; `countersign policy versions` lists them")
    return found[0]


def _form(version: PolicyVersion) -> dict[str, object]:
    published_at = version.published_at
    return {
        "policy_hash": version.policy_hash,
        "policy_id": version.policy_id,
        "state": version.state,
        "author": version.author,
        "created_at": version.created_at.isoformat(),
        "published_at": published_at.isoformat() if published_at is not None else None,
        "published_by": version.published_by,
    }
