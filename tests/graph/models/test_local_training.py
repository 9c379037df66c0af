"""What the local head learns from, and that the one shipped learned it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from graph.models.embedding import Embedder
from graph.models.local.compose import compose, expand
from graph.models.local.examples import CHATTER, LABELS, Cues, data_hash, load_patterns, load_slots, load_tickets
from graph.models.local.head import load_head, save_head
from graph.models.local.model import LocalModel
from graph.models.local.reading import Reader
from graph.models.local.wording import PLACES, wording
from policies.vocabulary import Intent


def test_a_pattern_gives_each_of_its_choices_and_slots() -> None:
    rng = random.Random(1)
    made = {expand("(a|b (c|d)|) {item}", {"item": ["mug"]}, rng) for _ in range(60)}
    assert made == {"a mug", "b c mug", "b d mug", "mug"}


def test_a_slot_that_is_not_written_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        expand("in {colour}", {}, random.Random(1))


def test_every_pattern_can_be_filled_and_the_same_seed_fills_it_alike() -> None:
    patterns, slots = load_patterns(), load_slots()
    made = list(compose(patterns, slots, 2, random.Random(3)))
    assert made == list(compose(patterns, slots, 2, random.Random(3)))
    assert len(made) == 2 * len(patterns)
    assert not [example for example in made if set("(){}|") & set(example.text)]
    assert {example.label for example in made} == set(LABELS)


def test_whole_tickets_are_written_for_every_intent() -> None:
    primary = {ticket.intents[0] for ticket in load_tickets()}
    assert primary == set(Intent)
    assert CHATTER not in primary
    assert all(len(set(ticket.intents)) == len(ticket.intents) for ticket in load_tickets())


def test_wording_hears_misspelt_words_and_no_numbers() -> None:
    def likeness(first: str, second: str) -> float:
        vectors = []
        for text in (first, second):
            vector = np.zeros(PLACES)
            worded = wording(text)
            vector[worded.places] = worded.weights
            vectors.append(vector)
        return float(vectors[0] @ vectors[1])

    assert likeness("refund order 4471", "Refund order 99120") == pytest.approx(2, abs=1e-4)
    assert likeness("subscription", "subscribtion") > 3 * likeness("subscription", "invoices")


def test_wording_of_nothing_says_nothing() -> None:
    assert len(wording("  \n").places) == 0


def test_a_ticket_is_read_whole_by_sentence_and_by_pair(embedder: Embedder) -> None:
    reading = Reader(embedder, Cues()).ticket("lamp", "It broke. I want a new one. Thanks!")
    assert reading is not None
    assert reading.subject is not None
    assert [len(part.wordings) for part in (reading.whole, reading.sentences, reading.pairs)] == [1, 3, 2]
    assert reading.cues.shape == (4, len(Intent))
    assert Reader(embedder, Cues()).ticket("?!", " \n") is None


def test_the_shipped_head_learned_what_is_shipped_and_stays_the_same_when_stored(tmp_path: Path) -> None:
    head = load_head()
    assert head.data_hash == data_hash()
    save_head(head, tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz", allow_pickle=False) as stored:
        assert (stored["wording_weights"].astype(np.float32) == head.scorers.wording_weights).all()
        assert int(stored["unsure_below"]) == head.unsure_below
    assert (tmp_path / "head.npz").stat().st_size < 1_000_000


def test_most_written_tickets_are_understood(model: LocalModel) -> None:
    """It has seen them: an error here is a broken reading, not a hard ticket."""
    tickets = load_tickets()[::16]
    right = [model.triage(ticket.subject, ticket.body).primary is ticket.intents[0] for ticket in tickets]
    assert sum(right) / len(right) > 0.9
