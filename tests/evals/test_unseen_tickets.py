"""The tickets that triage never learned from: whole, and none of them among its examples."""

import json
from collections import Counter
from pathlib import Path

from graph.models.local.examples import load_examples, load_tickets
from policies.vocabulary import Intent

TICKETS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "evals/triage/unseen.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_every_intent_has_a_dozen_tickets() -> None:
    primary = Counter(ticket["intents"][0] for ticket in TICKETS)
    assert set(primary) == {intent.value for intent in Intent}
    assert min(primary.values()) >= 12


def test_a_ticket_has_a_name_of_its_own_and_something_to_read() -> None:
    assert len({ticket["id"] for ticket in TICKETS}) == len(TICKETS)
    assert all(ticket["body"].strip() for ticket in TICKETS)


def test_no_line_of_them_is_an_example_that_the_head_learned() -> None:
    learned = {example.text.casefold() for example in load_examples()}
    learned |= {line.strip().casefold() for ticket in load_tickets() for line in ticket.body.splitlines() if line}
    lines = {line.strip().casefold() for ticket in TICKETS for line in ticket["body"].splitlines()}
    assert not learned & lines
