"""Settings of the key service that keeps the master key."""

from __future__ import annotations

from pydantic import BaseModel, Field

from app.setting_types import FROZEN, Address


class KmsSettings(BaseModel):
    """A key at AWS KMS that a master key is wrapped by.

    The file master.kms in data_dir has the wrapped master key, master.TENANT.kms that of a tenant with its own.
    """

    model_config = FROZEN

    key_id: str = Field(
        min_length=1,
        description="id, alias or ARN of the key",
        examples=["arn:aws:kms:eu-central-1:111122223333:alias/countersign"],
    )
    region: str | None = Field(default=None, description="region of the key", examples=["eu-central-1"])
    endpoint_url: Address | None = Field(default=None, description="another address than AWS's")
    keep_s: float = Field(
        default=300.0,
        ge=0,
        le=86400,
        description="seconds after which KMS is asked again, and so until a key that was disabled closes everything",
    )
