"""What has to be known about one tenant: its vendors, its credentials, its policy. Values only; nothing is read here.

Promises: frozen; unknown keys are refused; no secret has a default or shows itself when printed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, field_validator, model_validator

from app.alerts.rules import RULES
from app.exporting.redacting import Redaction
from app.identity.roles import Role
from app.keys.settings import KmsSettings
from app.notices.signing import decode_secret
from app.problems import nearest
from app.setting_types import FROZEN, Address
from connectors.orders.metadata import OrderMapping
from graph.audit.catalogue import KINDS
from policies.vocabulary import Intent


def _plain_name(value: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", value) is None:
        raise ValueError("has a name of other letters than a-z, 0-9, - and _")
    return value


DEFAULT_KINDS: Final = (
    "approval.requested",
    "approval.reminded",
    "approval.expired",
    "effect.human",
    "refund.orphan",
    "breaker.tripped",
    "connector.draft_only",
    "autonomy.proposed",
    "autonomy.demoted",
    "alert.raised",
    "alert.resolved",
)
"""What somebody should look at."""

_MAIL_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,253}")


class ZendeskAppSettings(BaseModel):
    """The app in Zendesk's ticket sidebar, once it is installed there; docs/zendesk-app.md says where both are."""

    model_config = FROZEN

    installation_id: int = Field(description="number of the app's installation", examples=[360000000001], gt=0)
    public_key: Path = Field(
        description="file with the app's public key, which its first request is checked against",
        examples=["/etc/countersign/zendesk-app.pem"],
    )


class ZendeskSettings(BaseModel):
    """One Zendesk account. Log in by OAuth client; an API token with its e-mail still works where one exists.

    https://developer.zendesk.com/documentation/api-basics/authentication/oauth-migration/
    """

    model_config = FROZEN

    subdomain: str = Field(description="the account's name before .zendesk.com", examples=["acme"], min_length=1)
    base_url: Address | None = Field(
        default=None,
        description="another address than https://{subdomain}.zendesk.com, such as the sandbox's",
        examples=["http://127.0.0.1:9900"],
    )
    client_id: str | None = Field(default=None, description="OAuth client, confidential", examples=["countersign"])
    client_secret: SecretStr | None = Field(default=None, description="the OAuth client's secret")
    scope: str = Field(
        default="read tickets:write",
        description="scopes asked for, separated by blanks; audits and groups need the global `read`",
        examples=["read write"],
    )
    email: str | None = Field(default=None, description="the API token's user (legacy)", examples=["bot@example.com"])
    token: SecretStr | None = Field(default=None, description="API token (legacy; ends on 2027-04-30)")
    webhook_secrets: tuple[SecretStr, ...] = Field(
        default=(), description="signing secrets of the webhooks; a second one while you rotate", examples=['["..."]']
    )
    review_group_id: int | None = Field(
        default=None, description="group that gets what people must do", examples=[360001234567]
    )
    brand_ids: tuple[int, ...] = Field(
        default=(), description="only tickets of these brands; none means all", examples=["[360001111111]"]
    )
    help_center: bool = Field(
        default=False, description="the worker keeps knowledge in step with the Help Center's articles and the macros"
    )
    timeout_s: float = Field(default=20.0, gt=0, le=120, description="seconds until a call counts as lost")
    app: ZendeskAppSettings | None = Field(default=None, description="the app in the ticket sidebar")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        by_client = self.client_id is not None and self.client_secret is not None
        by_token = self.email is not None and self.token is not None
        if by_client == by_token:
            raise ValueError("needs either client_id and client_secret, or email and token")
        return self


class StripeSettings(BaseModel):
    """One Stripe account. A restricted key is enough: https://docs.stripe.com/keys/restricted-api-keys."""

    model_config = FROZEN

    api_key: SecretStr = Field(description="restricted key rk_...; with a secret key sk_... nothing is automatic")
    base_url: Address | None = Field(
        default=None,
        description="another address than Stripe's, such as the sandbox's",
        examples=["http://127.0.0.1:9900"],
    )
    webhook_secrets: tuple[SecretStr, ...] = Field(
        default=(), description="signing secrets of the webhook endpoint; a second one while you rotate"
    )
    account: str | None = Field(
        default=None, description="connected account to act for (Stripe Connect)", examples=["acct_123"]
    )
    reissue_lost_refunds: bool = Field(
        default=False,
        description=(
            "send a refund anew, once, where two complete lists a day after its last possible sending do not have it; "
            "otherwise a person decides"
        ),
    )
    timeout_s: float = Field(default=30.0, gt=0, le=120, description="seconds until a call counts as lost")


