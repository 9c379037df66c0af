"""The endpoints about webhooks: make, list, show, delete, show the signing secret, test.

https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.zendesk import shapes
from connectors.sandbox.zendesk.account import subscribable
from connectors.sandbox.zendesk.events import headers
from connectors.sandbox.zendesk.http import Answer, Call, Desk, read_json, refused
from connectors.sandbox.zendesk.records import Json, Webhook, stamp
from connectors.sandbox.zendesk.refusal import Refusal, bad_request, not_found
from connectors.zendesk.signing import TEST_SECRET

READ: Final = ("read", "webhooks:read")
WRITE: Final = ("write", "webhooks:write")
_TEST_BODY: Final = b'{"test": "webhook"}'


class WebhookApi:
    """Webhooks over HTTP."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._account = desk.account

    def routes(self) -> list[Route]:
        """All routes, the more specific first."""
        desk = self._desk
        one = "/webhooks/{webhook_id:str}"
        return [
            Route("/api/v2/webhooks/test", self._test, methods=["POST"]),
            *desk.routes("zendesk.webhooks.list", "GET", "/webhooks", self._list),
            *desk.routes("zendesk.webhooks.create", "POST", "/webhooks", self._create),
            *desk.routes("zendesk.webhooks.secret", "GET", one + "/signing_secret", self._secret),
            *desk.routes("zendesk.webhooks.show", "GET", one, self._show),
            *desk.routes("zendesk.webhooks.delete", "DELETE", one, self._delete),
        ]

    def _webhook(self, call: Call, *scopes: str) -> Webhook:
        call.caller.need(*scopes)
        call.caller.need_admin()
        webhook = self._account.webhooks.get(str(call.path["webhook_id"]))
        if webhook is None:
            raise not_found()
        return webhook

    def _list(self, call: Call) -> Answer:
        call.caller.need(*READ)
        call.caller.need_admin()
        shown: Json = {"webhooks": [shapes.webhook(entry) for entry in self._account.webhooks.values()]}
        shown["meta"] = {"has_more": False, "after_cursor": None, "before_cursor": None}
        shown["links"] = {"prev": None, "next": None}
        return Answer(shown)

    def _create(self, call: Call) -> Answer:
        call.caller.need(*WRITE)
        call.caller.need_admin()
        wanted = call.part("webhook")
        subscriptions = wanted.get("subscriptions")
        chosen = [str(entry) for entry in subscriptions] if isinstance(subscriptions, list) else []
        if not subscribable(chosen):
            raise bad_request("InvalidSubscription", "subscriptions must be event types or conditional_ticket_events")
        webhook = self._account.add_webhook(
            name=str(wanted.get("name", "")),
            endpoint=str(wanted.get("endpoint", "")),
            subscriptions=chosen,
            status=str(wanted.get("status", "active")),
        )
        return Answer({"webhook": shapes.webhook(webhook)}, status=201)

    def _show(self, call: Call) -> Answer:
        return Answer({"webhook": shapes.webhook(self._webhook(call, *READ))})

    def _secret(self, call: Call) -> Answer:
        return Answer({"signing_secret": {"secret": self._webhook(call, *READ).secret, "algorithm": "SHA256"}})

    def _delete(self, call: Call) -> Answer:
        del self._account.webhooks[self._webhook(call, *WRITE).webhook_id]
        return Answer(None, status=204)

    async def _test(self, request: Request) -> Response:
        """Send a test call and answer what came back. Without a saved webhook the public test secret signs."""
        raw = await request.body()
        try:
            with self._account.lock:
                caller = self._desk.access.authenticate(request.headers.get("authorization", ""))
                caller.need(*WRITE)
                caller.need_admin()
                webhook = self._tested(request.query_params.get("webhook_id"), read_json(raw))
        except Refusal as refusal:
            return refused(refusal)
        sent = headers(
            webhook,
            account_id=self._account.announcer.account_id,
            invocation_id=self._account.announcer.fresh_id("invocation"),
            timestamp=stamp(self._account.now()),
            body=_TEST_BODY,
        )
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                response = await client.post(webhook.endpoint, content=_TEST_BODY, headers=sent)
        except httpx.HTTPError:
            return JSONResponse({"response": {"status_code": 0, "headers": [], "payload": ""}})
        return JSONResponse(
            {"response": {"status_code": response.status_code, "headers": [], "payload": response.text}},
        )

    def _tested(self, webhook_id: str | None, body: Json) -> Webhook:
        wanted = body.get("request")
        endpoint = str(wanted.get("endpoint", "")) if isinstance(wanted, dict) else ""
        saved = self._account.webhooks.get(webhook_id or "")
        if saved is not None:
            return replace(saved, endpoint=endpoint or saved.endpoint)
        if not endpoint:
            raise bad_request("InvalidWebhook", "endpoint is required")
        return Webhook("unsaved", "test", endpoint, "active", (), TEST_SECRET, self._account.now())
