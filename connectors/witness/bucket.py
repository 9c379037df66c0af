"""A bucket at S3 with Object Lock: each checkpoint is an object that nobody can delete or change before its time.

In compliance mode that holds for the account's root user, too. The credentials are those of the machine (an instance
role, or the environment as boto3 reads it) and need `s3:PutObject` and `s3:PutObjectRetention` only.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.errors import AccessDenied, VendorRefused, VendorUnavailable

_DENIED: Final = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}


@dataclass(frozen=True, slots=True)
class WitnessBucket:
    """Puts checkpoints under `PREFIX/ORIGIN/SIZE.checkpoint`."""

    name: str
    bucket: str
    now: Callable[[], datetime]
    prefix: str = "countersign"
    region: str | None = None
    endpoint_url: str | None = None
    retain_days: int = 365
    every_s: float = 60.0
    timeout_s: float = 10.0

    def newest(self, origin: str) -> str | None:  # noqa: ARG002
        """Nothing: the credentials may write and not read."""
        return None

    def key(self, origin: str, size: int) -> str:
        """The object's name; names sort as sizes do."""
        return f"{self.prefix}/{origin}/{size:018d}.checkpoint"

    def keep(self, note: str, *, origin: str, old: int, proof: Sequence[bytes]) -> None:  # noqa: ARG002 - a witness needs them
        """Put one note and lock it.

        Raises:
            VendorUnavailable: no answer, or one that may change.
            AccessDenied: the credentials may not.
            VendorRefused: the bucket is not there, or has no Object Lock.
        """
        # Imported here: the vendor's SDK takes a second that an installation without a bucket need not pay.
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            self._client().put_object(
                Bucket=self.bucket,
                Key=self.key(origin, int(note.split("\n")[1])),
                Body=note.encode(),
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=self.now() + timedelta(days=self.retain_days),
            )
        except ClientError as error:
            raise self._refused(error.response) from error
        except BotoCoreError as error:
            raise VendorUnavailable(f"S3 does not answer for bucket {self.bucket!r}: {type(error).__name__}") from error

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            connect_timeout=self.timeout_s, read_timeout=self.timeout_s, retries={"max_attempts": 1, "mode": "standard"}
        )
        return boto3.session.Session().client(
            "s3", region_name=self.region, endpoint_url=self.endpoint_url, config=config
        )

    def _refused(self, response: Any) -> VendorRefused | VendorUnavailable:  # noqa: ANN401 - boto3's dictionary
        code = str(response.get("Error", {}).get("Code", "unknown"))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        told = f"S3 refuses the checkpoint for bucket {self.bucket!r} ({code})"
        if status >= 500 or code in {"SlowDown", "RequestTimeout"}:  # noqa: PLR2004 - the vendor's own failures
            return VendorUnavailable(f"{told}; it is put again")
        if code in _DENIED:
            return AccessDenied(f"{told}: allow s3:PutObject and s3:PutObjectRetention", status=status, code=code)
        return VendorRefused(f"{told}: make it with Object Lock and versioning", status=status, code=code)
