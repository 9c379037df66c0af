"""The Zendesk adapter: typed reads that raise, one update that ends in Done, Refused or Unknown.

Wraps zenpy 2.0.57 so that none of its habits show: no cache (its tickets would be up to 30 s old), no retries of
writes, no sleeping, one client per thread (its objects are not safe to share), no bodies in its debug log. Everything
is synchronous.
It refuses to create, delete or merge tickets: nothing here needs that.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import requests
from zenpy import Zenpy
from zenpy.lib.api_objects import Ticket
from zenpy.lib.exception import ZenpyException

from connectors.errors import (
    AccessDenied,
    ConfigurationError,
    Throttled,
    VendorRefused,
    VendorUnavailable,
    WireError,
)
from connectors.outcome import Done, Refused, Unknown, WriteOutcome
from connectors.zendesk import export
from connectors.zendesk.attachments import Files
from connectors.zendesk.credentials import ApiToken, ClientCredentials, OAuthClient, TokenCredentials
from connectors.zendesk.export import ExportPage
from connectors.zendesk.fields import Fields, mapping
from connectors.zendesk.transport import (
    DEFAULT_PAUSE_S,
    Credentials,
    NoAnswer,
    Pauses,
    RateLimits,
    Transport,
    VendorAnswer,
    check_base_url,
)
from connectors.zendesk.update import MARKER, UpdateView, refusal, silence
from connectors.zendesk.wire import (
    AuditView,
    CommentView,
    GroupView,
    IdentityView,
    MacroView,
    TicketView,
    UserView,
    read_audit,
    read_comment,
    read_group,
    read_identity,
    read_macro,
    read_ticket,
    read_user,
)

USER_AGENT: Final = "Countersign"
_THROTTLED: Final = 429
_SERVER_ERROR: Final = 500
_DENIED: Final = frozenset({401, 403})


class ZendeskAdapter:
    """One account, seen with one credential. Safe to share between threads.

    Args:
        subdomain: `acme` for `acme.zendesk.com`.
        base_url: scheme, host and port to send to instead; `None` is Zendesk itself.
        auth: an OAuth client, or an API token.
        timeout_s: for connecting and for each wait for bytes, in seconds.
        now: business time, aware: when tokens end follows it.

    Raises:
        ConfigurationError: the subdomain or the address is malformed.
    """

    def __init__(
        self,
        *,
        subdomain: str,
        base_url: str | None,
        auth: OAuthClient | ApiToken,
        timeout_s: float,
        now: Callable[[], datetime],
    ) -> None:
        if not subdomain.replace("-", "").isalnum() or not subdomain.isascii():
            raise ConfigurationError(
                f"Zendesk subdomain {subdomain!r} is not like 'acme': give the part before .zendesk.com"
            )
        self._subdomain = subdomain
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._now = now
        self._pauses = Pauses(now)
        self._credentials: Credentials = self._credentials_of(auth)
        self._files = Files(
            subdomain=subdomain,
            base_url=check_base_url(base_url),
            credentials=self._credentials,
            timeout_s=timeout_s,
        )
        self._local = threading.local()
        self._opened: list[requests.Session] = []
        self._lock = threading.Lock()
        self._bot_user_id: int | None = None
        # zenpy's debug log prints every body, with the customer's words in it.
        logging.getLogger("zenpy").setLevel(logging.WARNING)

    def __repr__(self) -> str:
        return f"ZendeskAdapter(subdomain={self._subdomain!r})"

    # Reads.

    def ticket(self, ticket_id: int) -> TicketView:
        """One ticket, as it is now.

        Raises:
            VendorRefused: status 404 where it was deleted or never was.
            ConnectorError: as `connectors.errors` says.
        """
        with self._reading(f"ticket {ticket_id}") as zendesk:
            answer = zendesk.tickets(id=ticket_id)
        return read_ticket(_dict(answer))

    def comments(self, ticket_id: int) -> tuple[CommentView, ...]:
        """All comments of a ticket, oldest first, public and private.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading(f"the comments of ticket {ticket_id}") as zendesk:
            answers = _dicts(zendesk.tickets.comments(ticket_id))
        comments = [read_comment(answer) for answer in answers]
        return tuple(sorted(comments, key=lambda comment: (comment.created_at, comment.comment_id)))

    def audits(self, ticket_id: int) -> tuple[AuditView, ...]:
        """All updates of a ticket, oldest first. Needs the global scope `read`.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading(f"the audits of ticket {ticket_id}") as zendesk:
            answers = _dicts(zendesk.tickets.audits(ticket=ticket_id))
        return tuple(read_audit(answer) for answer in answers)

    def attachment(self, content_url: str, *, max_bytes: int) -> bytes | None:
        """A file of a comment, by its `content_url`; None where it is larger than that.

        Raises:
            VendorRefused: it is gone, or may not be seen with this credential.
            VendorUnavailable: no answer.
            WireError: the link leads away from Zendesk.
        """
        return self._files.read(content_url, max_bytes=max_bytes)

    def find_marker(self, ticket_id: int, marker: str, *, has_comment: bool = True) -> bool:
        """Whether the update that carried this marker was made: ask after an `Unknown`, before sending again.

        A comment shows the metadata of the update that made it, so for an update with a comment the scope
        `tickets:read` is enough. One without is only in the audits, which need `read`.

        Raises:
            ConnectorError: as for `ticket`; nothing is known then.
        """
        if has_comment:
            return any(comment.custom.get(MARKER) == marker for comment in self.comments(ticket_id))
        return any(audit.custom.get(MARKER) == marker for audit in self.audits(ticket_id))

    def user(self, user_id: int) -> UserView:
        """One user.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading(f"user {user_id}") as zendesk:
            answer = zendesk.users(id=user_id)
        return read_user(_dict(answer))

    def identities(self, user_id: int) -> tuple[IdentityView, ...]:
        """The addresses of a user, each with whether it is verified.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading(f"the identities of user {user_id}") as zendesk:
            answers = _dicts(zendesk.users.identities(user_id))
        return tuple(read_identity(answer) for answer in answers)

    def me(self) -> UserView:
        """The user that this credential acts as.

        Raises:
            AccessDenied: the credential is good for nobody, to which Zendesk answers 200 and "Anonymous user".
            ConnectorError: as for `ticket`.
        """
        used = self._authorization()
        answer = self._whoami()
        if answer.get("id") is None and self._credentials.renewed(used):
            answer = self._whoami()
        if answer.get("id") is None:
            raise AccessDenied("Zendesk does not know this credential: renew it", status=401, code="anonymous")
        return read_user(answer)

    @property
    def bot_user_id(self) -> int:
        """Our own user id, asked for once: what this user does is not a customer's doing.

        Raises:
            ConnectorError: as for `me`.
        """
        with self._lock:
            known = self._bot_user_id
        if known is None:
            known = self.me().user_id
            with self._lock:
                self._bot_user_id = known
        return known

    def groups(self) -> tuple[GroupView, ...]:
        """All groups of agents. Needs the global scope `read`.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading("the groups") as zendesk:
            answers = _dicts(zendesk.groups())
        return tuple(read_group(answer) for answer in answers)

    def groups_of(self, user_id: int) -> tuple[GroupView, ...]:
        """The groups that an agent belongs to. Needs the global scope `read`.

        https://developer.zendesk.com/api-reference/ticketing/groups/groups/#list-groups

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading(f"the groups of user {user_id}") as zendesk:
            answers = _dicts(zendesk.users.groups(user_id))
        return tuple(read_group(answer) for answer in answers)

    def macros(self) -> tuple[MacroView, ...]:
        """All macros.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading("the macros") as zendesk:
            answers = _dicts(zendesk.macros())
        return tuple(read_macro(answer) for answer in answers)

    def export(self, *, start: datetime | None = None, cursor: str | None = None) -> ExportPage:
        """One page of the tickets that changed, from a time or from a cursor.

        Raises:
            ValueError: not exactly one of `start` and `cursor` was given.
            AccessDenied: the credential's user is no admin.
            ConnectorError: as for `ticket`.
        """
        if (start is None) is (cursor is None):
            raise ValueError("give either a start or a cursor")
        with self._reading("the incremental export") as zendesk:
            page = export.fetch(zendesk.tickets, start=start, cursor=cursor)
        return export.read_page(page)

    def read_json(self, what: str, path: str, values: Mapping[str, str]) -> Fields:
        """One JSON object of the API, for what zenpy does not know.

        Args:
            what: is read, in the words of an error.
            path: below `/api/v2/`.
            values: of the query.

        Raises:
            ConnectorError: as for `ticket`.
        """
        with self._reading(what):
            self._client()
            session: requests.Session = self._local.session
            url = f"https://{self._subdomain}.zendesk.com/api/v2/{path}"
            answer = session.get(url, params=dict(values), timeout=self._timeout_s, allow_redirects=False).json()
        return mapping(answer, what)

    @contextmanager
    def _reading(self, what: str) -> Iterator[Any]:
        """This thread's zenpy client, with everything that can go wrong in a read turned into our errors."""
        try:
            yield self._client()
        except VendorAnswer as error:
            raise _read_error(what, error) from error
        except NoAnswer as error:
            raise VendorUnavailable(f"cannot read {what} ({error.detail}): try again") from error
        except (ZenpyException, AttributeError, KeyError, TypeError) as error:
            # zenpy's own messages can hold its locals, credentials among them.
            raise WireError(f"cannot read {what}: Zendesk's answer has an unexpected shape") from error

    def _whoami(self) -> dict[str, Any]:
        with self._reading("the current user") as zendesk:
            answer = zendesk.users.me()
        return _dict(answer)

    # The write.

    def update_ticket(self, ticket_id: int, body: str) -> WriteOutcome[UpdateView]:
        """Make one update, once.

        Args:
            ticket_id: the ticket.
            body: as `update.update_body` made it; sent with the same values each time.

        Returns:
            Done; Refused with the code conflict, closed, not_found, access_denied or invalid; or Unknown, after which
            `find_marker` tells whether it was made.
        """
        patch = Ticket(id=ticket_id)
        for name, value in json.loads(body)["ticket"].items():
            setattr(patch, name, value)
        try:
            answer = self._client().tickets.update(patch)
        except VendorAnswer as error:
            return refusal(error)
        except NoAnswer as error:
            return silence(error)
        except (AccessDenied, VendorUnavailable) as error:
            return _without_token(error)
        except (ZenpyException, AttributeError, KeyError, TypeError, WireError):
            return Unknown("unreadable", "Zendesk's answer has an unexpected shape")
        return _updated(answer)

    # Housekeeping.

    def rate_limits(self) -> RateLimits | None:
        """What the last answer on this thread said about the account's limit, if anything."""
        transport = getattr(self._local, "transport", None)
        return transport.limits if isinstance(transport, Transport) else None

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            sessions, self._opened = self._opened, []
        for session in sessions:
            session.close()
        self._local = threading.local()

    def raw(self) -> Any:  # noqa: ANN401 - zenpy is untyped
        """This thread's zenpy client, for the probe and for contract tests; it raises `VendorAnswer` and `NoAnswer`."""
        return self._client()

    def _client(self) -> Any:  # noqa: ANN401 - zenpy is untyped
        client = getattr(self._local, "client", None)
        if client is None:
            transport = self._transport(self._credentials)
            session = self._session(transport)
            # `anonymous` only says that the credential is not zenpy's business: the transport adds it.
            client = Zenpy(
                subdomain=self._subdomain,
                session=session,
                anonymous=True,
                timeout=self._timeout_s,
                disable_cache=True,
            )
            self._local.client, self._local.transport, self._local.session = client, transport, session
        return client

    def _session(self, transport: Transport) -> requests.Session:
        session = requests.Session()
        # Neither proxies nor a .netrc of the environment may decide where the credential goes.
        session.trust_env = False
        session.headers["User-Agent"] = USER_AGENT
        session.mount("https://", transport)
        session.mount("http://", transport)
        with self._lock:
            self._opened.append(session)
        return session

    def _transport(self, credentials: Credentials | None) -> Transport:
        # The token endpoint has a limit of its own.
        pauses = self._pauses if credentials is not None else None
        return Transport(
            subdomain=self._subdomain, base_url=self._base_url, now=self._now, credentials=credentials, pauses=pauses
        )

    def _credentials_of(self, auth: OAuthClient | ApiToken) -> Credentials:
        if isinstance(auth, ApiToken):
            return TokenCredentials(auth)
        return ClientCredentials(
            auth,
            transport=self._transport(None),
            url=f"https://{self._subdomain}.zendesk.com/oauth/tokens",
            now=self._now,
            timeout_s=self._timeout_s,
        )

    def _authorization(self) -> str:
        return self._credentials.authorization()


