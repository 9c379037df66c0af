"""Settings: every value that may differ between two installations, read once, checked whole, then passed as arguments.

Promises: frozen values; unknown keys are refused by name with the nearest one that exists; no secret has a default or
shows itself when printed; every problem is one line. This is the only module that reads the environment, and it does so
only in `load_settings`. Where a value comes from, the first that has it:

1. the environment: `COUNTERSIGN_PORT`, and `__` between levels: `COUNTERSIGN_TENANTS__ACME__STRIPE__API_KEY`
2. the TOML file that `COUNTERSIGN_CONFIG` names
3. `sandbox.toml` in the data folder, which `countersign demo` and `countersign sandbox` write; never in production
4. the default
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import DatabaseError, SettingsError
from app.keys.files import decode_key
from app.keys.settings import KmsSettings
from app.log_settings import AuditSettings
from app.naming import check_tenant
from app.problems import explain, nearest
from app.setting_types import FROZEN, Address
from app.tenants import TenantSettings
from policies.vocabulary import ROLES_OF_RUNS, ModelRole

PREFIX: Final = "COUNTERSIGN_"
CONFIG_VARIABLE: Final = "COUNTERSIGN_CONFIG"
"""Names the TOML file. Not a setting: it cannot stand in the file that it names."""

SANDBOX_FILE: Final = "sandbox.toml"
SEALED: Final = "sealed:"
"""How a secret begins that was written down sealed (`countersign keys seal`)."""


class Environment(StrEnum):
    """What is at stake here."""

    DEV = "dev"
    STAGE = "stage"
    PROD = "prod"


class Provider(StrEnum):
    """Who understands tickets and writes replies."""

    LOCAL = "local"
    CLAUDE = "claude"


_MODEL: Final = re.compile(r"local|claude-[a-z0-9-]{1,60}")


def _models_in_order(value: str) -> str:
    named = [name.strip() for name in value.split(",")]
    wrong = next((name for name in named if not _MODEL.fullmatch(name)), None)
    if wrong is not None:
        raise ValueError(
            f"{wrong!r} is no model; write ids such as claude-haiku-5-5 with commas between them, or local"
        )
    return ", ".join(dict.fromkeys(named))


ModelOrder = Annotated[str, AfterValidator(_models_in_order)]


class ModelSettings(BaseModel):
    """Which models are asked. Model names: https://platform.claude.com/docs/en/about-claude/models/overview."""

    model_config = FROZEN

    provider: Provider = Field(default=Provider.LOCAL, description="`local` needs no network and no key; or `claude`")
    api_key: SecretStr | None = Field(default=None, description="Anthropic API key; needed by provider claude")
    base_url: Address | None = Field(
        default=None, description="another address than Anthropic's", examples=["http://127.0.0.1:9900"]
    )
    triage: ModelOrder = Field(
        default="claude-haiku-5-5",
        description=(
            "models that understand the ticket, in the order of trying, with commas between them; the embedded one is "
            "the last in any case, and the only one where `local` stands"
        ),
        examples=["claude-haiku-5-5, claude-sonnet-5-5"],
    )
    plan: ModelOrder = Field(
        default="claude-sonnet-5-5",
        description="models that choose where the case is ambiguous; `local` asks the customer",
    )
    draft: ModelOrder = Field(
        default="claude-sonnet-5-5", description="models that word replies; `local` is the templates"
    )
    summarise: ModelOrder = Field(
        default="claude-haiku-5-5",
        description="models that sum a ticket up for whoever takes it over; `local` leaves it out",
    )
    safety: ModelOrder = Field(
        default="local",
        description="models that give a second opinion on attacks and sensitive topics; `local` asks none",
    )
    customer: ModelOrder = Field(
        default="claude-haiku-5-5",
        description="models that play customers in `countersign evals run --customers model`",
    )
    grade: ModelOrder = Field(
        default="claude-sonnet-5-5", description="models that grade the style of replies in `countersign evals style`"
    )
    timeout_s: float = Field(
        default=60.0, gt=0, le=600, description="seconds until a call counts as lost, and no further one is begun"
    )
    retry_wait_s: float = Field(
        default=8.0,
        ge=0,
        le=120,
        description="longest pause before a model is asked again; who asks for more is passed over",
    )
    keep_answers_s: float = Field(
        default=86_400.0,
        ge=0,
        le=30 * 86_400,
        description="seconds for which the same question about the same person is answered from file; 0 keeps nothing",
    )
    prompts: Path | None = Field(
        default=None,
        description="folder of further prompts, NAME.md, which a policy may name",
        examples=["/etc/countersign/prompts"],
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="cores the local model may use; none means one in a worker and all in a command",
    )
    reranker: Path | None = Field(
        default=None,
        description="folder of a cross-encoder that puts found sections in order; none leaves the order of the search",
        examples=["/etc/countersign/reranker"],
    )

    def order(self, role: ModelRole) -> tuple[str, ...]:
        """The models of a role in the order of trying."""
        return tuple(str(getattr(self, role.value)).split(", "))

    @property
    def named(self) -> tuple[str, ...]:
        """Every model outside that a role of runs names before `local`."""
        found: dict[str, None] = {}
        for role in ROLES_OF_RUNS:
            order = self.order(role)
            found |= dict.fromkeys(order[: order.index("local")] if "local" in order else order)
        return tuple(found)

    @model_validator(mode="after")
    def _key_for_claude(self) -> Self:
        if self.provider is Provider.CLAUDE and self.api_key is None:
            raise ValueError("provider claude needs api_key")
        return self


