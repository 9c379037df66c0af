"""A sink is given every event at least once, in order, as much of it as its profile lets leave, and never one twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from pydantic import SecretStr

from app.db import Database
from app.exporting.feeding import Fed, Feeder, feed, sink_standing
from app.exporting.ocsf import OCSF_VERSION, ocsf_event
from app.exporting.redacting import Redaction, redacted
from app.exporting.sinks import Sink, sinks_of
from app.tenants import ExportSettings, TenantSettings
from graph.audit.canonical import canonical_json
from graph.audit.catalogue import KINDS
from graph.audit.tree import leaf_hash
from graph.vault import Vault
from tests.app.terminal import new_id
from tests.connectors.export.servers import a_certificate, syslog
from tests.connectors.witness.test_witnesses import client, s3, witness
from tests.graph.audit.logs import NOW, events, write

__all__ = ["client", "s3"]

PERSON = "Zoë Quill"
EMAIL = "zoe.quill@example.com"
KEY = "Splunk 0a1b2c3d4e5f"


def a_feeder(database: Database) -> Feeder:
    return Feeder(database.tenant, Vault({"k": b"m" * 32}, "k"), lambda: NOW, new_id)


def a_sink(name: str = "siem", **settings: Any) -> Sink:
    (sink,) = sinks_of(TenantSettings(exports={name: ExportSettings(**settings)}), lambda: NOW)
    return sink


async def emptied(feeder: Feeder, tenant: str, sink: Sink) -> int:
    """Feed until the sink has everything; how many events it took."""
    taken = 0
    while (fed := await feed(feeder, tenant, sink, at_once=True)) != Fed():
        assert fed is not None
        assert fed.problem is None
        taken += fed.sent
    return taken


async def test_a_bucket_gets_the_whole_log_in_lines_that_give_their_own_hash(
    database: Database, tenant: str, client: Any, s3: str
) -> None:
    client.create_bucket(Bucket="log", ObjectLockEnabledForBucket=True)
    sink = a_sink(bucket="log", region="us-east-1", endpoint_url=s3, retain_days=30, redaction=Redaction.NONE)
    await write(database, tenant, events(0, 700))
    assert await emptied(a_feeder(database), tenant, sink) == 701
    await write(database, tenant, events(700, 2))
    assert await emptied(a_feeder(database), tenant, sink) == 2
    keys = [one["Key"] for one in client.list_objects_v2(Bucket="log")["Contents"]]
    assert keys == [
        f"countersign/{tenant}/{first:018d}-{last:018d}.jsonl" for first, last in ((0, 499), (500, 700), (701, 702))
    ]
    assert client.head_object(Bucket="log", Key=keys[0])["ObjectLockMode"] == "COMPLIANCE"
    lines = [
        json.loads(line)
        for key in keys
        for line in client.get_object(Bucket="log", Key=key)["Body"].read().decode().splitlines()
    ]
    assert [line["seq"] for line in lines] == list(range(703))
    assert all(leaf_hash(canonical_json(line)).hex() == kept for line in lines if (kept := line.pop("leaf_hash")))
    told = [line["body"] for line in lines if line["kind"] == "log.exported"]
    assert told == [{"what": "feed", "sink": "siem", "redaction": "none"}]  # that it leaves is an event itself


async def test_a_collector_that_fails_is_offered_the_same_events_again(database: Database, tenant: str) -> None:
    await write(database, tenant, events(0, 3))
    answers = [(503, ""), (400, ""), (200, "")]
    with witness(lambda _: answers.pop(0) if answers else (200, "")) as (url, seen):
        sink = a_sink(url=url, authorization=SecretStr(KEY))
        assert KEY not in repr(sink)
        for attempt, problem in enumerate(("answers 503; it is asked again", "answers 400"), start=1):
            fed = await feed(a_feeder(database), tenant, sink, at_once=True)
            assert problem in str(fed and fed.problem)
            async with database.tenant(tenant) as session:
                stands = await sink_standing(session, tenant, "siem")
            assert (stands.has, problem in str(stands.problem), len(seen)) == (0, True, attempt)
        assert await feed(a_feeder(database), tenant, sink) is None  # its pause is not over
        assert await emptied(a_feeder(database), tenant, sink) == 4
    assert seen[1][1].startswith(seen[0][1])  # and with what was appended meanwhile
    assert {headers["Authorization"] for headers, _ in seen} == {KEY}
    got = [json.loads(line)["metadata"]["sequence"] for _, body in seen[2:] for line in body.splitlines()]
    assert got == [0, 1, 2, 3]


@pytest.mark.parametrize("is_tls", [True, False])
async def test_a_syslog_server_that_broke_off_is_sent_the_batch_again(
    database: Database, tenant: str, tmp_path: Path, *, is_tls: bool
) -> None:
    await write(database, tenant, events(0, 2))
    certificate = a_certificate(tmp_path) if is_tls else None
    with syslog(certificate) as server:
        server.breaks = 1
        address = f"{'tls' if is_tls else 'tcp'}://127.0.0.1:{server.port}"
        sink = a_sink(syslog=address, ca_file=certificate)
        fed = await feed(a_feeder(database), tenant, sink, at_once=True)
        assert "did not take the messages" in str(fed and fed.problem)
        assert await emptied(a_feeder(database), tenant, sink) == 3
        if is_tls:  # a server that nobody vouches for gets nothing
            stranger = a_sink("stranger", syslog=address)
            fed = await feed(a_feeder(database), tenant, stranger, at_once=True)
            assert "CERTIFICATE_VERIFY_FAILED" in str(fed and fed.problem)
    heads = [message.partition(" {")[0].split(" ") for message in server.messages]
    assert [(head[0], head[3], head[5]) for head in heads] == [
        ("<110>1", "countersign", "run.waiting"),
        ("<110>1", "countersign", "run.waiting"),
        ("<110>1", "countersign", "log.exported"),
    ]
    forms = [json.loads("{" + message.partition(" {")[2]) for message in server.messages]
    assert [form["metadata"]["uid"] for form in forms[:2]] == ["evt_0", "evt_1"]


def a_line(kind: str, actor: str, **body: object) -> dict[str, Any]:
    line = {"v": 1, "tenant_id": "demo", "seq": 3, "event_id": "evt_3", "at": "2026-11-21T09:00:00.123456Z"}
    return line | {"kind": kind, "actor": actor, "run_id": "run_1", "ticket_id": "7301", "body": body,
                   "commitments": {"text": "a" * 64}, "leaf_hash": "b" * 64}  # fmt: skip


def test_every_kind_of_event_is_one_that_the_schema_of_ocsf_knows() -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION))
    checks: dict[int, Callable[[Any], None]] = {}
    for kind, actor, profile in product(KINDS, ("settlement", "acc_0b5c"), Redaction):
        line = redacted(a_line(kind, actor, tool="stripe.refund", account_id="acc_1"), profile, lambda _: "p_1")
        form = ocsf_event(line)
        uid = form["class_uid"]
        if uid not in checks:
            whole = schema.get_class_schema(schema.lookup_class_name_from_uid(uid))
            checks[uid] = jsonschema_rs.validator_for(whole).validate
        checks[uid](form)
        assert form["type_uid"] == uid * 100 + form["activity_id"]


def test_under_a_redacting_profile_no_person_leaves() -> None:
    line = a_line(
        "switch.off", "cli:zquill", tool="stripe.refund", reason=f"{PERSON} said so", subject_id="zendesk/user/77",
        comment_id=20001, labels=PERSON, amount_minor=2490, currency="usd", charge_id="ch_9",
        policy_hash="c" * 64, listed=[{EMAIL: EMAIL, "outcome": "done", "address": "203.0.113.9"}],
    )  # fmt: skip
    secrets = (PERSON, EMAIL, "zquill", "zendesk/user/77", "7301", "20001", "ch_9", "203.0.113.9")
    plain = json.dumps(redacted(line, Redaction.NONE, str), ensure_ascii=False)
    assert all(secret in plain for secret in secrets)
    hidden = {}
    for profile in (Redaction.PSEUDONYMS, Redaction.MINIMAL):
        hidden[profile] = redacted(line, profile, lambda value: f"p_{len(value)}")
        text = json.dumps([hidden[profile], ocsf_event(hidden[profile])], ensure_ascii=False)
        assert [secret for secret in secrets if secret in text] == []
        body = hidden[profile]["body"]
        assert (body["tool"], body["amount_minor"], body["currency"]) == ("stripe.refund", 2490, "usd")
        assert (body["policy_hash"], body["listed"][0]["outcome"]) == ("c" * 64, "done")
        assert hidden[profile]["redaction"] == profile.value
    assert hidden[Redaction.PSEUDONYMS]["ticket_id"] == "p_4"
    assert hidden[Redaction.MINIMAL]["body"]["charge_id"] is None


async def test_a_pseudonym_is_the_tenants_own_and_stays(database: Database) -> None:
    vault = Vault({"k": b"m" * 32}, "k")

    async def pseudonym(tenant: str) -> str:
        async with database.tenant(tenant) as session:
            key = await vault.key(session, tenant_id=tenant, subject_id="installation/export", now=NOW)
            return key.pseudonym(EMAIL)

    first = await pseudonym("demo")
    assert await pseudonym("demo") == first
    assert await pseudonym("other") != first
    assert "quill" not in first
