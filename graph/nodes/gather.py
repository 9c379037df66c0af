"""gather: the facts about the requester, read from Stripe, the shop and our own ledger, and only what the intents need.

Who the requester is follows from Zendesk's record of them, never from the text of the ticket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.errors import AccessDenied, VendorRefused, VendorUnavailable, WireError
from connectors.orders.metadata import OrderMapping
from connectors.orders.wire import OrderView
from connectors.stripe.wire import ChargeView, CustomerView, DisputeView, RefundView
from graph.attachments.files import FileOutcome, Files, ReadFile
from graph.attachments.reading import MAX_FILES, read_file, unread
from graph.dossier import ChargeHistory, Dossier, Identity
from graph.gate import draft_only_connectors
from graph.history import ChargeRecord, charge_records
from graph.identity import identity_of, is_shared, mail_authentication
from graph.models.triage import Triage
from graph.pictures import MAX_BYTES, MAX_PICTURES, Fingerprint, fingerprint, is_repeated, remember
from graph.planning import NEEDS_CHARGES, NEEDS_ORDERS, NEEDS_SUBSCRIPTIONS
from graph.redaction.profile import KnownProfile
from graph.snapshot import Attachment, Snapshot
from graph.step import Step, StepContext
from graph.withholding import named, readable_charge, readable_customer
from policies.vocabulary import Tool

CHARGES_SINCE = timedelta(days=400)
REFUNDS_WITHIN = timedelta(days=90)
MAX_HISTORIES = 5
"""Charges whose early fraud warnings are looked up; the newest come first."""
SEGMENT_KEY = "segment"


@dataclass(frozen=True, slots=True)
class _Needs:
    charges: bool
    orders: bool
    subscriptions: bool


async def gather(context: StepContext) -> Step:
    """Requester and intents → dossier."""
    snapshot = await context.load("snapshot", Snapshot)
    triage = await context.load("triage", Triage)
    wanted = {score.intent for score in triage.intents}
    needs = _Needs(
        charges=bool(wanted & (NEEDS_CHARGES | NEEDS_ORDERS)),
        orders=bool(wanted & NEEDS_ORDERS),
        subscriptions=bool(wanted & NEEDS_SUBSCRIPTIONS),
    )
    dossier = await _read(context, snapshot, needs)
    files, prints = await _attached(context, snapshot, with_pictures=bool(dossier.charges))
    is_repeated_photo = await _is_repeated(context, prints)
    is_unread = snapshot.has_picture and not prints and not is_repeated_photo
    dossier = replace(dossier, photo_repeated=None if is_unread else is_repeated_photo)

    async def keep(session: AsyncSession) -> None:
        who, now = snapshot.subject_id, context.now
        await remember(session, context.tenant_id, context.ticket_id, prints, subject_id=who, now=now)

    body = {
        "identity": dossier.identity.value,
        "segment": named(dossier.segment),
        "charges": len(dossier.charges) if dossier.charges is not None else None,
        "orders": len(dossier.orders) if dossier.orders is not None else None,
        "subscriptions": len(dossier.subscriptions) if dossier.subscriptions is not None else None,
        "draft_only": list(dossier.draft_only),
        "photo_repeated": dossier.photo_repeated,
        "files": [one.row() for one in files.found],
    }
    return Step("retrieve", artifacts={"dossier": dossier, "files": files}, body=body, writes=(keep,))


async def _attached(
    context: StepContext, snapshot: Snapshot, *, with_pictures: bool
) -> tuple[Files, tuple[Fingerprint, ...]]:
    """What stands in the newest message's files, and what its pictures are known by.

    It comes after the request was understood, so nothing in a file can be taken for what the customer asks. Pictures
    are fetched only where they may matter.
    """
    known = KnownProfile(
        names=(snapshot.requester_name,), emails=(snapshot.requester_email,) if snapshot.requester_email else ()
    )
    files: list[ReadFile] = []
    prints: list[Fingerprint] = []
    fetched = {True: 0, False: 0}
    for place, file in enumerate(snapshot.attachments):
        most = MAX_PICTURES if file.is_picture else MAX_FILES
        if fetched[file.is_picture] >= most or not file.url or (file.is_picture and not with_pictures):
            files.append(unread(file.name, FileOutcome.NOT_OPENED, known))
            continue
        if file.size_bytes > MAX_BYTES:
            files.append(unread(file.name, FileOutcome.TOO_LARGE, known))
            continue
        fetched[file.is_picture] += 1
        content = await _fetched(context, f"{snapshot.newest_comment_id}/{place}", file)
        if isinstance(content, FileOutcome):
            files.append(unread(file.name, content, known))
            continue
        print_ = await asyncio.to_thread(fingerprint, content) if file.is_picture else None
        prints += [] if print_ is None else [print_]
        files.append(await read_file(file.name, content, known))
    return Files(tuple(files)), tuple(prints)


async def _fetched(context: StepContext, reference: str, file: Attachment) -> bytes | FileOutcome:
    """The file, or why there is none. What decides nothing stops nothing: a picture is waited for, a text is not."""
    read = partial(context.tenant.zendesk.attachment, file.url, max_bytes=MAX_BYTES)
    try:
        content = await context.gate.read(Tool.ZENDESK_READ, "attachments.show", reference, read)
    except (VendorRefused, WireError):
        return FileOutcome.NOT_GIVEN
    except VendorUnavailable:
        if file.is_picture:
            raise
        return FileOutcome.NOT_GIVEN
    return FileOutcome.TOO_LARGE if content is None else content


async def _is_repeated(context: StepContext, prints: tuple[Fingerprint, ...]) -> bool:
    async with context.runtime.sessions(context.tenant_id) as session:
        return await is_repeated(session, context.tenant_id, context.ticket_id, prints)


async def _read(context: StepContext, snapshot: Snapshot, needs: _Needs) -> Dossier:
    fallen = await draft_only_connectors(context.runtime, context.tenant_id)
    try:
        customers = await _customers(context, snapshot)
        identity = identity_of(snapshot, customers)
        customer = customers[0] if len(customers) == 1 else None
        charges = await _charges(context, customer) if customer is not None and needs.charges else None
        history = await _histories(context, charges or ())
        orders = await _orders(context, customer, snapshot, charges or ()) if customer and needs.orders else None
        subscriptions = None
        if customer is not None and needs.subscriptions:
            customer_id = customer.customer_id
            subscriptions = await context.gate.read(
                Tool.STRIPE_READ,
                "subscriptions.list",
                customer_id,
                lambda: context.tenant.stripe.subscriptions_of(customer_id),
            )
    except AccessDenied:
        # The gate has recorded it and made the connector draft-only; what could not be read stays unknown.
        return Dossier(context.now, Identity.NO_CUSTOMER, draft_only=tuple(sorted(fallen | context.gate.draft_only)))
    refunds = [refund for entry in history.values() for refund in entry.refunds or ()]
    recent = [one for one in refunds if one.created_at >= context.now - REFUNDS_WITHIN and one.status.holds_money]
    return Dossier(
        read_at=context.now,
        identity=identity,
        mail=mail_authentication(snapshot),
        is_address_shared=is_shared(snapshot, customers),
        segment=_segment(context, snapshot, customer) if customer is not None else None,
        customer=customer,
        charges=charges,
        history=history,
        orders=orders,
        subscriptions=subscriptions,
        refunds_90d=len(recent) if charges is not None else None,
        refunded_90d_minor=_sums(recent),
        draft_only=tuple(sorted(fallen | context.gate.draft_only)),
    )


def _segment(context: StepContext, snapshot: Snapshot, customer: CustomerView) -> str:
    """By the Stripe customer's metadata, else by a tag of the Zendesk user, else the tenant's default."""
    by_tag = (name for tag, name in context.tenant.segments.items() if tag in snapshot.requester_tags)
    return customer.metadata.get(SEGMENT_KEY) or next(by_tag, context.tenant.default_segment)


async def _customers(context: StepContext, snapshot: Snapshot) -> tuple[CustomerView, ...]:
    found = await context.gate.read(
        Tool.STRIPE_READ,
        "customers.find",
        snapshot.requester_id,
        lambda: context.tenant.stripe.find_customers(
            email=snapshot.requester_email,
            zendesk_user_id=snapshot.requester_id,
        ),
    )
    return tuple(readable_customer(one, context.policy.privacy) for one in found)


async def _charges(context: StepContext, customer: CustomerView) -> tuple[ChargeView, ...]:
    since = context.now - CHARGES_SINCE
    found = await context.gate.read(
        Tool.STRIPE_READ,
        "charges.list",
        customer.customer_id,
        lambda: context.tenant.stripe.charges_of(customer.customer_id, since=since),
    )
    return tuple(readable_charge(one, context.policy.privacy) for one in found)


async def _histories(context: StepContext, charges: tuple[ChargeView, ...]) -> dict[str, ChargeHistory]:
    if not charges:
        return {}
    newest = sorted(charges, key=lambda charge: charge.created_at, reverse=True)
    async with context.runtime.sessions(context.tenant_id) as session:
        records = await charge_records(
            session,
            context.tenant_id,
            [charge.charge_id for charge in charges],
            run_id=context.run_id,
        )
    return {
        charge.charge_id: await _history(context, charge, records.get(charge.charge_id), closely=place < MAX_HISTORIES)
        for place, charge in enumerate(newest)
    }


async def _history(
    context: StepContext,
    charge: ChargeView,
    record: ChargeRecord | None,
    *,
    closely: bool,
) -> ChargeHistory:
    stripe, charge_id = context.tenant.stripe, charge.charge_id
    warnings = None
    if closely:
        warnings = await context.gate.read(
            Tool.STRIPE_READ,
            "early_fraud_warnings.list",
            charge_id,
            lambda: stripe.early_fraud_warnings_of(charge_id),
        )
    disputes: tuple[DisputeView, ...] = ()
    if charge.is_disputed:
        disputes = await context.gate.read(
            Tool.STRIPE_READ,
            "disputes.list",
            charge_id,
            lambda: stripe.disputes_of(charge_id),
        )
    refunds: tuple[RefundView, ...] = ()
    if charge.refunded.minor > 0:
        refunds = await context.gate.read(
            Tool.STRIPE_READ,
            "refunds.list",
            charge_id,
            lambda: stripe.refunds_of(charge_id),
        )
    return ChargeHistory(
        disputes=disputes,
        warnings=warnings,
        refunds=refunds,
        refund_in_flight=record is not None and record.in_flight,
        reserved_minor=record.reserved_minor if record is not None else 0,
        prior_refusals=record.refusals if record is not None else 0,
    )


async def _orders(
    context: StepContext,
    customer: CustomerView,
    snapshot: Snapshot,
    charges: tuple[ChargeView, ...],
) -> tuple[OrderView, ...] | None:
    orders = context.tenant.orders
    if orders is not None and context.policy.tools.refusal_to_read(Tool.ORDERS_READ) is not None:
        return None
    if orders is not None:
        try:
            listed = await context.gate.read(
                Tool.ORDERS_READ,
                "orders.list",
                customer.customer_id,
                lambda: orders.orders_of(customer.customer_id),
            )
        except VendorRefused as error:
            if isinstance(error, AccessDenied) or error.status != 404:  # noqa: PLR2004 - HTTP's "not found"
                raise
            return ()
        return listed.orders
    mapping = context.tenant.order_mapping
    return None if mapping is None else tuple(_mapped(mapping, snapshot, charges))


def _mapped(mapping: OrderMapping, snapshot: Snapshot, charges: tuple[ChargeView, ...]) -> Iterator[OrderView]:
    """Orders out of metadata. The ticket's fields describe one order, so they count where only one is possible."""
    fields = {int(field_id): value for field_id, value in snapshot.custom_fields.items()} if len(charges) == 1 else {}
    for charge in charges:
        mapped = mapping.order(
            charge_id=charge.charge_id,
            paid=charge.captured_amount,
            customer_ref=charge.customer_id,
            metadata=charge.metadata,
            fields=fields,
        )
        if mapped is not None:
            yield mapped.view


def _sums(refunds: list[RefundView]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for refund in refunds:
        sums[refund.amount.currency] = sums.get(refund.amount.currency, 0) + refund.amount.minor
    return sums
