"""The Zendesk double, as the composition and the tests use it: set up a world, act as its people, read the end state.

Serves the vendor's HTTP semantics from memory and delivers signed webhooks for every change. It refuses to be more than
the vendor is: what it was not told through one of its methods or through HTTP does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from starlette.routing import BaseRoute

from connectors.sandbox.deliveries import Deliveries
from connectors.sandbox.faults import Faults
from connectors.sandbox.zendesk import shapes
from connectors.sandbox.zendesk.access import Access
from connectors.sandbox.zendesk.account import EVENT_TYPES, Account
from connectors.sandbox.zendesk.apps import AppHost, AppPlace
from connectors.sandbox.zendesk.directory_api import DirectoryApi
from connectors.sandbox.zendesk.events import Announcer
from connectors.sandbox.zendesk.file_api import FileApi
from connectors.sandbox.zendesk.help_center import SOURCE_LOCALE, HelpCenter
from connectors.sandbox.zendesk.help_center_api import HelpCenterApi
from connectors.sandbox.zendesk.http import Desk
from connectors.sandbox.zendesk.limits import Limits, Meter
from connectors.sandbox.zendesk.records import Attachment, Json, JsonValue, Ticket, User
from connectors.sandbox.zendesk.ticket_api import TicketApi
from connectors.sandbox.zendesk.tickets import NewComment, create, customer_comment, merge, set_deleted, update
from connectors.sandbox.zendesk.webhook_api import WebhookApi

TOKEN_TTL_S: Final = 1800
ACCOUNT_ID: Final = 18_525_119


class Said(NamedTuple):
    """A comment of a world. `flags` are Zendesk's numbers.

    `suspension` is the cause for which it had been suspended, `sender` the address of a mail where it is not the
    author's.
    """

    author_id: int
    body: str
    public: bool = True
    flags: Sequence[int] = ()
    attachments: Sequence[Attachment] = ()
    suspension: int | None = None
    sender: str | None = None


class ZendeskDouble:
    """One Zendesk account.

    Args:
        now: the sandbox's clock: token expiry, rate limits, time stamps and the export's last minute follow it.
        faults: what goes wrong on demand; places are `zendesk.<resource>.<verb>`, such as `zendesk.tickets.update`,
            `zendesk.comments.list`, `zendesk.oauth.tokens`.
        deliveries: takes the webhooks.
        account: the subdomain.
        oauth_clients: client id -> (secret, e-mail of the admin the token acts as). The user is made here.
        api_tokens: tokens good for `{email}/token:{token}` of any staff user.
        webhook_secret: signing secret of the first webhook.
        webhook_url: where the first webhook goes, subscribed to every event; `None` makes none.
        seed: ids follow from it.
        token_ttl_s: life of an access token where the request does not say.
        limits: rate limits.
        app: the app in the ticket sidebar, where one is installed.
    """

    def __init__(  # noqa: PLR0913 - an account's settings, all by name
        self,
        *,
        now: Callable[[], datetime],
        faults: Faults,
        deliveries: Deliveries,
        account: str,
        oauth_clients: Mapping[str, tuple[str, str]],
        api_tokens: Collection[str],
        webhook_secret: str,
        webhook_url: str | None,
        seed: int,
        token_ttl_s: int = TOKEN_TTL_S,
        limits: Limits | None = None,
        app: AppPlace | None = None,
    ) -> None:
        announcer = Announcer(now=now, deliveries=deliveries, account_id=ACCOUNT_ID, seed=seed)
        self._account = Account(subdomain=account, now=now, announcer=announcer, seed=seed)
        self._access = Access(
            now=now,
            oauth_clients=oauth_clients,
            api_tokens=api_tokens,
            ttl_s=token_ttl_s,
            user_by_email=self._account.user_by_email,
        )
        self._desk = Desk(self._account, self._access, Meter(limits or Limits(), now), faults)
        self._faults = faults
        self._apps = AppHost(self._account, app, now) if app is not None else None
        self.help_center = HelpCenter(self._account)
        for email in dict.fromkeys(email for _, email in oauth_clients.values()):
            self._account.add_user(name="Countersign", email=email, verified=True, role="admin")
        if webhook_url is not None:
            self.add_webhook(webhook_url, secret=webhook_secret)

    def routes(self) -> list[BaseRoute]:
        """All routes, to be mounted at the root of the sandbox's app."""
        return [
            self._desk.token_route(),
            *TicketApi(self._desk).routes(),
            *DirectoryApi(self._desk, self._faults).routes(),
            *HelpCenterApi(self._desk, self.help_center).routes(),
            *WebhookApi(self._desk).routes(),
            *FileApi(self._account, self._faults).routes(),
            *(self._apps.routes() if self._apps is not None else ()),
            self._desk.unknown_route(),
        ]

    # The world.

    def restrict_agent(self, user_id: int, restriction: str | None) -> None:
        """Let an agent see only such tickets: organization, groups, assigned or requested; `None` is all."""
        with self._account.lock:
            self._account.users[user_id].ticket_restriction = restriction

    def add_user(  # noqa: PLR0913 - a person's particulars, all by name
        self,
        *,
        name: str,
        email: str | None,
        verified: bool = True,
        role: str = "end-user",
        locale: str = "en-US",
        external_id: str | None = None,
        phone: str | None = None,
        organization: str | None = None,
        tags: Iterable[str] | None = None,
    ) -> int:
        """Make a user (`end-user`, `agent` or `admin`); the id."""
        with self._account.lock:
            user = self._account.add_user(
                name=name,
                email=email,
                verified=verified,
                role=role,
                locale=locale,
                external_id=external_id,
                phone=phone,
                organization=organization,
                tags=tags or (),
            )
            return user.user_id

    def add_group(self, name: str) -> int:
        """Make a group; the id."""
        with self._account.lock:
            return self._account.add_group(name).group_id

    def add_macro(self, title: str, actions: Iterable[tuple[str, str]]) -> int:
        """Make a macro of (field, value) actions; the id."""
        with self._account.lock:
            return self._account.add_macro(title, actions).macro_id

    def add_user_segment(self, name: str, *, user_type: str = "signed_in_users", tags: Iterable[str] = ()) -> int:
        """Make a user segment of the Help Center; the id."""
        with self._account.lock:
            return self.help_center.add_segment(name, user_type=user_type, tags=tags).segment_id

    def add_article(
        self,
        title: str,
        body: str,
        *,
        locale: str = SOURCE_LOCALE,
        draft: bool = False,
        segments: Iterable[int] = (),
        labels: Iterable[str] = (),
    ) -> int:
        """Write an article of HTML; the id. Without segments everybody may see it."""
        with self._account.lock:
            article = self.help_center.add_article(locale=locale, segment_ids=segments, label_names=labels)
            self.help_center.translate(article.article_id, locale, title=title, body=body, draft=draft)
            return article.article_id

    def translate_article(
        self, article_id: int, title: str, body: str, *, locale: str = SOURCE_LOCALE, draft: bool = False
    ) -> None:
        """Write an article anew, or in another locale."""
        with self._account.lock:
            self.help_center.translate(article_id, locale, title=title, body=body, draft=draft)

    def archive_article(self, article_id: int) -> None:
        """Take an article out of the Help Center: the API does not tell of it any more."""
        with self._account.lock:
            self.help_center.articles.pop(article_id)

    def add_ticket_field(self, title: str, kind: str = "text") -> int:
        """Make a custom field; the id. A field that was not made here is passed over in updates, without an error."""
        with self._account.lock:
            return self._account.add_field(title, kind).field_id

    def add_webhook(self, url: str, *, secret: str, subscriptions: Sequence[str] = EVENT_TYPES) -> str:
        """Make an active webhook; the id."""
        with self._account.lock:
            return self._account.add_webhook(
                name="Countersign",
                endpoint=url,
                subscriptions=subscriptions,
                secret=secret,
            ).webhook_id

    def create_ticket(
        self,
        *,
        requester: int,
        subject: str,
        channel: str,
        comments: Sequence[Said],
        cc: Sequence[int] = (),
        tags: Sequence[str] = (),
        custom_fields: Mapping[int, JsonValue] | None = None,
        brand: int | None = None,
    ) -> int:
        """Make a ticket as its requester; `ticket.created` and `comment_added` are delivered. The id.

        Args:
            requester: a user's id; the submitter is the first comment's author.
            subject: may be empty.
            channel: as in REST: `email`, `web`, `api`, `native_messaging`, ...
            comments: at least one.
            cc: ids of carbon-copied users.
            tags: lower case, without blanks.
            custom_fields: field id -> value, for fields made with `add_ticket_field`.
            brand: a brand's id.
        """
        first, *others = comments
        fields: list[JsonValue] = [{"id": key, "value": value} for key, value in (custom_fields or {}).items()]
        with self._account.lock:
            person = self._account.user(requester)
            actor = self._account.user(first.author_id)
            ticket = create(
                self._account,
                actor=actor,
                requester=person,
                subject=subject,
                channel=channel,
                first=_new_comment(first),
                change={"tags": list[JsonValue](tags), "custom_fields": fields, "brand_id": brand},
                email_cc_ids=cc,
            )
            for said in others:
                self._write(ticket, said, channel)
            return ticket.ticket_id

    # Its people.

    def customer_writes(
        self,
        ticket_id: int,
        user_id: int,
        body: str,
        *,
        public: bool = True,
        flags: Sequence[int] = (),
        attachments: Sequence[Attachment] = (),
    ) -> int:
        """An end user answers in the ticket's channel. A closed ticket gets a follow-up instead.

        Returns:
            The id of the ticket that holds the comment.
        """
        said = Said(user_id, body, public, flags, attachments)
        with self._account.lock:
            ticket = self._account.ticket(ticket_id)
            if ticket.status != "closed":
                customer_comment(self._account, ticket, _new_comment(said), channel=ticket.channel)
                return ticket.ticket_id
            user = self._account.user(user_id)
            follow_up = create(
                self._account,
                actor=user,
                requester=user,
                subject=f"Re: {ticket.subject}",
                channel=ticket.channel,
                first=_new_comment(said),
                change={"tags": list[JsonValue](ticket.tags)},
                followup_source_id=ticket.ticket_id,
            )
            ticket.followup_ids.append(follow_up.ticket_id)
            return follow_up.ticket_id

    def customer_rates(self, ticket_id: int, score: str) -> None:
        """The requester rates how they were served, `good` or `bad`, once the ticket is solved; later over again.

        https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/#create-a-satisfaction-rating
        """
        with self._account.lock:
            ticket = self._account.ticket(ticket_id)
            if ticket.status not in {"solved", "closed"} or score not in {"good", "bad"}:
                raise ValueError(f"a ticket that is {ticket.status} cannot be rated {score!r}: it must be solved")
            ticket.rating = score
            ticket.updated_at = ticket.changed_at = self._account.now()

    def agent_writes(
        self,
        ticket_id: int,
        user_id: int,
        body: str,
        *,
        public: bool = True,
        status: str | None = None,
        assignee: int | None = None,
    ) -> int:
        """An agent comments in the web interface; the comment's id."""
        change: Json = {}
        if status is not None:
            change["status"] = status
        if assignee is not None:
            change["assignee_id"] = assignee
        with self._account.lock:
            ticket, agent = self._account.ticket(ticket_id), self._account.user(user_id)
            comment = NewComment(user_id, body, public=public)
            update(self._account, ticket, agent, change, channel="web", comment=comment)
            return ticket.comments[-1].comment_id

    def change(self, ticket_id: int, user_id: int, **values: JsonValue) -> None:
        """Somebody changes fields in the web interface: `status`, `tags`, `priority`, `assignee_id`, `group_id` ..."""
        with self._account.lock:
            update(
                self._account,
                self._account.ticket(ticket_id),
                self._account.user(user_id),
                values,
                channel="web",
            )

    def change_status(self, ticket_id: int, status: str, *, user_id: int | None = None) -> None:
        """Set the status as the given user, or as the first admin: an automation, say."""
        self.change(ticket_id, self._somebody() if user_id is None else user_id, status=status)

    def delete_ticket(self, ticket_id: int) -> None:
        """Soft-delete: from now on the API answers 404, and the export shows the status `deleted`."""
        with self._account.lock:
            admin = self._account.user(self._somebody())
            set_deleted(self._account, self._account.ticket(ticket_id), admin, deleted=True)

    def restore_ticket(self, ticket_id: int) -> None:
        """Undo `delete_ticket`."""
        with self._account.lock:
            admin = self._account.user(self._somebody())
            set_deleted(self._account, self._account.ticket(ticket_id, deleted=True), admin, deleted=False)

    def merge(self, source: int, target: int) -> None:
        """Merge one ticket into another, which closes the first."""
        with self._account.lock:
            merge(
                self._account,
                source=self._account.ticket(source),
                target=self._account.ticket(target),
                actor=self._account.user(self._somebody()),
            )

    def suspend_user(self, user_id: int, *, suspended: bool = True) -> None:
        """Suspend a user, or lift it."""
        with self._account.lock:
            self._account.user(user_id).suspended = suspended

    def share_user(self, user_id: int) -> None:
        """Make a user another account's, who came with a shared ticket."""
        with self._account.lock:
            self._account.user(user_id).shared = True

    def set_role(self, user_id: int, role: str) -> None:
        """Give a user another role, for instance take the admin role from the service user."""
        with self._account.lock:
            self._account.user(user_id).role = role

    def revoke_tokens(self) -> None:
        """Revoke every access token that was given."""
        with self._account.lock:
            self._access.revoke_all()

    # The end state.

    def tickets(self) -> list[Json]:
        """Every ticket in the vendor's shape, the deleted ones with the status `deleted`."""
        with self._account.lock:
            return [shapes.ticket(self._account.site, ticket) for ticket in self._account.tickets.values()]

    def ticket(self, ticket_id: int) -> Json:
        """One ticket in the vendor's shape, also where it is deleted.

        Raises:
            KeyError: there never was one.
        """
        with self._account.lock:
            return shapes.ticket(self._account.site, self._account.tickets[ticket_id])

    def comments(self, ticket_id: int) -> list[Json]:
        """The comments of a ticket in the vendor's shape, oldest first, each with `author_role`."""
        with self._account.lock:
            return [
                {
                    **shapes.comment(self._account.site, comment),
                    "author_role": self._account.users[comment.author_id].role,
                }
                for comment in self._account.tickets[ticket_id].comments
            ]

    def audits(self, ticket_id: int) -> list[Json]:
        """The audits of a ticket in the vendor's shape, oldest first."""
        with self._account.lock:
            return [shapes.audit(ticket_id, audit) for audit in self._account.tickets[ticket_id].audits]

    def user_id(self, email: str) -> int:
        """The id of the user with this address.

        Raises:
            KeyError: nobody has it.
        """
        with self._account.lock:
            user = self._account.user_by_email(email)
            if user is None:
                raise KeyError(email)
            return user.user_id

    def tokens_issued(self) -> int:
        """How many access tokens were given so far."""
        return self._access.issued

    def _somebody(self) -> int:
        """The first admin, who acts where nobody is named."""
        for user in self._account.users.values():
            if user.role == "admin":
                return user.user_id
        return self._account.add_user(name="Owner", email=None, verified=True, role="admin").user_id

    def _write(self, ticket: Ticket, said: Said, channel: str) -> None:
        author: User = self._account.user(said.author_id)
        if author.is_staff:
            update(self._account, ticket, author, {}, channel="web", comment=_new_comment(said))
        else:
            customer_comment(self._account, ticket, _new_comment(said), channel=channel)


def _new_comment(said: Said) -> NewComment:
    return NewComment(
        author_id=said.author_id,
        body=said.body,
        public=said.public,
        flags=tuple(said.flags),
        attachments=tuple(said.attachments),
        suspension=said.suspension,
        sender=said.sender,
    )
