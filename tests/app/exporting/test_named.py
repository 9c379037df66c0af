"""Where a policy says that the log goes, it goes; another address begins at the first event, and no person leaves."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.db import Database
from app.exporting.named import address_of, export_of, sinks_now
from app.exporting.upkeep import Feeding
from app.tenants import ExportSettings, TenantSettings
from graph.rulebook import publish
from policies.parse import parse_policy
from policies.shelf import STARTER, from_library
from tests.app.exporting.test_feeding import a_feeder
from tests.connectors.witness.test_witnesses import client, s3
from tests.graph.audit.logs import NOW, events, write

__all__ = ["client", "s3"]
NO_SINK = TenantSettings()


def policy_with(address: str) -> str:
    return f'{from_library(STARTER)}\nlogging: {{retention_days: 365, trace_export: "{address}"}}\n'


async def test_the_log_goes_where_the_policy_says_and_from_its_first_event_on(
    database: Database, tenant: str, client: Any, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
    client.create_bucket(Bucket="traces")
    await write(database, tenant, events(0, 3))
    feeding = Feeding(a_feeder(database), {tenant: NO_SINK}, asyncio.Event())

    async def published(address: str) -> str:
        async with database.tenant(tenant) as session:
            await publish(session, tenant, policy_with(address), author="ops", now=NOW)
        await feeding.feed_the_policys(tenant, NO_SINK)
        async with database.tenant(tenant) as session:
            (sink,) = await sinks_now(session, tenant, NO_SINK, lambda: NOW)
        return sink.name

    def stored(prefix: str) -> list[dict[str, Any]]:
        keys = [one["Key"] for one in client.list_objects_v2(Bucket="traces", Prefix=prefix).get("Contents", ())]
        bodies = [client.get_object(Bucket="traces", Key=key)["Body"].read() for key in keys]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    await feeding.feed_the_policys(tenant, NO_SINK)
    assert stored("") == []  # nothing is published, so nothing leaves
    names = [await published("s3://traces/agents/"), await published("s3://traces/elsewhere")]
    assert len(set(names)) == 2
    for prefix, count in ((f"agents/{tenant}/", 4), (f"elsewhere/{tenant}/", 5)):
        lines = stored(prefix)
        assert [(line["seq"], line["redaction"]) for line in lines] == [(seq, "pseudonyms") for seq in range(count)]
    assert [line["seq"] for line in lines if line["kind"] == "log.exported"] == [3, 4]  # each is told of before


def test_a_sink_of_the_settings_that_goes_there_serves() -> None:
    policy = parse_policy(policy_with("s3://audit-logs/agents/"), name="p")
    ours = ExportSettings(bucket="audit-logs", prefix="agents", region="eu-central-1")
    assert address_of(policy, TenantSettings(exports={"archive": ours})) is None
    other = ExportSettings(bucket="audit-logs", prefix="else")
    assert address_of(policy, TenantSettings(exports={"archive": other})) == "s3://audit-logs/agents/"
    assert export_of("https://collector.example/in").url == "https://collector.example/in"