class OrdersSettings(BaseModel):
    """Where orders are known: the shop's own service, a mapping of vendor fields, or both (the service first)."""

    model_config = FROZEN

    base_url: Address | None = Field(
        default=None, description="the shop's orders service", examples=["https://shop.example"]
    )
    token: SecretStr | None = Field(default=None, description="bearer token of the orders service")
    mapping: OrderMapping | None = Field(
        default=None, description="which Stripe metadata and Zendesk fields hold facts of an order"
    )
    timeout_s: float = Field(default=10.0, gt=0, le=120, description="seconds until a call counts as lost")

    @model_validator(mode="after")
    def _some_source(self) -> Self:
        if (self.base_url is None) != (self.token is None):
            raise ValueError("needs base_url and token together")
        if self.base_url is None and self.mapping is None:
            raise ValueError("needs base_url and token, or a mapping")
        return self


class SsoSettings(BaseModel):
    """One identity provider, by OpenID Connect: https://openid.net/specs/openid-connect-discovery-1_0.html."""

    model_config = FROZEN

    issuer: Address = Field(
        description="the provider's name for itself, below which its discovery document lies",
        examples=["https://login.acme.example"],
    )
    client_id: str = Field(description="our client there, confidential", min_length=1, examples=["countersign"])
    client_secret: SecretStr = Field(description="the client's secret")
    client_auth: Literal["basic", "post"] = Field(
        default="basic", description="how the secret is sent to the provider: in a header, or in the form"
    )
    scope: str = Field(default="openid email profile", description="scopes asked for, separated by blanks")
    roles_claim: str | None = Field(
        default=None,
        description="claim that names groups or roles; none means that accounts and roles are made here",
        examples=["groups"],
    )
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description="our role by a value of that claim",
        examples=['{"support-leads": "cs_lead"}'],
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError("needs an issuer that begins with https://")
        if (self.roles_claim is None) != (not self.roles):
            raise ValueError("needs roles_claim and roles together")
        return self


class AssignmentSettings(BaseModel):
    """Whose work a part of the queue is; it guides, and forbids nothing. The first that fits counts."""

    model_config = FROZEN

    to: str = Field(description="a role, or the e-mail address of an account", examples=["agent"])
    above: dict[str, int] = Field(
        default_factory=dict, description="minor units by currency that the money passes", examples=['{"usd": 5000}']
    )
    at_most: dict[str, int] = Field(
        default_factory=dict,
        description="minor units by currency that the money does not pass",
        examples=['{"usd": 5000}'],
    )
    intents: tuple[Intent, ...] = Field(default=(), description="requests of these kinds only")

    @field_validator("to")
    @classmethod
    def _somebody(cls, to: str) -> str:
        if "@" not in to and to not in {*Role}:
            raise ValueError(f"there is no role {to!r}; {nearest(to, [role.value for role in Role])}")
        return to


class ReviewSettings(BaseModel):
    """How the review queue is run."""

    model_config = FROZEN

    answer_within_s: int = Field(
        default=4 * 3600, gt=0, description="seconds within which a question is to be answered"
    )
    claimed_for_s: int = Field(default=900, gt=0, description="seconds for which an item stays with whoever took it")
    remind_before_s: int = Field(
        default=2 * 3600, ge=0, description="a question is reminded of so many seconds before it expires; 0 is never"
    )
    blind_percent: int = Field(
        default=0, ge=0, le=100, description="share of automatic runs that people judge afterwards without the outcome"
    )
    planted_percent: int = Field(
        default=0, ge=0, le=100, description="share of rejected questions that are asked once more as a check"
    )
    check_for_s: int = Field(default=7 * 86400, gt=0, description="seconds for which such a check waits")
    batch_risk_at_most: int = Field(
        default=20, ge=0, description="questions of no higher risk score may be approved together"
    )
    assign: tuple[AssignmentSettings, ...] = Field(
        default=(),
        description="whose work an item is; the first that fits counts. Each has `to`, a role or an e-mail address, "
        "and may have `above` and `at_most`, minor units by currency, and `intents`",
        examples=['[{"to": "agent", "at_most": {"usd": 5000}}]'],
    )


