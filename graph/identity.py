"""Who a requester is, by what Zendesk and Stripe record of them and of their mail. Never by what the text says.

Everything but `Identity.VERIFIED` is unverified, and no policy file can let that act alone (`policies.locked`).
"""

from __future__ import annotations

from typing import Final

from connectors.stripe.wire import CustomerView
from connectors.zendesk.wire import AUTHOR_FLAGS, MAIL_FLAGS
from graph.dossier import Identity, MailAuthentication
from graph.snapshot import Snapshot

ROLE_MAILBOXES: Final = frozenset(
    {
        # https://www.rfc-editor.org/rfc/rfc2142
        *("info", "marketing", "sales", "support", "noc", "security", "abuse"),
        *("postmaster", "hostmaster", "webmaster", "www", "usenet", "news", "uucp", "ftp"),
        # and those that companies read together
        *("account", "accounting", "accounts", "admin", "administration", "billing", "bookings", "contact"),
        *("customerservice", "enquiries", "family", "feedback", "finance", "hello", "help", "helpdesk", "hr"),
        *("inquiries", "invoice", "invoices", "it", "jobs", "mail", "mailbox", "noreply", "office", "operations"),
        *("order", "orders", "payments", "payroll", "procurement", "purchasing", "reception", "returns"),
        *("service", "shop", "staff", "store", "team", "warehouse"),
    }
)
"""Names of mailboxes that several people read, so that the sender is not one person."""

MAIL_CHANNELS: Final = frozenset({"email"})


def identity_of(  # noqa: PLR0911 - one return for each reason
    snapshot: Snapshot, customers: tuple[CustomerView, ...]
) -> Identity:
    """Why the requester counts as verified, or the first thing that speaks against it.

    Args:
        snapshot: the ticket as it was read.
        customers: the Stripe customers that the requester may be.
    """
    if not snapshot.requester_verified:
        return Identity.UNVERIFIED_EMAIL
    if mail_authentication(snapshot) in {MailAuthentication.FAILED, MailAuthentication.SUSPENDED}:
        return Identity.UNAUTHENTICATED_MAIL
    if not AUTHOR_FLAGS.isdisjoint(snapshot.flags) or (not snapshot.is_trusted and not snapshot.flags):
        return Identity.FLAGGED_COMMENT
    if snapshot.is_carbon_copied:
        return Identity.CARBON_COPIED
    if len(customers) > 1:
        return Identity.SEVERAL_CUSTOMERS
    if is_shared(snapshot, customers):
        return Identity.SHARED_ADDRESS
    return Identity.VERIFIED if customers else Identity.NO_CUSTOMER


def mail_authentication(snapshot: Snapshot) -> MailAuthentication:
    """What Zendesk records of the newest message's sender.

    It records a failure and no success, so `NO_DOUBT` only says that it had no reason to doubt: an account that has
    not turned on sender authentication doubts little.
    https://support.zendesk.com/hc/en-us/articles/4408844012058 (the sender authentication flag)
    https://support.zendesk.com/hc/en-us/articles/4408821985818 (SPF, DKIM and DMARC of incoming mail)
    """
    if not MAIL_FLAGS.isdisjoint(snapshot.flags):
        return MailAuthentication.FAILED
    if snapshot.suspension_cause is not None:
        return MailAuthentication.SUSPENDED
    return MailAuthentication.NO_DOUBT if snapshot.channel in MAIL_CHANNELS else MailAuthentication.NOT_MAIL


def is_shared(snapshot: Snapshot, customers: tuple[CustomerView, ...]) -> bool:
    """Whether several people stand behind the address: a role's mailbox, another account's user, several customers.

    Within one account an address belongs to one Zendesk user only, so there the name of the mailbox has to tell.
    https://developer.zendesk.com/api-reference/ticketing/users/user_identities/
    """
    return snapshot.is_shared_user or len(customers) > 1 or is_role_mailbox(snapshot.requester_email)


def is_role_mailbox(email: str | None) -> bool:
    """Whether the part before the @ is a role and not a person. A tag after a plus does not count.

    >>> is_role_mailbox("Billing+eu@example.com"), is_role_mailbox("bill@example.com"), is_role_mailbox(None)
    (True, False, False)
    """
    if email is None:
        return False
    mailbox = email.partition("@")[0].partition("+")[0].casefold()
    return mailbox.replace("-", "").replace("_", "").replace(".", "") in ROLE_MAILBOXES
