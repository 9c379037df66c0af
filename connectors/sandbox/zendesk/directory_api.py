"""The endpoints about people and settings: users, identities, groups, macros, ticket fields.

https://developer.zendesk.com/api-reference/ticketing/users/users/
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.faults import Faults
from connectors.sandbox.faulty import strike
from connectors.sandbox.zendesk import shapes
from connectors.sandbox.zendesk.http import Answer, Call, Desk, fault_response, refused
from connectors.sandbox.zendesk.pages import page
from connectors.sandbox.zendesk.refusal import Refusal, not_found

USERS: Final = ("read", "users:read")


class DirectoryApi:
    """Users, groups, macros and fields over HTTP."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self._desk = desk
        self._account = desk.account
        self._faults = faults

    def routes(self) -> list[Route]:
        """All routes, the more specific first."""
        desk = self._desk
        return [
            *(Route(f"/api/v2/users/me{suffix}", self._me, methods=["GET"]) for suffix in ("", ".json")),
            *desk.routes("zendesk.users.list", "GET", "/users/show_many", self._show_many),
            *desk.routes("zendesk.users.show", "GET", "/users/{user_id:int}", self._user),
            *desk.routes("zendesk.users.identities", "GET", "/users/{user_id:int}/identities", self._identities),
            *desk.routes("zendesk.users.groups", "GET", "/users/{user_id:int}/groups", self._groups_of),
            *desk.routes("zendesk.groups.list", "GET", "/groups", self._groups),
            *desk.routes("zendesk.macros.list", "GET", "/macros", self._macros),
            *desk.routes("zendesk.macros.show", "GET", "/macros/{macro_id:int}", self._macro),
            *desk.routes("zendesk.ticket_fields.list", "GET", "/ticket_fields", self._fields),
        ]

    async def _me(self, request: Request) -> Response:
        """The caller. A credential that is good for nobody gets 200 and "Anonymous user", as recorded."""

        async def handle() -> Response:
            with self._account.lock:
                caller = self._desk.access.caller(request.headers.get("authorization", ""))
                site = self._account.site
                try:
                    headers = self._desk.meter.account()
                    if caller is None:
                        return JSONResponse({"user": shapes.anonymous_user(site)}, headers=headers)
                    caller.need(*USERS)
                except Refusal as refusal:
                    return refused(refusal)
                return JSONResponse({"user": shapes.user(site, caller.user)}, headers=headers)

        return await strike(self._faults.next("zendesk.users.me"), request, handle, fault_response)

    def _user(self, call: Call) -> Answer:
        call.caller.need(*USERS)
        call.caller.need_staff()
        return Answer({"user": shapes.user(self._account.site, self._account.user(call.number("user_id")))})

    def _show_many(self, call: Call) -> Answer:
        call.caller.need(*USERS)
        call.caller.need_staff()
        wanted = sorted({int(part) for part in call.query.get("ids", "").split(",") if part.isdigit()})
        users = [self._account.users[user_id] for user_id in wanted if user_id in self._account.users]
        return Answer(
            {
                "users": [shapes.user(self._account.site, user) for user in users],
                "next_page": None,
                "previous_page": None,
                "count": len(users),
            },
        )

    def _identities(self, call: Call) -> Answer:
        call.caller.need(*USERS)
        call.caller.need_staff()
        user = self._account.user(call.number("user_id"))
        body = page(
            [user] if user.email else [],
            key="identities",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.user_id,
            shape=lambda entry: shapes.identity(self._account.site, entry),
        )
        return Answer(body)

    def _groups(self, call: Call) -> Answer:
        call.caller.need("read")
        call.caller.need_staff()
        body = page(
            list(self._account.groups.values()),
            key="groups",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.group_id,
            shape=lambda entry: shapes.group(self._account.site, entry),
        )
        return Answer(body)

    def _groups_of(self, call: Call) -> Answer:
        """The groups of one agent.

        https://developer.zendesk.com/api-reference/ticketing/groups/groups/#list-groups
        """
        call.caller.need("read")
        call.caller.need_staff()
        user = self._account.user(call.number("user_id"))
        body = page(
            [group for group in self._account.groups.values() if group.group_id in user.group_ids],
            key="groups",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.group_id,
            shape=lambda entry: shapes.group(self._account.site, entry),
        )
        return Answer(body)

    def _macros(self, call: Call) -> Answer:
        call.caller.need("read", "macros:read")
        call.caller.need_staff()
        body = page(
            list(self._account.macros.values()),
            key="macros",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.macro_id,
            shape=lambda entry: shapes.macro(self._account.site, entry),
        )
        return Answer(body)

    def _macro(self, call: Call) -> Answer:
        call.caller.need("read", "macros:read")
        call.caller.need_staff()
        macro = self._account.macros.get(call.number("macro_id"))
        if macro is None:
            raise not_found()
        return Answer({"macro": shapes.macro(self._account.site, macro)})

    def _fields(self, call: Call) -> Answer:
        call.caller.need("read", "tickets:read")
        call.caller.need_staff()
        body = page(
            list(self._account.fields.values()),
            key="ticket_fields",
            url=call.url,
            query=call.query,
            id_of=lambda entry: entry.field_id,
            shape=lambda entry: shapes.ticket_field(self._account.site, entry),
        )
        return Answer(body)
