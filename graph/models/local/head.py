"""From sentences to intents: a linear head over sentence vectors and cues, and a second one over the whole ticket.

The first head says what each sentence speaks for. The second weighs, for each intent alike, the best sentence, the
subject, the average of the ticket and the cues, so that it has few weights and cannot learn single tickets. Both are
plain matrices in `data/head.npz`, loaded without pickle; a head fitted on other examples than those shipped is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.models.local.examples import LABELS, data_hash
from policies.vocabulary import Intent

Matrix = NDArray[np.float32]

EMBEDDING_WEIGHT: Final = 5.0
CUE_WEIGHT: Final = 1.5
INTENTS: Final = tuple(Intent)
_REQUESTS: Final = len(INTENTS)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The fitted weights. `sentence_*` answer for `LABELS`, `ticket_*` for `Intent`; `temperature` calibrates."""

    sentence_weights: Matrix
    sentence_bias: Matrix
    ticket_weights: Matrix
    ticket_bias: Matrix
    temperature: float
    data_hash: str

    def sentence_probabilities(self, vectors: Matrix, cues: Matrix) -> Matrix:
        """The probability of each label for each sentence; shape `(sentences, len(LABELS))`."""
        return _softmax(np.asarray(sentence_features(vectors, cues) @ self.sentence_weights.T + self.sentence_bias))

    def ticket_probabilities(self, ticket: TicketFeatures) -> Matrix:
        """The calibrated probability that each intent is the primary one; shape `(len(Intent),)`."""
        scores = ticket.rows @ self.ticket_weights + self.ticket_bias
        calibrated: Matrix = _softmax(scores[None, :] / self.temperature)[0]
        return calibrated


@dataclass(frozen=True, slots=True, eq=False)
class TicketFeatures:
    """One row for each intent, the same columns for all."""

    rows: Matrix


def sentence_features(vectors: Matrix, cues: Matrix) -> Matrix:
    """Vectors and cue counts side by side, scaled so that neither drowns the other."""
    scaled = [vectors * EMBEDDING_WEIGHT, cues * CUE_WEIGHT]
    return np.asarray(np.hstack(scaled), dtype=np.float32)


def whole_ticket(vectors: Matrix, cues: Matrix) -> tuple[Matrix, Matrix]:
    """The ticket as one sentence: the average direction and the cues found anywhere."""
    mean = vectors.mean(axis=0, keepdims=True)
    return mean / max(float(np.linalg.norm(mean)), 1e-6), np.minimum(cues.sum(axis=0, keepdims=True), 2)


def ticket_features(sentences: Matrix, cues: Matrix, subject: Matrix | None, whole: Matrix) -> TicketFeatures:
    """What speaks for each intent in a ticket.

    Args:
        sentences: label probabilities of each sentence in order, the subject's last where there is one.
        cues: cue counts of the same sentences.
        subject: the subject's label probabilities, None where the ticket has no subject.
        whole: label probabilities of the ticket as one sentence.
    """
    requests = sentences[:, :_REQUESTS]
    ordered = np.sort(requests, axis=0)[::-1]
    best = ordered[0]
    second = ordered[1] if len(ordered) > 1 else np.zeros_like(best)
    total = requests.sum(axis=0)
    place = requests.argmax(axis=0) / max(1, len(requests) - 1)
    found = np.minimum((cues > 0).sum(axis=0), 3)
    rows = np.stack(
        [
            np.log(best + 0.02),
            second,
            total / (total.sum() + 1e-6),
            subject[:_REQUESTS] if subject is not None else np.zeros_like(best),
            whole[:_REQUESTS],
            np.minimum(found, 2),
            found / (found.sum() + 1),
            best * (1 - place),
        ],
        axis=1,
    )
    return TicketFeatures(rows.astype(np.float32))


def save_head(head: Head, path: Path) -> None:
    """Write the weights as an uncompressed `.npz` of plain arrays."""
    np.savez(
        path,
        sentence_weights=head.sentence_weights,
        sentence_bias=head.sentence_bias,
        ticket_weights=head.ticket_weights,
        ticket_bias=head.ticket_bias,
        temperature=np.array(head.temperature),
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
        head = Head(
            stored["sentence_weights"],
            stored["sentence_bias"],
            stored["ticket_weights"],
            stored["ticket_bias"],
            float(stored["temperature"]),
            str(stored["data_hash"]),
        )
        labels = tuple(str(label) for label in stored["labels"])
    if labels != LABELS or head.data_hash != data_hash():
        raise ValueError("the stored head was fitted on other examples: run 'python -m graph.models.local.train'")
    return head


def _softmax(scores: Matrix) -> Matrix:
    exponents: Matrix = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float32)