class WorkerSettings(BaseModel):
    """How a worker process works."""

    model_config = FROZEN

    lease_s: float = Field(
        default=3.0,
        ge=1,
        le=600,
        description="seconds a worker holds a ticket, an effect or a job without renewing it",
    )
    poll_s: float = Field(default=1.0, gt=0, le=60, description="seconds between looks for due work")
    concurrency: int = Field(default=4, ge=1, le=64, description="tickets that one process advances at a time")


class SmtpSettings(BaseModel):
    """The mail server that notices of form `email` are sent through."""

    model_config = FROZEN

    host: str | None = Field(default=None, description="its name; none means no e-mail", examples=["smtp.acme.example"])
    port: int = Field(default=587, ge=1, le=65535, description="its port; 465 for `tls`")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="how the connection is protected; `none` is for a relay on this machine"
    )
    username: str | None = Field(default=None, description="who we are there", examples=["countersign"])
    password: SecretStr | None = Field(default=None, description="and the password")
    sender: str = Field(default="countersign@localhost", description="the address that messages come from")
    timeout_s: float = Field(default=10.0, gt=0, le=120, description="seconds until an attempt counts as lost")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("needs username and password together")
        if self.security == "none" and self.username is not None:
            raise ValueError("would send the password in the clear: use `starttls` or `tls`")
        return self


class MetricsSettings(BaseModel):
    """Who may read `/metrics`, and whether its series say which tenant they are of."""

    model_config = FROZEN

    token: SecretStr | None = Field(
        default=None, description="bearer token of Prometheus; without one, only this machine itself may read"
    )
    tenant_label: bool = Field(default=False, description="label every series with its tenant, by the tenant's name")


class SignInSettings(BaseModel):
    """How long somebody stays signed in."""

    model_config = FROZEN

    idle_s: float = Field(
        default=4 * 3600, ge=60, le=30 * 86400, description="seconds without a request after which a session ends"
    )
    lifetime_s: float = Field(
        default=24 * 3600, ge=60, le=30 * 86400, description="seconds after which a session ends in any case"
    )


class LoggingSettings(BaseModel):
    """What a process tells of itself while it runs, without personal data. The log of events is another thing."""

    model_config = FROZEN

    form: Literal["text", "json"] = Field(
        default="text", description="form of the lines on standard error; `json` names the trace of each"
    )
    trace_export: Address | None = Field(
        default=None,
        description="address of an OpenTelemetry collector that spans are posted to, by OTLP over HTTP",
        examples=["https://collector.example:4318/v1/traces"],
    )
    trace_authorization: SecretStr | None = Field(default=None, description="the whole value of that header")


