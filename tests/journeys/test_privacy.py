"""Nothing that a customer wrote or is lies in clear in any table: neither in ours, nor in checkpoints, nor in jobs."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg.sql import SQL, Identifier

from connectors.sandbox.faults import FaultKind
from tests.journeys.shop import Shop, charged_twice

NAME = "Zephyrine Quillfeather"
EMAIL = "zephyrine.quillfeather@canarymail.example"
CARD = "4111 1111 1111 1111"
WORDS = "my grandmother's porcelain parrot collection"
PHONE = "+49 151 23456789"
CANARIES = (
    "Zephyrine",
    "Quillfeather",
    EMAIL,
    "canarymail",
    CARD,
    CARD.replace(" ", ""),
    "porcelain parrot",
    "23456789",
    "walrus",
)
BODY = (
    "I was charged twice for order 1042. Please refund the duplicate charge. "
    f"I am {NAME}, {EMAIL}, {PHONE}, and I paid with {CARD} for {WORDS}."
)


def in_clear(admin_url: str) -> Iterator[str]:
    """Where any of the canaries stands, in any column of any table, as text or as bytes."""
    needles = [(canary.lower(), canary.lower().encode()) for canary in CANARIES]
    with psycopg.connect(admin_url) as admin:
        tables = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        assert {"audit_event", "checkpoint_blobs", "checkpoint_writes", "checkpoints", "effect", "run"} <= {
            row[0] for row in tables
        }
        for (table,) in tables:
            cursor = admin.execute(SQL("SELECT * FROM {}").format(Identifier(table)))
            names = [column.name for column in cursor.description or ()]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    for as_text, as_bytes in needles:
                        found = (
                            as_bytes in bytes(value).lower()
                            if isinstance(value, bytes | memoryview)
                            else as_text in str(value).lower()
                        )
                        if found:
                            yield f"{table}.{name}: {as_text}"


async def test_after_a_refund_nothing_personal_stands_in_clear(shop: Shop, admin_url: str) -> None:
    ticket = await shop.arrives(charged_twice(body=BODY, customer={"name": NAME, "email": EMAIL, "phone": PHONE}))
    assert set(in_clear(admin_url)) == set()
    await shop.passes(minutes=11)
    assert await shop.outcome(ticket) == ("resolved", None)
    assert "Zephyrine" in shop.said(ticket, public=True)[0]
    assert set(in_clear(admin_url)) == set()


async def test_after_a_hand_off_an_edit_and_an_outage_nothing_personal_stands_in_clear(
    shop: Shop, admin_url: str
) -> None:
    person = {"name": NAME, "email": EMAIL, "phone": PHONE}
    ticket = await shop.arrives(charged_twice("90.00", body=BODY, customer=person, subject=f"{NAME} was charged twice"))
    await shop.clicks(ticket, "approve", reply="Dear Zephyrine, the walrus sends your money back.")
    shop.goes_wrong("zendesk.tickets.update", FaultKind.UNAVAILABLE, times=2)
    shop.goes_wrong("zendesk.tickets.update", FaultKind.TIMEOUT_AFTER_EFFECT)
    await shop.work()
    for _ in range(3):
        await shop.passes(minutes=2)
    assert ["walrus" in reply for reply in shop.said(ticket, public=True)] == [True]
    shop.goes_wrong("stripe.customers.*", FaultKind.FORBIDDEN, times=100)
    await shop.customer_writes(ticket, f"{BODY} And order 1042 was charged twice again, refund the duplicate charge.")
    await shop.passes(minutes=2)
    assert (await shop.outcome(ticket))[0] == "handed_off"
    assert set(in_clear(admin_url)) == set()
