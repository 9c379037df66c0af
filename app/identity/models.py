"""The tables of identity. What opens something is stored as its SHA-256 only; nothing here brings a password back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlmodel import Field

from graph.tenancy import TenantRow, json_field, utc_field


class AccountState(StrEnum):
    """Whether somebody may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"  # active <-> disabled: no session of theirs remains, and none is opened


class Account(TenantRow, table=True):
    """Somebody who signs in. Never deleted, because the log names them by `account:<account_id>`."""

    __tablename__ = "account"
    __table_args__ = (
        Index("account_email", "tenant_id", "email", unique=True),
        Index(
            "account_zendesk_user",
            "tenant_id",
            "zendesk_user_id",
            unique=True,
            postgresql_where=text("zendesk_user_id IS NOT NULL"),
        ),
        Index(
            "account_sso",
            "tenant_id",
            "sso_issuer",
            "sso_subject",
            unique=True,
            postgresql_where=text("sso_subject IS NOT NULL"),
        ),
        CheckConstraint("email = lower(email)", name="email_in_one_spelling"),
    )

    account_id: str = Field(primary_key=True)
    email: str
    name: str
    roles: list[str] = json_field(default_factory=list)
    state: str = AccountState.ACTIVE.value
    zendesk_user_id: str | None = None
    password_hash: str | None = None
    sso_issuer: str | None = None
    sso_subject: str | None = None
    created_at: datetime = utc_field()
    created_by: str

    @property
    def actor(self) -> str:
        """How the log and approvals name this account: never by its address."""
        return actor_of(self.account_id)


def actor_of(account_id: str) -> str:
    """How the log names an account."""
    return f"account:{account_id}"


class AccountSession(TenantRow, table=True):
    """Somebody signed in, on one browser. The row is gone when they are not; the log keeps that they were."""

    __tablename__ = "account_session"
    __table_args__ = (
        Index("account_session_token", "tenant_id", "token_digest", unique=True),
        Index("account_session_account", "tenant_id", "account_id"),
        ForeignKeyConstraint(["tenant_id", "account_id"], ["account.tenant_id", "account.account_id"]),
    )

    session_id: str = Field(primary_key=True)
    account_id: str
    token_digest: str
    way: str
    opened_at: datetime = utc_field()
    seen_at: datetime = utc_field()
    ends_at: datetime = utc_field()
    confirmed_at: datetime = utc_field()


class OneTimeToken(TenantRow, table=True):
    """What can be used once: a link to set a password or to sign in, or a trip to the identity provider."""

    __tablename__ = "one_time_token"

    token_digest: str = Field(primary_key=True)
    purpose: str
    account_id: str | None = None
    details: dict[str, Any] = json_field(default_factory=dict)
    ends_at: datetime = utc_field()


class SignInPace(TenantRow, table=True):
    """How often somebody tried to sign in, by the digest of an address or of an e-mail address."""

    __tablename__ = "sign_in_pace"

    key_digest: str = Field(primary_key=True)
    since: datetime = utc_field()
    tries: int


class ServiceToken(TenantRow, table=True):
    """What a program calls the API with, in the name of an account. The token is with its bearer; its digest is here.

    Kept when it is over, because the log names it.
    """

    __tablename__ = "service_token"
    __table_args__ = (
        Index("service_token_digest", "tenant_id", "token_digest", unique=True),
        Index("service_token_account", "tenant_id", "account_id"),
        ForeignKeyConstraint(["tenant_id", "account_id"], ["account.tenant_id", "account.account_id"]),
    )

    token_id: str = Field(primary_key=True)
    account_id: str
    name: str
    token_digest: str
    scopes: list[str] = json_field(default_factory=list)
    made_at: datetime = utc_field()
    made_by: str
    ends_at: datetime = utc_field()
    seen_at: datetime | None = utc_field(default=None, nullable=True)
    revoked_at: datetime | None = utc_field(default=None, nullable=True)
