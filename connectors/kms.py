"""A key at AWS KMS, which makes data keys, opens them and never leaves: who disables it there closes everything here.

The credentials are those of the machine and need `kms:GenerateDataKey` and `kms:Decrypt` on that key. Each call names
the same encryption context, which KMS binds to the ciphertext and writes into its own log.
https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#enveloping
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.aws import AwsService

NEEDS: Final = "kms:GenerateDataKey and kms:Decrypt on the key"
OTHERWISE: Final = "see that the key is there and enabled"


@dataclass(frozen=True, slots=True)
class KmsKey:
    """One key; `context` is bound to what it makes."""

    key_id: str
    region: str | None = None
    endpoint_url: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)

    def new_key(self) -> tuple[bytes, bytes]:
        """A fresh key of 32 bytes, and the same wrapped by KMS.

        Raises:
            VendorUnavailable: no answer, or one that may change.
            VendorRefused: disabled, deleted or denied.
        """
        answer = self._service.ask(
            lambda client: client.generate_data_key(
                KeyId=self.key_id, KeySpec="AES_256", EncryptionContext=dict(self.context)
            ),
            f"KMS gives no new key of {self.key_id!r}",
            needs=NEEDS,
            otherwise=OTHERWISE,
        )
        return bytes(answer["Plaintext"]), bytes(answer["CiphertextBlob"])

    def opened(self, wrapped: bytes) -> bytes:
        """The key that was wrapped.

        Raises:
            VendorUnavailable: no answer, or one that may change.
            VendorRefused: disabled, deleted, denied, or wrapped by another key or for another context.
        """
        answer = self._service.ask(
            lambda client: client.decrypt(
                KeyId=self.key_id, CiphertextBlob=wrapped, EncryptionContext=dict(self.context)
            ),
            f"KMS does not open a key of {self.key_id!r}",
            needs=NEEDS,
            otherwise=OTHERWISE,
        )
        return bytes(answer["Plaintext"])

    @property
    def _service(self) -> AwsService:
        return AwsService("kms", self.region, self.endpoint_url)
