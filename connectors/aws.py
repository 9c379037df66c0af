"""What clients of AWS have in common: how they are made, and what their refusals mean.

The credentials are those of the machine: an instance role, or the environment as boto3 reads it. Nothing of the SDK's
own retries: what failed is tried again by whoever asked, from the database.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from connectors.errors import AccessDenied, VendorRefused, VendorUnavailable

_DENIED: Final = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_PASSING: Final = {"SlowDown", "RequestTimeout", "ThrottlingException", "Throttling"}


@dataclass(frozen=True, slots=True)
class AwsService:
    """One service at one place, such as `s3` in a region, or at another address than AWS's."""

    service: str
    region: str | None = None
    endpoint_url: str | None = None
    timeout_s: float = 10.0

    def ask(self, call: Callable[[Any], Any], told: str, *, needs: str, otherwise: str) -> Any:  # noqa: ANN401
        """What one call of a client answers.

        Args:
            call: what is done with the client, which boto3 makes at run time.
            told: how an error begins, such as `S3 refuses the checkpoint`.
            needs: what to allow where access is denied.
            otherwise: what to do where the service refuses for another reason.

        Raises:
            VendorUnavailable: no answer, or one that may change.
            AccessDenied: the credentials may not.
            VendorRefused: the same call cannot succeed.
        """
        # Imported here: the vendor's SDK takes a second that an installation without it need not pay.
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            return call(_client(self))
        except ClientError as error:
            raise _refused(error.response, told, needs, otherwise) from error
        except BotoCoreError as error:
            name = f"{self.service.upper()} does not answer ({type(error).__name__})"
            raise VendorUnavailable(f"{told}: {name}") from error


@lru_cache(maxsize=16)
def _client(service: AwsService) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """One client for each service and place: making one reads the SDK's model of the service; threads may share it."""
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=service.timeout_s,
        read_timeout=service.timeout_s,
        retries={"max_attempts": 1, "mode": "standard"},
    )
    return boto3.session.Session().client(
        service.service, region_name=service.region, endpoint_url=service.endpoint_url, config=config
    )


def _refused(response: Any, told: str, needs: str, otherwise: str) -> VendorRefused | VendorUnavailable:  # noqa: ANN401
    code = str(response.get("Error", {}).get("Code", "unknown"))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 or code in _PASSING:  # noqa: PLR2004 - the vendor's own failures
        return VendorUnavailable(f"{told} ({code}); it is tried again")
    if code in _DENIED:
        return AccessDenied(f"{told} ({code}): allow {needs}", status=status, code=code)
    return VendorRefused(f"{told} ({code}): {otherwise}", status=status, code=code)
