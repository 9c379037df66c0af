"""The endpoints about tickets: show, list, create, update, delete, comments, audits, tags, incremental export.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from starlette.routing import Route

from connectors.sandbox.zendesk import shapes
from connectors.sandbox.zendesk.http import Answer, Call, Desk
from connectors.sandbox.zendesk.pages import MAX_EXPORT, export_cursor, number, page, read_export_cursor
from connectors.sandbox.zendesk.records import Json, JsonValue, Ticket, User
from connectors.sandbox.zendesk.refusal import Refusal, bad_request, forbidden, invalid
from connectors.sandbox.zendesk.tickets import PERMITTED, NewComment, create, set_deleted, tag_list, update

READ: Final = ("read", "tickets:read")
WRITE: Final = ("write", "tickets:write")
EXPORT_LAG: Final = timedelta(seconds=60)


class TicketApi:
    """Tickets over HTTP."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._account = desk.account
        self._created: dict[str, tuple[str, int]] = {}

    def routes(self) -> list[Route]:
        """All routes, the more specific first."""
        desk = self._desk
        one = "/tickets/{ticket_id:int}"
        return [
            *desk.routes("zendesk.tickets.export", "GET", "/incremental/tickets/cursor", self._export),
            *desk.routes("zendesk.tickets.list", "GET", "/tickets", self._list),
            *desk.routes("zendesk.tickets.create", "POST", "/tickets", self._create),
            *desk.routes("zendesk.tickets.show", "GET", one, self._show),
            *desk.routes("zendesk.tickets.update", "PUT", one, self._update),
            *desk.routes("zendesk.tickets.delete", "DELETE", one, self._delete),
            *desk.routes("zendesk.comments.list", "GET", one + "/comments", self._comments),
            *desk.routes("zendesk.audits.list", "GET", one + "/audits", self._audits),
            *desk.routes("zendesk.tags.list", "GET", one + "/tags", self._tags),
            *desk.routes("zendesk.tags.set", "POST", one + "/tags", self._set_tags),
            *desk.routes("zendesk.tags.add", "PUT", one + "/tags", self._add_tags),
            *desk.routes("zendesk.tags.remove", "DELETE", one + "/tags", self._remove_tags),
        ]

    def _ticket(self, call: Call, *scopes: str) -> Ticket:
        call.caller.need(*scopes)
        call.caller.need_staff()
        return self._account.ticket(call.number("ticket_id"))

    def _show(self, call: Call) -> Answer:
        return Answer({"ticket": shapes.ticket(self._account.site, self._ticket(call, *READ))})

    def _list(self, call: Call) -> Answer:
        call.caller.need(*READ)
        call.caller.need_staff()
        headers = self._desk.meter.ticket_list()
        shown = [ticket for ticket in self._account.tickets.values() if not ticket.deleted]
        body = page(
            shown,
            key="tickets",
            url=call.url,
            query=call.query,
            id_of=lambda ticket: ticket.ticket_id,
            shape=lambda ticket: shapes.ticket(self._account.site, ticket),
        )
        return Answer(body, headers=headers)

    def _comments(self, call: Call) -> Answer:
        ticket = self._ticket(call, *READ)
        body = page(
            ticket.comments,
            key="comments",
            url=call.url,
            query=call.query,
            id_of=lambda comment: comment.comment_id,
            shape=lambda comment: shapes.comment(self._account.site, comment),
        )
        return Answer(body)

    def _audits(self, call: Call) -> Answer:
        # Neither tickets:read nor auditlogs:read is enough for audits:
        # https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/
        ticket = self._ticket(call, "read")
        body = page(
            ticket.audits,
            key="audits",
            url=call.url,
            query=call.query,
            id_of=lambda audit: audit.audit_id,
            shape=lambda audit: shapes.audit(ticket.ticket_id, audit),
        )
        return Answer(body)

    def _create(self, call: Call) -> Answer:
        call.caller.need(*WRITE)
        call.caller.need_staff()
        wanted = call.part("ticket")
        key = call.headers.get("idempotency-key")
        known = self._created.get(key) if key else None
        if known is not None:
            return self._repeated(known, wanted)
        ticket = self._make(wanted, call.caller.user)
        if key:
            self._created[key] = (json.dumps(wanted, sort_keys=True), ticket.ticket_id)
        headers = {"X-Idempotency-Lookup": "miss"} if key else {}
        return Answer(self._with_audit(ticket), status=201, headers=headers)

    def _repeated(self, known: tuple[str, int], wanted: Json) -> Answer:
        fingerprint, ticket_id = known
        if fingerprint != json.dumps(wanted, sort_keys=True):
            raise bad_request("IdempotentRequestError", "Request parameters changed for this idempotency key")
        ticket = self._account.ticket(ticket_id)
        return Answer(self._with_audit(ticket), status=201, headers={"X-Idempotency-Lookup": "hit"})

    def _make(self, wanted: Json, actor: User) -> Ticket:
        comment = wanted.get("comment")
        if not isinstance(comment, dict):
            comment = {"body": wanted.get("description")}
        requester = self._requester(wanted, actor)
        first = _comment(comment, requester.user_id if "requester_id" in wanted else actor.user_id)
        source = wanted.get("via_followup_source_id")
        ticket = create(
            self._account,
            actor=actor,
            requester=requester,
            subject=str(wanted.get("subject") or first.body[:80]),
            channel="api",
            first=first,
            change={key: value for key, value in wanted.items() if key in PERMITTED - {"subject", "requester_id"}},
            followup_source_id=source if isinstance(source, int) else None,
        )
        self._follow_up(ticket, wanted)
        return ticket

    def _follow_up(self, ticket: Ticket, wanted: Json) -> None:
        """A follow-up inherits the closed ticket's tags unless the request brings its own."""
        source_id = ticket.followup_source_id
        if source_id is None:
            return
        source = self._account.ticket(source_id)
        if source.status != "closed":
            ticket.followup_source_id = None
            return
        source.followup_ids.append(ticket.ticket_id)
        if "tags" not in wanted:
            ticket.tags = list(source.tags)

    def _requester(self, wanted: Json, actor: User) -> User:
        person = wanted.get("requester")
        if isinstance(person, dict):
            email = str(person.get("email", ""))
            known = self._account.user_by_email(email)
            name = str(person.get("name") or email)
            return known or self._account.add_user(name=name, email=email, verified=False, role="end-user")
        requester_id = wanted.get("requester_id")
        if requester_id is None:
            return actor
        try:
            return self._account.user(int(str(requester_id)))
        except (Refusal, ValueError) as error:
            raise invalid("requester", "Requester: is not valid") from error

    def _update(self, call: Call) -> Answer:
        ticket = self._ticket(call, *WRITE)
        headers = self._desk.meter.ticket_update(ticket.ticket_id, call.caller.user.user_id)
        wanted = call.part("ticket")
        comment = wanted.get("comment")
        audit = update(
            self._account,
            ticket,
            call.caller.user,
            wanted,
            comment=_comment(comment, call.caller.user.user_id) if isinstance(comment, dict) else None,
        )
        passed_over = sorted(f"ticket.{key}" for key in wanted if key not in PERMITTED)
        if passed_over:
            # As recorded: what an endpoint does not permit is dropped and named in a header, not refused.
            headers["X-Zendesk-Api-Warn"] = f"{{:unpermitted_keys=>{json.dumps(passed_over)}}}"
        body: Json = {"ticket": shapes.ticket(self._account.site, ticket)}
        if audit is not None:
            body["audit"] = shapes.audit(ticket.ticket_id, audit)
        return Answer(body, headers=headers)

    def _with_audit(self, ticket: Ticket) -> Json:
        return {
            "ticket": shapes.ticket(self._account.site, ticket),
            "audit": shapes.audit(ticket.ticket_id, ticket.audits[0]),
        }

    def _delete(self, call: Call) -> Answer:
        ticket = self._ticket(call, *WRITE)
        if call.caller.user.role != "admin":
            raise forbidden()
        set_deleted(self._account, ticket, call.caller.user, deleted=True)
        return Answer(None, status=204)

    def _tags(self, call: Call) -> Answer:
        return Answer({"tags": list(self._ticket(call, *READ).tags)})

    def _set_tags(self, call: Call) -> Answer:
        return self._retag(call, tag_list(call.body.get("tags", [])), status=201)

    def _add_tags(self, call: Call) -> Answer:
        ticket = self._account.ticket(call.number("ticket_id"))
        return self._retag(call, sorted({*ticket.tags, *tag_list(call.body.get("tags", []))}))

    def _remove_tags(self, call: Call) -> Answer:
        ticket = self._account.ticket(call.number("ticket_id"))
        gone = tag_list(call.body.get("tags", []))
        return self._retag(call, [tag for tag in ticket.tags if tag not in gone])

    def _retag(self, call: Call, tags: list[str], *, status: int = 200) -> Answer:
        ticket = self._ticket(call, *WRITE)
        headers = self._desk.meter.ticket_update(ticket.ticket_id, call.caller.user.user_id)
        wanted: Json = {"tags": list[JsonValue](tags)}
        wanted.update({key: call.body[key] for key in ("safe_update", "updated_stamp") if key in call.body})
        if wanted.get("safe_update") == "true":
            wanted["safe_update"] = True
        update(self._account, ticket, call.caller.user, wanted)
        return Answer({"tags": list(ticket.tags)}, status=status, headers=headers)

    def _export(self, call: Call) -> Answer:
        """The tickets that changed, oldest change first, without those of the last minute.

        https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/
        """
        call.caller.need(*READ)
        call.caller.need_admin()
        headers = self._desk.meter.export()
        until = int((self._account.now() - EXPORT_LAG).timestamp())
        position = _start(call.query, until)
        cursor = call.query.get("cursor")
        size = number(call.query.get("per_page", str(self._desk.meter.limits.export_page)), MAX_EXPORT)
        changed = sorted(
            (int(ticket.changed_at.timestamp()), ticket.ticket_id) for ticket in self._account.tickets.values()
        )
        waiting = [entry for entry in changed if entry > position and entry[0] <= until]
        shown = waiting[:size]
        after = export_cursor(*shown[-1]) if shown else cursor
        tickets = (self._account.tickets[ticket_id] for _, ticket_id in shown)
        body: Json = {
            "tickets": [shapes.exported_ticket(self._account.site, ticket) for ticket in tickets],
            "after_url": None if after is None else f"{call.url}?cursor={after}",
            "before_url": None,
            "after_cursor": after,
            "before_cursor": None,
            "end_of_stream": len(waiting) <= size,
        }
        return Answer(body, headers=headers)


def _start(query: Mapping[str, str], until: int) -> tuple[int, int]:
    if "cursor" in query:
        return read_export_cursor(query["cursor"])
    start = query.get("start_time", "")
    if not start.isdigit():
        raise invalid("start_time", "Invalid start_time: give a unix time")
    if int(start) > until:
        raise invalid("start_time", "Invalid start_time: Too recent. Use a start_time older than 60 seconds")
    return int(start), -1


def _comment(wanted: Mapping[str, JsonValue], author_id: int) -> NewComment:
    public = wanted.get("public")
    html_body = wanted.get("html_body")
    return NewComment(
        author_id=int(str(wanted.get("author_id") or author_id)),
        body=str(wanted.get("body") or ""),
        public=public if isinstance(public, bool) else None,
        html_body=str(html_body) if html_body else None,
    )
