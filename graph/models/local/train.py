"""Fit the head on what was written for it: `countersign triage --train`; reproducible, about a minute.

Sentences, written and composed, teach the scorers of single texts together with whole tickets. The weighing of a
ticket's parts learns from whole tickets that its scorers have not seen: five times, four fifths of the tickets teach
scorers and the last fifth is judged by them. The same fifths say what the confidence is worth and where a guess begins.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from graph.models.local.compose import compose
from graph.models.local.examples import LABELS, Cues, data_hash, load_examples, load_patterns, load_slots, load_tickets
from graph.models.local.head import INTENTS, Head, Scorers, judge, save_head
from graph.models.local.newest import newest_message
from graph.models.local.reading import Embeds, Matrix, Reader, Reading, Texts
from graph.models.local.wording import PLACES, Wording, as_rows, wording

HEAD_FILE: Final = Path(__file__).parent / "data" / "head.npz"

_SEED: Final = 7
_FOLDS: Final = 5
_COMPOSED: Final = 8
"""Sentences of each pattern for the scorer of wording; half as many for that of meaning, which costs an embedding."""
_TICKET_COPIES: Final = 2
_MEANING_C: Final = 0.3
_WORDING_C: Final = 8.0
_WEIGHT_PENALTY: Final = 1e-2
_BIAS_PENALTY: Final = 2e-2
_WANTED_RIGHT: Final = 0.85
"""Share of answers that must be right on tickets not learned from; below that confidence a person is asked."""

Labels = np.ndarray[tuple[int], np.dtype[np.int64]]
Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted head, and how it did on tickets that were left out while they were judged."""

    head: Head
    right: float
    coverage: float
    right_of_answered: float
    tickets: int


@dataclass(frozen=True, slots=True, eq=False)
class _Sentences:
    meanings: Matrix
    meaning_labels: Labels
    wordings: csr_matrix
    wording_labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class _Tickets:
    readings: Sequence[Reading]
    labels: Labels


def fit(embedder: Embeds, seed: int = _SEED) -> Fit:
    """Fit scorers and weighing on the shipped examples."""
    reader = Reader(embedder, Cues())
    sentences, tickets = _read_sentences(reader, seed), _read_tickets(reader)
    rows = _left_out_rows(sentences, tickets, seed)
    probabilities = _left_out_probabilities(rows, tickets.labels, seed)
    unsure_below = _threshold(probabilities, tickets.labels)
    weights, bias = _weigh(rows, tickets.labels)
    scorers = _fit_scorers(sentences, tickets, np.arange(len(tickets.labels)))
    right = probabilities.argmax(axis=1) == tickets.labels
    answered = probabilities.max(axis=1) * 100 >= unsure_below
    return Fit(
        Head(scorers, weights, bias, unsure_below, data_hash()),
        right=float(right.mean()),
        coverage=float(answered.mean()),
        right_of_answered=float(right[answered].mean()),
        tickets=len(right),
    )


def store(fitted: Fit) -> None:
    """Put the head where the local model looks for it."""
    save_head(fitted.head, HEAD_FILE)


def _read_sentences(reader: Reader, seed: int) -> _Sentences:
    written = load_examples()
    composed = list(compose(load_patterns(), load_slots(), _COMPOSED, random.Random(seed)))  # noqa: S311 -- seeded on purpose
    by_meaning = [*written, *composed[::2]]
    by_wording = [*written, *written, *composed]
    return _Sentences(
        reader.texts([example.text for example in by_meaning]).meanings,
        np.array([LABELS.index(example.label) for example in by_meaning]),
        _sparse([wording(example.text) for example in by_wording]),
        np.array([LABELS.index(example.label) for example in by_wording]),
    )


def _read_tickets(reader: Reader) -> _Tickets:
    readings, labels = [], []
    for ticket in load_tickets():
        reading = reader.ticket(ticket.subject, newest_message(ticket.body).text)
        if reading is None:
            raise ValueError(f"tickets.txt: a ticket without a word under {ticket.subject!r}: write its body")
        readings.append(reading)
        labels.append(INTENTS.index(ticket.intents[0]))
    return _Tickets(readings, np.array(labels))


