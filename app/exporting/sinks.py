"""The sinks of a tenant as its settings name them: a bucket gets the lines of the log, a SIEM gets events of OCSF.

A line that was not redacted gives its own hash, so what lies in a bucket can be checked against a checkpoint. A SIEM
reads OCSF, over HTTPS or as the text of a syslog message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from app.exporting.ocsf import HIGH, MEDIUM, ocsf_event, severity_of
from app.exporting.redacting import Redaction
from app.tenants import ExportSettings, TenantSettings
from connectors.export.bucket import EventBucket
from connectors.export.collector import Collector
from connectors.export.syslog import Message, Severity, SyslogServer

Line = Mapping[str, Any]

_SEVERITIES = {MEDIUM: Severity.WARNING, HIGH: Severity.ERROR}


class Taker(Protocol):
    """Somebody who takes lines; the method blocks."""

    def take(self, lines: Sequence[Line]) -> None:
        """Take a batch whole, or raise an error of the connectors."""


@dataclass(frozen=True, slots=True)
class Sink:
    """One place, how much leaves for it, and how often it is given something at most."""

    name: str
    taker: Taker
    redaction: Redaction
    every_s: float


@dataclass(frozen=True, slots=True)
class _ToBucket:
    bucket: EventBucket

    def take(self, lines: Sequence[Line]) -> None:
        first, last = lines[0], lines[-1]
        name = f"{first['tenant_id']}/{first['seq']:018d}-{last['seq']:018d}.jsonl"
        self.bucket.put(name, [json.dumps(line, ensure_ascii=False) for line in lines])


@dataclass(frozen=True, slots=True)
class _ToCollector:
    collector: Collector

    def take(self, lines: Sequence[Line]) -> None:
        self.collector.post([json.dumps(ocsf_event(line), ensure_ascii=False) for line in lines])


@dataclass(frozen=True, slots=True)
class _ToSyslog:
    server: SyslogServer

    def take(self, lines: Sequence[Line]) -> None:
        self.server.send([self._message(line) for line in lines])

    def _message(self, line: Line) -> Message:
        severity = _SEVERITIES.get(severity_of(line["kind"]), Severity.INFORMATIONAL)
        return Message(line["at"], line["kind"][:32], json.dumps(ocsf_event(line)), severity)


def sinks_of(tenant: TenantSettings, now: Callable[[], datetime]) -> list[Sink]:
    """A tenant's sinks in the order of their names."""
    return [sink_of(name, one, now) for name, one in sorted(tenant.exports.items())]


def sink_of(name: str, one: ExportSettings, now: Callable[[], datetime]) -> Sink:
    """One sink as settings describe it."""
    return Sink(name, _taker(one, now), one.redaction, one.every_s or (60.0 if one.bucket is not None else 5.0))


def _taker(one: ExportSettings, now: Callable[[], datetime]) -> Taker:
    if one.bucket is not None:
        return _ToBucket(
            EventBucket(one.bucket, now, one.prefix, one.region, one.endpoint_url, retain_days=one.retain_days)
        )
    if one.url is not None:
        return _ToCollector(Collector(one.url, one.authorization.get_secret_value() if one.authorization else None))
    place = urlsplit(one.syslog or "")
    assert place.hostname is not None
    assert place.port is not None
    return _ToSyslog(SyslogServer(place.hostname, place.port, is_tls=place.scheme == "tls", ca_file=one.ca_file))