class MeasuresSettings(BaseModel):
    """What work costs where the log cannot know it. What is left out is shown as not measured, never as nothing."""

    model_config = FROZEN

    machine_hour_usd_cents: int | None = Field(
        default=None, ge=0, description="cents of a US dollar that an hour of the workers' machine costs", examples=[12]
    )
    human_hour_usd_cents: int | None = Field(
        default=None, ge=0, description="cents of a US dollar that an hour of a person costs", examples=[3000]
    )
    review_minutes: int | None = Field(
        default=None, ge=0, description="minutes of an answer whose question nobody had taken first", examples=[2]
    )
    hand_off_minutes: int | None = Field(
        default=None,
        ge=0,
        description="minutes of a ticket after it was handed off; where left out, the imported baseline's handle time",
        examples=[7],
    )
    hold_out_percent: int = Field(
        default=0,
        ge=0,
        le=50,
        description="share of the tickets that people have alone, so that the others can be compared with them",
        examples=[5],
    )


class AutonomySettings(BaseModel):
    """How autonomy is earned and lost; docs/autonomy.md says how the evidence is counted."""

    model_config = FROZEN

    promote_at_least_percent: int = Field(
        default=95, ge=50, le=99, description="agreement that must be certain before a cell is proposed to move up"
    )
    demote_below_percent: int = Field(
        default=90, ge=0, le=98, description="a cell moves down where it is certain that people agree in less"
    )
    window_days: int = Field(default=90, ge=1, le=730, description="days back within which evidence counts")
    proposes: bool = Field(default=True, description="promotions are proposed every hour without being asked for")
    demotes: bool = Field(default=True, description="cells move down by themselves")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.demote_below_percent >= self.promote_at_least_percent:
            raise ValueError("needs demote_below_percent below promote_at_least_percent, or cells would go to and fro")
        return self


class AlertSettings(BaseModel):
    """Changes to one rule of docs/alerts.md; what is left out stays as it is there. Bounds are in the rule's unit."""

    model_config = FROZEN

    off: bool = Field(default=False, description="the rule raises nothing")
    at_least: int | None = Field(default=None, gt=0, description="the bound")
    factor_percent: int | None = Field(default=None, gt=100, description="and so much of what it was before")
    least: int | None = Field(default=None, ge=1, description="runs, answers or calls that must be in the window")
    window_s: int | None = Field(default=None, ge=60, le=31 * 86400, description="seconds over which it is measured")


class NoticeSettings(BaseModel):
    """One place that is told of events: a webhook of yours, an incoming webhook of Slack's, or people by e-mail."""

    model_config = FROZEN

    url: Address | None = Field(
        default=None, description="where messages are posted to", examples=["https://hooks.example/countersign"]
    )
    to: tuple[str, ...] = Field(
        default=(),
        description="addresses of form `email`; needs COUNTERSIGN_SMTP__HOST",
        examples=['["ops@acme.example"]'],
    )
    form: Literal["webhook", "slack", "email"] = Field(default="webhook", description="the form of a message")
    secret: SecretStr | None = Field(
        default=None,
        description="signs messages by the Standard Webhooks scheme; base64, with or without `whsec_` before it",
    )
    kinds: tuple[str, ...] = Field(
        default=DEFAULT_KINDS, description="kinds of events that are told; docs/audit-events.md lists them"
    )

    @field_validator("to")
    @classmethod
    def _addresses(cls, to: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [one for one in to if not _MAIL_ADDRESS.fullmatch(one)]
        if wrong:
            raise ValueError("must hold plain e-mail addresses, without names or blanks")
        return to

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.form == "email") != bool(self.to) or (self.form == "email") != (self.url is None):
            raise ValueError("needs `to` for form `email`, and `url` for every other form")
        return self

    @field_validator("secret")
    @classmethod
    def _whole(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            decode_secret(secret.get_secret_value())
        return secret

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise ValueError(f"there is no kind of event {unknown[0]!r}; {nearest(unknown[0], list(KINDS))}")
        return kinds


class ExportSettings(BaseModel):
    """One sink that is fed with the tenant's log: a bucket, a collector over HTTPS, or a syslog server."""

    model_config = FROZEN

    bucket: str | None = Field(
        default=None, description="S3 bucket that gets the lines of the log", examples=["acme-log"]
    )
    prefix: str = Field(default="countersign", description="first part of the names of objects in `bucket`")
    region: str | None = Field(default=None, description="region of `bucket`", examples=["eu-central-1"])
    endpoint_url: Address | None = Field(default=None, description="another address than AWS's")
    retain_days: int | None = Field(
        default=None, ge=1, le=36500, description="days for which an object in `bucket` is locked, by Object Lock"
    )
    url: Address | None = Field(
        default=None,
        description="address that events of OCSF are posted to, a line for each",
        examples=["https://siem.example:8088/services/collector/raw"],
    )
    authorization: SecretStr | None = Field(
        default=None, description="the whole value of that header at `url`, such as `Splunk TOKEN`"
    )
    syslog: str | None = Field(
        default=None,
        description="syslog server that events of OCSF are sent to: tls://HOST:PORT, or tcp://HOST:PORT",
        examples=["tls://siem.example:6514"],
    )
    ca_file: Path | None = Field(default=None, description="authorities that vouch for the server of `syslog`")
    redaction: Redaction = Field(
        default=Redaction.PSEUDONYMS, description="how much leaves; docs/audit.md says what each profile takes out"
    )
    every_s: float | None = Field(
        default=None, gt=0, le=86400, description="seconds between two batches; none means 60 for a bucket, else 5"
    )

    @field_validator("syslog")
    @classmethod
    def _server(cls, value: str | None) -> str | None:
        place = urlsplit(value or "tls://none:1")
        if place.scheme not in {"tls", "tcp"} or not place.hostname or place.port is None:
            raise ValueError("is no syslog server; write it like tls://siem.example:6514")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.bucket, self.url, self.syslog)) != 1:
            raise ValueError("needs exactly one of bucket, url and syslog")
        return self