def _folds(labels: Labels, seed: int) -> list[tuple[Rows, Rows]]:
    return list(StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(labels, labels))


def _fit_scorers(sentences: _Sentences, tickets: _Tickets, seen: Rows) -> Scorers:
    """Learn from all sentences and the whole texts of the tickets at `seen`."""
    wholes: list[Texts] = [tickets.readings[int(place)].whole for place in seen] * _TICKET_COPIES
    labels = np.tile(tickets.labels[seen], _TICKET_COPIES)
    meaning = LogisticRegression(C=_MEANING_C, max_iter=300, tol=1e-3).fit(
        np.concatenate([sentences.meanings, *(whole.meanings for whole in wholes)]),
        np.concatenate([sentences.meaning_labels, labels]),
    )
    worded = LogisticRegression(C=_WORDING_C, max_iter=200, tol=1e-3).fit(
        vstack([sentences.wordings, _sparse([whole.wordings[0] for whole in wholes])], format="csr"),
        np.concatenate([sentences.wording_labels, labels]),
    )
    return Scorers(
        meaning.coef_.astype(np.float32),
        meaning.intercept_.astype(np.float32),
        # In the precision they are stored in, so that what was measured is what is shipped.
        worded.coef_.astype(np.float16).astype(np.float32),
        worded.intercept_.astype(np.float32),
    )


def _sparse(texts: Sequence[Wording]) -> csr_matrix:
    return csr_matrix(as_rows(texts), shape=(len(texts), PLACES), dtype=np.float32)


def _left_out_rows(sentences: _Sentences, tickets: _Tickets, seed: int) -> Matrix:
    rows: dict[int, Matrix] = {}
    for seen, left_out in _folds(tickets.labels, seed):
        scorers = _fit_scorers(sentences, tickets, seen)
        rows |= {int(place): judge(scorers, tickets.readings[int(place)]).rows for place in left_out}
    return np.array([rows[place] for place in range(len(rows))])


def _left_out_probabilities(rows: Matrix, labels: Labels, seed: int) -> Matrix:
    probabilities = np.zeros(rows.shape[:2], dtype=np.float32)
    for seen, left_out in _folds(labels, seed + 1):
        weights, bias = _weigh(rows[seen], labels[seen])
        scores = rows[left_out] @ weights + bias
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities[left_out] = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities


def _threshold(probabilities: Matrix, labels: Labels) -> int:
    """The lowest whole percent from which on enough of the answers are right."""
    confidence = probabilities.max(axis=1) * 100
    right = probabilities.argmax(axis=1) == labels
    return next(
        (bar for bar in range(100) if (confidence >= bar).any() and right[confidence >= bar].mean() >= _WANTED_RIGHT),
        100,
    )


def _weigh(rows: Matrix, primary: Labels) -> tuple[Matrix, Matrix]:
    """Weights shared by all intents and a bias for each, by maximum likelihood with a small penalty."""
    count, intents, columns = rows.shape
    chosen = np.arange(count), primary

    def loss(point: Matrix) -> tuple[float, Matrix]:
        weights, bias = point[:columns], point[columns:]
        scores = rows @ weights + bias
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        penalty = _WEIGHT_PENALTY * (weights @ weights) + _BIAS_PENALTY * (bias @ bias)
        value = -np.log(probabilities[chosen] + 1e-12).mean() + penalty
        probabilities[chosen] -= 1
        slope = np.einsum("nk,nkd->d", probabilities, rows) / count + 2 * _WEIGHT_PENALTY * weights
        return float(value), np.concatenate([slope, probabilities.mean(axis=0) + 2 * _BIAS_PENALTY * bias])

    found = minimize(loss, np.zeros(columns + intents), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return found[:columns].astype(np.float32), found[columns:].astype(np.float32)
