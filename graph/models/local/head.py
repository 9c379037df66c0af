"""From the parts of a ticket to its intents: two scorers of single texts, and a weighing of what they say of a ticket.

One scorer goes by meaning and cues, one by wording; both answer for every part. The weighing puts their answers
together with the same few weights for every intent, so that it cannot learn single tickets. All are plain matrices in
`data/head.npz`, loaded without pickle; a head fitted on other examples than those shipped is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.models.local.examples import LABELS, data_hash
from graph.models.local.reading import Matrix, Reading, Texts
from graph.models.local.wording import Wording
from policies.vocabulary import Intent

INTENTS: Final = tuple(Intent)
_REQUESTS: Final = len(INTENTS)
_FLOOR: Final = 0.01
_MOST_CUES: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Scorers:
    """The linear scorers of one text; each answers for `LABELS`."""

    meaning_weights: Matrix
    meaning_bias: Matrix
    wording_weights: Matrix
    wording_bias: Matrix

    def by_meaning(self, meanings: Matrix) -> Matrix:
        """The probability of each label for each row; shape `(rows, len(LABELS))`."""
        return _softmax(np.asarray(meanings @ self.meaning_weights.T + self.meaning_bias))

    def by_wording(self, texts: Sequence[Wording]) -> Matrix:
        """The same by words."""
        scores = [self.wording_weights[:, text.places] @ text.weights + self.wording_bias for text in texts]
        return _softmax(np.array(scores, dtype=np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the scorers say of a ticket: `rows` holds the same columns for each intent, `best` the surest sentence."""

    rows: Matrix
    best: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The fitted weights. `unsure_below` is the confidence in whole percent under which the intent is a guess."""

    scorers: Scorers
    ticket_weights: Matrix
    ticket_bias: Matrix
    unsure_below: int
    data_hash: str

    def probabilities(self, judged: Judged) -> Matrix:
        """The calibrated probability that each intent is the primary one; shape `(len(Intent),)`."""
        probabilities: Matrix = _softmax((judged.rows @ self.ticket_weights + self.ticket_bias)[None, :])[0]
        return probabilities


def judge(scorers: Scorers, reading: Reading) -> Judged:
    """Let both scorers answer for every part of a ticket."""
    meant, meant_whole, meant_lines = _columns(scorers, reading, is_by_meaning=True)
    worded, worded_whole, worded_lines = _columns(scorers, reading, is_by_meaning=False)
    best: Matrix = np.asarray(((meant_lines + worded_lines) / 2).max(axis=0), dtype=np.float32)
    found = np.minimum((reading.cues > 0).sum(axis=0), _MOST_CUES).astype(np.float32)
    both = [found, found / (found.sum() + 1), _log(best), _log((meant_whole + worded_whole) / 2)]
    return Judged(np.stack([*meant, *worded, *both], axis=1).astype(np.float32), best)


def _columns(scorers: Scorers, reading: Reading, *, is_by_meaning: bool) -> tuple[list[Matrix], Matrix, Matrix]:
    def answers(texts: Texts) -> Matrix:
        found = scorers.by_meaning(texts.meanings) if is_by_meaning else scorers.by_wording(texts.wordings)
        return found[:, :_REQUESTS]

    whole, lines, pairs = answers(reading.whole)[0], answers(reading.sentences), answers(reading.pairs)
    subject = answers(reading.subject)[0] if reading.subject is not None else np.zeros_like(whole)
    total, strongest = lines.sum(axis=0), lines.max(axis=0)
    # People open with what they came for; what a later sentence says alone is more often an afterthought.
    place = lines.argmax(axis=0) / max(1, len(lines) - 1)
    columns = [
        _log(whole),
        _log(strongest),
        _log(pairs.max(axis=0)),
        total / (total.sum() + 1e-6),
        subject,
        strongest * (1 - place),
    ]
    return columns, whole, lines


def save_head(head: Head, path: Path) -> None:
    """Write the weights as a compressed `.npz` of plain arrays; the wide matrix of words in half precision."""
    scorers = head.scorers
    np.savez_compressed(
        path,
        meaning_weights=scorers.meaning_weights.astype(np.float32),
        meaning_bias=scorers.meaning_bias.astype(np.float32),
        wording_weights=scorers.wording_weights.astype(np.float16),
        wording_bias=scorers.wording_bias.astype(np.float32),
        ticket_weights=head.ticket_weights,
        ticket_bias=head.ticket_bias,
        unsure_below=np.array(head.unsure_below),
        data_hash=np.array(head.data_hash),
        labels=np.array(LABELS),
    )


def load_head() -> Head:
    """The shipped head.

    Raises:
        ValueError: it was fitted on other examples than those shipped.
    """
    with (
        as_file(files("graph.models.local") / "data" / "head.npz") as path,
        np.load(path, allow_pickle=False) as stored,
    ):
        labels = tuple(str(label) for label in stored["labels"])
        if labels != LABELS or str(stored["data_hash"]) != data_hash():
            raise ValueError("the stored head was fitted on other examples: run 'countersign triage --train'")
        return Head(
            Scorers(
                stored["meaning_weights"],
                stored["meaning_bias"],
                stored["wording_weights"].astype(np.float32),
                stored["wording_bias"],
            ),
            stored["ticket_weights"],
            stored["ticket_bias"],
            int(stored["unsure_below"]),
            str(stored["data_hash"]),
        )


def _log(probabilities: NDArray[np.floating]) -> Matrix:
    return np.asarray(np.log(probabilities + _FLOOR), dtype=np.float32)


def _softmax(scores: Matrix) -> Matrix:
    exponents: Matrix = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float32)
