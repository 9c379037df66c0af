"""Accounts at the command line: the first admin, roles, a password that is never an argument, and what the log says."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import build
from app.errors import UsageError
from app.identity.models import Account
from app.identity.passwords import Passwords
from tests.app.terminal import Done, Terminal
from tests.app.web.people import a_person

ADMIN = ("account", "create", "boss@shop.example", "--role", "admin", "--name", "Bo Boss")


async def pipes(line: str, *arguments: str) -> Done:
    """Run a command with a line on its standard input."""

    def invoke() -> Done:
        done = CliRunner().invoke(build(list(arguments)), list(arguments), input=f"{line}\n")
        return Done(done.exit_code, done.stdout, done.exception)

    return await asyncio.to_thread(invoke)


async def stored(terminal: Terminal) -> Account:
    async with terminal.database.tenant(terminal.tenant) as session:
        return (await session.execute(select(Account))).scalar_one()


async def test_the_first_admin_gets_a_link_to_set_a_password(terminal: Terminal) -> None:
    done = await terminal.run(*ADMIN)
    assert done.status == 0
    made, link = done.out.splitlines()
    assert made.startswith("made boss@shop.example of demo with admin (acc_")
    assert "http://127.0.0.1:8080/t/demo/password/" in link
    listed = (await terminal.run("account", "list", "--json")).json["accounts"]
    assert [(one["email"], one["roles"], one["has_password"]) for one in listed] == [
        ("boss@shop.example", ["admin"], False)
    ]


async def test_the_log_has_every_change_and_no_address(terminal: Terminal) -> None:
    await terminal.run(*ADMIN)
    await terminal.run("account", "create", "ana@shop.example", "--role", "agent")
    await terminal.run("account", "role", "ana@shop.example", "viewer", "agent")
    await terminal.run("account", "disable", "ana@shop.example")
    await terminal.run("account", "disable", "ana@shop.example")
    await terminal.run("account", "enable", "ana@shop.example")
    exported = (await terminal.run("audit", "export")).out
    assert "shop.example" not in exported
    kinds = [line.split('"kind":')[1].split('"')[1] for line in exported.splitlines()]
    made = ["account.created", "account.link_made"]
    changed = ["account.roles_changed", "account.disabled", "account.enabled"]
    assert kinds == [*made, *made, *changed, "log.exported"]


async def test_a_password_comes_through_standard_input_and_is_stored_as_a_hash(terminal: Terminal) -> None:
    done = await pipes("seven green kettles", *ADMIN, "--stdin")
    assert (done.status, len(done.out.splitlines())) == (0, 1)
    account = await stored(terminal)
    assert account.password_hash is not None
    assert account.password_hash.startswith("$argon2id$")
    assert (await Passwords().check(account.password_hash, "seven green kettles")).holds
    assert not (await Passwords().check(account.password_hash, "seven green kettle")).holds
    done = await pipes("eight green kettles", "account", "password", "boss@shop.example", "--stdin")
    assert done.out == "boss@shop.example has a new password, and is signed out everywhere\n"
    assert (await Passwords().check((await stored(terminal)).password_hash, "eight green kettles")).holds


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("account", "create", "boss", "--role", "admin"), "'boss' is not an e-mail address"),
        (("account", "create", "new@shop.example", "--role", "leed"), "unknown role 'leed'"),
        (("account", "create", "BOSS@shop.example", "--role", "agent"), "has an account of demo already"),
        (("account", "role", "nobody@shop.example", "agent"), "no account 'nobody@shop.example' of demo"),
        (("account", "role", "boss@shop.example", "agent"), "is the last admin of demo"),
        (("account", "disable", "boss@shop.example"), "is the last admin of demo"),
        (("account", "password", "boss@shop.example"), "nobody to ask for the password"),
        (("account", "password", "boss@shop.example", "--link", "--stdin"), "--link and --stdin together"),
    ],
)
async def test_what_cannot_be_done_is_one_line_with_a_next_step(
    terminal: Terminal, arguments: tuple[str, ...], said: str
) -> None:
    await terminal.run(*ADMIN)
    done = await terminal.run(*arguments)
    assert isinstance(done.error, UsageError)
    assert said in str(done.error)
    assert "\n" not in str(done.error)


async def test_a_password_that_does_not_do_makes_no_account(terminal: Terminal) -> None:
    done = await pipes("short", *ADMIN, "--stdin")
    assert str(done.error) == "the password has 5 characters; use at least 12"
    assert (await terminal.run("account", "list", "--json")).json == {"accounts": []}


async def test_an_account_knows_its_zendesk_user_who_belongs_to_nobody_else(terminal: Terminal) -> None:
    made = await terminal.run(*ADMIN, "--zendesk-user", "4711", "--json")
    assert made.json["account"]["zendesk_user_id"] == "4711"
    other = ("account", "create", "ana@shop.example", "--role", "agent", "--zendesk-user", "4711")
    assert "belongs to 'boss@shop.example'" in str((await terminal.run(*other)).error)


async def test_sessions_are_listed_and_ended(terminal: Terminal) -> None:
    person = await a_person(terminal.database.tenant, terminal.tenant, email="ana@shop.example")
    done = await terminal.run("account", "sessions", person.account.account_id)
    assert done.out.splitlines()[-1] == "1 session"
    done = await terminal.run("account", "sessions", "ana@shop.example", "--revoke", "--json")
    assert (done.json["revoked"], len(done.json["sessions"])) == (True, 1)
    assert (await terminal.run("account", "sessions", "ana@shop.example", "--json")).json["sessions"] == []


async def test_a_token_is_printed_once_and_only_for_a_service(terminal: Terminal) -> None:
    await terminal.run("account", "create", "robot@shop.example", "--role", "service")
    await terminal.run("account", "create", "ana@shop.example", "--role", "agent")
    made = (
        await terminal.run("account", "token", "robot@shop.example", "--scope", "read", "--days", "7", "--json")
    ).json
    assert made["token"].startswith(f"cst.{terminal.tenant}.")
    listed = await terminal.run("account", "tokens", "robot@shop.example", "--json")
    assert made["token"].rpartition(".")[2] not in listed.out
    assert [(one["token_id"], one["scopes"]) for one in listed.json["tokens"]] == [(made["token_id"], ["read"])]
    revoked = await terminal.run("account", "tokens", "robot@shop.example", "--revoke", made["token_id"], "--json")
    assert revoked.json["tokens"][0]["revoked_at"] is not None
    for arguments, told in (
        (("ana@shop.example", "--scope", "read"), "is no service"),
        (("robot@shop.example", "--scope", "red"), "unknown scope 'red'; did you mean 'read'"),
    ):
        done = await terminal.run("account", "token", *arguments)
        assert isinstance(done.error, UsageError)
        assert told in str(done.error)
