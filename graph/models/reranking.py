"""A cross-encoder from a folder of this machine: it reads question and section together and says how well they fit.

None ships. Promises: what is loaded is what lies in the folder, and nothing is fetched; scores are from 0 to 1. Refuses
weights in any form but safetensors, because the others may hold code that runs when they are read, and a model that was
not made for judging pairs: the libraries would complete it with random weights and say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_AT_ONCE: Final = 8
"""Pairs of one call; the libraries put those of like length together."""
_LONGEST: Final = 512
"""Word pieces of question and section together; what is longer is cut."""
_WEIGHTS: Final = "model.safetensors"
_MADE_FOR_PAIRS: Final = "ForSequenceClassification"


class RerankerError(ValueError):
    """The folder holds no cross-encoder that can be used; the message names it and what to do."""


class Reranker:
    """Judges pairs of a question and a text. Safe to share between threads: one lock guards the model."""

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model
        self._lock = Lock()

    def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """How well each text answers the question, from 0 to 1, in the order given."""
        if not texts:
            return np.zeros(0, dtype=np.float32)
        with self._lock:
            found = self._model.predict(
                [(question, text) for text in texts], batch_size=_AT_ONCE, show_progress_bar=False
            )
        # A model whose numbers ran over says nothing about a pair, and must not decide the order.
        return np.nan_to_num(np.asarray(found, dtype=np.float32), nan=0.0)


def load_reranker(folder: Path) -> Reranker:
    """Load the cross-encoder of a folder, as `CrossEncoder.save_pretrained` writes it.

    https://sbert.net/docs/cross_encoder/usage/usage.html

    Raises:
        RerankerError: the folder is missing, cannot be read, or holds another kind of model.
    """
    for name in ("config.json", _WEIGHTS):
        if not (folder / name).is_file():
            raise RerankerError(
                f"reranker {str(folder)!r} has no {name}: name the folder of a cross-encoder with safetensors weights"
            )
    # As with the embedding model: the libraries cost seconds that most processes need not pay.
    import torch  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415
    from sentence_transformers import CrossEncoder  # noqa: PLC0415
    from transformers import AutoConfig  # noqa: PLC0415

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        problem = _unfit(config.architectures or [], config.num_labels)
        if problem is None:
            return Reranker(
                CrossEncoder(
                    str(folder),
                    device="cpu",
                    local_files_only=True,
                    max_length=min(_LONGEST, getattr(config, "max_position_embeddings", _LONGEST)),
                    activation_fn=torch.nn.Sigmoid(),
                    model_kwargs={"use_safetensors": True},
                )
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RerankerError(
            f"reranker {str(folder)!r} cannot be loaded: {lines[0]}; save it again with `save_pretrained`"
        ) from error
    raise RerankerError(f"reranker {str(folder)!r} is {problem}: name the folder of a cross-encoder")


def _unfit(architectures: Sequence[str], labels: int) -> str | None:
    """What the folder holds instead of a model that gives a pair one score; None where it holds one."""
    kind = ", ".join(architectures) or "a model of no named kind"
    return None if kind.endswith(_MADE_FOR_PAIRS) and labels == 1 else f"{kind} with {labels} labels"
