"""Events in a bucket at S3: each batch is one object of lines, named by its first and last number.

With `retain_days` each object is locked in compliance mode; without it the bucket's own default holds, if it has one.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.aws import AwsService


@dataclass(frozen=True, slots=True)
class EventBucket:
    """Puts batches under `PREFIX/`; the same batch put again is the same name with another version."""

    bucket: str
    now: Callable[[], datetime]
    prefix: str = "countersign"
    region: str | None = None
    endpoint_url: str | None = None
    retain_days: int | None = None

    def put(self, name: str, lines: Sequence[str]) -> None:
        """Put one batch.

        Raises:
            VendorUnavailable: no answer, or one that may change.
            AccessDenied: the credentials may not.
            VendorRefused: the bucket is not there, or is to lock and cannot.
        """
        locked: dict[str, Any] = {}
        if self.retain_days is not None:
            until = self.now() + timedelta(days=self.retain_days)
            locked = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        AwsService("s3", self.region, self.endpoint_url).ask(
            lambda client: client.put_object(
                Bucket=self.bucket,
                Key=f"{self.prefix}/{name}",
                Body="".join(f"{line}\n" for line in lines).encode(),
                ContentType="application/x-ndjson",
                ChecksumAlgorithm="SHA256",
                **locked,
            ),
            f"S3 does not take the events for bucket {self.bucket!r}",
            needs="s3:PutObject, and s3:PutObjectRetention with retain_days",
            otherwise="make it, with Object Lock where retain_days is set",
        )