class TenantSettings(BaseModel):
    """One installation's customer."""

    model_config = FROZEN

    title: str = Field(default="", description="name shown to people", examples=["Acme Shop"])
    zendesk: ZendeskSettings | None = Field(default=None, description="the support side")
    stripe: StripeSettings | None = Field(default=None, description="the money side")
    orders: OrdersSettings | None = Field(default=None, description="the shop side; without it order facts are unknown")
    confirm_above: dict[str, int] = Field(
        default_factory=dict,
        description="minor units by currency above which who approves must have signed in or typed the password within "
        "15 minutes; with any listed, every amount in another currency counts as above",
        examples=['{"usd": 10000}'],
    )
    sso: SsoSettings | None = Field(default=None, description="the identity provider its people sign in with")
    kms: KmsSettings | None = Field(
        default=None, description="a key of its own at a key service, which seals what is its own; see docs/keys.md"
    )
    autonomy: AutonomySettings = Field(default_factory=AutonomySettings, description="earned autonomy")
    review: ReviewSettings = Field(default_factory=ReviewSettings, description="the review queue")
    measures: MeasuresSettings = Field(default_factory=MeasuresSettings, description="what work costs")
    alerts: dict[str, AlertSettings] = Field(
        default_factory=dict,
        description="changes to the rules of alerts, by their names",
        examples=['{"spend": {"at_least": 20000000}}'],
    )
    notices: dict[Annotated[str, AfterValidator(_plain_name)], NoticeSettings] = Field(
        default_factory=dict, description="places that are told of events, by a name of yours"
    )
    exports: dict[Annotated[str, AfterValidator(_plain_name)], ExportSettings] = Field(
        default_factory=dict,
        description="sinks that are fed with the tenant's log, by a name of yours; docs/audit.md says how",
        examples=['{"siem": {"syslog": "tls://siem.example:6514"}}'],
    )
    policy: str = Field(
        default="starter",
        description="`starter`, which only watches; `shipped`, the demo's; or the path of a policy file; used until a "
        "version is published",
        examples=["policies/acme.yaml"],
    )
    brand: str = Field(default="", description="the shop's name as replies sign it", examples=["Acme"])
    currency: str | None = Field(
        default=None,
        pattern="^[a-z]{3}$",
        description="currency of amounts customers write without one",
        examples=["usd"],
    )

    @field_validator("alerts")
    @classmethod
    def _known_rules(cls, alerts: dict[str, AlertSettings]) -> dict[str, AlertSettings]:
        unknown = [name for name in alerts if name not in RULES]
        if unknown:
            raise ValueError(f"there is no rule {unknown[0]!r}; {nearest(unknown[0], list(RULES))}")
        return alerts

    segments: dict[str, str] = Field(
        default_factory=dict,
        description="segment of customers by a tag of their Zendesk user",
        examples=['{"gold_member": "vip"}'],
    )
    default_segment: str = Field(default="standard", description="segment of customers without such a tag")