def _dict(answer: Any) -> dict[str, Any]:  # noqa: ANN401 - zenpy is untyped
    """A zenpy object as the JSON it was made of."""
    try:
        shown = answer.to_dict()
    except (AttributeError, TypeError) as error:
        raise WireError("Zendesk's answer has an unexpected shape: nothing was assumed") from error
    assert isinstance(shown, dict)
    return shown


def _dicts(answers: Iterable[Any]) -> list[dict[str, Any]]:
    """All objects of a zenpy generator; reads the pages as it goes."""
    return [_dict(answer) for answer in answers]


def _without_token(error: AccessDenied | VendorUnavailable) -> Refused | Unknown:
    """What it means for an update that there was no access token to send it with."""
    if isinstance(error, AccessDenied):
        return Refused("access_denied", str(error), error.status)
    if isinstance(error, Throttled):
        return Unknown("throttled", str(error), retry_after_s=error.retry_after_s)
    return Unknown("connection", str(error))


def _updated(answer: Any) -> WriteOutcome[UpdateView]:  # noqa: ANN401 - zenpy is untyped
    """What a 2xx to an update says. zenpy gives a `TicketAudit` where there is an audit, else a ticket."""
    try:
        shown = _dict(answer)
        if "ticket" in shown:
            return Done(UpdateView(read_ticket(shown["ticket"]), read_audit(shown["audit"])))
        return Done(UpdateView(read_ticket(shown), None))
    except (WireError, KeyError) as error:
        return Unknown("unreadable", f"Zendesk confirmed an update in an unexpected shape ({error})", 200)


def _read_error(what: str, answer: VendorAnswer) -> VendorUnavailable | VendorRefused:
    if answer.status == _THROTTLED:
        pause_s = DEFAULT_PAUSE_S if answer.retry_after_s is None else answer.retry_after_s
        message = f"cannot read {what}: Zendesk asks to wait {pause_s:g} s"
        return Throttled(message, retry_after_s=pause_s)
    if answer.status >= _SERVER_ERROR:
        return VendorUnavailable(f"cannot read {what} (status {answer.status}): try again")
    if answer.status in _DENIED:
        message = f"Zendesk denies {what} (status {answer.status}): check the credential and its scopes"
        return AccessDenied(message, status=answer.status, code=answer.code)
    message = f"Zendesk refuses to show {what} (status {answer.status}, {answer.code!r}): read it again later"
    return VendorRefused(message, status=answer.status, code=answer.code)
