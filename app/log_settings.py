"""Settings of the log: who signs its checkpoints, and where they are published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

from app.keys.files import decode_key
from app.setting_types import FROZEN, Address

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9._-]{1,50})*")


def _whole_seed(value: SecretStr) -> SecretStr:
    decode_key(value.get_secret_value())
    return value


def _clean_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("is no name for a log; write it as audit.example.com/support")
    return value


Seed = Annotated[SecretStr, AfterValidator(_whole_seed)]


class SinkSettings(BaseModel):
    """One place that checkpoints are published to: a folder, an address, or a bucket."""

    model_config = FROZEN

    folder: Path | None = Field(
        default=None,
        description="folder that each checkpoint is appended to; best on a disk that the database's owner cannot write",
        examples=["/mnt/worm/countersign"],
    )
    url: Address | None = Field(
        default=None,
        description="address that each checkpoint is posted to, as c2sp.org/tlog-witness says",
        examples=["https://witness.example/add-checkpoint"],
    )
    secret: SecretStr | None = Field(default=None, description="signs what is posted to `url` with HMAC-SHA256")
    bucket: str | None = Field(
        default=None, description="S3 bucket with Object Lock that each checkpoint is put into", examples=["acme-audit"]
    )
    prefix: str = Field(default="countersign", description="first part of the names of objects in `bucket`")
    region: str | None = Field(default=None, description="region of `bucket`", examples=["eu-central-1"])
    endpoint_url: Address | None = Field(
        default=None, description="another address than AWS's", examples=["http://127.0.0.1:9000"]
    )
    retain_days: int = Field(default=365, ge=1, le=36500, description="days for which an object in `bucket` is locked")
    every_s: float | None = Field(
        default=None, gt=0, le=86400, description="seconds between two checkpoints; none means 1 for a folder, else 60"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.folder, self.url, self.bucket)) != 1:
            raise ValueError("needs exactly one of folder, url and bucket")
        return self


class AuditSettings(BaseModel):
    """How the log proves that it was not changed."""

    model_config = FROZEN

    name: Annotated[str, AfterValidator(_clean_name)] | None = Field(
        default=None,
        description="name of this installation in its checkpoints; none means the one in audit.key in data_dir",
        examples=["audit.acme.example/support"],
    )
    signing_key: Seed | None = Field(
        default=None,
        description="32 bytes in base64 that sign checkpoints (Ed25519); none means the file audit.key in data_dir",
    )
    retired_keys: tuple[Seed, ...] = Field(
        default=(), description="earlier signing keys, whose checkpoints stay valid, newest first"
    )
    sinks: dict[str, SinkSettings] = Field(
        default_factory=dict,
        description="where checkpoints are published, by name; none means the folder checkpoints in data_dir",
        examples=['{"worm": {"folder": "/mnt/worm"}, "s3": {"bucket": "acme-audit"}}'],
    )

    @model_validator(mode="after")
    def _name_with_key(self) -> Self:
        if (self.name is None) != (self.signing_key is None):
            raise ValueError("needs name and signing_key together")
        return self
