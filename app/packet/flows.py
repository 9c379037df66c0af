"""Where data goes: to whom, what, how protected, and what that party says of region, retention and training. Pure.

Only what the settings switch on is listed. What a party does with data is its own word, with the page that says so; the
contract of whoever installs is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.exporting.named import export_of, name_of
from app.settings import Provider, Settings
from app.tenants import ExportSettings, TenantSettings

OWN: Final = "as agreed in your own account"
NOT_TRAINED: Final = "no"
NOTHING_KEPT: Final = "yours"


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who gets data."""

    name: str
    purpose: str
    data: str
    protection: str
    region: str
    retention: str
    training: str
    source: str
    is_processor: bool = True


ANTHROPIC: Final = Party(
    name="Anthropic",
    purpose="models that understand tickets and word replies",
    data="redacted text of the ticket, sections of your documents; no name, address, card or amount",
    protection="TLS; redaction before, fails closed",
    region="the account's; this installation asks for no region",
    retention="Anthropic's standard for commercial APIs, or none where you have a zero data retention agreement",
    training="not by default under Anthropic's commercial terms",
    source="https://platform.claude.com/docs/en/manage-claude/api-and-data-retention",
)
LOCAL_MODEL: Final = Party(
    name="the embedded model",
    purpose="understanding tickets and choosing sections",
    data="redacted text of the ticket",
    protection="it runs in our process and opens no socket",
    region="this machine",
    retention="nothing is kept",
    training=NOT_TRAINED,
    source="docs/models.md",
    is_processor=False,
)


def parties(settings: Settings) -> Iterator[Party]:
    """Everybody who gets data, by the settings."""
    yield ANTHROPIC if settings.models.provider is Provider.CLAUDE else LOCAL_MODEL
    for name, tenant in sorted(settings.tenants.items()):
        yield from _of_tenant(name, tenant)
    for name, sink in sorted(settings.audit.sinks.items()):
        if sink.bucket is not None:
            yield _aws(f"bucket {sink.bucket}, checkpoints", sink.region, "hashes and signatures", sink.retain_days)
        elif sink.url is not None:
            yield _receiver(f"witness {name}", "checkpoints of the log", "hashes and signatures", sink.url)
    if settings.kms is not None:
        yield _aws("KMS", settings.kms.region, "the wrapped master key", None)


def _of_tenant(name: str, tenant: TenantSettings) -> Iterator[Party]:
    if tenant.zendesk is not None:
        yield Party(
            f"Zendesk ({name})", "tickets and replies", "tickets are read there; replies, notes and tags are written",
            "TLS; OAuth scopes; signed webhooks", OWN, OWN, OWN, "https://www.zendesk.com/trust-center/",
        )  # fmt: skip
    if tenant.stripe is not None:
        yield Party(
            f"Stripe ({name})", "charges and refunds", "charges are read there; refunds name a charge and a ticket",
            "TLS; a restricted key; signed webhooks", OWN, OWN, OWN, "https://stripe.com/privacy-center/legal",
        )  # fmt: skip
    if tenant.orders is not None and tenant.orders.base_url is not None:
        yield _receiver(f"the shop's orders service ({name})", "facts of orders", "order and customer ids",
                        tenant.orders.base_url)  # fmt: skip
    for place in sorted(tenant.notices):
        data = "kind, ticket id and link; nothing about a person"
        yield _receiver(f"notices {place} ({name})", "telling people of events", data, "an address of your settings")
    for sink, export in sorted(tenant.exports.items()):
        yield _of_export(sink, name, export)
    if tenant.kms is not None:
        yield _aws(f"KMS ({name})", tenant.kms.region, "the wrapped master key of this tenant", None)
    if tenant.sso is not None:
        yield _receiver(f"identity provider ({name})", "signing people in", "what a sign-in needs", tenant.sso.issuer)


def _of_export(sink: str, name: str, export: ExportSettings) -> Party:
    data = f"the log, redaction {export.redaction.value}"
    if export.bucket is not None:
        return _aws(f"bucket {export.bucket}, export {sink} ({name})", export.region, data, export.retain_days)
    return _receiver(f"export {sink} ({name})", "SIEM", data, "an address of your settings")


def of_policy(name: str, address: str) -> Party:
    """Who gets the log because the tenant's policy says so."""
    return _of_export(name_of(address), name, export_of(address))


def _aws(what: str, region: str | None, data: str, retain_days: int | None) -> Party:
    return Party(
        f"AWS: {what}", "keeping", data, "TLS; the machine's credentials", region or "the machine's default",
        f"locked for {retain_days} days" if retain_days is not None else OWN, OWN,
        "https://aws.amazon.com/compliance/data-privacy-faq/",
    )  # fmt: skip


def _receiver(name: str, purpose: str, data: str, where: str) -> Party:
    return Party(name, purpose, data, "TLS where its address says so", where, NOTHING_KEPT, NOTHING_KEPT, "your own")
