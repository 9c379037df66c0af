"""`countersign erase`, `countersign hold place|lift|list`: take a customer out of what is stored, or forbid it.

Only admins do either: where a tenant has accounts with that role, one is named by `--as` and gives its password.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer

from app.ambient import new_id, vault_of
from app.commanding import Commanding
from app.errors import UsageError
from app.proven_people import ERASERS, account_actor, must_be_an_account, password_for
from app.terminal import commanding_of, say, say_json
from graph.erasure import holds
from graph.erasure.erase import Erased, OnHold, Unfinished, erase
from graph.erasure.models import LegalHold
from graph.subjects import of_customer

LONGEST_REASON: Final = 200

Customer = Annotated[str, typer.Option("--customer", help="The number of their Zendesk user.")]
Reason = Annotated[str, typer.Option("--reason", help="Reference of the case. The log keeps it: no personal data.")]
As = Annotated[str | None, typer.Option("--as", help="Your account's e-mail address; asks for its password.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read that password from standard input, its first line.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

WORDS: Final = {
    "log_values": "values of the log",
    "artifacts": "stored inputs and outputs of runs",
    "messages": "messages to the ticket",
    "reviewers_words": "reviewers' words",
    "model_answers": "kept answers of models",
    "preferences": "preferences",
    "candidates": "candidate scenarios made from their tickets",
    "pictures": "pictures' fingerprints",
    "checkpoints": "checkpoints of runs",
}
"""What `graph.erasure.erase.Gone` counts."""

app = typer.Typer(name="hold", help="Keep a customer's data from being erased.", no_args_is_help=True)


def erase_command(
    ctx: typer.Context, *, customer: Customer, email: As = None, stdin: Stdin = False, as_json: Json = False
) -> None:
    """Erase a customer from everything that is stored, for good, and say what is gone. Proofs still hold."""
    commanding, subject_id = commanding_of(ctx), _subject(customer)
    password = _password(email, from_stdin=stdin)
    vault = vault_of(commanding.settings)

    async def work() -> Erased | OnHold | Unfinished:
        actor = await _actor(commanding, email, password, "erase people")
        async with commanding.tenant_session() as session:
            return await erase(
                session,
                commanding.tenant_id,
                subject_id,
                vault=vault,
                actor=actor,
                now=commanding.now(),
                new_id=new_id,
            )

    done = commanding.run(work())
    match done:
        case OnHold(hold):
            raise UsageError(
                f"{subject_id} is under a legal hold since {hold.placed_at:%Y-%m-%d} ({hold.reason}); "
                f"`countersign hold lift --customer {customer}` ends it"
            )
        case Unfinished(pieces):
            raise UsageError(
                f"{subject_id} is not erased: {'; '.join(pieces)}; let it end, or take the ticket over in Zendesk"
            )
        case Erased():
            if as_json:
                say_json({"subject_id": subject_id, **asdict(done)})
            else:
                say(_report(subject_id, done))


@app.command("place")
def place_command(
    ctx: typer.Context,
    *,
    customer: Customer,
    reason: Reason,
    email: As = None,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Keep what is stored of a customer until the hold is lifted."""
    _change(ctx, customer, reason, _password(email, from_stdin=stdin), email, places=True, as_json=as_json)


@app.command("lift")
def lift_command(
    ctx: typer.Context,
    *,
    customer: Customer,
    reason: Reason,
    email: As = None,
    stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """End a hold: the customer may be erased again."""
    _change(ctx, customer, reason, _password(email, from_stdin=stdin), email, places=False, as_json=as_json)


@app.command("list")
def list_command(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the holds."""
    commanding = commanding_of(ctx)

    async def work() -> list[LegalHold]:
        async with commanding.tenant_session() as session:
            return list(await holds.every(session, commanding.tenant_id))

    found = commanding.run(work())
    if as_json:
        say_json({"holds": [one.model_dump(mode="json") for one in found]})
    elif not found:
        say([f"no customer of {commanding.tenant_id} is under a legal hold"])
    else:
        say(f"{one.subject_id:28} {one.placed_at:%Y-%m-%d} {one.placed_by:20} {one.reason}" for one in found)


def _change(
    ctx: typer.Context, customer: str, reason: str, password: str, email: str | None, *, places: bool, as_json: bool
) -> None:
    commanding, subject_id = commanding_of(ctx), _subject(customer)
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise UsageError(
            f"a reason of {len(reason.strip())} characters: give the case's reference, 1 to {LONGEST_REASON}"
        )

    async def work() -> bool:
        actor = await _actor(commanding, email, password, "hold people's data")
        change = holds.place if places else holds.lift
        async with commanding.tenant_session() as session:
            return await change(
                session,
                commanding.tenant_id,
                subject_id,
                reason=reason.strip(),
                actor=actor,
                now=commanding.now(),
                new_id=new_id,
            )

    changed = commanding.run(work())
    if as_json:
        say_json({"subject_id": subject_id, "is_held": places, "changed": changed})
    else:
        state = "under a legal hold" if places else "under no legal hold"
        say([f"{subject_id} is {state}" + ("" if changed else " already; nothing was changed")])


def _subject(customer: str) -> str:
    if not customer.isascii() or not customer.isdigit():
        raise UsageError(
            f"customer {customer[:40]!r} is no number of a Zendesk user: it ends the address of their page in Zendesk"
        )
    return of_customer(customer)


def _password(email: str | None, *, from_stdin: bool) -> str:
    return "" if email is None else password_for(email, from_stdin=from_stdin)


async def _actor(commanding: Commanding, email: str | None, password: str, what: str) -> str:
    if email is None:
        await must_be_an_account(commanding, may=ERASERS, what=what)
        return commanding.actor
    return await account_actor(commanding, email, password, may=ERASERS, what="people are erased and held")


def _report(subject_id: str, done: Erased) -> list[str]:
    lines = [f"{subject_id} is erased" + ("" if done.had_key else "; nothing was sealed for them any more")]
    lines += [f"  {count:>6} {WORDS[what]}" for what, count in asdict(done.gone).items() if count]
    lines.append(f"  {done.keys:>6} keys that opened them")
    if done.tickets:
        lines.append(f"  tickets: {', '.join(done.tickets)}")
    lines += [
        "the log still proves what it proved; amounts, codes and the vendors' ids stay in the books",
        "not reached: the vendors' own copies, backups of the database, and files that somebody exported",
    ]
    return lines
