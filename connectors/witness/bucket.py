"""A bucket at S3 with Object Lock: each checkpoint is an object that nobody can delete or change before its time.

In compliance mode that holds for the account's root user, too. The credentials are those of the machine (an instance
role, or the environment as boto3 reads it) and need `s3:PutObject` and `s3:PutObjectRetention` only.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.aws import AwsService


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
        AwsService("s3", self.region, self.endpoint_url).ask(
            lambda client: client.put_object(
                Bucket=self.bucket,
                Key=self.key(origin, int(note.split("\n")[1])),
                Body=note.encode(),
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=self.now() + timedelta(days=self.retain_days),
            ),
            f"S3 does not take the checkpoint for bucket {self.bucket!r}",
            needs="s3:PutObject and s3:PutObjectRetention",
            otherwise="make it with Object Lock and versioning",
        )