def _tenant_names(tenants: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
    for name in tenants:
        try:
            check_tenant(name)
        except DatabaseError as error:
            raise ValueError(str(error)) from error
    return tenants


class Settings(BaseSettings):
    """Everything. Made by `load_settings`, or from plain values: constructing it reads nothing."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True, env_prefix=PREFIX
    )

    environment: Environment = Field(default=Environment.DEV, description="what is at stake: dev, stage or prod")
    data_dir: Path = Field(
        default=Path(".countersign"),
        description="folder of everything embedded (database, keys); two folders are two installations",
        examples=["/var/lib/countersign"],
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL 15 or newer with pgvector; none means the embedded server",
        examples=["postgresql://countersign:...@db.example:5432/countersign"],
    )
    database_admin_url: SecretStr | None = Field(
        default=None,
        description="the same database for migrations, as the account that owns the tables; none means database_url",
        examples=["postgresql://owner:...@db.example:5432/countersign"],
    )
    host: str = Field(default="127.0.0.1", description="address the web server listens on", examples=["10.0.0.5"])
    port: int = Field(default=8080, ge=0, le=65535, description="port the web server listens on; 0 takes a free one")
    public_url: Address | None = Field(
        default=None, description="address under which others reach the web server", examples=["https://cs.example"]
    )
    pages: bool = Field(
        default=True,
        description="serve the pages that people sign in to; without them this process takes webhooks only",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="32 bytes in base64 that seal personal data; none means the file master.key in data_dir",
    )
    retired_master_keys: tuple[SecretStr, ...] = Field(
        default=(), description="earlier master keys, which still open what they sealed, newest first"
    )
    kms: KmsSettings | None = Field(default=None, description="the key service that keeps the master key instead")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged")
    logging: LoggingSettings = Field(default_factory=LoggingSettings, description="lines and traces")
    models: ModelSettings = Field(default_factory=ModelSettings, description="models")
    worker: WorkerSettings = Field(default_factory=WorkerSettings, description="worker")
    sign_in: SignInSettings = Field(default_factory=SignInSettings, description="sign-in")
    smtp: SmtpSettings = Field(default_factory=SmtpSettings, description="e-mail")
    audit: AuditSettings = Field(default_factory=AuditSettings, description="the log")
    metrics: MetricsSettings = Field(default_factory=MetricsSettings, description="Prometheus")
    tenants: Annotated[dict[str, TenantSettings], AfterValidator(_tenant_names)] = Field(
        default_factory=dict, description="the tenants by name"
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("master_key")
    @classmethod
    def _whole_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            decode_key(value.get_secret_value())
        return value

    @field_validator("retired_master_keys")
    @classmethod
    def _whole_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for one in value:
            decode_key(one.get_secret_value())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `load_settings` has merged the sources already."""
        return (init_settings,)


class _Variables(EnvSettingsSource):
    """The environment as nested values. Text stays text: only what looks like a list or a table is read as JSON.

    Read as JSON, a secret made of digits would become a number.
    """

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401, ARG002
        if isinstance(value, str) and not value.lstrip().startswith(("[", "{")):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise SettingsError(
                [f'{PREFIX}{field_name.upper()}... is not valid JSON ({error}); write lists as ["a", "b"]']
            ) from error


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: with one line for each problem.
    """
    variables = _from_environment()
    config_path = os.environ.get(CONFIG_VARIABLE)
    config = _from_file(Path(config_path).expanduser(), required=True) if config_path else {}
    given = _merged(config, variables)
    folder = Path(str(given.get("data_dir", ".countersign"))).expanduser()
    if folder.exists() and not folder.is_dir():
        raise SettingsError([f"the data folder {str(folder)!r} is not a folder; set {PREFIX}DATA_DIR to one"])
    sandbox_path = folder / SANDBOX_FILE
    sandbox = _from_file(sandbox_path, required=False)
    if sandbox and given.get("environment") == Environment.PROD:
        raise SettingsError(
            [f"{str(sandbox_path)!r} belongs to a demo and environment is 'prod'; remove it or use another data_dir"]
        )
    merged = _merged(sandbox, given)
    if f'"{SEALED}' in json.dumps(merged, default=str):
        # Imported here: opening needs the vault, which a command that asks for no database does not pay for.
        from app.keys.sealed import open_all  # noqa: PLC0415

        merged = open_all(merged)
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise SettingsError(explain(error, Settings)) from error


def machine_clock() -> datetime:
    """The machine's clock, aware and in UTC: business time wherever no sandbox sets another."""
    return datetime.now(UTC)


def _from_environment() -> dict[str, Any]:
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields] + [CONFIG_VARIABLE]
    problems = [
        f"unknown setting {name!r} in the environment; {nearest(name, known)}"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name.partition("__")[0] not in known
    ]
    if problems:
        raise SettingsError(problems)
    return dict(_Variables(Settings, env_nested_delimiter="__", env_ignore_empty=True)())


def _from_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if not required:
            return {}
        raise SettingsError([f"no settings file at {str(path)!r}; correct {CONFIG_VARIABLE} or unset it"]) from error
    except OSError as error:
        raise SettingsError([f"the settings file {str(path)!r} cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            [f"the settings file {str(path)!r} is not valid TOML: {error}; correct that place"]
        ) from error


def _merged(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Both, table by table; where both have a value, the upper one's."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
