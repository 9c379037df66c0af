"""`countersign runs replay|fork`: recorded runs decided again, exactly or with another policy or model.

Neither reaches anything outside but, where a fork names Claude, the model. Nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.ambient import vault_of
from app.commanding import Commanding
from app.errors import UsageError
from app.run_story import find_run
from app.terminal import commanding_of, say, say_json
from connectors.errors import ConnectorError
from graph.models.errand import AT_HOME, Errand
from graph.models.triage import Triage
from graph.replay.running import (
    Different,
    Forked,
    Identical,
    NotReplayed,
    forks,
    newest_runs,
    replays,
    understood_in_batch,
)
from graph.runs.models import Run
from policies.commands import readable_policy
from policies.money import Money

if TYPE_CHECKING:
    from graph.models.gateway import Gateway

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, or tickets; the newest where none.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many of the newest.")]
Days = Annotated[float | None, typer.Option("--days", min=0, help="Only runs of the last so many days.")]


class Understanding(StrEnum):
    """Who understands the text in a fork."""

    RECORDED = "recorded"
    LOCAL = "local"
    CLAUDE = "claude"


def replay_command(
    ctx: typer.Context, names: Names = None, *, limit: Limit = 500, days: Days = None, as_json: Json = False
) -> None:
    """Decide recorded runs again from what they had read. Exit status 1 where one comes out otherwise."""
    commanding = commanding_of(ctx)

    async def work() -> list[Identical | Different | NotReplayed]:
        runs = await _runs(commanding, names, limit=limit, days=days)
        vault = vault_of(commanding.settings)
        return [one async for one in replays(lambda _: commanding.tenant_session(), vault, runs)]

    found = commanding.run(work())
    different = [one for one in found if isinstance(one, Different)]
    left_out = [one for one in found if isinstance(one, NotReplayed)]
    identical = [one for one in found if isinstance(one, Identical)]
    if as_json:
        say_json(
            {
                "runs": len(found),
                "identical": len(identical),
                "decided": sum(one.cycles > 0 for one in identical) + len(different),
                "different": [asdict(one) for one in different],
                "not_replayed": [asdict(one) for one in left_out],
            }
        )
    else:
        decided = sum(one.cycles > 0 for one in identical)
        say([f"{len(found)} runs: {len(identical)} identical ({decided} of them decided something)"])
        say([f"{one.run_id}: {each}" for one in different for each in one.differences])
        say([f"{one.run_id} was not replayed: {one.why}" for one in left_out])
    raise typer.Exit(1 if different else 0)


def fork_command(
    ctx: typer.Context,
    names: Names = None,
    *,
    policy: Annotated[str | None, typer.Option("--policy", help="A policy file, or a shipped one.")] = None,
    model: Annotated[Understanding, typer.Option("--model", help="Who understands the text.")] = Understanding.RECORDED,
    batch: Annotated[
        bool, typer.Option("--batch", help="Ask Claude in one batch: half the price, within a day.")
    ] = False,
    limit: Limit = 500,
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Decide recorded runs with another policy or model, and list what comes out otherwise, with its money."""
    commanding = commanding_of(ctx)
    if policy is None and model is Understanding.RECORDED:
        raise UsageError("nothing differs from the recorded runs; give --policy, --model, or both")
    if batch and model is not Understanding.CLAUDE:
        raise UsageError("only Claude is asked in batches; add --model claude, or leave --batch out")

    async def work() -> list[Forked | NotReplayed]:
        runs = await _runs(commanding, names, limit=limit, days=days)
        vault = vault_of(commanding.settings)
        gateway = _gateway(commanding, model)
        known = await _in_batch(commanding, runs, gateway) if batch and gateway is not None else None
        found = forks(
            lambda _: commanding.tenant_session(),
            vault,
            runs,
            policy=None if policy is None else readable_policy(policy),
            gateway=gateway,
            errand=Errand() if model is Understanding.CLAUDE else AT_HOME,
            known=known,
        )
        return [one async for one in found]

    found = commanding.run(work())
    forked = [one for one in found if isinstance(one, Forked)]
    changed = [flip for one in forked for flip in one.flips]
    before, after = (_sums(changed, name) for name in ("pays_alone_before_minor", "pays_alone_minor"))
    if as_json:
        say_json(
            {
                "runs": len(forked),
                "flipped": [asdict(flip) for flip in changed],
                "pays_alone_before_minor": before,
                "pays_alone_minor": after,
                "not_replayed": [asdict(one) for one in found if isinstance(one, NotReplayed)],
            }
        )
        return
    say([f"{len(forked)} runs, {len(changed)} actions decided otherwise"])
    for flip in changed:
        say(
            [
                (
                    f"ticket {flip.ticket_id}: {flip.action} for {flip.intent}: {flip.before or 'not proposed'} "
                    f"({flip.rule_before}) is now {flip.after or 'not proposed'} ({flip.rule_after})"
                )
            ]
        )
    say([f"without a person, of these: {_told(before)} before, {_told(after)} now"])


async def _runs(
    commanding: Commanding, names: Sequence[str] | None, *, limit: int, days: float | None
) -> Sequence[Run]:
    since = None if days is None else commanding.now() - timedelta(days=days)
    async with commanding.tenant_session() as session:
        if not names:
            return await newest_runs(session, commanding.tenant_id, since=since, limit=limit)
        found = []
        for name in names:
            run_id = await find_run(session, commanding.tenant_id, name)
            if run_id is None:
                raise UsageError(
                    f"no run and no ticket {name!r} of {commanding.tenant_id}; "
                    "`countersign runs list` shows what there is"
                )
            found.append(await session.get_one(Run, (commanding.tenant_id, run_id)))
        return found


async def _in_batch(commanding: Commanding, runs: Sequence[Run], gateway: Gateway) -> Mapping[str, Triage]:
    try:
        return await understood_in_batch(
            lambda _: commanding.tenant_session(), vault_of(commanding.settings), runs, gateway
        )
    except (ConnectorError, ValueError, LookupError) as error:
        raise UsageError(f"the batch gave no answers: {error}; leave --batch out to ask one by one") from error


def _gateway(commanding: Commanding, model: Understanding) -> Gateway | None:
    if model is Understanding.RECORDED:
        return None
    # Loading the embedding model takes seconds, which only a fork that asks it should pay.
    from graph.models.gateway import Gateway  # noqa: PLC0415
    from graph.models.local.model import load_local_model  # noqa: PLC0415

    return Gateway(
        load_local_model(commanding.embedder), commanding.outside() if model is Understanding.CLAUDE else None
    )


def _sums(changed: Sequence[Any], name: str) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for flip in changed:
        if flip.currency is not None:
            sums[flip.currency] += getattr(flip, name)
    return {currency: minor for currency, minor in sorted(sums.items()) if minor}


def _told(sums: dict[str, int]) -> str:
    return ", ".join(str(Money(minor, currency)) for currency, minor in sums.items()) or "nothing"
