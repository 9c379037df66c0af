"""Where the files of comments are fetched. Whoever knows the link's token may; a file without content is gone.

The vendor may send on to a host for files; this double serves them itself.
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.faults import Faults
from connectors.sandbox.faulty import strike
from connectors.sandbox.zendesk.account import Account
from connectors.sandbox.zendesk.http import fault_response
from connectors.sandbox.zendesk.records import Attachment


class FileApi:
    """Files over HTTP."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self._account = account
        self._faults = faults

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route("/attachments/token/{comment_id:int}/", self._serve, methods=["GET"])]

    async def _serve(self, request: Request) -> Response:
        async def handle() -> Response:
            found = self._find(request.path_params["comment_id"], request.query_params.get("name", ""))
            if found is None or not found.content:
                return Response(status_code=404)
            return Response(found.content, media_type=found.content_type)

        return await strike(self._faults.next("zendesk.attachments.show"), request, handle, fault_response)

    def _find(self, comment_id: int, name: str) -> Attachment | None:
        with self._account.lock:
            return next(
                (
                    entry
                    for ticket in self._account.tickets.values()
                    for comment in ticket.comments
                    if comment.comment_id == comment_id
                    for entry in comment.attachments
                    if entry.file_name == name
                ),
                None,
            )
